// Generated from the compiled contracts by scripts/generate-abi.ts; `node scripts/generate-abi.ts` writes it anew.
import { parseAbi } from "viem";

export const encodingFraudAbi = parseAbi([
  "function datasets() view returns (address)",
  "function possessionKey() view returns (bytes32)",
  "function proveCodeword(bytes32 datasetId, uint32 cellIndex, uint16 offset, (uint32 bundleIndex, bytes32 poseidonRoot, bytes32 transportRoot, bytes32[] bundleProof, bytes cell, bytes32[] cellProof)[] cells)",
  "function proveMismatch(bytes32 datasetId, uint256 indices, uint256 rho, uint256 evaluation, uint256[8] proof, (uint32 bundleIndex, bytes32 poseidonRoot, bytes32 transportRoot, bytes32[] bundleProof, bytes[] cells, bytes32[][] cellProofs) opened)",
  "function proveObject(bytes32 datasetId, uint64 byteIndex, (uint32 bundleIndex, bytes32 poseidonRoot, bytes32 transportRoot, bytes32[] bundleProof, bytes cell, bytes32[] cellProof) cell, (uint64 objectIndex, uint32 chunkIndex, bytes chunk, bytes32[] chunkProof, bytes32[] objectProof) chunk)",
  "function verifier() view returns (address)",
  "event EncodingFraudProven(bytes32 indexed datasetId, address indexed claimant, bytes32 indexed kind)",
  "error Encrypted(bytes32 datasetId)",
  "error NoFraud()",
  "error NotAnchored(uint32 bundleIndex)",
  "error OutOfRange(bytes32 what, uint256 index, uint256 limit)",
  "error RepeatedPosition(uint256 position)",
  "error SegmentsDiffer(uint256 segment, uint256 other)",
  "error WrongCell(uint32 bundleIndex, uint256 cellIndex)",
  "error WrongCellCount(uint256 count, uint256 expected)",
  "error WrongChunk(uint64 objectIndex, uint32 chunkIndex)",
  "error WrongPlace(uint256 objectIndex, uint256 chunkIndex)",
  "error WrongProof()",
  "error WrongProofLength(uint256 length, uint256 depth)",
  "error WrongStatus(bytes32 datasetId, uint8 status)",
]);

// Generated from the compiled contracts by scripts/generate-abi.ts; `node scripts/generate-abi.ts` writes it anew.
import { parseAbi } from "viem";

export const encodingFraudAbi = parseAbi([
  "function proveCodeword(bytes32 datasetId, uint32 cellIndex, uint16 offset, (uint32 bundleIndex, bytes32 poseidonRoot, bytes32 transportRoot, bytes32[] bundleProof, bytes cell, bytes32[] cellProof)[] cells)",
  "function proveMismatch(bytes32 datasetId, uint256 indices, uint256 rho, uint256 evaluation, uint256[8] proof, (uint32 bundleIndex, bytes32 poseidonRoot, bytes32 transportRoot, bytes32[] bundleProof, bytes[] cells, bytes32[][] cellProofs) opened)",
  "function proveObject(bytes32 datasetId, uint64 byteIndex, (uint32 bundleIndex, bytes32 poseidonRoot, bytes32 transportRoot, bytes32[] bundleProof, bytes cell, bytes32[] cellProof) cell, (uint64 objectIndex, uint32 chunkIndex, bytes chunk, bytes32[] chunkProof, bytes32[] objectProof) chunk)",
  "event EncodingFraudProven(bytes32 indexed datasetId, address indexed claimant, bytes32 indexed kind)",
]);

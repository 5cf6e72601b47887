// Generated from the compiled contracts by scripts/generate-abi.ts; `node scripts/generate-abi.ts` writes it anew.
import { parseAbi } from "viem";

export const resultFraudAbi = parseAbi([
  "function ENTRY_BYTES() view returns (uint256)",
  "function datasets() view returns (address)",
  "function instalments() view returns (address)",
  "function proveEntry(uint256 claimId, (uint256 slot, bytes32 dataRoot, int128 exponent, bytes32[] siblings) opened, uint256 byteIndex, (uint32 bundleIndex, uint32 cellIndex, bytes32 poseidonRoot, bytes32 transportRoot, bytes32[] bundleProof, bytes cell, bytes32[] cellProof)[] cells)",
  "function proveOffset(uint256 claimId, uint256 slot, (bytes descriptor, bytes32[] siblings) store, (uint32 bundleIndex, uint32 cellIndex, bytes32 poseidonRoot, bytes32 transportRoot, bytes32[] bundleProof, bytes cell, bytes32[] cellProof)[] cells)",
  "function proveTensor(uint256 claimId, (uint256 slot, bytes32 dataRoot, int128 exponent, bytes32[] siblings) opened, (bytes descriptor, bytes32[] siblings) store, (uint256 index, bytes data, bytes32[] siblings) leaf, uint256 byteIndex, (uint32 bundleIndex, uint32 cellIndex, bytes32 poseidonRoot, bytes32 transportRoot, bytes32[] bundleProof, bytes cell, bytes32[] cellProof)[] cells)",
  "function registry() view returns (address)",
  "event ResultFraudProven(uint256 indexed claimId, address indexed claimant, bytes32 indexed resultId, bytes32 kind)",
  "error MalformedDescriptor()",
  "error NoFraud()",
  "error NoSuchNode(uint256 tape, uint256 index)",
  "error NotOpened(uint256 position)",
  "error NothingOwed(uint256 claimId)",
  "error OutOfRange(bytes32 what, uint256 index, uint256 limit)",
  "error WrongCell(uint256 bundleIndex, uint256 cellIndex)",
  "error WrongDescriptor(uint256 tape, uint256 index)",
  "error WrongProofLength(uint256 length, uint256 depth)",
  "error WrongSlot(uint256 slot)",
  "error WrongStore(uint256 slot)",
  "error WrongTensorLeaf(uint256 index)",
]);

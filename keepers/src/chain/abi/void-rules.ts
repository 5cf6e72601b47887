// Generated from the compiled contracts by scripts/generate-abi.ts; `node scripts/generate-abi.ts` writes it anew.
import { parseAbi } from "viem";

export const voidRulesAbi = parseAbi([
  "function isVoid((address provider, uint64 challengeUntil, bytes32 traceRoot, bytes32 programRoot, bytes32 trainingHash, uint256 steps, uint256 interval, uint256 logMicroBatches, uint256[3] nodeCounts, uint256 witnessNode, uint256 slots) claim, uint256 tape, uint256 index, bytes descriptor, bytes32[] siblings) pure returns (bool)",
  "error NoSuchNode(uint256 tape, uint256 index)",
  "error WrongDescriptor(uint256 tape, uint256 index)",
  "error WrongProofLength(uint256 length, uint256 depth)",
]);

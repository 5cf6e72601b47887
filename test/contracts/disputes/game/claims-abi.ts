import { parseAbi } from "viem";

/** ClaimsDouble, typed: Hardhat writes no declarations for contracts that only tests have. */
export const claimsAbi = parseAbi([
  "struct DisputeTerms { uint96 challengerBond; uint64 refundPrice; uint32 window; uint32 extension; uint32 grace; }",
  "struct TrainingClaim { address provider; uint64 challengeUntil; bytes32 traceRoot; bytes32 programRoot; bytes32 trainingHash; uint256 steps; uint256 interval; uint256 logMicroBatches; uint256[3] nodeCounts; uint256 witnessNode; uint256 slots; }",
  "function setGame(address game)",
  "function open(uint256 jobId, TrainingClaim claim, DisputeTerms terms) payable",
  "function setClaim(uint256 jobId, TrainingClaim claim)",
  "function release(uint256 jobId)",
  "function claimOf(uint256 jobId) view returns (TrainingClaim)",
  "function convictions(uint256 jobId) view returns (uint32 interval, uint32 challengeId, address challenger, uint32 count)",
  "function voids(uint256 jobId) view returns (uint256)",
  "error WrongTerms()",
  "error WrongStatus(uint256 jobId, uint8 status)",
  "error StillOpen(uint256 jobId, uint256 challenges)",
]);

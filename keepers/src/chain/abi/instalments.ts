// Generated from the compiled contracts by scripts/generate-abi.ts; `node scripts/generate-abi.ts` writes it anew.
import { parseAbi } from "viem";

export const instalmentsAbi = parseAbi([
  "function checkpointOf(uint256 jobId, uint256 number) view returns ((bytes32 traceRoot, uint48 challengeUntil, uint32 steps))",
  "function claimIdOf(uint256 jobId, uint256 number) pure returns (uint256)",
  "function close(uint256 jobId, uint256 number) returns (uint256 paid)",
  "function ledgerOf(uint256 jobId) view returns ((uint16 posted, uint16 closed, uint128 paid))",
  "function owedOf(uint256 jobId) view returns (uint256)",
  "function post(uint256 jobId, uint256 number, (bytes32 traceRoot, (bytes32 stateRoot, bytes32 witnessHash, bytes32[] siblings) first, (bytes32 stateRoot, bytes32 witnessHash, bytes32[] siblings) last, bytes32 leavesDigest, bytes32 resultId) commitment) payable",
  "function registry() view returns (address)",
  "function requireClosed(uint256 jobId) view",
  "function rules() view returns (address)",
  "event CheckpointClosed(uint256 indexed jobId, uint256 indexed number, uint256 paid)",
  "event CheckpointPosted(uint256 indexed jobId, uint256 indexed number, address indexed provider, uint256 steps, bytes32 traceRoot, bytes32 stateRoot, bytes32 leavesDigest, bytes32 resultId, uint256 challengeUntil)",
  "error CheckpointsPending(uint256 jobId, uint256 number)",
  "error NoCheckpoint(uint256 jobId, uint256 number)",
  "error NotPending(uint256 jobId, uint256 number)",
  "error NotProvider(uint256 jobId, address caller)",
  "error ReentrancyGuardReentrantCall()",
  "error ResultNotStored(bytes32 resultId)",
  "error TooEarly(uint256 jobId, uint256 from)",
  "error TooLate(uint256 jobId, uint256 until)",
  "error WrongLeaf(uint256 leaf)",
  "error WrongProofLength(uint256 length, uint256 depth)",
  "error WrongStatus(uint256 jobId, uint8 status)",
]);

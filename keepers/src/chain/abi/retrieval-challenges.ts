// Generated from the compiled contracts by scripts/generate-abi.ts; `node scripts/generate-abi.ts` writes it anew.
import { parseAbi } from "viem";

export const retrievalChallengesAbi = parseAbi([
  "function bond() view returns (uint256)",
  "function callTimeout(uint256 challengeId)",
  "function challenge(bytes32 bundleId, uint32 cellIndex, bytes32 transportRoot, bytes32[] bundleProof) payable returns (uint256 challengeId)",
  "function challengeOf(uint256 challengeId) view returns ((address challenger, uint64 deadline, uint64 graceEnds, address operator, uint32 cellIndex, uint16 cells, bytes32 bundleId, bytes32 transportRoot, uint96 bond))",
  "function publish(uint256 challengeId, bytes cell, bytes32[] proof)",
  "function slashFailed(uint256 challengeId)",
  "function withdraw(address to) returns (uint256 amount)",
  "event CellPublished(uint256 indexed challengeId, bytes cell)",
  "event RetrievalChallenged(uint256 indexed challengeId, bytes32 indexed bundleId, address indexed operator, address challenger, uint32 cellIndex, uint64 deadline)",
  "event RetrievalFailed(uint256 indexed challengeId, bytes32 indexed bundleId, address indexed operator)",
  "event RetrievalTimeoutCalled(uint256 indexed challengeId, uint64 graceEnds)",
]);

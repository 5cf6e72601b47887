// Generated from the compiled contracts by scripts/generate-abi.ts; `node scripts/generate-abi.ts` writes it anew.
import { parseAbi } from "viem";

export const randomnessBeaconAbi = parseAbi([
  "function redraw(uint256 requestId)",
  "function request() returns (uint256 requestId)",
  "function seedOf(uint256 requestId) view returns (bytes32 seed, uint64 readyAt)",
  "event RandomnessReady(uint256 indexed requestId, bytes32 seed)",
  "event RandomnessRedrawn(uint256 indexed requestId, uint64 earliest)",
  "event RandomnessRequested(uint256 indexed requestId, address indexed requester, uint64 earliest)",
  "error RedrawNotDue(uint256 requestId, uint64 dueAt)",
  "error UnknownRequest(uint256 requestId)",
]);

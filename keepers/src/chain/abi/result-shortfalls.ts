// Generated from the compiled contracts by scripts/generate-abi.ts; `node scripts/generate-abi.ts` writes it anew.
import { parseAbi } from "viem";

export const resultShortfallsAbi = parseAbi([
  "function MAX_REPAIR() view returns (uint256)",
  "function REPAIR_EPOCHS() view returns (uint256)",
  "function audit() view returns (address)",
  "function call(uint256 claimId, uint256 segment) returns (uint256 until)",
  "function datasets() view returns (address)",
  "function fail(uint256 claimId, uint256 segment)",
  "function failUnanswered(uint256 claimId, uint256 challengeId)",
  "function grace() view returns (uint256)",
  "function graceUntil(uint256 claimId, uint256 segment) view returns (uint256)",
  "function instalments() view returns (address)",
  "function registry() view returns (address)",
  "function retrieval() view returns (address)",
  "event ResultLost(uint256 indexed claimId, bytes32 indexed resultId)",
  "event ShortfallCalled(uint256 indexed claimId, address indexed caller, bytes32 indexed resultId, uint256 segment, uint256 until)",
  "error AlreadyCalled(uint256 claimId, uint256 until)",
  "error GraceTooShort(uint256 grace, uint256 least)",
  "error NotCalled(uint256 claimId)",
  "error NotUnanswered(uint256 claimId, uint256 challengeId)",
  "error NothingOwed(uint256 claimId)",
  "error ResultRetrievable(bytes32 resultId)",
  "error SegmentRetrievable(bytes32 resultId, uint256 segment)",
  "error TooEarly(uint256 claimId, uint256 from)",
  "error UnknownSegment(bytes32 resultId, uint256 segment)",
]);

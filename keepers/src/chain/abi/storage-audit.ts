// Generated from the compiled contracts by scripts/generate-abi.ts; `node scripts/generate-abi.ts` writes it anew.
import { parseAbi } from "viem";

export const storageAuditAbi = parseAbi([
  "function answer(bytes32 bundleId, uint32 epoch, uint256 evaluation, uint256[8] proof)",
  "function answerCover(bytes32 coverId, uint32 epoch, uint256 evaluation, bytes cells, uint256[8] proof)",
  "function callTimeout(bytes32 bundleId, uint32 epoch)",
  "function checkUpkeep(bytes checkData) returns (bool needed, bytes performData)",
  "function claim(bytes32 bundleId) returns (uint256 amount)",
  "function currentEpoch() view returns (uint32)",
  "function epochOf(uint32 epoch) view returns ((uint256 requestId, uint64 openedAt))",
  "function graceEndsAt(bytes32 dutyId, uint32 epoch) view returns (uint64)",
  "function isAnswered(bytes32 dutyId, uint32 epoch) view returns (bool)",
  "function openEpoch() returns (uint32 epoch)",
  "function performUpkeep(bytes performData)",
  "function slashMissed(bytes32 bundleId, uint32 epoch)",
  "function windowOf(uint32 epoch) view returns (bytes32 seed, uint64 opensAt, uint64 closesAt)",
  "event AuditAnswered(bytes32 indexed dutyId, uint32 indexed epoch, address indexed operator, uint256 evaluation)",
  "event AuditMissed(bytes32 indexed bundleId, uint32 indexed epoch, address indexed operator)",
  "event EpochOpened(uint32 indexed epoch, uint256 indexed requestId)",
  "event FeesClaimed(bytes32 indexed bundleId, address indexed operator, uint256 answers, uint256 amount)",
  "event TimeoutCalled(bytes32 indexed dutyId, uint32 indexed epoch, address indexed caller, uint64 graceEnds)",
]);

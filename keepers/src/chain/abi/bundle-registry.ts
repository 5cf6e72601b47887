// Generated from the compiled contracts by scripts/generate-abi.ts; `node scripts/generate-abi.ts` writes it anew.
import { parseAbi } from "viem";

export const bundleRegistryAbi = parseAbi([
  "function bountyOf(bytes32 bundleId) view returns (uint256)",
  "function bundleIdOf(bytes32 datasetId, uint32 bundleIndex) view returns (bytes32)",
  "function coverOf(bytes32 coverId) view returns ((address operator, uint32 since, uint8 count, uint256 root, bytes32 cellsHash))",
  "function dutyOf(bytes32 bundleId, uint32 epoch) view returns (bytes32 dutyId)",
  "function holdingOf(bytes32 bundleId) view returns ((address operator, uint32 since, uint16 cells, uint32 bundleIndex, bytes32 datasetId, uint256 poseidonRoot, bytes32 coverId, uint32 coverSince))",
  "function place(((bytes32 datasetId, uint32 bundleIndex, bytes32 poseidonRoot, bytes32 transportRoot, address operator, uint64 validUntil) receipt, bytes32[] proof, bytes signature)[] receipts)",
  "function registerCover(bytes32[] bundleIds, uint256 coveringRoot, uint256[8] proof) returns (bytes32 coverId)",
  "function release(bytes32 bundleId)",
  "function settleRepair(bytes32 bundleId)",
  "function surrender(bytes32 bundleId)",
  "function vacate(bytes32 bundleId, address reporter, bytes32 reason) returns (uint256 bounty)",
  "function withdrawBounty(address to) returns (uint256 amount)",
  "event BountyWithdrawn(address indexed account, address indexed to, uint256 amount)",
  "event BundlePlaced(bytes32 indexed bundleId, bytes32 indexed datasetId, address indexed operator, uint32 bundleIndex, uint32 since, bool repair)",
  "event BundleReleased(bytes32 indexed bundleId, address indexed operator)",
  "event BundleSurrendered(bytes32 indexed bundleId, address indexed operator, uint256 penalty)",
  "event BundleVacated(bytes32 indexed bundleId, address indexed operator, bytes32 reason, uint256 bounty)",
  "event CoverRegistered(bytes32 indexed coverId, address indexed operator, uint256 root, bytes32[] bundleIds)",
  "event RepairPaid(bytes32 indexed bundleId, address indexed operator, uint256 amount)",
]);

// Generated from the compiled contracts by scripts/generate-abi.ts; `node scripts/generate-abi.ts` writes it anew.
import { parseAbi } from "viem";

export const datasetRegistryAbi = parseAbi([
  "function addEpochs(bytes32 datasetId, uint32 epochs)",
  "function anchor((bytes32 manifestHash, bytes32 manifestDigest, bytes32 objectRoot, (uint64 objectCount, uint32 objectSize, uint32 segmentObjects, uint8 k, uint8 n, bool encrypted) shape, bytes32 previous, uint96 feePerAudit, uint32 epochs) parameters, bytes32[] poseidonRoots, bytes32[] transportRoots) returns (bytes32 datasetId)",
  "function anchorWithPermit((bytes32 manifestHash, bytes32 manifestDigest, bytes32 objectRoot, (uint64 objectCount, uint32 objectSize, uint32 segmentObjects, uint8 k, uint8 n, bool encrypted) shape, bytes32 previous, uint96 feePerAudit, uint32 epochs) parameters, bytes32[] poseidonRoots, bytes32[] transportRoots, uint256 deadline, uint8 v, bytes32 r, bytes32 s) returns (bytes32 datasetId)",
  "function cellsOf(bytes32 datasetId, uint32 bundleIndex) view returns (uint256)",
  "function close(bytes32 datasetId)",
  "function datasetOf(bytes32 datasetId) view returns ((address owner, uint8 status, (uint64 objectCount, uint32 objectSize, uint32 segmentObjects, uint8 k, uint8 n, bool encrypted) shape, bytes32 manifestHash, bytes32 objectRoot, bytes32 bundlesRoot, bytes32 previous, uint96 bond, uint96 feePerAudit, uint96 bundleStake, uint96 missPenalty, uint96 surrenderPenalty, uint96 feeBalance, uint32 firstEpoch, uint32 endEpoch, uint32 bundles))",
  "function idOf(address owner, bytes32 manifestHash) view returns (bytes32)",
  "function markFraudulent(bytes32 datasetId, address claimant)",
  "function payFee(bytes32 datasetId, address operator, uint256 amount)",
  "function quote((uint64 objectCount, uint32 objectSize, uint32 segmentObjects, uint8 k, uint8 n, bool encrypted) shape, uint96 feePerAudit, uint32 epochs) view returns (uint256 bond, uint256 fees)",
  "function successorOf(bytes32 datasetId) view returns (bytes32)",
  "function withdrawCredit(address to) returns (uint256 amount)",
  "event BondSlashed(bytes32 indexed datasetId, address indexed claimant, uint256 amount, uint256 burnt)",
  "event BundleRoots(bytes32 indexed datasetId, bytes32[] poseidonRoots, bytes32[] transportRoots)",
  "event CreditWithdrawn(address indexed account, address indexed to, uint256 amount)",
  "event DatasetAnchored(bytes32 indexed datasetId, address indexed owner, bytes32 indexed previous, bytes32 manifestHash, bytes32 manifestDigest, bytes32 objectRoot, bytes32 bundlesRoot, (uint64 objectCount, uint32 objectSize, uint32 segmentObjects, uint8 k, uint8 n, bool encrypted) shape)",
  "event DatasetClosed(bytes32 indexed datasetId, uint256 bondReturned, uint256 feesReturned)",
  "event FeePaid(bytes32 indexed datasetId, address indexed operator, uint256 amount)",
  "event FeesAdded(bytes32 indexed datasetId, address indexed from, uint256 amount, uint32 endEpoch)",
]);

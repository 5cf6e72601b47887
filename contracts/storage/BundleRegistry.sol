// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {AuditMath} from "../libraries/AuditMath.sol";
import {Credits} from "../libraries/Credits.sol";
import {StorageMath} from "../libraries/StorageMath.sol";
import {IStaking} from "../staking/interfaces/IStaking.sol";
import {IVerifierRegistry} from "../zk/interfaces/IVerifierRegistry.sol";
import {IBundleRegistry} from "./interfaces/IBundleRegistry.sol";
import {IDatasetRegistry} from "./interfaces/IDatasetRegistry.sol";
import {IPlacementPolicy} from "./interfaces/IPlacementPolicy.sol";
import {IStorageAudit} from "./interfaces/IStorageAudit.sol";
import {Limits} from "./Limits.sol";
import {Receipts} from "./Receipts.sol";

/// @title Holders of bundles, what they have at stake, and who is paid for a repair
contract BundleRegistry is AccessManaged, Credits, Receipts, Pausable, ReentrancyGuardTransient {
    using StorageMath for IDatasetRegistry.Shape;

    /// @dev One word beside the two roots: an audit reads two slots.
    struct Record {
        address operator;
        uint32 since;
        /// Paid epochs from `since` on at the time of placement (≤ MAX_TERM).
        uint16 term;
        uint16 cells;
        uint16 bundleIndex;
        uint8 covers;
        uint8 tenure;
        uint256 poseidonRoot;
        bytes32 datasetId;
    }

    /// @dev An operator's place in a segment.
    struct Seat {
        bool taken;
        /// Receipts that expire at this time or earlier are void.
        uint64 floor;
    }

    bytes32 private constant SURRENDERED = "surrender";

    IDatasetRegistry public immutable datasets;
    IStaking public immutable staking;
    IVerifierRegistry public immutable verifier;
    /// @notice Hash of the registration circuit's verifying key.
    bytes32 public immutable registrationKey;
    /// @notice The audit module: it settles fees before a holding ends.
    IStorageAudit public audit;

    mapping(bytes32 bundleId => Record) private _records;
    mapping(bytes32 bundleId => mapping(uint256 number => bytes32)) private _coverIds;
    mapping(bytes32 coverId => Cover) private _covers;
    mapping(bytes32 bundleId => uint256) private _bounties;
    mapping(bytes32 datasetId => mapping(uint256 segment => mapping(address => Seat))) private _seats;

    constructor(
        address authority,
        IERC20 token_,
        IDatasetRegistry datasets_,
        IStaking staking_,
        IVerifierRegistry verifier_,
        bytes32 registrationKey_
    ) AccessManaged(authority) Credits(token_) {
        datasets = datasets_;
        staking = staking_;
        verifier = verifier_;
        registrationKey = registrationKey_;
    }

    /// @inheritdoc IBundleRegistry
    function place(SignedReceipt[] calldata receipts) external override nonReentrant whenNotPaused {
        IDatasetRegistry.Dataset memory dataset;
        bytes32 datasetId;
        uint32 count;
        uint32 since = datasets.currentEpoch() + 1;
        for (uint256 i = 0; i < receipts.length; ++i) {
            Receipt calldata receipt = receipts[i].receipt;
            if (i == 0 || receipt.datasetId != datasetId) {
                if (count != 0) datasets.addHeld(datasetId, count);
                count = 0;
                datasetId = receipt.datasetId;
                dataset = datasets.datasetOf(datasetId);
                if (dataset.status != IDatasetRegistry.Status.Active || since >= dataset.endEpoch) {
                    revert NothingToHold(datasetId, since, dataset.endEpoch);
                }
            }
            _place(receipts[i], dataset, since);
            ++count;
        }
        if (count != 0) datasets.addHeld(datasetId, count);
    }

    /// @inheritdoc IBundleRegistry
    function surrender(bytes32 bundleId) external override nonReentrant {
        Record storage record = _held(bundleId);
        address operator = record.operator;
        if (operator != msg.sender) revert NotHolder(bundleId, operator, msg.sender);
        IDatasetRegistry.Dataset memory dataset = datasets.datasetOf(record.datasetId);
        bool served = block.timestamp >= datasets.settledAt(record.since + record.term);
        uint256 penalty = served ? 0 : dataset.surrenderPenalty;
        uint256 bounty = _end(bundleId, dataset, penalty, address(0), SURRENDERED);
        emit BundleSurrendered(bundleId, operator, penalty);
        emit BundleVacated(bundleId, operator, SURRENDERED, bounty);
    }

    /// @inheritdoc IBundleRegistry
    function release(bytes32 bundleId) external override nonReentrant {
        Record storage record = _records[bundleId];
        bytes32 datasetId = record.datasetId;
        if (datasetId == 0) revert NotHeld(bundleId);
        if (!datasets.isOver(datasetId)) revert StillOnDuty(bundleId);
        address operator = record.operator;
        if (operator == address(0) && _bounties[bundleId] == 0) revert NotHeld(bundleId);
        if (operator != address(0)) {
            _end(bundleId, datasets.datasetOf(datasetId), 0, address(0), bytes32(0));
            emit BundleReleased(bundleId, operator);
        }
        _burn(_bounties[bundleId]);
        delete _bounties[bundleId];
    }

    /// @inheritdoc IBundleRegistry
    function registerCover(
        bytes32[] calldata bundleIds,
        uint256 coveringRoot,
        uint256[8] calldata proof
    ) external override nonReentrant whenNotPaused returns (bytes32 coverId) {
        uint256 count = bundleIds.length;
        if (count == 0 || count > Limits.COVER_BUNDLES) revert WrongCoverSize(count);
        uint32 since = datasets.currentEpoch() + 1;
        coverId = keccak256(abi.encode(block.chainid, address(this), msg.sender, coveringRoot, since));
        uint256[64] memory roots;
        bytes memory cells = new bytes(2 * count);
        for (uint256 i = 0; i < count; ++i) {
            uint16 size;
            (roots[i], size) = _joinCover(bundleIds[i], coverId, since);
            cells[2 * i] = bytes1(uint8(size >> 8));
            cells[2 * i + 1] = bytes1(uint8(size));
        }

        uint256[] memory inputs = new uint256[](3);
        inputs[0] = coveringRoot;
        (inputs[2], inputs[1]) = AuditMath.registration(coveringRoot, roots);
        if (!verifier.verify(registrationKey, proof, inputs)) revert WrongCoverProof(coveringRoot);
        _covers[coverId] = Cover(msg.sender, since, uint8(count), coveringRoot, keccak256(cells));
        emit CoverRegistered(coverId, msg.sender, coveringRoot, bundleIds);
    }

    /// @inheritdoc IBundleRegistry
    function vacate(
        bytes32 bundleId,
        address reporter,
        bytes32 reason
    ) external override restricted nonReentrant returns (uint256 bounty) {
        Record storage record = _held(bundleId);
        address operator = record.operator;
        IDatasetRegistry.Dataset memory dataset = datasets.datasetOf(record.datasetId);
        bounty = _end(bundleId, dataset, dataset.missPenalty, reporter, reason);
        emit BundleVacated(bundleId, operator, reason, bounty);
    }

    /// @inheritdoc IBundleRegistry
    /// @dev Not guarded: a holding that ends has its fees settled first, and its repair with them.
    function settleRepair(bytes32 bundleId) external override restricted {
        address operator = _held(bundleId).operator;
        uint256 amount = _bounties[bundleId];
        if (amount == 0) return;
        delete _bounties[bundleId];
        _credit(operator, amount);
        emit RepairPaid(bundleId, operator, amount);
    }

    /// @inheritdoc IBundleRegistry
    function withdrawBounty(address to) external override nonReentrant returns (uint256 amount) {
        amount = _payOut(to);
        emit BountyWithdrawn(msg.sender, to, amount);
    }

    /// @inheritdoc IBundleRegistry
    function flushBurn() external override nonReentrant returns (uint256) {
        return _flushBurn();
    }

    /// @inheritdoc IBundleRegistry
    function setAudit(address audit_) external override restricted {
        if (address(audit) != address(0)) revert AuditAlreadySet(address(audit));
        audit = IStorageAudit(audit_);
    }

    /// @inheritdoc IBundleRegistry
    function pause() external override restricted {
        _pause();
    }

    /// @inheritdoc IBundleRegistry
    function unpause() external override restricted {
        _unpause();
    }

    /// @inheritdoc IBundleRegistry
    function holdingOf(bytes32 bundleId) external view override returns (Holding memory holding) {
        Record storage record = _records[bundleId];
        holding.operator = record.operator;
        holding.tenure = record.tenure;
        if (record.operator == address(0)) return holding;
        holding.since = record.since;
        holding.until = record.since + record.term;
        holding.cells = record.cells;
        holding.bundleIndex = record.bundleIndex;
        holding.datasetId = record.datasetId;
        holding.poseidonRoot = record.poseidonRoot;
        if (record.covers != 0) {
            holding.coverId = _coverIds[bundleId][record.covers - 1];
            holding.coverSince = _covers[holding.coverId].since;
        }
    }

    /// @inheritdoc IBundleRegistry
    function dutyTermsOf(
        bytes32 bundleId
    ) external view override returns (address operator, uint32 since, uint16 cells, uint256 poseidonRoot) {
        Record storage record = _records[bundleId];
        return (record.operator, record.since, record.cells, record.poseidonRoot);
    }

    /// @inheritdoc IBundleRegistry
    function coverOf(bytes32 coverId) external view override returns (Cover memory) {
        return _covers[coverId];
    }

    /// @inheritdoc IBundleRegistry
    function coversOf(
        bytes32 bundleId
    ) external view override returns (bytes32[] memory coverIds, uint32[] memory sinces) {
        uint256 count = _records[bundleId].covers;
        coverIds = new bytes32[](count);
        sinces = new uint32[](count);
        for (uint256 i = 0; i < count; ++i) {
            coverIds[i] = _coverIds[bundleId][i];
            sinces[i] = _covers[coverIds[i]].since;
        }
    }

    /// @inheritdoc IBundleRegistry
    function dutyOf(bytes32 bundleId, uint32 epoch) external view override returns (bytes32) {
        for (uint256 i = _records[bundleId].covers; i != 0; --i) {
            bytes32 coverId = _coverIds[bundleId][i - 1];
            if (_covers[coverId].since <= epoch) return coverId;
        }
        return bundleId;
    }

    /// @inheritdoc IBundleRegistry
    function bountyOf(bytes32 bundleId) external view override returns (uint256) {
        return _bounties[bundleId];
    }

    /// @inheritdoc IBundleRegistry
    function creditOf(address account) external view override returns (uint256) {
        return _creditOf(account);
    }

    /// @inheritdoc IBundleRegistry
    function receiptFloorOf(
        bytes32 datasetId,
        uint256 segment,
        address operator
    ) external view override returns (uint64) {
        return _seats[datasetId][segment][operator].floor;
    }

    /// @inheritdoc IBundleRegistry
    function bundleIdOf(bytes32 datasetId, uint32 bundleIndex) public pure override returns (bytes32) {
        return keccak256(abi.encode(datasetId, bundleIndex));
    }

    function _place(
        SignedReceipt calldata signed,
        IDatasetRegistry.Dataset memory dataset,
        uint32 since
    ) private {
        Receipt calldata receipt = signed.receipt;
        (bytes32 datasetId, uint32 index) = (receipt.datasetId, receipt.bundleIndex);
        address operator = receipt.operator;
        if (index >= dataset.bundles) revert UnknownBundle(datasetId, index);
        bytes32 bundleId = bundleIdOf(datasetId, index);
        Record storage record = _records[bundleId];
        if (record.operator != address(0)) revert AlreadyHeld(bundleId, record.operator);
        _requireAnchored(signed, dataset);
        _requireSigned(signed);
        _takeSeat(receipt, index / dataset.shape.n);
        if (dataset.policy != address(0)) {
            bool allowed = IPlacementPolicy(dataset.policy).check(datasetId, index, operator);
            if (!allowed) revert RefusedByPolicy(dataset.policy, operator);
        }
        if (!staking.isEligible(operator, IStaking.Role.Storage, dataset.bundleStake)) {
            revert NotEligible(operator, dataset.bundleStake);
        }

        record.operator = operator;
        record.since = since;
        record.term = uint16(dataset.endEpoch - since);
        record.cells = uint16(dataset.shape.cells(index / dataset.shape.n));
        record.bundleIndex = uint16(index);
        record.covers = 0;
        unchecked {
            ++record.tenure;
        }
        record.poseidonRoot = uint256(receipt.poseidonRoot);
        record.datasetId = datasetId;
        emit BundlePlaced(bundleId, datasetId, operator, index, since, _bounties[bundleId] != 0);
        staking.lock(operator, dataset.bundleStake);
    }

    /// @dev Ends a holding: fees settled, record cleared, stake slashed by `penalty` and the rest unlocked.
    /// @return bounty what this end adds to the bundle's bounty
    function _end(
        bytes32 bundleId,
        IDatasetRegistry.Dataset memory dataset,
        uint256 penalty,
        address reporter,
        bytes32 reason
    ) private returns (uint256 bounty) {
        audit.claim(bundleId);
        Record storage record = _records[bundleId];
        (address operator, bytes32 datasetId) = (record.operator, record.datasetId);
        Seat storage seat = _seats[datasetId][record.bundleIndex / dataset.shape.n][operator];
        seat.taken = false;
        seat.floor = uint64(block.timestamp) + Limits.RECEIPT_VALIDITY;
        record.operator = address(0);
        datasets.removeHeld(datasetId);

        uint256 slashed;
        if (penalty != 0) {
            uint256 unburnt;
            (slashed, unburnt) = staking.slash(operator, penalty, address(this), reason);
            bounty = _splitPenalty(bundleId, unburnt, dataset.missPenalty / 2, reporter);
        }
        staking.unlock(operator, dataset.bundleStake - slashed);
    }

    /// @dev Reporter and bounty share the unburnt part. A bounty that several penalties have added up to is cut to half
    /// of one missed audit's, so that a repair never earns more than a fault of that bundle has cost.
    function _splitPenalty(
        bytes32 bundleId,
        uint256 unburnt,
        uint256 most,
        address reporter
    ) private returns (uint256 added) {
        uint256 spendable = Math.min(unburnt, most);
        uint256 reward =
            reporter == address(0) ? 0 : (spendable * Limits.REPORTER_SHARE) / Limits.BASIS_POINTS;
        uint256 open = _bounties[bundleId];
        added = Math.min(spendable - reward, most - open);
        _bounties[bundleId] = open + added;
        _credit(reporter, reward);
        _burn(unburnt - reward - added);
    }

    function _joinCover(
        bytes32 bundleId,
        bytes32 coverId,
        uint32 since
    ) private returns (uint256 root, uint16 cells) {
        Record storage record = _held(bundleId);
        if (record.operator != msg.sender) revert NotHolder(bundleId, record.operator, msg.sender);
        if (_bounties[bundleId] != 0) revert RepairUnproven(bundleId);
        uint8 count = record.covers;
        if (count != 0) {
            bytes32 latest = _coverIds[bundleId][count - 1];
            bool early = latest == coverId || _covers[latest].since == since;
            if (early || count == Limits.MAX_COVERS) revert CoverTooSoon(bundleId, since, count);
        }
        _coverIds[bundleId][count] = coverId;
        record.covers = count + 1;
        return (record.poseidonRoot, record.cells);
    }

    function _takeSeat(Receipt calldata receipt, uint256 segment) private {
        Seat storage seat = _seats[receipt.datasetId][segment][receipt.operator];
        if (seat.taken) revert SegmentTaken(receipt.datasetId, segment, receipt.operator);
        if (receipt.validUntil <= seat.floor) {
            revert ReceiptOutdated(receipt.operator, receipt.validUntil, seat.floor);
        }
        seat.taken = true;
    }

    function _held(bytes32 bundleId) private view returns (Record storage record) {
        record = _records[bundleId];
        if (record.operator == address(0)) revert NotHeld(bundleId);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {AuditMath} from "../libraries/AuditMath.sol";
import {StorageMath} from "../libraries/StorageMath.sol";
import {IStaking} from "../staking/interfaces/IStaking.sol";
import {IVerifierRegistry} from "../zk/interfaces/IVerifierRegistry.sol";
import {IBundleRegistry} from "./interfaces/IBundleRegistry.sol";
import {IDatasetRegistry} from "./interfaces/IDatasetRegistry.sol";
import {IPlacementPolicy} from "./interfaces/IPlacementPolicy.sol";
import {IRetrievalChallenges} from "./interfaces/IRetrievalChallenges.sol";
import {IStorageAudit} from "./interfaces/IStorageAudit.sol";
import {BundleTable} from "./BundleTable.sol";
import {Covers} from "./Covers.sol";
import {Limits} from "./Limits.sol";
import {Receipts} from "./Receipts.sol";
import {Standbys} from "./Standbys.sol";

/// @title Holders of bundles, what they have at stake, and who is paid for a repair
contract BundleRegistry is Covers, Standbys, Receipts {
    using StorageMath for IDatasetRegistry.Shape;

    bytes32 private constant SURRENDERED = "surrender";
    bytes32 private constant SERVED = "served";

    constructor(
        address authority,
        IERC20 token_,
        IDatasetRegistry datasets_,
        IStaking staking_,
        IVerifierRegistry verifier_,
        bytes32 registrationKey_,
        bytes32 possessionKey_,
        uint32 exclusiveEpochs_
    )
        BundleTable(
            authority,
            token_,
            datasets_,
            staking_,
            verifier_,
            registrationKey_,
            possessionKey_,
            exclusiveEpochs_
        )
    {}

    /// @inheritdoc IBundleRegistry
    function place(SignedReceipt[] calldata receipts) external override nonReentrant {
        IDatasetRegistry.Dataset memory dataset;
        bytes32 datasetId;
        uint256 segment;
        uint16 count;
        uint32 since = datasets.currentEpoch() + 1;
        for (uint256 i = 0; i < receipts.length; ++i) {
            Receipt calldata receipt = receipts[i].receipt;
            bool isOther = i == 0 || receipt.datasetId != datasetId;
            if (!isOther && receipt.bundleIndex / dataset.shape.n != segment) {
                datasets.addHeld(datasetId, segment, count);
                count = 0;
            }
            if (isOther) {
                if (count != 0) datasets.addHeld(datasetId, segment, count);
                count = 0;
                datasetId = receipt.datasetId;
                dataset = _runningDataset(datasetId, since);
            }
            bytes32 bundleId = bundleIdOf(datasetId, receipt.bundleIndex);
            // Held once, a bundle is only given to who has it: its owner may have forgotten it long ago.
            if (_vacant(bundleId).datasetId != 0) revert ProofNeeded(bundleId);
            _requireApproval(receipts[i], dataset.owner);
            segment = receipt.bundleIndex / dataset.shape.n;
            _place(receipts[i], dataset, since);
            ++count;
        }
        if (count != 0) datasets.addHeld(datasetId, segment, count);
    }

    /// @inheritdoc IBundleRegistry
    function placeProven(
        SignedReceipt calldata signed,
        uint32 epoch,
        uint256 evaluation,
        uint256[8] calldata proof
    ) external override nonReentrant {
        bytes32 datasetId = signed.receipt.datasetId;
        uint32 present = datasets.currentEpoch();
        IDatasetRegistry.Dataset memory dataset = _runningDataset(datasetId, present + 1);
        bytes32 bundleId = bundleIdOf(datasetId, signed.receipt.bundleIndex);
        address operator = signed.receipt.operator;
        uint32 earliest = _provableFrom(_vacant(bundleId), datasetId, operator, dataset.firstEpoch);
        if (epoch < earliest || epoch > present || epoch + 1 < present) {
            revert EpochNotFit(bundleId, epoch, earliest, present);
        }
        bytes32 seed = _seedFor(operator, dataset.bundleStake, epoch);
        _place(signed, dataset, present + 1);
        _requirePossession(bundleId, seed, epoch, evaluation, proof);
        datasets.addHeld(datasetId, signed.receipt.bundleIndex / dataset.shape.n, 1);
    }

    /// @inheritdoc IBundleRegistry
    function surrender(bytes32 bundleId) external override nonReentrant {
        Record storage record = _ownHolding(bundleId);
        if (retrieval.openOf(bundleId) != 0) revert RetrievalOpen(bundleId);
        IDatasetRegistry.Dataset memory dataset = datasets.datasetOf(record.datasetId);
        (bool isDue, bool isMissed, address reporter) = audit.unansweredOf(bundleId);
        bool served = !isDue && _isServed(record);
        uint256 penalty =
            isMissed
                ? dataset.missPenalty
                : served
                    ? 0
                    : dataset.surrenderPenalty;
        uint256 bounty = _end(bundleId, dataset, penalty, reporter, SURRENDERED);
        emit BundleSurrendered(bundleId, msg.sender, penalty);
        emit BundleVacated(bundleId, msg.sender, SURRENDERED, bounty);
    }

    /// @inheritdoc IBundleRegistry
    function extend(bytes32 bundleId, uint32 latestEnd) external override {
        Record storage record = _ownHolding(bundleId);
        uint32 until = record.since + record.term;
        if (latestEnd <= until) revert NotLonger(bundleId, until, latestEnd);
        record.term = _termTo(latestEnd, record.since);
        emit DutyExtended(bundleId, msg.sender, record.since + record.term);
    }

    /// @inheritdoc IBundleRegistry
    function release(bytes32 bundleId) external override nonReentrant {
        Record storage record = _records[bundleId];
        bytes32 datasetId = record.datasetId;
        if (datasetId == 0) revert NotHeld(bundleId);
        address operator = record.operator;
        bool isOver = datasets.isOver(datasetId);
        bool isServed = operator != address(0) && _isServed(record);
        if (!isOver && !isServed) revert StillOnDuty(bundleId);
        if (operator == address(0) && _bounties[bundleId] == 0) revert NotHeld(bundleId);
        if (operator != address(0)) {
            _end(bundleId, datasets.datasetOf(datasetId), 0, address(0), bytes32(0));
            if (isOver) emit BundleReleased(bundleId, operator);
            else emit BundleVacated(bundleId, operator, SERVED, 0);
        }
        if (!isOver) return;
        _burn(_bounties[bundleId]);
        delete _bounties[bundleId];
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
    function setModules(address audit_, address retrieval_) external override restricted {
        if (address(audit) != address(0)) revert ModulesAlreadySet(address(audit));
        (audit, retrieval) = (IStorageAudit(audit_), IRetrievalChallenges(retrieval_));
    }

    function _runningDataset(
        bytes32 datasetId,
        uint32 since
    ) private view returns (IDatasetRegistry.Dataset memory dataset) {
        dataset = datasets.datasetOf(datasetId);
        if (dataset.status != IDatasetRegistry.Status.Active || since >= dataset.endEpoch) {
            revert NothingToHold(datasetId, since, dataset.endEpoch);
        }
    }

    /// @dev The seed of an epoch, for an operator that had staked before it was asked for.
    function _seedFor(address operator, uint256 stake, uint32 epoch) private view returns (bytes32 seed) {
        uint64 opensAt;
        (seed, opensAt, ) = audit.windowOf(epoch);
        if (opensAt == 0) revert NoSeed(epoch);
        uint64 openedAt = audit.epochOf(epoch).openedAt;
        if (staking.stakeAt(operator, openedAt - 1) < stake) revert StakedTooLate(operator, openedAt);
    }

    /// @dev Of a bundle that has just been placed.
    function _requirePossession(
        bytes32 bundleId,
        bytes32 seed,
        uint32 epoch,
        uint256 evaluation,
        uint256[8] calldata proof
    ) private view {
        Record storage record = _records[bundleId];
        uint256 root = record.poseidonRoot;
        uint256[] memory inputs = new uint256[](4);
        inputs[0] = evaluation;
        inputs[1] = root;
        inputs[2] = AuditMath.bundleIndices(seed, bundleId, record.operator, record.cells);
        inputs[3] = AuditMath.auditPoint(seed, bundleId, root, record.operator, epoch);
        if (!verifier.verify(possessionKey, proof, inputs)) revert WrongPossession(bundleId, epoch);
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
        if (dataset.endEpoch > receipt.latestEnd) {
            revert TermTooLong(datasetId, dataset.endEpoch, receipt.latestEnd);
        }
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
        record.term = _termTo(receipt.latestEnd, since);
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
        uint256 segment = record.bundleIndex / dataset.shape.n;
        Seat storage seat = _seats[datasetId][segment][operator];
        seat.taken = false;
        seat.floor = uint64(block.timestamp) + Limits.RECEIPT_VALIDITY;
        record.operator = address(0);
        record.since = datasets.currentEpoch() + 1;
        datasets.removeHeld(datasetId, segment);

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

    function _takeSeat(Receipt calldata receipt, uint256 segment) private {
        Seat storage seat = _seats[receipt.datasetId][segment][receipt.operator];
        if (seat.taken) revert SegmentTaken(receipt.datasetId, segment, receipt.operator);
        if (receipt.validUntil <= seat.floor) {
            revert ReceiptOutdated(receipt.operator, receipt.validUntil, seat.floor);
        }
        seat.taken = true;
    }

    function _vacant(bytes32 bundleId) private view returns (Record storage record) {
        record = _records[bundleId];
        if (record.operator != address(0)) revert AlreadyHeld(bundleId, record.operator);
    }

    function _ownHolding(bytes32 bundleId) private view returns (Record storage record) {
        record = _held(bundleId);
        if (record.operator != msg.sender) revert NotHolder(bundleId, record.operator, msg.sender);
    }

    /// @dev Whether the deadlines of all epochs have passed that the holder has agreed to.
    function _isServed(Record storage record) private view returns (bool) {
        return block.timestamp >= datasets.settledAt(record.since + record.term);
    }

    /// @dev No dataset is paid for more than MAX_TERM epochs, so that nothing is lost by the cut.
    function _termTo(uint32 latestEnd, uint32 since) private pure returns (uint16) {
        return uint16(Math.min(latestEnd - since, Limits.MAX_TERM));
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IRandomnessBeacon} from "../beacon/interfaces/IRandomnessBeacon.sol";
import {AuditMath} from "../libraries/AuditMath.sol";
import {IVerifierRegistry} from "../zk/interfaces/IVerifierRegistry.sol";
import {AuditTable} from "./AuditTable.sol";
import {IBundleRegistry} from "./interfaces/IBundleRegistry.sol";
import {IDatasetRegistry} from "./interfaces/IDatasetRegistry.sol";
import {IStorageAudit} from "./interfaces/IStorageAudit.sol";
import {Limits} from "./Limits.sol";

/// @title Epochs, answers, timeouts and the fees for answers
/// @dev An answer writes one bit; what it earns is counted from the bits when it is claimed. This contract holds no
/// tokens, and calls only contracts of this deployment.
contract StorageAudit is AuditTable, AccessManaged {
    using SafeCast for uint256;

    bytes32 private constant MISSED = "audit";

    IVerifierRegistry public immutable verifier;
    /// @notice Hash of the possession circuit's verifying key.
    bytes32 public immutable possessionKey;
    /// @notice Hash of the covering circuit's verifying key.
    bytes32 public immutable coveringKey;

    uint32 private immutable _leastSeedDelay;
    uint32 private immutable _leastAuditWindow;
    uint32 private immutable _leastTimeoutWindow;
    uint32 private immutable _leastGrace;

    Windows private _windows;

    /// @param windows_ the first windows; none can later be set to less than half of its first value
    constructor(
        address authority,
        IDatasetRegistry datasets_,
        IBundleRegistry bundles_,
        IRandomnessBeacon beacon_,
        IVerifierRegistry verifier_,
        bytes32 possessionKey_,
        bytes32 coveringKey_,
        Windows memory windows_
    ) AuditTable(datasets_, bundles_, beacon_) AccessManaged(authority) {
        verifier = verifier_;
        possessionKey = possessionKey_;
        coveringKey = coveringKey_;
        _leastSeedDelay = uint32(Math.max(windows_.seedDelay / 2, Limits.MIN_WINDOW));
        _leastAuditWindow = uint32(Math.max(windows_.auditWindow / 2, Limits.MIN_WINDOW));
        _leastTimeoutWindow = uint32(Math.max(windows_.timeoutWindow / 2, Limits.MIN_WINDOW));
        _leastGrace = uint32(Math.max(windows_.grace / 2, Limits.MIN_WINDOW));
        _setWindows(windows_);
    }

    /// @inheritdoc IStorageAudit
    function answer(
        bytes32 bundleId,
        uint32 epoch,
        uint256 evaluation,
        uint256[8] calldata proof
    ) external override {
        (address operator, uint32 since, uint16 cells, uint256 root) = bundles.dutyTermsOf(bundleId);
        if (operator == address(0) || epoch < since) revert NotDue(bundleId, epoch);
        (bytes32 seed, bool late) = _seedFor(epoch);
        // A bundle that answers for itself has the grace of the cover that should have answered for it, too.
        if (late) _requireGrace(bundleId, bundles.dutyOf(bundleId, epoch), epoch);
        _mark(bundleId, epoch);

        uint256[] memory inputs = new uint256[](4);
        inputs[0] = evaluation;
        inputs[1] = root;
        inputs[2] = AuditMath.bundleIndices(seed, bundleId, operator, cells);
        inputs[3] = AuditMath.auditPoint(seed, bundleId, root, operator, epoch);
        if (!verifier.verify(possessionKey, proof, inputs)) revert WrongProof(bundleId, epoch);
        emit AuditAnswered(bundleId, epoch, operator, evaluation);
    }

    /// @inheritdoc IStorageAudit
    function answerCover(
        bytes32 coverId,
        uint32 epoch,
        uint256 evaluation,
        bytes calldata cells,
        uint256[8] calldata proof
    ) external override {
        IBundleRegistry.Cover memory cover = bundles.coverOf(coverId);
        if (cover.operator == address(0) || epoch < cover.since) revert NotDue(coverId, epoch);
        if (keccak256(cells) != cover.cellsHash) revert WrongCells(coverId);
        (bytes32 seed, bool late) = _seedFor(epoch);
        if (late) _requireGrace(coverId, coverId, epoch);
        _mark(coverId, epoch);

        uint256[] memory inputs = new uint256[](5);
        inputs[0] = evaluation;
        inputs[1] = cover.root;
        (inputs[2], inputs[3]) = AuditMath.coverIndices(seed, coverId, cover.operator, cells);
        inputs[4] = AuditMath.auditPoint(seed, coverId, cover.root, cover.operator, epoch);
        if (!verifier.verify(coveringKey, proof, inputs)) revert WrongProof(coverId, epoch);
        emit AuditAnswered(coverId, epoch, cover.operator, evaluation);
    }

    /// @inheritdoc IStorageAudit
    function callTimeout(bytes32 bundleId, uint32 epoch) external override {
        (bytes32 dutyId, ) = _requireUnanswered(bundleId, epoch);
        (, uint64 opensAt, uint64 closesAt) = windowOf(epoch);
        if (opensAt == 0) revert NoSeed(epoch);
        Windows storage inForce = _epochs[epoch].windows;
        uint64 until = closesAt + inForce.timeoutWindow;
        if (block.timestamp <= closesAt || block.timestamp > until) {
            revert NotTimely(dutyId, epoch, closesAt + 1, until);
        }
        Timeout storage timeout = _timeouts[dutyId][epoch];
        if (timeout.graceEnds != 0) revert TimeoutAlreadyCalled(dutyId, epoch);
        uint64 graceEnds = uint64(block.timestamp) + inForce.grace;
        timeout.graceEnds = graceEnds;
        timeout.caller = msg.sender;
        emit TimeoutCalled(dutyId, epoch, msg.sender, graceEnds);
    }

    /// @inheritdoc IStorageAudit
    function slashMissed(bytes32 bundleId, uint32 epoch) external override {
        (bytes32 dutyId, address operator) = _requireUnanswered(bundleId, epoch);
        Timeout storage timeout = _timeouts[dutyId][epoch];
        uint64 graceEnds = timeout.graceEnds;
        if (graceEnds == 0) revert NoTimeout(dutyId, epoch);
        // Of a settled epoch a later gap may have forgotten that it was not paid for.
        uint64 settled = datasets.settledAt(epoch + 1);
        if (block.timestamp <= graceEnds || block.timestamp >= settled) {
            revert NotTimely(dutyId, epoch, graceEnds + 1, settled - 1);
        }
        emit AuditMissed(bundleId, epoch, operator);
        bundles.vacate(bundleId, timeout.caller, MISSED);
    }

    /// @inheritdoc IStorageAudit
    function claim(bytes32 bundleId) external override returns (uint256 amount) {
        IBundleRegistry.Holding memory holding = bundles.holdingOf(bundleId);
        if (holding.operator == address(0)) revert IBundleRegistry.NotHeld(bundleId);
        (, uint32 endEpoch, uint96 fee) = datasets.termsOf(holding.datasetId);
        uint256 answered = _answered(bundleId, holding.since, Math.min(endEpoch, currentEpoch() + 1));
        if (answered != 0 && bundles.bountyOf(bundleId) != 0) bundles.settleRepair(bundleId);

        uint256 paid = _paid(bundleId, holding);
        if (answered <= paid) return 0;
        _claims[bundleId] = Claim(holding.since, holding.tenure, uint32(answered));
        amount = (answered - paid) * fee;
        emit FeesClaimed(bundleId, holding.operator, answered - paid, amount);
        if (amount != 0) datasets.payFee(holding.datasetId, holding.operator, amount);
    }

    /// @inheritdoc IStorageAudit
    function performUpkeep(bytes calldata) external override {
        openEpoch();
    }

    /// @inheritdoc IStorageAudit
    function setWindows(Windows calldata windows_) external override restricted {
        _setWindows(windows_);
    }

    /// @inheritdoc IStorageAudit
    function checkUpkeep(
        bytes calldata
    ) external view override returns (bool needed, bytes memory performData) {
        return (_epochs[currentEpoch()].openedAt == 0, "");
    }

    /// @inheritdoc IStorageAudit
    function windows() external view override returns (Windows memory) {
        return _windows;
    }

    /// @inheritdoc IStorageAudit
    function openEpoch() public override returns (uint32 epoch) {
        epoch = currentEpoch();
        EpochRecord storage opened = _epochs[epoch];
        if (opened.openedAt != 0) revert AlreadyOpen(epoch);
        opened.openedAt = uint64(block.timestamp);
        opened.windows = _windows;
        uint256 requestId = beacon.request();
        opened.requestId = requestId.toUint64();
        emit EpochOpened(epoch, requestId);
    }

    function _mark(bytes32 dutyId, uint32 epoch) private {
        uint256 word = _answers[dutyId][epoch >> 8];
        uint256 bit = 1 << (epoch & 0xff);
        if (word & bit != 0) revert AlreadyAnswered(dutyId, epoch);
        _answers[dutyId][epoch >> 8] = word | bit;
    }

    function _setWindows(Windows memory next) private {
        uint256 rest = _closeDelay;
        rest = _requireWindow("seedDelay", next.seedDelay, _leastSeedDelay, rest);
        rest = _requireWindow("auditWindow", next.auditWindow, _leastAuditWindow, rest);
        rest = _requireWindow("timeoutWindow", next.timeoutWindow, _leastTimeoutWindow, rest);
        // Counted twice: after the last grace there is as long to execute the slash.
        _requireWindow("grace", next.grace, _leastGrace, rest / 2);
        _windows = next;
        emit WindowsSet(next);
    }

    function _seedFor(uint32 epoch) private view returns (bytes32 seed, bool late) {
        uint64 opensAt;
        uint64 closesAt;
        (seed, opensAt, closesAt) = windowOf(epoch);
        if (opensAt == 0) revert NoSeed(epoch);
        late = block.timestamp > closesAt;
    }

    function _requireGrace(bytes32 answered, bytes32 dutyId, uint32 epoch) private view {
        uint64 graceEnds = _timeouts[dutyId][epoch].graceEnds;
        if (block.timestamp > graceEnds) {
            (, , uint64 closesAt) = windowOf(epoch);
            revert WindowClosed(answered, epoch, closesAt, graceEnds);
        }
    }

    /// @dev The duty of a held bundle that was to answer this paid epoch and has not.
    function _requireUnanswered(
        bytes32 bundleId,
        uint32 epoch
    ) private view returns (bytes32 dutyId, address operator) {
        IBundleRegistry.Holding memory holding = bundles.holdingOf(bundleId);
        operator = holding.operator;
        if (operator == address(0) || epoch < holding.since) revert NotDue(bundleId, epoch);
        (, uint32 endEpoch, ) = datasets.termsOf(holding.datasetId);
        bool isOwed = epoch < endEpoch && epoch < holding.until && !_isGap(holding.datasetId, epoch);
        if (!isOwed || datasets.isOver(holding.datasetId)) revert NotDue(bundleId, epoch);
        dutyId = bundles.dutyOf(bundleId, epoch);
        if (isAnswered(bundleId, epoch)) revert AlreadyAnswered(bundleId, epoch);
        if (isAnswered(dutyId, epoch)) revert AlreadyAnswered(dutyId, epoch);
    }

    function _requireWindow(
        bytes32 name,
        uint256 value,
        uint256 low,
        uint256 high
    ) private pure returns (uint256 rest) {
        if (value < low || value > high) revert OutOfBounds(name, value, low, high);
        return high - value;
    }
}

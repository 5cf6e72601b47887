// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IRandomnessBeacon} from "../beacon/interfaces/IRandomnessBeacon.sol";
import {AuditMath} from "../libraries/AuditMath.sol";
import {Bits} from "../libraries/Bits.sol";
import {IVerifierRegistry} from "../zk/interfaces/IVerifierRegistry.sol";
import {IBundleRegistry} from "./interfaces/IBundleRegistry.sol";
import {IDatasetRegistry} from "./interfaces/IDatasetRegistry.sol";
import {IStorageAudit} from "./interfaces/IStorageAudit.sol";
import {Limits} from "./Limits.sol";

/// @title Epochs, answers, timeouts and the fees for answers
/// @dev An answer writes one bit; what it earns is counted from the bits when it is claimed. This contract holds no
/// tokens, and calls only contracts of this deployment.
contract StorageAudit is IStorageAudit, AccessManaged, Pausable {
    using SafeCast for uint256;

    struct Timeout {
        uint64 graceEnds;
        address caller;
    }

    /// @dev One slot, since every answer reads it: all beacons number their requests from 1.
    struct EpochRecord {
        uint64 requestId;
        uint64 openedAt;
        Windows windows;
    }

    /// @dev What the holder that came with `tenure` at `since` has been paid.
    struct Claim {
        uint32 since;
        uint8 tenure;
        uint32 paid;
    }

    bytes32 private constant MISSED = "audit";

    IDatasetRegistry public immutable datasets;
    IBundleRegistry public immutable bundles;
    IRandomnessBeacon public immutable beacon;
    IVerifierRegistry public immutable verifier;
    /// @notice Hash of the possession circuit's verifying key.
    bytes32 public immutable possessionKey;
    /// @notice Hash of the covering circuit's verifying key.
    bytes32 public immutable coveringKey;

    uint64 private immutable _genesis;
    uint32 private immutable _epochLength;
    uint64 private immutable _closeDelay;
    uint32 private immutable _leastSeedDelay;
    uint32 private immutable _leastAuditWindow;
    uint32 private immutable _leastTimeoutWindow;
    uint32 private immutable _leastGrace;

    Windows private _windows;
    mapping(uint32 epoch => EpochRecord) private _epochs;
    mapping(bytes32 dutyId => mapping(uint256 word => uint256)) private _answers;
    mapping(bytes32 dutyId => mapping(uint32 epoch => Timeout)) private _timeouts;
    mapping(bytes32 bundleId => Claim) private _claims;

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
    ) AccessManaged(authority) {
        datasets = datasets_;
        bundles = bundles_;
        beacon = beacon_;
        verifier = verifier_;
        possessionKey = possessionKey_;
        coveringKey = coveringKey_;
        _genesis = datasets_.genesis();
        _epochLength = datasets_.epochLength();
        _closeDelay = datasets_.closeDelay();
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
        if (block.timestamp <= graceEnds) {
            revert NotTimely(dutyId, epoch, graceEnds + 1, type(uint64).max);
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
    function pause() external override restricted {
        _pause();
    }

    /// @inheritdoc IStorageAudit
    function unpause() external override restricted {
        _unpause();
    }

    /// @inheritdoc IStorageAudit
    function checkUpkeep(
        bytes calldata
    ) external view override returns (bool needed, bytes memory performData) {
        return (!paused() && _epochs[currentEpoch()].openedAt == 0, "");
    }

    /// @inheritdoc IStorageAudit
    function epochOf(uint32 epoch) external view override returns (Epoch memory) {
        EpochRecord memory opened = _epochs[epoch];
        return Epoch(opened.requestId, opened.openedAt, opened.windows);
    }

    /// @inheritdoc IStorageAudit
    function graceEndsAt(bytes32 dutyId, uint32 epoch) external view override returns (uint64) {
        return _timeouts[dutyId][epoch].graceEnds;
    }

    /// @inheritdoc IStorageAudit
    function windows() external view override returns (Windows memory) {
        return _windows;
    }

    /// @inheritdoc IStorageAudit
    function paidAnswersOf(bytes32 bundleId) external view override returns (uint256) {
        return _paid(bundleId, bundles.holdingOf(bundleId));
    }

    /// @inheritdoc IStorageAudit
    function openEpoch() public override whenNotPaused returns (uint32 epoch) {
        epoch = currentEpoch();
        EpochRecord storage opened = _epochs[epoch];
        if (opened.openedAt != 0) revert AlreadyOpen(epoch);
        opened.openedAt = uint64(block.timestamp);
        opened.windows = _windows;
        uint256 requestId = beacon.request();
        opened.requestId = requestId.toUint64();
        emit EpochOpened(epoch, requestId);
    }

    /// @inheritdoc IStorageAudit
    function windowOf(
        uint32 epoch
    ) public view override returns (bytes32 seed, uint64 opensAt, uint64 closesAt) {
        EpochRecord memory opened = _epochs[epoch];
        if (opened.openedAt == 0) return (0, 0, 0);
        (seed, opensAt) = beacon.seedOf(opened.requestId);
        if (opensAt == 0 || opensAt > opened.openedAt + opened.windows.seedDelay) return (0, 0, 0);
        closesAt = opensAt + opened.windows.auditWindow;
    }

    /// @inheritdoc IStorageAudit
    function isAnswered(bytes32 dutyId, uint32 epoch) public view override returns (bool) {
        return (_answers[dutyId][epoch >> 8] >> (epoch & 0xff)) & 1 != 0;
    }

    /// @inheritdoc IStorageAudit
    function currentEpoch() public view override returns (uint32) {
        return uint32((block.timestamp - _genesis) / _epochLength);
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
        if (epoch >= endEpoch || datasets.isOver(holding.datasetId)) revert NotDue(bundleId, epoch);
        dutyId = bundles.dutyOf(bundleId, epoch);
        if (isAnswered(bundleId, epoch)) revert AlreadyAnswered(bundleId, epoch);
        if (isAnswered(dutyId, epoch)) revert AlreadyAnswered(dutyId, epoch);
    }

    /// @dev Epochs in [from, to) that the bundle or the cover in charge answered. At most 65 words for the bundle
    /// (MAX_TERM) and as many, plus one per cover (MAX_COVERS), for its covers.
    function _answered(bytes32 bundleId, uint256 from, uint256 to) private view returns (uint256 total) {
        (bytes32[] memory coverIds, uint32[] memory sinces) = bundles.coversOf(bundleId);
        bytes32 dutyId = bundleId;
        for (uint256 i = 0; i <= coverIds.length; ++i) {
            uint256 end = i < coverIds.length ? Math.min(sinces[i], to) : to;
            if (from < end) {
                total += _answeredBy(bundleId, dutyId, from, end);
                from = end;
            }
            if (i < coverIds.length) dutyId = coverIds[i];
        }
    }

    function _answeredBy(
        bytes32 bundleId,
        bytes32 dutyId,
        uint256 from,
        uint256 to
    ) private view returns (uint256 total) {
        for (uint256 word = from >> 8; word <= (to - 1) >> 8; ++word) {
            uint256 bits = _answers[bundleId][word];
            if (dutyId != bundleId) bits |= _answers[dutyId][word];
            total += Bits.count(bits & Bits.range(word, from, to));
        }
    }

    function _paid(bytes32 bundleId, IBundleRegistry.Holding memory holding) private view returns (uint256) {
        Claim storage record = _claims[bundleId];
        bool same = record.since == holding.since && record.tenure == holding.tenure;
        return same ? record.paid : 0;
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

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IRandomnessBeacon} from "../beacon/interfaces/IRandomnessBeacon.sol";
import {Bits} from "../libraries/Bits.sol";
import {IBundleRegistry} from "./interfaces/IBundleRegistry.sol";
import {IDatasetRegistry} from "./interfaces/IDatasetRegistry.sol";
import {IStorageAudit} from "./interfaces/IStorageAudit.sol";

/// @title What was asked, what was answered, and what is still owed
/// @notice Everything of the audit but its moves.
abstract contract AuditTable is IStorageAudit {
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

    IDatasetRegistry public immutable datasets;
    IBundleRegistry public immutable bundles;
    IRandomnessBeacon public immutable beacon;

    uint64 internal immutable _genesis;
    uint32 internal immutable _epochLength;
    uint64 internal immutable _closeDelay;

    mapping(uint32 epoch => EpochRecord) internal _epochs;
    mapping(bytes32 dutyId => mapping(uint256 word => uint256)) internal _answers;
    mapping(bytes32 dutyId => mapping(uint32 epoch => Timeout)) internal _timeouts;
    mapping(bytes32 bundleId => Claim) internal _claims;

    constructor(IDatasetRegistry datasets_, IBundleRegistry bundles_, IRandomnessBeacon beacon_) {
        datasets = datasets_;
        bundles = bundles_;
        beacon = beacon_;
        _genesis = datasets_.genesis();
        _epochLength = datasets_.epochLength();
        _closeDelay = datasets_.closeDelay();
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
    function paidAnswersOf(bytes32 bundleId) external view override returns (uint256) {
        return _paid(bundleId, bundles.holdingOf(bundleId));
    }

    /// @inheritdoc IStorageAudit
    function unansweredOf(
        bytes32 bundleId
    ) external view override returns (bool isDue, bool isMissed, address reporter) {
        IBundleRegistry.Holding memory holding = bundles.holdingOf(bundleId);
        (, uint32 endEpoch, ) = datasets.termsOf(holding.datasetId);
        if (holding.operator == address(0) || datasets.isOver(holding.datasetId))
            return (false, false, address(0));
        uint256 to = Math.min(Math.min(endEpoch, holding.until), currentEpoch() + 1);
        // Older epochs are settled: all windows and graces of an epoch end within the registry's delay.
        uint256 back = _closeDelay / _epochLength + 2;
        uint256 from = Math.max(holding.since, to > back ? to - back : 0);
        for (uint256 epoch = to; epoch > from && reporter == address(0);) {
            (bool asked, bool missed, address caller) = _unanswered(
                bundleId,
                holding.datasetId,
                uint32(--epoch)
            );
            isDue = isDue || asked;
            isMissed = isMissed || missed;
            reporter = caller;
        }
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

    /// @dev Whether an epoch of a held bundle asks for an answer, was missed, and who called its timeout.
    function _unanswered(
        bytes32 bundleId,
        bytes32 datasetId,
        uint32 epoch
    ) internal view returns (bool isDue, bool isMissed, address caller) {
        bytes32 dutyId = bundles.dutyOf(bundleId, epoch);
        if (isAnswered(bundleId, epoch) || isAnswered(dutyId, epoch)) return (false, false, address(0));
        if (_isGap(datasetId, epoch)) return (false, false, address(0));
        (, uint64 opensAt, uint64 closesAt) = windowOf(epoch);
        if (opensAt == 0) return (false, false, address(0));
        if (block.timestamp <= closesAt) return (true, false, address(0));
        caller = _timeouts[dutyId][epoch].caller;
        isMissed = caller != address(0) || block.timestamp <= closesAt + _epochs[epoch].windows.timeoutWindow;
        isDue = isMissed;
    }

    /// @dev Whether an epoch was paid for only after it had begun: nobody is asked about it.
    function _isGap(bytes32 datasetId, uint32 epoch) internal view returns (bool) {
        (uint32 from, uint32 to) = datasets.gapOf(datasetId);
        return epoch >= from && epoch < to;
    }

    /// @dev Epochs in [from, to) that the bundle or the cover in charge answered. At most 65 words for the bundle
    /// (MAX_TERM) and as many, plus one per cover (MAX_COVERS), for its covers.
    function _answered(bytes32 bundleId, uint256 from, uint256 to) internal view returns (uint256 total) {
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
    ) internal view returns (uint256 total) {
        for (uint256 word = from >> 8; word <= (to - 1) >> 8; ++word) {
            uint256 bits = _answers[bundleId][word];
            if (dutyId != bundleId) bits |= _answers[dutyId][word];
            total += Bits.count(bits & Bits.range(word, from, to));
        }
    }

    function _paid(bytes32 bundleId, IBundleRegistry.Holding memory holding) internal view returns (uint256) {
        Claim storage record = _claims[bundleId];
        bool same = record.since == holding.since && record.tenure == holding.tenure;
        return same ? record.paid : 0;
    }
}

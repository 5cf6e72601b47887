// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IDatasetRegistry} from "../storage/interfaces/IDatasetRegistry.sol";
import {IRetrievalChallenges} from "../storage/interfaces/IRetrievalChallenges.sol";
import {IStorageAudit} from "../storage/interfaces/IStorageAudit.sol";
import {IInstalments} from "./interfaces/IInstalments.sol";
import {IJobRegistry} from "./interfaces/IJobRegistry.sol";
import {IJobTable} from "./interfaces/IJobTable.sol";
import {IResultShortfalls} from "./interfaces/IResultShortfalls.sol";
import {OwedResults} from "./OwedResults.sol";

/// @title Calls of results that cannot be retrieved, or are not shown, and the end of their jobs
/// @dev It keeps no money.
contract ResultShortfalls is IResultShortfalls, OwedResults {
    /// @notice Epochs that a grace has to last at least. A bundle is taken over with a proof under a seed that was
    /// drawn after it became free: none of the epoch in which that was, but of the next one, until the one after
    /// that ends.
    uint256 public constant REPAIR_EPOCHS = 3;
    /// @notice How long after the time of challenges placements void a call, and how long after its grace a job waits
    /// for a seed.
    uint256 public constant MAX_REPAIR = 30 days;
    /// @dev Epochs after a call that are searched for a seed: what bounds the gas where epochs are short.
    uint256 private constant MOST_EPOCHS = 1_000;

    IDatasetRegistry public immutable datasets;
    IStorageAudit public immutable audit;
    IRetrievalChallenges public immutable retrieval;
    /// @inheritdoc IResultShortfalls
    uint256 public immutable grace;

    mapping(uint256 claimId => mapping(uint256 segment => uint256)) private _calledAt;

    /// @notice Thrown when nobody could take a bundle over within the grace.
    error GraceTooShort(uint256 grace, uint256 least);

    constructor(
        IJobRegistry registry_,
        IInstalments instalments_,
        IDatasetRegistry datasets_,
        IStorageAudit audit_,
        IRetrievalChallenges retrieval_,
        uint256 grace_
    ) OwedResults(registry_, instalments_) {
        uint256 least = REPAIR_EPOCHS * datasets_.epochLength();
        if (grace_ < least) revert GraceTooShort(grace_, least);
        datasets = datasets_;
        audit = audit_;
        retrieval = retrieval_;
        grace = grace_;
    }

    /// @inheritdoc IResultShortfalls
    function call(uint256 claimId, uint256 segment) external returns (uint256 until) {
        (Owed memory owed, , uint256 filledAt) = _requireShort(claimId, segment);
        uint256 calledAt = _calledAt[claimId][segment];
        if (_stands(owed, calledAt, filledAt)) revert AlreadyCalled(claimId, calledAt + grace);
        _calledAt[claimId][segment] = block.timestamp;
        until = block.timestamp + grace;
        emit ShortfallCalled(claimId, msg.sender, owed.resultId, segment, until);
    }

    /// @inheritdoc IResultShortfalls
    function fail(uint256 claimId, uint256 segment) external {
        (Owed memory owed, bool isShort, uint256 filledAt) = _requireShort(claimId, segment);
        uint256 calledAt = _calledAt[claimId][segment];
        if (!_stands(owed, calledAt, filledAt)) revert NotCalled(claimId);
        uint256 until = calledAt + grace;
        IJobTable.ResultFault fault = IJobTable.ResultFault.Lost;
        // To pay for epochs takes no seed.
        if (isShort && !_wasRefillable(calledAt)) {
            (until, fault) = (until + MAX_REPAIR, IJobTable.ResultFault.Stranded);
        }
        if (block.timestamp <= until) revert TooEarly(claimId, until + 1);
        _end(claimId, owed, fault);
    }

    /// @inheritdoc IResultShortfalls
    function failUnanswered(uint256 claimId, uint256 challengeId) external {
        Owed memory owed = _owedOf(claimId);
        if (owed.jobId == 0) revert NothingOwed(claimId);
        if (!retrieval.isUnanswered(challengeId, owed.resultId)) revert NotUnanswered(claimId, challengeId);
        _end(claimId, owed, IJobTable.ResultFault.Lost);
    }

    /// @inheritdoc IResultShortfalls
    function graceUntil(uint256 claimId, uint256 segment) external view returns (uint256) {
        Owed memory owed = _owedOf(claimId);
        (, , uint256 filledAt) = datasets.availabilityOf(owed.resultId);
        uint256 calledAt = _calledAt[claimId][segment];
        return owed.jobId != 0 && _stands(owed, calledAt, filledAt) ? calledAt + grace : 0;
    }

    function _end(uint256 claimId, Owed memory owed, IJobTable.ResultFault fault) private {
        emit ResultLost(claimId, owed.resultId);
        IJobTable(address(registry)).onResultFault(owed.jobId, fault, address(0));
    }

    /// @return owed what is owed under the claim
    /// @return isShort whether fewer than k bundles of the segment are held; otherwise the present epoch is not paid
    /// @return filledAt when a bundle was last placed, or the dataset resumed
    function _requireShort(
        uint256 claimId,
        uint256 segment
    ) private view returns (Owed memory owed, bool isShort, uint256 filledAt) {
        owed = _owedOf(claimId);
        if (owed.jobId == 0) revert NothingOwed(claimId);
        bytes32 resultId = owed.resultId;
        bool isRetrievable;
        (isRetrievable, , filledAt) = datasets.availabilityOf(resultId);
        if (isRetrievable) revert ResultRetrievable(resultId);
        IDatasetRegistry.Dataset memory result = datasets.datasetOf(resultId);
        if (segment >= result.bundles / result.shape.n) revert UnknownSegment(resultId, segment);
        isShort = datasets.heldIn(resultId, segment) < result.shape.k;
        bool isPaid =
            result.status == IDatasetRegistry.Status.Active && datasets.currentEpoch() < result.endEpoch;
        if (isPaid && !isShort) revert SegmentRetrievable(resultId, segment);
    }

    /// @dev Whether, since the call, there was a seed with which a bundle could be taken over, and all the time for it
    /// is over: that of an epoch after the call's, known before that epoch ended, so that at least one whole epoch was
    /// left.
    function _wasRefillable(uint256 calledAt) private view returns (bool) {
        (uint256 genesis, uint256 length) = (datasets.genesis(), datasets.epochLength());
        uint256 first = (calledAt - genesis) / length + 1;
        uint256 end = Math.min(datasets.currentEpoch(), first + MOST_EPOCHS);
        for (uint256 epoch = first; epoch + 2 <= end; ++epoch) {
            (, uint64 opensAt, ) = audit.windowOf(uint32(epoch));
            if (opensAt != 0 && opensAt < genesis + (epoch + 1) * length) return true;
        }
        return false;
    }

    /// @dev A bundle that was placed after a call voids it, and so does paying on where the paid epochs had ended,
    /// until `MAX_REPAIR` is over. Without that a holder could leave in the last second of a call that its provider has
    /// answered. Afterwards one fails the job whatever is placed, so that a provider that fills and empties its result
    /// comes to an end: of the segment that was called, so that holders of others do not make up for those who left it.
    function _stands(Owed memory owed, uint256 calledAt, uint256 filledAt) private pure returns (bool) {
        if (calledAt == 0) return false;
        return filledAt < calledAt || calledAt > owed.challengeUntil + MAX_REPAIR;
    }
}

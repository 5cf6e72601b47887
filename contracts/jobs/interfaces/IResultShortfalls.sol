// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Results that their holders have given up
/// @notice A result is owed until its job, or its checkpoint, is paid: `JobRegistry.finalise` and
/// `Instalments.close` refuse while it cannot be retrieved (`IDatasetRegistry.availabilityOf`). Who wants an end of
/// that calls the shortfall; the provider then has a grace to store it again.
///
/// | call | who, when | what |
/// |---|---|---|
/// | `call` | anyone, while a result that is owed cannot be retrieved | the grace begins |
/// | `place`, `placeProven` (`BundleRegistry`) | whoever may take a bundle | a call made before stands no more |
/// | `addEpochs` (`DatasetRegistry`) | the provider, where the paid epochs ended | a call made before stands no more |
/// | `fail` | anyone, after the grace of a call that stands, while it is still short | the job has failed |
/// | `failUnanswered` | anyone, after the grace of a question to the result's owner | the job has failed |
///
/// Bundles are taken over with proofs under seeds. While none came since the call with which that could be done, a job
/// does not fail by the grace's end: neither a beacon that stands still nor who keeps its seeds back convicts a
/// provider. It waits for a seed, and for the time to use it, `MAX_REPAIR` at most; after that the deposit goes back
/// and the stake is unlocked: nobody is at fault, nobody gains.
///
/// A failed job gives the deposit back and burns the provider's stake whole: nobody is rewarded, so that neither
/// the consumer nor a holder gains more by a shortfall than the deposit that it had. One holder, or n − k of them,
/// cannot cause one. Placements count until `MAX_REPAIR` after the time of challenges: a provider that lets its
/// result come and go does not hold up the end for ever. Holders in league with the consumer, which come and go as
/// well, lose their places to the operators that the provider has named (`IBundleRegistry.setStandbys`): to have the
/// result lost they would have to be 2(n − k + 1) of one segment.
///
/// k bundles of a segment are the shards of some data, whatever they hold. What no holder owes, the provider publishes
/// when it is asked to (`IRetrievalChallenges.challengeOwner`), from its own copy.
/// INV-1: a job fails by `fail` only when one segment of its result could not be retrieved at a call and at the end of
/// its grace, or was not paid for, and until `MAX_REPAIR` has passed no bundle of it was placed in between
/// INV-2: a provider is slashed by `fail` only when a seed of an epoch after the call's was known before that epoch
/// ended, and the next epoch is over too
interface IResultShortfalls {
    /// @notice Thrown when a claim has no result that is owed: nothing was committed to, or it is paid, or over.
    error NothingOwed(uint256 claimId);
    /// @notice Thrown when the result can be retrieved.
    error ResultRetrievable(bytes32 resultId);
    /// @notice Thrown when the result cannot be retrieved, but this segment of it can.
    error SegmentRetrievable(bytes32 resultId, uint256 segment);
    /// @notice Thrown when the result has no such segment.
    error UnknownSegment(bytes32 resultId, uint256 segment);
    /// @notice Thrown when a call that stands is repeated.
    error AlreadyCalled(uint256 claimId, uint256 until);
    /// @notice Thrown when no call stands: none was made, or a bundle was placed or epochs were paid for after it.
    error NotCalled(uint256 claimId);
    /// @notice Thrown when a question is not one to the owner of the result, or its time to answer is not over.
    error NotUnanswered(uint256 claimId, uint256 challengeId);
    /// @notice Thrown when the grace of a call is not over.
    error TooEarly(uint256 claimId, uint256 from);

    /// @param until last second in which storing it again helps
    event ShortfallCalled(
        uint256 indexed claimId,
        address indexed caller,
        bytes32 indexed resultId,
        uint256 segment,
        uint256 until
    );
    event ResultLost(uint256 indexed claimId, bytes32 indexed resultId);

    /// @notice Begins the grace of a result that cannot be retrieved.
    /// @param claimId number of the job, or of a checkpoint (`IInstalments.claimIdOf`)
    /// @param segment one that is short of bundles; where the present epoch is not paid for, any
    /// @return until last second of the grace
    function call(uint256 claimId, uint256 segment) external returns (uint256 until);

    /// @notice Ends a job whose result was not stored again. Without fault of the provider when no seed came with
    /// which it could have been, which takes `MAX_REPAIR` longer.
    /// @param segment the one that was called, which is short still
    function fail(uint256 claimId, uint256 segment) external;

    /// @notice Ends a job whose provider has not published a cell of its result that it was asked for as its owner.
    /// @param challengeId of `RetrievalChallenges`, whose timeout was called and whose grace is over
    function failUnanswered(uint256 claimId, uint256 challengeId) external;

    /// @notice Last second of the grace of a call that stands; 0 when none does. Where no seed has come `fail` still
    /// refuses then, and says until when.
    function graceUntil(uint256 claimId, uint256 segment) external view returns (uint256);

    /// @notice Seconds that a provider has to store a result again.
    function grace() external view returns (uint256);
}

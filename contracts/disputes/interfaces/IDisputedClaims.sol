// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice Money and time of a job's disputes, fixed when the job opens.
struct DisputeTerms {
    /// Native coin that every challenge posts, exactly.
    uint96 challengerBond;
    /// Wei for each unit of gas that the schedule of refunds names for a move.
    uint64 refundPrice;
    /// Seconds for a move.
    uint32 window;
    /// Seconds that every other open challenge of the job adds to the provider's window.
    uint32 extension;
    /// Seconds in which a late party may still move after the timeout was called.
    uint32 grace;
}

/// @notice What a provider committed to, and what judges it.
struct TrainingClaim {
    /// Whose claim it is: the provider, or the operator of a member of its committee (`IMemberGame`).
    address provider;
    /// Seconds since 1970 until which challenges are taken: far away before a timeout was called (`Clock.NEVER`).
    uint64 challengeUntil;
    /// Root over the ⌈steps / interval⌉ + 1 leaves of the trace; zero as long as nothing is committed.
    bytes32 traceRoot;
    bytes32 programRoot;
    /// Hash of the whole order (docs/exact-ops.md section 7), opened where seeds or rates are needed.
    bytes32 trainingHash;
    /// T and I.
    uint256 steps;
    uint256 interval;
    uint256 logMicroBatches;
    /// Nodes of the three tapes.
    uint256[3] nodeCounts;
    /// Node of tape 0 whose tensor is the witness of a step.
    uint256 witnessNode;
    /// Tensors of the state.
    uint256 slots;
}

/// @title What the dispute game asks of the registry of jobs
/// @notice The registry opens a job in the game when its provider locks it, and releases it when the job is over
/// and nothing is open. What it says of a job never changes once a trace is committed.
interface IDisputedClaims {
    /// @notice What the provider of a job committed to.
    function claimOf(uint256 jobId) external view returns (TrainingClaim memory);

    /// @notice An interval was shown to be wrong, or its provider did not answer: the job has failed.
    function onConvicted(uint256 jobId, uint256 interval, uint256 challengeId, address challenger) external;

    /// @notice The program is void, so that no result could be right: the author of the order bears it, and nobody is
    /// slashed.
    function onVoid(uint256 jobId) external;
}

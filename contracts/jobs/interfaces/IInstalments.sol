// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IJobRegistry} from "./IJobRegistry.sol";

/// @title Payment by verified checkpoints
/// @notice The price of an order with n instalments may be paid in n equal parts. Checkpoint i commits to the trace up
/// to leaf ⌊i · intervals / n⌋, with its state stored, while training goes on. It can be challenged like the
/// last commitment, for as long; when nobody has shown it wrong, the provider has earned i / n of the price.
///
/// | call | who, when | what |
/// |---|---|---|
/// | `post` | the provider, in training, in time | a bond into the game; challenges are taken |
/// | `callTimeout` | anyone, when the time to challenge it is over | the grace begins |
/// | `close` | anyone, in the order of numbers, after the grace, when no challenge is open | instalment paid, bond
/// back |
/// | `close` | anyone, when the job has failed or was void, and no challenge is open | bond back |
///
/// Which checkpoints are posted is the provider's choice; the next one's instalment includes those left out. A
/// conviction on any of them fails the job. A job is neither late nor final before all that were posted are closed.
/// INV-1: Σ instalments of a job ≤ price · number of the last checkpoint posted / n
/// INV-2: no instalment is paid while a challenge of its checkpoint is open or taken, while its result cannot be
/// retrieved, nor when the job has failed
interface IInstalments {
    struct Checkpoint {
        /// Root over the leaves up to the checkpoint's.
        bytes32 traceRoot;
        /// Last second before a timeout may be called; until then, and in the grace, a challenge is taken.
        uint48 challengeUntil;
        /// Steps up to the checkpoint.
        uint32 steps;
        /// Last second of the grace; 0 as long as no timeout was called.
        uint32 graceEnds;
        /// State after these steps.
        bytes32 stateRoot;
        /// The anchored dataset that holds it.
        bytes32 resultId;
    }

    /// @notice How a job's checkpoints stand; bit i for checkpoint i.
    struct Ledger {
        uint16 posted;
        uint16 closed;
        /// Tokens paid so far.
        uint128 paid;
    }

    /// @notice Thrown when the order has no such checkpoint, or one behind it was posted already.
    error NoCheckpoint(uint256 jobId, uint256 number);
    /// @notice Thrown when a checkpoint was not posted, or is closed.
    error NotPending(uint256 jobId, uint256 number);
    /// @notice Thrown when the timeout of a checkpoint is called twice.
    error TimeoutAlreadyCalled(uint256 jobId, uint256 number);
    /// @notice Thrown when checkpoints are to be closed first.
    error CheckpointsPending(uint256 jobId, uint256 number);

    event CheckpointPosted(
        uint256 indexed jobId,
        uint256 indexed number,
        address indexed provider,
        uint256 steps,
        bytes32 traceRoot,
        bytes32 stateRoot,
        bytes32 leavesDigest,
        bytes32 resultId,
        uint256 challengeUntil
    );
    /// @notice The time to challenge a checkpoint is over; challenges are taken until `graceEnds`.
    event TimeoutCalled(uint256 indexed jobId, uint256 indexed number, uint256 graceEnds);
    /// @param paid tokens; 0 when the job is over
    event CheckpointClosed(uint256 indexed jobId, uint256 indexed number, uint256 paid);

    /// @notice Commits to a prefix of the trace; the value is the provider's bond for it, exactly. The result is stored
    /// until challenges are over.
    /// @param number 1 … instalments − 1, greater than any that was posted
    function post(
        uint256 jobId,
        uint256 number,
        IJobRegistry.Commitment calldata commitment
    ) external payable;

    /// @notice Says that the time to challenge a checkpoint is over: the grace begins, as in
    /// `IJobRegistry.callTimeout`. Anyone.
    function callTimeout(uint256 jobId, uint256 number) external;

    /// @notice Ends the time of a checkpoint: see the table.
    /// @return paid tokens credited to the provider in the escrow
    function close(uint256 jobId, uint256 number) external returns (uint256 paid);

    /// @notice Reverts as long as a checkpoint is posted and not closed.
    function requireClosed(uint256 jobId) external view;

    /// @notice What a job that is void, or too late to be committed to, owes for the checkpoints that were posted,
    /// in tokens.
    function owedOf(uint256 jobId) external view returns (uint256);

    function ledgerOf(uint256 jobId) external view returns (Ledger memory);

    /// @notice All zeros for a checkpoint that was not posted.
    function checkpointOf(uint256 jobId, uint256 number) external view returns (Checkpoint memory);

    /// @notice Number of the checkpoint in the dispute game.
    function claimIdOf(uint256 jobId, uint256 number) external pure returns (uint256);
}

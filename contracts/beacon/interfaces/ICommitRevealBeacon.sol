// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IRandomnessBeacon} from "./IRandomnessBeacon.sol";

/// @title Commit–reveal among staked operators
/// @notice A request opens a session. A session runs in rounds, each with a window to commit and one to reveal:
///
/// | at the end of | if | then |
/// |---|---|---|
/// | the commit window | fewer than `minCommitters` | anyone calls `finalize`: next round, bonds are free again |
/// | the reveal window | all have revealed | the last reveal has made the seed already |
/// | the reveal window | a reveal is missing | anyone calls `callTimeout`: an hour of grace, reveals still count |
/// | the grace | a reveal is missing | anyone calls `finalize`: next round, without those who did not reveal |
///
/// Who did not reveal loses the bond to a burn and to whoever calls `slashMissing`. The last to reveal knows the seed
/// first and can trade its bond for another draw: `maxDrawValue` is what a draw may be worth at most. Not a beacon for
/// public networks.
///
/// INV-1: an operator holds at most one bond per session; it is locked from `commit` until `reveal`, `reclaim` or
/// `slashMissing`, each of which happens at most once per commitment
/// INV-2: the seed of a session depends on a secret of every operator that committed to its last round
interface ICommitRevealBeacon is IRandomnessBeacon {
    enum Phase {
        /// No such session.
        None,
        Commit,
        /// The commit window closed with too few commitments; `finalize` is due.
        Underfilled,
        Reveal,
        /// The reveal window closed with reveals missing; `callTimeout` is due.
        Overdue,
        Grace,
        /// The grace is over; `finalize` is due.
        Failed,
        Ready
    }

    enum Outcome {
        Open,
        Underfilled,
        Failed,
        Ready
    }

    struct Session {
        /// When the session's first request was made; stake counts as of just before.
        uint64 openedAt;
        uint64 commitEnds;
        uint64 revealEnds;
        /// End of the grace of a called timeout; 0 when none was called in this round.
        uint64 graceEnds;
        /// When the seed became known; 0 until then.
        uint64 readyAt;
        /// Counts from 0.
        uint32 round;
        uint32 committed;
        uint32 revealed;
        /// Exclusive or of what was revealed in this round; `raw` once ready.
        bytes32 value;
    }

    struct Commitment {
        bytes32 hash;
        uint32 round;
        bool revealed;
        /// Whether the bond is locked.
        bool bonded;
    }

    /// @notice Thrown when a constructor parameter is zero or out of bounds.
    error InvalidConfiguration();
    /// @notice Thrown when a call does not belong to the session's phase.
    error WrongPhase(uint256 sessionId, Phase phase);
    /// @notice Thrown when the operator is not active, lacks the role or the free stake, or had less stake than the
    /// bond when the session opened.
    error NotEligible(address operator);
    /// @notice Thrown when a commitment is zero, which no secret opens.
    error EmptyCommitment();
    /// @notice Thrown when an operator commits twice to a round.
    error AlreadyCommitted(uint256 sessionId, address operator);
    /// @notice Thrown when an operator that failed to reveal commits again to the same session.
    error Excluded(uint256 sessionId, address operator);
    /// @notice Thrown when a secret does not match what the caller committed to in this round.
    error WrongSecret(uint256 sessionId, address operator);
    /// @notice Thrown when there is no bond to give back or to slash.
    error NothingBonded(uint256 sessionId, address operator);

    event SessionOpened(uint256 indexed sessionId, uint64 commitEnds, uint64 revealEnds);
    event Committed(
        uint256 indexed sessionId,
        uint32 indexed round,
        address indexed operator,
        bytes32 commitment
    );
    event Revealed(uint256 indexed sessionId, uint32 indexed round, address indexed operator, bytes32 secret);
    event TimeoutCalled(
        uint256 indexed sessionId,
        uint32 indexed round,
        address indexed caller,
        uint64 graceEnds
    );
    /// @notice A round ended without a seed and the next one began.
    event RoundEnded(
        uint256 indexed sessionId,
        uint32 indexed round,
        Outcome outcome,
        uint64 commitEnds,
        uint64 revealEnds
    );
    event SessionReady(uint256 indexed sessionId, uint32 indexed round, bytes32 raw);
    event Reclaimed(uint256 indexed sessionId, address indexed operator);
    event MissingSlashed(
        uint256 indexed sessionId,
        uint32 indexed round,
        address indexed operator,
        address reporter
    );

    /// @notice Commits the caller to a secret and locks its bond.
    /// @param commitment keccak256(abi.encode(chainId, address(this), sessionId, round, operator, secret)), where
    /// `round` (uint32) is the session's and `secret` (bytes32) is random and never used again
    function commit(uint256 sessionId, bytes32 commitment) external;

    /// @notice Opens the caller's commitment and frees its bond. The last one makes the seed.
    function reveal(uint256 sessionId, bytes32 secret) external;

    /// @notice Starts the grace of reveals that are late.
    function callTimeout(uint256 sessionId) external;

    /// @notice Ends a round that has too few commitments, or missing reveals after the grace, and begins the next.
    function finalize(uint256 sessionId) external;

    /// @notice Frees the caller's bond when its round ended for want of commitments.
    function reclaim(uint256 sessionId) external;

    /// @notice Slashes the bond of an operator that did not reveal, once its round has failed.
    function slashMissing(uint256 sessionId, address operator) external;

    /// @notice The session of a request.
    function sessionOf(uint256 requestId) external view returns (uint256 sessionId);

    function session(uint256 sessionId) external view returns (Session memory);

    function phaseOf(uint256 sessionId) external view returns (Phase);

    /// @notice Requests of a session, at most 16.
    function requestsOf(uint256 sessionId) external view returns (uint256[] memory);

    /// @notice The operator's last commitment to the session; zeros when it never committed.
    function commitmentOf(uint256 sessionId, address operator) external view returns (Commitment memory);

    /// @notice How the rounds before the current one ended.
    function outcomeOf(uint256 sessionId, uint32 round) external view returns (Outcome);

    /// @notice Stake that each commitment locks.
    function bond() external view returns (uint256);

    /// @notice What an abort costs whoever is its own reporter: a draw that is worth more must not rest on this beacon.
    function maxDrawValue() external view returns (uint256);
}

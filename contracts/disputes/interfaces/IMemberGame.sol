// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Position} from "../Position.sol";
import {TrainingClaim} from "./IDisputedClaims.sol";
import {RuleBook} from "./IDisputeGame.sol";
import {Stage} from "./IDisputeRules.sol";

/// @title The dispute over what a member of a committee has signed
/// @notice Who signs for interval i says: from leaf i of the trace the program gives leaf i + 1, through these
/// witnesses. Anyone may dispute that, whatever became of the provider and its job. The member answers for itself, from
/// leaves that it held when it signed and from its own run; what the provider says or does not say plays no part.
///
/// | stage due | who | moves | leads to |
/// |---|---|---|---|
/// | – | anyone, with the challenger's bond | `accuse` | MemberLeaves |
/// | MemberLeaves | member | `openClaim` | Step |
/// | Step and all that follow | both | as in `IDisputeGame` | as there |
///
/// | end | when | the accuser's bond | the member |
/// |---|---|---|---|
/// | convicted | it was wrong, or silent until its timeout stood | back by `punish` | `liars` bit, slash by `punish` |
/// | lost | the accuser was | half to the member, half burnt | – |
/// | settled | the job is void, or the member was found to have lied before | back | – |
///
/// Accusations run side by side, also of one claim: none keeps another from being made. A member puts up no bond; the
/// accuser's reward is the reporter's part of the slash, for whoever plays to a conviction that is punished first. A
/// ruling only writes the conviction down: `punish`, a transaction of its own that anybody may send, does the rest.
/// Until then the draw's members stay on duty, so that there is a stake to slash.
/// INV-2: a member whose interval is right cannot be convicted as long as it answers in time.
/// INV-3: a member is slashed once in a draw, however many accusations it loses.
interface IMemberGame {
    struct Accusation {
        address accuser;
        /// The challenger's bond of the job.
        uint96 bond;
        /// When the turn began, in seconds since 1970 (until 2106); once the timeout was called, when the grace ends.
        uint32 time;
        /// Other accusations that the member had to answer when its turn began; all ones once the timeout was called.
        uint16 others;
        Stage stage;
        /// The member is to be slashed.
        bool isDue;
        uint48 jobId;
        uint8 attempt;
        uint8 position;
        /// Id of the validator.
        uint32 member;
        /// Seconds, fixed with the job: for a move, after a called timeout, and for each other accusation.
        uint32 window;
        uint32 grace;
        uint24 extension;
        /// keccak256 of the encoded round; zero when it is over.
        bytes32 round;
    }

    /// @notice Thrown when an accusation does not exist or is over.
    error NotOpen(uint256 accusationId);
    /// @notice Thrown when it is someone else's turn.
    error NotYourTurn(uint256 accusationId, address owner);
    /// @notice Thrown when the grace after a called timeout is over.
    error TooLate(uint256 accusationId, uint256 graceEnds);
    /// @notice Thrown when a timeout is called, or stands, only later.
    error TooEarly(uint256 accusationId, uint256 from);
    /// @notice Thrown when a timeout is called twice in one turn.
    error TimeoutAlreadyCalled(uint256 accusationId);
    /// @notice Thrown when members of a void job are accused.
    error VoidJob(uint256 jobId);
    /// @notice Thrown when an accusation is settled whose member may still be right, in a job that is not void.
    error NotOver(uint256 accusationId);
    /// @notice Thrown when there is nobody to slash, any more.
    error NothingDue(uint256 accusationId);

    event Accused(
        uint256 indexed accusationId,
        uint256 indexed jobId,
        address indexed accuser,
        uint256 attempt,
        uint256 position,
        uint256 member,
        uint256 interval,
        TrainingClaim claim
    );
    /// @notice After every move: what is due. With the claim that `Accused` gave it is the round to hand in.
    event Moved(
        uint256 indexed accusationId,
        uint256 indexed jobId,
        Stage stage,
        uint256 interval,
        Position position
    );
    /// @notice What the member posted: the selector of its move, and its arguments after the round.
    event Posted(uint256 indexed accusationId, bytes4 indexed selector, bytes arguments);
    event TimeoutCalled(uint256 indexed accusationId, uint256 graceEnds);
    event AccusationLost(uint256 indexed accusationId, uint256 indexed jobId, address indexed accuser);
    event MemberConvicted(
        uint256 indexed accusationId,
        uint256 indexed jobId,
        address indexed accuser,
        uint256 attempt,
        uint256 position
    );
    event MemberPunished(uint256 indexed accusationId, uint256 indexed jobId, address indexed accuser);
    event AccusationSettled(uint256 indexed accusationId, uint256 indexed jobId, uint256 paid);
    event JobVoid(uint256 indexed jobId);

    /// @notice Accuses a member of having signed what is wrong, with exactly the challenger's bond of the job.
    /// @param number which of the member's intervals it is
    /// @return accusationId job, attempt (8 bits), position (8 bits) and a number that is never given twice (32 bits)
    function accuse(
        uint256 jobId,
        uint256 attempt,
        uint256 position,
        uint256 number
    ) external payable returns (uint256 accusationId);

    /// @notice Makes the move that is due.
    /// @param book contract that has the move
    /// @param move its call: selector, round, arguments
    function play(uint256 accusationId, RuleBook book, bytes calldata move) external;

    /// @notice Calls the timeout of a turn that is over; anyone.
    function callTimeout(uint256 accusationId) external;

    /// @notice Ends an accusation whose timeout stands; anyone.
    function executeTimeout(uint256 accusationId) external;

    /// @notice Ends an accusation in a void job, or of a member that was found to have lied: the bond goes back;
    /// anyone.
    function settle(uint256 accusationId) external;

    /// @notice Has the convicted member slashed, in a transaction of its own, and gives the bond back; anyone, once.
    /// Where the job has become void, or the member was found to have lied before, only the bond goes back.
    function punish(uint256 accusationId) external;

    /// @notice Shows that a job's program has a void node: nothing that was signed for it can be judged. Anyone, also
    /// when the job is over.
    function showVoid(
        uint256 jobId,
        uint256 tape,
        uint256 index,
        bytes calldata descriptor,
        bytes32[] calldata siblings
    ) external;

    /// @notice All zeros for an accusation that was never made.
    function accusationOf(uint256 accusationId) external view returns (Accusation memory);

    /// @notice Accusations ever made.
    function accusationCount() external view returns (uint256);

    /// @notice Accusations of a validator that are open.
    function openOf(uint256 member) external view returns (uint256);

    /// @notice Last second of the turn that is on, or of the grace after its timeout was called.
    function deadlineOf(uint256 accusationId) external view returns (uint256);

    /// @notice Whether nothing that was signed for a job can be judged.
    function isVoid(uint256 jobId) external view returns (bool);
}

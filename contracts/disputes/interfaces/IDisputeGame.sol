// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Position} from "../Position.sol";
import {DisputeTerms, TrainingClaim} from "./IDisputedClaims.sol";
import {Stage, TraceLeaf} from "./IDisputeRules.sol";

/// @notice How a job stands in the game.
enum JobStatus {
    Unknown,
    Open,
    Convicted,
    Void,
    Released
}

/// @notice Contracts that have moves.
enum RuleBook {
    Descent,
    Element,
    Sum,
    Range,
    Input
}

/// @title The dispute over what a provider computed
/// @notice Every interval of a trace is a claim of its own: from leaf i, the program gives leaf i + 1. A
/// challenger plays it down to one element, which the contract computes itself. Nobody's word is taken: every
/// value is one that a commitment of the provider opens to.
///
/// | stage due | who | moves | leads to |
/// |---|---|---|---|
/// | – | challenger | `challenge` / `challengeTrace` of the game | States / TraceRoots, TraceLeaves |
/// | TraceRoots | provider | `postTrace` | TraceName |
/// | TraceName | challenger | `nameTrace` | TraceRoots, TraceLeaves |
/// | TraceLeaves | provider | `openInterval` | Step |
/// | TensorNodes, HashNodes, StateNodes | provider | `postNodes` | Node, Leaf, StateName |
/// | States | provider | `postStates` | Step |
/// | Step | challenger | `nameStep` | States or Tensors |
/// | Tensors | provider | `postTensors` | Node |
/// | Node | challenger | `nameChild` / `nameTensor` / `nameState` | TensorNodes / Hashes, Link / StateNodes |
/// | StateName | challenger | `nameChild` / `ruleSlot` | StateNodes / conviction |
/// | Link | provider | `answerLink` | the provider wins |
/// | Hashes | provider | `postHashes` | Leaf |
/// | Leaf | challenger | `nameChild` | HashNodes, OpenLeaf |
/// | Leaf | challenger | `ruleElement` / `askSums` / `claimTooLarge` | conviction / Sums / Witness |
/// | OpenLeaf | provider | `postLeaf` | Element |
/// | Element | challenger | `ruleElement`, `ruleLeaf` / `ruleInput` / `askSums` | conviction / or void / Sums |
/// | Sums | provider | `postSums` | Sum |
/// | Sum | challenger | `ruleTotal` / `ruleSum` / `narrowSum` | conviction / conviction / Sums |
/// | Witness | provider | `answerWitness` / `answerWitnessSums` | the provider wins / Sum |
///
/// The moves are those of `IDisputeRules`: `play` takes the call of one of its functions, whose first argument is the
/// round as the events `Challenged` and `Moved` gave it. A move that shows nothing reverts; whoever has no
/// other lets its clock
/// run out and loses.
/// INV-2: a provider whose every interval is right cannot be convicted as long as it answers in time.
/// INV-3: after a job's conviction every challenger of it gets its bond and the refunds of its moves.
/// INV-4: nothing that is changed elsewhere changes a job's terms once it is open.
interface IDisputeGame {
    /// @notice Thrown when someone else than the registry calls what is the registry's.
    error NotClaims(address caller);
    /// @notice Thrown when a job is not in the state that a call needs.
    error WrongStatus(uint256 jobId, JobStatus status);
    /// @notice Thrown when terms are outside the hard bounds or bonds do not cover the refunds.
    error WrongTerms();
    /// @notice Thrown when a job is released while challenges of it are open.
    error StillOpen(uint256 jobId, uint256 challenges);
    /// @notice Thrown when a challenge comes after its time, or before anything is committed.
    error NotChallengeable(uint256 jobId);
    /// @notice Thrown when a challenge does not exist or is over.
    error NotOpen(uint256 challengeId);
    /// @notice Thrown when it is someone else's turn.
    error NotYourTurn(uint256 challengeId, address owner);
    /// @notice Thrown when the grace after a called timeout is over.
    error TooLate(uint256 challengeId, uint256 graceEnds);
    /// @notice Thrown when a timeout is called, or stands, only later.
    error TooEarly(uint256 challengeId, uint256 from);
    /// @notice Thrown when a timeout is called twice in one turn.
    error TimeoutAlreadyCalled(uint256 challengeId);
    /// @notice Thrown when a reward is asked for before its time.
    error NoReward(uint256 jobId);

    event JobOpened(uint256 indexed jobId, address indexed provider, uint256 bond, DisputeTerms terms);
    event JobReleased(uint256 indexed jobId);
    event Challenged(
        uint256 indexed challengeId,
        uint256 indexed jobId,
        uint256 interval,
        address indexed challenger,
        TrainingClaim claim
    );
    /// @notice After every move: what is due. With the claim that `Challenged` gave it is the round to hand in.
    event Moved(
        uint256 indexed challengeId,
        uint256 indexed jobId,
        Stage stage,
        uint256 interval,
        Position position
    );
    /// @notice What the provider posted: the selector of its move, and its arguments after the round.
    event Posted(uint256 indexed challengeId, bytes4 indexed selector, bytes arguments);
    event TimeoutCalled(uint256 indexed challengeId, uint256 graceEnds);
    event ChallengeLost(uint256 indexed challengeId, uint256 indexed jobId, address indexed challenger);
    event ProviderConvicted(
        uint256 indexed jobId,
        uint256 indexed challengeId,
        uint256 interval,
        address indexed challenger
    );
    event JobVoid(uint256 indexed jobId);
    event ChallengeSettled(uint256 indexed challengeId, uint256 paid);
    event RewardPaid(
        uint256 indexed jobId,
        uint256 indexed challengeId,
        address indexed challenger,
        uint256 reward
    );

    /// @notice Opens a job; the registry alone, when the provider locks the job. The value is the provider's bond.
    function openJob(uint256 jobId, address provider, DisputeTerms calldata terms) external payable;

    /// @notice Returns the bond of a job that is over; the registry alone, when nothing is open.
    function releaseJob(uint256 jobId) external;

    /// @notice Challenges interval `interval`, whose two leaves are known, with exactly the bond.
    /// @return challengeId the job's number in the upper bits, in the lower 32 how many challenges the job has had
    function challenge(
        uint256 jobId,
        uint256 interval,
        TraceLeaf calldata before,
        TraceLeaf calldata next
    ) external payable returns (uint256 challengeId);

    /// @notice Challenges a trace whose leaves were not published, with exactly the bond: says that its last leaf is
    /// wrong. The search for the first wrong interval takes two moves for every level of 128 intervals, in this
    /// challenge.
    function challengeTrace(uint256 jobId) external payable returns (uint256 challengeId);

    /// @notice Shows that the program has a void node; anyone, without a bond.
    function showVoid(
        uint256 jobId,
        uint256 tape,
        uint256 index,
        bytes calldata descriptor,
        bytes32[] calldata siblings
    ) external;

    /// @notice Calls the timeout of a turn that is over; anyone.
    function callTimeout(uint256 challengeId) external;

    /// @notice Ends a challenge whose timeout stands; anyone.
    function executeTimeout(uint256 challengeId) external;

    /// @notice Ends a challenge of a job that is over: bond and refunds are credited, and a challenge of the
    /// convicted interval that was opened earlier takes the place of the one that won. Anyone.
    function settle(uint256 challengeId) external;

    /// @notice Credits the reward, when the time to settle is over; anyone.
    function payReward(uint256 jobId) external;

    /// @notice Makes the move that is due.
    /// @param book contract that has the move
    /// @param move its call: selector, round, arguments
    function play(uint256 challengeId, RuleBook book, bytes calldata move) external;

    /// @notice Challenges of a job that are not settled.
    function openChallenges(uint256 jobId) external view returns (uint256);
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Position} from "../Position.sol";
import {Evidence, ObjectEvidence} from "./IDisputeJudges.sol";
import {DisputeTerms} from "./IDisputedClaims.sol";

/// @notice The move that is due, and who owes it.
enum Stage {
    None,
    /// Provider: the state roots inside the steps in dispute, and once the witnesses behind h.
    States,
    /// Challenger: the first wrong one.
    Step,
    /// Provider: the list of the step's tensors, from its root down.
    Tensors,
    /// Provider: more of that list.
    TensorNodes,
    /// Challenger: the first wrong tensor, or the way to it.
    Node,
    /// Provider: the exponent, and the hashes of the named tensor's data from its root down.
    Hashes,
    /// Provider: more of those hashes.
    HashNodes,
    /// Challenger: the wrong leaf, the way to it, or what is wrong with the exponent.
    Leaf,
    /// Provider: the named leaf.
    OpenLeaf,
    /// Challenger: the wrong element.
    Element,
    /// Provider: the sums of equal ranges of the products.
    Sums,
    /// Challenger: the wrong one, or what the sums contradict.
    Sum,
    /// Provider: an element that needs the exponent.
    Witness,
    /// Provider: the state that a LOAD or STORE stands for.
    Link,
    /// Provider: nodes of the trace, whose leaves were not published.
    TraceNodes,
    /// Challenger: the first wrong node of the trace.
    TraceName,
    /// Provider: the two leaves around the named interval.
    TraceLeaves,
    Closed
}

/// @notice How a job stands in the game.
enum JobStatus {
    Unknown,
    Open,
    Convicted,
    Void,
    Released
}

/// @notice A leaf of a trace.
struct TraceLeaf {
    bytes32 stateRoot;
    bytes32 witnessHash;
    bytes32[] siblings;
}

/// @notice The first wrong step, or checkpoint, among those posted last, with the roots before and after it.
struct NamedStep {
    uint256 number;
    bytes32 before;
    /// None for the first.
    bytes32[] beforeSiblings;
    bytes32 next;
    bytes32[] nextSiblings;
}

/// @notice The list of a step's tensors, from its root down, and where the witness stands in it.
struct PostedTensors {
    bytes32[] nodes;
    bytes32 witness;
    /// Among the interval's witnesses.
    bytes32[] witnessSiblings;
    /// In the list.
    bytes32[] listSiblings;
}

/// @notice What shows that the tensor of a LOAD or STORE is that of its slot.
struct LinkAnswer {
    bytes descriptor;
    /// Of the slot in the state; of the STORE's tensor in the list where the slot is a gradient of the step.
    bytes32[] siblings;
    /// That STORE, none for a slot of the state.
    bytes store;
    bytes32[] storeSiblings;
}

/// @notice A tensor of a step, as a challenger names it.
struct NamedTensor {
    /// Among the nodes that were posted last.
    uint256 number;
    bytes32 commitment;
    bytes32[] siblings;
    bytes descriptor;
    bytes32[] descriptorSiblings;
    /// Whether the tensor of a LOAD or STORE is claimed not to be that of its slot.
    bool isLink;
}

/// @title The dispute over what a provider computed
/// @notice Every interval of a trace is a claim of its own: from leaf i, the program gives leaf i + 1. A challenger plays
/// it down to one element, which the contract computes itself. Nobody's word is taken: every value is one that a
/// commitment of the provider opens to.
///
/// | stage due | who | moves | leads to |
/// |---|---|---|---|
/// | – | challenger | `challenge` / `challengeTrace` | States / TraceNodes |
/// | TraceNodes, TensorNodes, HashNodes | provider | `postNodes` | TraceName, Node, Leaf |
/// | TraceName | challenger | `nameChild` | TraceNodes or TraceLeaves |
/// | TraceLeaves | provider | `postLeaves` | States |
/// | States | provider | `postStates` | Step |
/// | Step | challenger | `nameStep` | States or Tensors |
/// | Tensors | provider | `postTensors` | Node |
/// | Node | challenger | `nameChild` / `nameTensor` | TensorNodes / Hashes, Link |
/// | Link | provider | `answerLink` | the provider wins |
/// | Hashes | provider | `postHashes` | Leaf |
/// | Leaf | challenger | `nameChild` / `ruleElement` / `askSums` / `claimTooLarge` | HashNodes, OpenLeaf / conviction / Sums / Witness |
/// | OpenLeaf | provider | `postLeaf` | Element, or conviction when no tensor has such a leaf |
/// | Element | challenger | `ruleElement` / `ruleInput` / `askSums` | conviction / conviction, void / Sums |
/// | Sums | provider | `postSums` | Sum |
/// | Sum | challenger | `ruleTotal` / `ruleSum` / `narrowSum` | conviction / conviction / Sums |
/// | Witness | provider | `answerWitness` / `answerWitnessSums` | the provider wins / Sum |
///
/// A move that shows nothing reverts; whoever has no other lets its clock run out and loses. Whoever moves hands the
/// position in as the event `Moved` gave it.
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
    /// @notice Thrown when a challenger has an open challenge of the same interval already.
    error AlreadyChallenged(uint256 jobId, uint256 interval, address challenger);
    /// @notice Thrown when leaves are not those of the trace.
    error WrongTraceLeaf(uint256 leaf);
    /// @notice Thrown when another move is due.
    error WrongStage(uint256 challengeId, Stage stage);
    /// @notice Thrown when a position is not that of the challenge.
    error WrongPosition(uint256 challengeId);
    /// @notice Thrown when it is someone else's turn.
    error NotYourTurn(uint256 challengeId, address owner);
    /// @notice Thrown when the grace after a called timeout is over.
    error TooLate(uint256 challengeId, uint256 graceEnds);
    /// @notice Thrown when a timeout is called, or stands, only later.
    error TooEarly(uint256 challengeId, uint256 from);
    /// @notice Thrown when a timeout is called twice in one turn.
    error TimeoutAlreadyCalled(uint256 challengeId);
    /// @notice Thrown when witnesses are not those behind h.
    error WrongWitnesses();
    /// @notice Thrown when state roots do not end where the claim does, or are too few or too many.
    error WrongStates(uint256 count, uint256 expected);
    /// @notice Thrown when a named step is none of those posted.
    error WrongStep(uint256 number);
    /// @notice Thrown when a descriptor is not the one of the named tensor.
    error WrongNode(uint256 place);
    /// @notice Thrown when an opening is not the commitment that was named.
    error WrongTensor();
    /// @notice Thrown when a posted leaf is not the named one.
    error WrongPostedLeaf();
    /// @notice Thrown when sums are not as many as the ranges, do not add up, or are not those posted.
    error WrongSums();
    /// @notice Thrown when a move shows nothing.
    error NothingShown();
    /// @notice Thrown when a reward is asked for before its time.
    error NoReward(uint256 jobId);

    event JobOpened(uint256 indexed jobId, address indexed provider, uint256 bond, DisputeTerms terms);
    event JobReleased(uint256 indexed jobId);
    event Challenged(
        uint256 indexed challengeId,
        uint256 indexed jobId,
        uint256 interval,
        address indexed challenger
    );
    /// @notice After every move: what is due, since when, and the position to hand in.
    event Moved(uint256 indexed challengeId, uint256 indexed jobId, Stage stage, Position position);
    event StatesPosted(uint256 indexed challengeId, bytes32 salt, bytes32[] witnesses, bytes32[] roots);
    event NodesPosted(uint256 indexed challengeId, bytes32[] nodes);
    event LeafPosted(uint256 indexed challengeId, bytes leaf);
    event SumsPosted(uint256 indexed challengeId, bytes sums);
    event TimeoutCalled(uint256 indexed challengeId, uint256 graceEnds);
    event ChallengeLost(uint256 indexed challengeId, uint256 indexed jobId, address indexed challenger);
    event ProviderConvicted(
        uint256 indexed jobId,
        uint256 indexed challengeId,
        uint256 interval,
        address indexed challenger
    );
    event JobVoid(uint256 indexed jobId, uint256 tape, uint256 index);
    event ChallengeSettled(uint256 indexed challengeId, uint256 paid);
    event RewardPaid(uint256 indexed jobId, uint256 indexed challengeId, address indexed challenger, uint256 reward);

    /// @notice Opens a job; the registry alone, when the provider locks its stake. The value is the provider's bond.
    function openJob(uint256 jobId, address provider, DisputeTerms calldata terms) external payable;

    /// @notice Returns the bond of a job that is over; the registry alone, when nothing is open.
    function releaseJob(uint256 jobId) external;

    /// @notice Challenges interval `interval`, whose two leaves are known, with exactly the bond.
    function challenge(
        uint256 jobId,
        uint256 interval,
        TraceLeaf calldata before,
        TraceLeaf calldata next
    ) external payable returns (uint256 challengeId);

    /// @notice Challenges a trace whose leaves were not published, with exactly the bond.
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

    /// @notice Ends a challenge of a job that is over: bond and refunds are credited, and a challenge of the convicted
    /// interval that was opened earlier takes the place of the one that won. Anyone.
    function settle(uint256 challengeId) external;

    /// @notice Credits the reward, when the time to settle is over; anyone.
    function payReward(uint256 jobId) external;

    function postStates(
        uint256 id,
        Position calldata p,
        bytes32 salt,
        bytes32[] calldata witnesses,
        bytes32[] calldata roots
    ) external;
    function nameStep(uint256 id, Position calldata p, NamedStep calldata named) external;
    function postTensors(uint256 id, Position calldata p, PostedTensors calldata posted) external;
    function postNodes(uint256 id, Position calldata p, bytes32[] calldata nodes) external;
    function nameChild(
        uint256 id,
        Position calldata p,
        uint256 number,
        bytes32 child,
        bytes32[] calldata siblings
    ) external;
    function nameTensor(uint256 id, Position calldata p, NamedTensor calldata named) external;
    function answerLink(uint256 id, Position calldata p, LinkAnswer calldata answer) external;
    function postHashes(uint256 id, Position calldata p, int256 exponent, bytes32[] calldata nodes) external;
    function postLeaf(uint256 id, Position calldata p, bytes calldata descriptor, bytes calldata leaf) external;
    function postLeaves(
        uint256 id,
        Position calldata p,
        TraceLeaf calldata before,
        TraceLeaf calldata next
    ) external;
    function ruleElement(uint256 id, Position calldata p, Evidence calldata evidence) external;
    function ruleInput(
        uint256 id,
        Position calldata p,
        Evidence calldata evidence,
        ObjectEvidence calldata object
    ) external;
    function askSums(uint256 id, Position calldata p, bytes calldata descriptor, uint256 out) external;
    /// @param sums 8 bytes for each range, two's complement
    function postSums(uint256 id, Position calldata p, bytes calldata sums) external;
    function ruleTotal(
        uint256 id,
        Position calldata p,
        Evidence calldata evidence,
        bytes calldata sums
    ) external;
    function ruleSum(
        uint256 id,
        Position calldata p,
        Evidence calldata evidence,
        bytes calldata sums,
        uint256 number
    ) external;
    function narrowSum(uint256 id, Position calldata p, bytes calldata sums, uint256 number) external;
    function claimTooLarge(uint256 id, Position calldata p, bytes calldata descriptor) external;
    function answerWitness(uint256 id, Position calldata p, Evidence calldata evidence) external;
    function answerWitnessSums(
        uint256 id,
        Position calldata p,
        bytes calldata descriptor,
        uint256 out,
        bytes calldata sums
    ) external;

    /// @notice Challenges of a job that are not settled.
    function openChallenges(uint256 jobId) external view returns (uint256);
}

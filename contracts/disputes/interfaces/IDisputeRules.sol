// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Position} from "../Position.sol";
import {TrainingClaim} from "./IDisputedClaims.sol";

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
    /// Provider: the slot that a LOAD stands for.
    Link,
    /// Challenger: the first wrong one of the state roots posted last in a search.
    TraceName,
    /// Provider: the two leaves around the interval that a search arrived at, with what `States` asks for.
    TraceLeaves,
    /// Provider: state roots of leaves between the two that a search stands at.
    TraceRoots,
    /// Provider: nodes of the state after the step.
    StateNodes,
    /// Challenger: the slot that is not what was stored, or the way to it.
    StateName,
    /// Member of a committee: the two leaves around its interval, its digest, and what `States` asks for.
    MemberLeaves,
    Closed
}

/// @notice All that decides a move. The game keeps the hash of its encoding alone: whoever moves hands it in,
/// as the last event gave it.
struct Round {
    Stage stage;
    uint256 interval;
    Position position;
    TrainingClaim claim;
}

/// @notice What a move leads to.
enum Outcome {
    Continued,
    ProviderConvicted,
    ChallengeLost
}

/// @notice A leaf of a trace.
struct TraceLeaf {
    bytes32 stateRoot;
    bytes32 witnessHash;
    bytes32[] siblings;
}

/// @notice The first wrong state root among those posted last in a search, with the one before it.
struct NamedRoot {
    /// From 0; as many as were posted: the leaf behind them, which was found to be wrong before.
    uint256 number;
    /// Not looked at for the first.
    bytes32 before;
    bytes32[] beforeSiblings;
    /// Not looked at for the leaf behind them.
    bytes32 next;
    bytes32[] nextSiblings;
}

/// @notice The first wrong step, or checkpoint, among those posted last, with the roots before and after it.
struct NamedStep {
    uint256 number;
    bytes32 before;
    /// None for the first.
    bytes32[] beforeSiblings;
    bytes32 next;
    bytes32[] nextSiblings;
    /// What the interval's witnesses have for the step; none for a checkpoint of several steps.
    bytes32 witness;
    bytes32[] witnessSiblings;
}

/// @notice State roots inside the steps in dispute, at most 32 of them, equally far apart.
struct PostedStates {
    /// Salt and witness commitments behind h; no witnesses when they were posted before.
    bytes32 salt;
    bytes32[] witnesses;
    bytes32[] roots;
}

/// @notice The list of a step's tensors, from its root down, and where the witness stands in it.
struct PostedTensors {
    bytes32[] nodes;
    /// Of the witness, up to the nodes: none where the nodes are the list.
    bytes32[] siblings;
}

/// @notice What shows that the tensor of a LOAD is that of its slot.
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
}

/// @notice A slot of the state after a step, and the tensor that was stored into it.
struct NamedSlot {
    /// Among the nodes that were posted last.
    uint256 number;
    bytes32 leaf;
    bytes32[] siblings;
    /// Descriptor of the STORE.
    bytes store;
    bytes32[] storeSiblings;
    /// Of its tensor, in the list.
    bytes32 commitment;
    bytes32[] listSiblings;
}

/// @notice What opens an element. Fields that are not needed are empty.
struct Evidence {
    bytes descriptor;
    /// Element of the output; ignored where the position names one.
    uint256 out;
    /// The posted leaf that holds the element.
    bytes leaf;
    /// Openings of the operands, see `TensorLeaves` and `ExactOps.openOperands`.
    bytes operands;
    /// Siblings of each operand's commitment in the list of the step's tensors.
    bytes32[][] proofs;
    /// ACCUMULATE: descriptor of the STORE that its gradients come from, and the descriptor's siblings.
    bytes store;
    bytes32[] storeProof;
    /// SGD_WEIGHT and INPUT: the order, encoded as docs/exact-ops.md section 7 says.
    bytes order;
}

/// @notice The bytes of an object that an INPUT reads.
struct ObjectEvidence {
    bytes raw;
    /// The chunk in which they begin, and the next one where they end there.
    bytes[] chunks;
    bytes32[][] chunkProofs;
    /// Siblings of the object's hash under objectRoot.
    bytes32[] objectProof;
}

/// @title Moves from an interval down to a leaf of one tensor
/// @notice Every function of the contracts behind these interfaces is a move: it takes the round, checks what
/// is moved, and gives back an outcome and the next round, encoded as `(Outcome, Round)` (see `NextRound`). A move that
/// is not due, or shows nothing, reverts. The contracts keep nothing.
interface IDescentRules {
    /// @notice Thrown when another move is due.
    error WrongStage(Stage stage);
    /// @notice Thrown when leaves are not those of the trace.
    error WrongTraceLeaf(uint256 leaf);
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
    /// @notice Thrown when a digest is not the one that was signed.
    error WrongDigest(uint256 leaf);
    /// @notice Thrown when a posted leaf is not the named one.
    error WrongPostedLeaf();
    /// @notice Thrown when a move shows nothing.
    error NothingShown();

    /// @notice Opens the two leaves around an interval: no move of its own, but what a challenge begins with.
    function openLeaves(
        Round calldata round,
        TraceLeaf calldata before,
        TraceLeaf calldata next
    ) external pure;

    /// @notice In a search for the wrong interval of a trace whose leaves were not published: the state roots of leaves
    /// between the two that it stands at, equally far apart (`TraceLeaves.strideOf`). They are held against the trace
    /// at the end: what cannot be opened then has lost.
    function postTrace(Round calldata round, bytes32[] calldata roots) external pure;
    /// @notice Names the first wrong one of them: the search goes on between it and the one before.
    function nameTrace(Round calldata round, NamedRoot calldata named) external pure;

    /// @notice Opens the two neighbouring leaves that a search arrived at, whose state roots are those that were
    /// posted, and posts what `postStates` does.
    function openInterval(
        Round calldata round,
        TraceLeaf calldata before,
        TraceLeaf calldata next,
        PostedStates calldata posted
    ) external pure;
    function postStates(Round calldata round, PostedStates calldata posted) external pure;
    /// @notice Opens what a member of a committee has signed for one of its intervals: the two leaves of the trace, the
    /// digest under the signed root, the witnesses behind it and the state roots between. The signed root, the leaf's
    /// number, the member and what its digest is bound to are in the position (`MemberGame`).
    /// @param before with its siblings, without the one that it meets `next` at (`TraceLeaves.areUnder`)
    /// @param next with its siblings below that
    /// @param siblings of the leaf under the signed root
    function openClaim(
        Round calldata round,
        TraceLeaf calldata before,
        TraceLeaf calldata next,
        bytes32[] calldata siblings,
        bytes32[] calldata witnesses,
        bytes32[] calldata roots
    ) external pure;
    function nameStep(Round calldata round, NamedStep calldata named) external pure;
    function postTensors(Round calldata round, PostedTensors calldata posted) external pure;
    /// @notice More nodes of the tree that is being narrowed.
    function postNodes(Round calldata round, bytes32[] calldata nodes) external pure;
    /// @notice One of the nodes that were posted last.
    function nameChild(
        Round calldata round,
        uint256 number,
        bytes32 child,
        bytes32[] calldata siblings
    ) external pure;
    function nameTensor(Round calldata round, NamedTensor calldata named) external pure;
    function answerLink(Round calldata round, LinkAnswer calldata answer) external pure;
    /// @notice Claims that the state after the step is not what was stored.
    function nameState(Round calldata round) external pure;
    /// @notice Shows that a slot does not hold what was stored into it.
    function ruleSlot(Round calldata round, NamedSlot calldata named) external pure;
    function postHashes(Round calldata round, int256 exponent, bytes32[] calldata nodes) external pure;
    function postLeaf(Round calldata round, bytes calldata leaf) external pure;
    /// @notice Shows that no tensor of the layout has the posted leaf.
    function ruleLeaf(Round calldata round, bytes calldata descriptor, bytes calldata leaf) external pure;
    /// @notice Claims that a requantised tensor's exponent is larger than any of its elements needs.
    function claimTooLarge(Round calldata round, bytes calldata descriptor) external pure;
}

/// @title Moves that open one element
/// @notice Two contracts have them: one for opcodes with sums, one for the others.
interface IElementRules {
    /// @notice Thrown when the opcode is the other contract's.
    error OtherRules(uint256 opcode);
    /// @notice Thrown when an operand's opening is not the one that the step's list commits to.
    error WrongOperand(uint256 operand);
    /// @notice Thrown when not every operand comes with its siblings.
    error WrongProofCount(uint256 count, uint256 expected);
    /// @notice Thrown when a leaf is not the one that was posted, or does not hold the element.
    error WrongLeaf(uint256 out);
    /// @notice Thrown when a descriptor is no STORE of the gradient that is summed.
    error WrongStore();
    /// @notice Thrown when bytes are not the job's order.
    error WrongOrder();

    /// @notice Shows an element to be wrong; before its leaf is posted, its exponent.
    function ruleElement(Round calldata round, Evidence calldata evidence) external pure;
    /// @notice Shows an element that needs the exponent which was claimed to be too large.
    function answerWitness(Round calldata round, Evidence calldata evidence) external pure;
}

/// @title Moves that open an element of an opcode with sums, or one of its sums
interface ISumRules is IElementRules {
    /// @notice Shows that one of the sums is wrong.
    function ruleSum(
        Round calldata round,
        Evidence calldata evidence,
        bytes calldata sums,
        uint256 number
    ) external pure;
}

/// @title Moves that narrow the sum behind an element
interface IRangeRules {
    /// @notice Thrown when sums are not as many as the ranges, do not add up, or are not those posted.
    error WrongSums();

    function askSums(Round calldata round, bytes calldata descriptor, uint256 out) external pure;
    /// @param sums 8 bytes for each range, two's complement
    function postSums(Round calldata round, bytes calldata sums) external pure;
    /// @notice An element that needs the exponent, and the sums behind it.
    function answerWitnessSums(
        Round calldata round,
        bytes calldata descriptor,
        uint256 out,
        bytes calldata sums
    ) external pure;
    function narrowSum(Round calldata round, bytes calldata sums, uint256 number) external pure;
    /// @notice Shows that the sums posted first contradict what they are to bear out.
    function ruleTotal(Round calldata round, Evidence calldata evidence, bytes calldata sums) external pure;
}

/// @title The move that opens an element of the dataset
interface IInputRules {
    /// @notice Thrown when bytes are not those of the object that stands in the row.
    error WrongObject(uint256 object);

    /// @notice Shows an element to differ from the object's bytes, or a label to name no class.
    function ruleInput(
        Round calldata round,
        Evidence calldata evidence,
        ObjectEvidence calldata object
    ) external pure;
}

/// @title Programs that are void
/// @notice Not a move: it needs no challenge.
interface IVoidRules {
    /// @notice Whether the program commits to a void node at this place; reverts when these are not its bytes.
    function isVoid(
        TrainingClaim calldata claim,
        uint256 tape,
        uint256 index,
        bytes calldata descriptor,
        bytes32[] calldata siblings
    ) external pure returns (bool);
}

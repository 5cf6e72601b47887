// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Position} from "../Position.sol";

/// @notice What follows from a descriptor alone.
struct NodeFacts {
    uint256 tape;
    uint256 index;
    uint256 opcode;
    /// Of LOAD and STORE.
    uint256 space;
    uint256 slot;
    /// Elements and leaves of the output.
    uint256 elements;
    uint256 leaves;
    /// Products behind one element, 0 for an opcode without sums; sums behind one element.
    uint256 products;
    uint256 candidates;
    bool isRequantized;
}

/// @notice The parts of a job's claim that judge an element.
struct JudgeFacts {
    bytes32 programRoot;
    bytes32 trainingHash;
    uint256[3] nodeCounts;
    uint256 logMicroBatches;
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

/// @notice What an INPUT element shows.
enum InputVerdict {
    Right,
    Wrong,
    /// The object's label names no class: no result could be right.
    Void
}

/// @title Rules on nodes and leaves
/// @notice Stateless; deployed beside the game because of its size.
interface INodeJudge {
    /// @notice Facts of a node that the program commits to; reverts when it does not.
    function verified(
        bytes calldata descriptor,
        bytes32[] calldata siblings,
        JudgeFacts calldata facts
    ) external pure returns (NodeFacts memory);

    /// @notice Facts of a descriptor that was verified before.
    function factsOf(
        bytes calldata descriptor,
        uint256 logMicroBatches
    ) external pure returns (NodeFacts memory);

    /// @notice Whether a leaf has the length, the padding and the ranges of its tensor's leaf `index`.
    function isCanonical(
        bytes calldata descriptor,
        uint256 index,
        bytes calldata leaf
    ) external pure returns (bool);

    /// @notice Whether the program commits to a void node at this place; reverts when these are not its bytes.
    function isVoid(
        bytes calldata descriptor,
        uint256 tape,
        uint256 index,
        bytes32[] calldata siblings,
        JudgeFacts calldata facts
    ) external pure returns (bool);
}

/// @title Rules on elements
/// @notice Stateless; deployed beside the game because of its size. Reverts whenever something is not opened as it was
/// committed to, so that a verdict is always one on the committed values.
interface IElementJudge {
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
    /// @notice Thrown when bytes are not those of the object that stands in the row.
    error WrongObject(uint256 object);

    /// @notice Whether an opened element bears the claim of the position out: MANTISSA and EXPONENT that it is wrong,
    /// WITNESS that its exponent is not too large.
    function bears(
        Position calldata position,
        JudgeFacts calldata facts,
        Evidence calldata evidence
    ) external pure returns (bool);

    /// @notice The same from the element's sum, of which only what is not summed is opened.
    function bearsWithSum(
        Position calldata position,
        JudgeFacts calldata facts,
        Evidence calldata evidence,
        int256 sum
    ) external pure returns (bool);

    /// @notice Sum of the products [from, to) of the position's element.
    function partialSum(
        Position calldata position,
        JudgeFacts calldata facts,
        Evidence calldata evidence,
        uint256 from,
        uint256 to
    ) external pure returns (int256);
}

/// @title Rules on elements that come from the dataset
/// @notice Stateless; deployed beside the game because of its size.
interface IInputJudge {
    /// @notice What an element of an INPUT node shows.
    function judgeInput(
        Position calldata position,
        JudgeFacts calldata facts,
        Evidence calldata evidence,
        ObjectEvidence calldata object
    ) external pure returns (InputVerdict);
}

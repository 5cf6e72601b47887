// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice Where a challenge stands. The game keeps its hash alone: whoever moves hands it in, as the last
/// event gave it. Fields that a stage does not name are zero. Before a member has opened its claim, `tensors` is the
/// root that was signed, `place` and `leaves` are the number of its leaf under that and how many there are, `index`
/// is the member, and `commitment` what its digest is bound to.
struct Position {
    /// State roots before and after the steps in dispute (until a node is named); in a search those that were posted
    /// for the leaves `from` and `to`.
    bytes32 stateBefore;
    bytes32 stateAfter;
    /// Steps in dispute, counted over the whole run.
    uint256 firstStep;
    uint256 steps;
    /// h of the interval until it is opened, then the root over the interval's witness commitments, then the witness of
    /// the named step.
    bytes32 witnesses;
    /// Root over the commitments of all tensors of the step.
    bytes32 tensors;
    /// Number of the named tensor in that list, and its commitment.
    uint256 place;
    bytes32 commitment;
    /// keccak256 of the named node's descriptor.
    bytes32 descriptor;
    /// Node of the tree that is being narrowed, its height above the leaves, its number on that level, the
    /// tree's leaves.
    bytes32 node;
    uint256 level;
    uint256 index;
    uint256 leaves;
    /// Exponent of the named tensor, as the provider opened it.
    int256 exponent;
    /// What is judged: see `Claims`.
    uint256 claim;
    /// Element whose sum is narrowed, the range of its products, what the range gives by the sums posted before, and
    /// keccak256 of the sums posted last. In a search: the last leaf that is agreed with, the first one that is not.
    uint256 out;
    uint256 from;
    uint256 to;
    int256 total;
    bytes32 sums;
}

/// @title What one element is to show
library Claims {
    /// @notice A mantissa, or the exponent, is not what the operands give.
    uint256 internal constant MANTISSA = 0;
    /// @notice The exponent is none that the finish rule allows, or too small for this element.
    uint256 internal constant EXPONENT = 1;
    /// @notice The provider's: the exponent is not too large.
    uint256 internal constant WITNESS = 2;
}

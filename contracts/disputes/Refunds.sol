// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title What each kind of move costs, in gas
/// @notice Fixed amounts, never metered: measured (test/snapshots/disputeMoves.json) and rounded up.
library Refunds {
    /// @notice All amounts are multiples of this.
    uint256 internal constant UNIT = 50_000;
    uint256 internal constant CHALLENGE = 300_000;
    uint256 internal constant NAME = 150_000;
    /// @notice A ruling, and the settlement and withdrawal after it.
    uint256 internal constant RULE = 600_000;
    uint256 internal constant POST = 300_000;

    /// @notice Moves of each side in the longest dispute that any order allows: 5 levels of a search among 2^32 leaves
    /// of a trace, then 17 for 1,024 steps of an interval, 2^27 tensors of a step, 2^31 leaves of a tensor, 2^24
    /// products of a sum.
    uint256 private constant MOST_MOVES = 22;
    uint256 internal constant MOST_CHALLENGER = CHALLENGE + RULE + MOST_MOVES * NAME;
    uint256 internal constant MOST_PROVIDER = MOST_MOVES * POST;
}

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
    uint256 internal constant RULE = 450_000;
    uint256 internal constant POST = 300_000;
    /// @notice What a challenger says in a search, and the two leaves that a provider opens in it.
    uint256 internal constant SEARCH = 100_000;
    uint256 internal constant OPEN = 150_000;

    /// @notice Moves of the longest dispute that any order allows: 1,024 steps of an interval, 2^27 tensors of a step,
    /// 2^31 leaves of a tensor, 2^24 products of a sum; before them a search among 10^9 leaves of a trace.
    uint256 private constant MOST_MOVES = 17;
    uint256 private constant MOST_SEARCHES = 30;
    uint256 internal constant MOST_CHALLENGER = CHALLENGE + RULE + MOST_MOVES * NAME + MOST_SEARCHES * SEARCH;
    uint256 internal constant MOST_PROVIDER = MOST_MOVES * POST + MOST_SEARCHES * OPEN;
}

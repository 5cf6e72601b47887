// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title The clock of every deadline
/// @notice A turn lasts its window, longer for every other challenge that its party has to answer, never more than
/// seven days. After that anyone may call the timeout; the late party may still move until then, and for the seconds of
/// grace afterwards, so that a sequencer that was down or censored convicts nobody. Only then the timeout stands.
library Clock {
    /// @notice Seconds that a turn lasts at most.
    uint256 internal constant LONGEST = 7 days;
    /// @notice Bounds of an order's windows.
    uint256 internal constant SHORTEST = 1 minutes;
    /// @notice What `endOf` gives before a timeout was called: a time that does not come. One byte that is not zero,
    /// because disputes carry it as calldata in every move.
    uint64 internal constant NEVER = 1 << 63;

    /// @notice The last second of a turn.
    /// @param since when the turn began
    /// @param others other challenges that the party had open when the turn began
    function deadlineOf(
        uint256 since,
        uint256 window,
        uint256 extension,
        uint256 others
    ) internal pure returns (uint256) {
        uint256 length = window + extension * others;
        return since + (length < LONGEST ? length : LONGEST);
    }

    /// @notice Whether a timeout may be called.
    function isLate(uint256 time, uint256 deadline) internal pure returns (bool) {
        return time > deadline;
    }

    /// @notice Whether the party may still move.
    /// @param graceEnds last second of the grace, 0 as long as no timeout was called
    function mayMove(uint256 time, uint256 graceEnds) internal pure returns (bool) {
        return time <= endOf(graceEnds);
    }

    /// @notice The last second in which the party may move.
    /// @param graceEnds as for `mayMove`
    function endOf(uint256 graceEnds) internal pure returns (uint256) {
        return graceEnds == 0 ? NEVER : graceEnds;
    }
}

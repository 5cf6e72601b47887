// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice Faults of a provider that still count.
struct Conduct {
    /// Half doublings of its stake, as of `since`.
    uint8 marks;
    /// When the last fault was.
    uint48 since;
}

/// @title Capacity that follows conduct
/// @notice Every two marks double the stake that a provider locks for a job, so that the same stake carries half of the
/// jobs; 30 days without another fault take two marks away.
library Conducts {
    uint256 internal constant LATE = 1;
    uint256 internal constant CONVICTION = 2;
    uint256 internal constant PERIOD = 30 days;
    /// @notice Sixteen times the stake.
    uint256 internal constant MOST = 8;

    /// @notice Adds marks; the time without a fault begins anew.
    function mark(Conduct storage conduct, uint256 weight) internal {
        uint256 marks = marksOf(conduct) + weight;
        conduct.marks = uint8(marks < MOST ? marks : MOST);
        conduct.since = uint48(block.timestamp);
    }

    /// @notice What the stake is multiplied by, in hundredths: 100, 150, 200, 300, 400, …
    function multiplierOf(Conduct storage conduct) internal view returns (uint256) {
        uint256 marks = marksOf(conduct);
        uint256 whole = marks % 2 == 0 ? 100 : 150;
        return whole << (marks / 2);
    }

    function marksOf(Conduct storage conduct) internal view returns (uint256) {
        uint256 marks = conduct.marks;
        uint256 forgiven = 2 * ((block.timestamp - conduct.since) / PERIOD);
        return forgiven < marks ? marks - forgiven : 0;
    }
}

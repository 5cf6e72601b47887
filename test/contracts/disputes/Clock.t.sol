// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Clock} from "../../../contracts/libraries/Clock.sol";
import {MiniTest} from "../MiniTest.sol";

contract ClockTest is MiniTest {
    function testFuzz_moveAtTheDeadlineIsInTimeAndOneSecondLaterLate(
        uint32 since,
        uint32 window,
        uint32 extension,
        uint32 others
    ) external pure {
        uint256 deadline = Clock.deadlineOf(since, window, extension, others);
        assert(deadline == 0 || !Clock.isLate(deadline - 1, deadline));
        assert(!Clock.isLate(deadline, deadline));
        assert(Clock.isLate(deadline + 1, deadline));
    }

    function testFuzz_noTurnIsLongerThanSevenDays(
        uint32 since,
        uint32 window,
        uint32 extension,
        uint32 others
    ) external pure {
        uint256 deadline = Clock.deadlineOf(since, window, extension, others);
        assert(deadline <= uint256(since) + 7 days);
        assert(deadline <= uint256(since) + window + uint256(extension) * others);
    }

    function testFuzz_anotherChallengeNeverShortensATurn(
        uint32 window,
        uint32 extension,
        uint16 others
    ) external pure {
        uint256 fewer = Clock.deadlineOf(0, window, extension, others);
        assert(Clock.deadlineOf(0, window, extension, uint256(others) + 1) >= fewer);
    }

    function testFuzz_graceEndsAtItsLastSecond(uint48 time, uint48 graceEnds) external pure {
        assert(Clock.mayMove(time, 0));
        if (graceEnds != 0) assert(Clock.mayMove(time, graceEnds) == (time <= graceEnds));
    }
}

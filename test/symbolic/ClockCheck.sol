// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Clock} from "../../contracts/libraries/Clock.sol";

/// @notice Properties of Clock, for all times and windows.
contract ClockCheck {
    function check_deadline_isNeverBeforeTheWindowEndsNorAfterSevenDays(
        uint40 since,
        uint32 window,
        uint32 extension,
        uint16 others
    ) external pure {
        uint256 deadline = Clock.deadlineOf(since, window, extension, others);
        uint256 shortest = window < Clock.LONGEST ? window : Clock.LONGEST;
        assert(deadline >= uint256(since) + shortest);
        assert(deadline <= uint256(since) + Clock.LONGEST);
    }

    function check_timeout_isCalledOnlyWhenLateAndStandsOnlyAfterItsGrace(
        uint40 deadline,
        uint40 calledAt,
        uint32 grace,
        uint40 time
    ) external pure {
        // As the contracts do: the grace begins with the call, which has to be late.
        if (!Clock.isLate(calledAt, deadline)) return;
        uint256 graceEnds = uint256(calledAt) + grace;
        bool stands = !Clock.mayMove(time, graceEnds);
        assert(stands == (time > graceEnds));
        if (stands) assert(time > deadline);
        assert(Clock.mayMove(time, 0));
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {LapsingPause} from "../../../contracts/libraries/LapsingPause.sol";
import {MiniTest} from "../MiniTest.sol";

contract Pausing is LapsingPause {
    uint256 public begun;

    function begin() external whenNotPaused {
        ++begun;
    }

    function pause() external {
        _pause();
    }

    function unpause() external {
        _unpause();
    }
}

contract LapsingPauseTest is MiniTest {
    uint256 internal constant START = 1_800_000_000;
    Pausing internal pausing;

    function setUp() public {
        vm.warp(START);
        pausing = new Pausing();
    }

    function test_attackC10_aPauseLapsesAfterSevenDays() public {
        vm.expectEmit(address(pausing));
        emit LapsingPause.Paused(address(this), START + 7 days);
        pausing.pause();
        vm.warp(START + 7 days - 1);
        vm.expectRevert(LapsingPause.EnforcedPause.selector);
        pausing.begin();
        vm.warp(START + 7 days);
        pausing.begin();
        vm.assertFalse(pausing.paused(), "lapsed");
    }

    function test_attackC10_aPauseIsNotRenewedForThirtyDays() public {
        bytes memory refusal = abi.encodeWithSelector(LapsingPause.PausedLately.selector, START + 37 days);
        pausing.pause();
        vm.expectRevert(refusal);
        pausing.pause();
        vm.warp(START + 37 days - 1);
        vm.expectRevert(refusal);
        pausing.pause();
        vm.warp(START + 37 days);
        pausing.pause();
        vm.assertTrue(pausing.paused(), "again");
    }

    function test_attackC10_endingAPauseEarlyBringsTheNextNoNearer() public {
        pausing.pause();
        pausing.unpause();
        pausing.begin();
        vm.warp(START + 37 days - 1);
        vm.expectRevert(abi.encodeWithSelector(LapsingPause.PausedLately.selector, START + 37 days));
        pausing.pause();
    }
}

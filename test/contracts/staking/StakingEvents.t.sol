// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IStaking} from "../../../contracts/staking/interfaces/IStaking.sol";
import {StakingFixture} from "./StakingFixture.sol";

/// @notice An operator from its registration to its last coin: every event, in order, and no others.
contract StakingEventsTest is StakingFixture {
    function test_events_ofAnOperatorsWholeLife() public {
        setUpStaking();
        vm.recordLogs();
        address operator = actor("operator");
        address reporter = actor("reporter");
        enlist(operator, 1_000);
        vm.prank(operator);
        staking.update(STORAGE, hex"0025", "/dns4/example/tcp/2");
        lockFor(moduleA, operator, 300);
        slashBy(moduleA, operator, 100, reporter);
        vm.prank(moduleA);
        staking.unlock(operator, 200);
        vm.prank(operator);
        staking.retire();
        uint256 ticket = unbondBy(operator, 900);
        vm.warp(1_800_000_000 + DELAY + 1);
        vm.prank(operator);
        staking.withdraw(ticket, operator);
        vm.prank(reporter);
        staking.withdrawCredit(reporter);
        staking.flushBurn();
        staking.setParameters(DELAY, SHARE);
        requireEvents(vm.getRecordedLogs(), address(staking), bytes.concat(_entry(), _exit()));
    }

    function _entry() private pure returns (bytes memory) {
        return
            bytes.concat(
                IStaking.OperatorRegistered.selector,
                IStaking.Staked.selector,
                IStaking.OperatorUpdated.selector,
                IStaking.ModuleApproved.selector,
                IStaking.Locked.selector,
                IStaking.Slashed.selector
            );
    }

    function _exit() private pure returns (bytes memory) {
        return
            bytes.concat(
                IStaking.Unlocked.selector,
                IStaking.OperatorRetired.selector,
                IStaking.Unbonding.selector,
                IStaking.Withdrawn.selector,
                IStaking.Withdrawn.selector,
                IStaking.BurnFlushed.selector,
                IStaking.ParametersSet.selector
            );
    }
}

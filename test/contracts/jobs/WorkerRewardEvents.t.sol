// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IWorkerRewards} from "../../../contracts/jobs/interfaces/IWorkerRewards.sol";
import {Credits} from "../../../contracts/libraries/Credits.sol";
import {RewardsFixture} from "./WorkerRewards.t.sol";

/// @notice A round in which one worker claims, one is answered, one is included and one is forced in.
contract WorkerRewardEventsTest is RewardsFixture {
    address private immutable ada = actor("ada");
    address private immutable bob = actor("bob");
    address private immutable eve = actor("eve");

    function test_events_ofARound() external {
        vm.recordLogs();
        _deploy();
        uint256 start = 1_800_000_000;
        _post(ada, 30, bob, 70);
        rewards.claim(JOB, provider, ada, 30, 0, _proof(bob, 70));
        _demand(bob, 70);
        rewards.answer(JOB, provider, bob, 70, 1, _proof(ada, 30));
        _demand(ada, 40);
        vm.prank(provider);
        rewards.include(JOB, ada);
        _demand(eve, 20);
        vm.warp(start + rewards.ANSWER_TIME() + 1);
        rewards.execute(JOB, provider, eve);
        vm.warp(start + rewards.CLAIM_TIME() + 1);
        rewards.close(JOB, provider);
        vm.prank(eve);
        rewards.withdraw(eve);
        rewards.flushBurn();
        requireEvents(vm.getRecordedLogs(), address(rewards), bytes.concat(_firstHalf(), _secondHalf()));
    }

    function _firstHalf() private pure returns (bytes memory) {
        return
            bytes.concat(
                IWorkerRewards.RoundOpened.selector,
                IWorkerRewards.RootPosted.selector,
                IWorkerRewards.Claimed.selector,
                IWorkerRewards.Demanded.selector,
                IWorkerRewards.Claimed.selector,
                IWorkerRewards.DemandAnswered.selector
            );
    }

    function _secondHalf() private pure returns (bytes memory) {
        return
            bytes.concat(
                IWorkerRewards.Demanded.selector,
                IWorkerRewards.Included.selector,
                IWorkerRewards.Demanded.selector,
                IWorkerRewards.Forced.selector,
                IWorkerRewards.RoundClosed.selector,
                IWorkerRewards.Withdrawn.selector,
                Credits.BurnFlushed.selector
            );
    }
}

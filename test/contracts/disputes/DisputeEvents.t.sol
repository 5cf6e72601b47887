// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IDisputeGame} from "../../../contracts/disputes/interfaces/IDisputeGame.sol";
import {Bonds} from "../../../contracts/disputes/Bonds.sol";
import {TraceLeaf} from "../../../contracts/disputes/interfaces/IDisputeRules.sol";
import {Scheme} from "../../../contracts/jobs/interfaces/Orders.sol";
import {JobsFixture} from "../jobs/JobsFixture.sol";

/// @notice What both sides read of a dispute that ends without a move: every event, in order, and no others.
contract DisputeEventsTest is JobsFixture {
    function setUp() public {
        setUpJobs();
    }

    function test_events_ofAConviction_andOfAnotherChallengeBesideIt() public {
        vm.recordLogs();
        uint256 id = committedJob();
        uint256 other = challenge(id, 2);
        uint256 first = challenge(id, 1);
        pass(4 hours + 11 minutes);
        game.callTimeout(first);
        pass(1 hours + 1);
        game.executeTimeout(first);
        game.settle(other);
        pass(4 hours + 1);
        game.payReward(id);
        vm.prank(challenger);
        game.withdraw(challenger);
        game.flushBurnt();
        requireEvents(
            vm.getRecordedLogs(),
            address(game),
            bytes.concat(
                IDisputeGame.JobOpened.selector,
                IDisputeGame.Challenged.selector,
                IDisputeGame.Moved.selector,
                IDisputeGame.Challenged.selector,
                IDisputeGame.Moved.selector,
                IDisputeGame.TimeoutCalled.selector,
                IDisputeGame.ProviderConvicted.selector,
                IDisputeGame.ChallengeSettled.selector,
                IDisputeGame.ChallengeSettled.selector,
                IDisputeGame.RewardPaid.selector,
                Bonds.CreditWithdrawn.selector,
                Bonds.BondBurnt.selector
            )
        );
    }

    function test_events_ofAJobThatNobodyChallenges_andOfOneThatIsVoid() public {
        uint256 id = committedJob();
        uint256 second = committedJob();
        pass(3 days + 1);
        timeOutJob(id);
        vm.recordLogs();
        jobs.finalise(id);
        game.showVoid(second, 0, 1, "", new bytes32[](0));
        requireEvents(
            vm.getRecordedLogs(),
            address(game),
            bytes.concat(IDisputeGame.JobReleased.selector, IDisputeGame.JobVoid.selector)
        );
    }

    function test_challenge_ofNothingThatIsClaimed_isRefused() public {
        uint256 id = lockedJob(Scheme.Optimistic);
        vm.expectRevert(abi.encodeWithSelector(IDisputeGame.NotChallengeable.selector, id));
        this.challengeAt(id, 1);
        vm.expectRevert(abi.encodeWithSelector(IDisputeGame.NotChallengeable.selector, id));
        this.challengeAt(id, type(uint32).max);
        id = committedJob();
        pass(3 days + 1);
        timeOutJob(id);
        vm.expectRevert(abi.encodeWithSelector(IDisputeGame.NotChallengeable.selector, id));
        this.challengeAt(id, 1);
    }

    function challengeAt(uint256 id, uint256 interval) external {
        TraceLeaf memory before = leaf(1);
        TraceLeaf memory next = leaf(2);
        vm.deal(address(this), 1 ether);
        game.challenge{value: 1 ether}(id, interval, before, next);
    }
}

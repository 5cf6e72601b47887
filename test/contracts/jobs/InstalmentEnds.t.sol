// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IDisputeGame, JobStatus} from "../../../contracts/disputes/interfaces/IDisputeGame.sol";
import {TraceLeaf} from "../../../contracts/disputes/interfaces/IDisputeRules.sol";
import {IInstalments} from "../../../contracts/jobs/interfaces/IInstalments.sol";
import {IJobRegistry} from "../../../contracts/jobs/interfaces/IJobRegistry.sol";
import {IJobTable} from "../../../contracts/jobs/interfaces/IJobTable.sol";
import {Scheme} from "../../../contracts/jobs/interfaces/Orders.sol";
import {InstalmentsFixture} from "./InstalmentsFixture.sol";

/// @notice Payment by verified checkpoints when a conviction, void work or silence ends the job, and what stays paid.
contract InstalmentEndsTest is InstalmentsFixture {
    function setUp() public {
        setUpJobs();
    }

    function test_attack24_convictionOfACheckpointInTraining_takesTheWholeStake() public {
        uint256 id = trainingJob(Scheme.Both);
        post(id, 1);
        pass(3 days + 1);
        closeIt(id, 1);
        post(id, 2);
        convictOf(id, 2, 1);
        jobs.settle(id);
        requireStatus(id, IJobRegistry.Status.Failed);
        uint256 lost = STAKE + DEPOSIT / 10;
        vm.assertEq(
            staking.operatorOf(provider).stake,
            10_000 ether - lost,
            "slashed, and no commitment made"
        );
        vm.assertEq(staking.creditOf(challenger), STAKE / 2, "challenger");
        vm.assertGe(staking.creditOf(BURN_SINK), PRICE + DEPOSIT / 10, "price and performance bond");
        vm.assertEq(escrow.creditOf(provider), FIRST, "the verified part stays paid");
        vm.assertEq(escrow.creditOf(consumer), DEPOSIT - FIRST + 18 ether, "the rest is back");
        // The bond of the job was not at stake.
        vm.assertEq(game.creditOf(provider), 2 ether, "the job's, and that of the first checkpoint");
        (, , , , , , uint256 closed) = committee.asked(id);
        vm.assertEq(closed, 0, "no committee was drawn");
        vm.expectRevert(
            abi.encodeWithSelector(
                IDisputeGame.WrongStatus.selector,
                instalments.claimIdOf(id, 2),
                JobStatus.Convicted
            )
        );
        instalments.close(id, 2);
        vm.expectRevert(abi.encodeWithSelector(IJobTable.NothingToSettle.selector, id));
        jobs.settle(id);
    }

    function test_conviction_afterTheCommitment_failsTheJobAndClosesTheCommittee() public {
        uint256 id = trainingJob(Scheme.Both);
        post(id, 1);
        commit(id);
        uint256 open = challenge(id, 1);
        convictOf(id, 1, 0);
        jobs.settle(id);
        requireStatus(id, IJobRegistry.Status.Failed);
        (, , , , , , uint256 closed) = committee.asked(id);
        vm.assertEq(closed, 1, "committee closed");
        // The challenge of the last commitment goes on: its bond is what it is about.
        vm.expectRevert(abi.encodeWithSelector(IJobRegistry.ChallengesOpen.selector, id, 1));
        jobs.settle(id);
        timeOut(open);
        vm.assertEq(staking.operatorOf(provider).stake, 10_000 ether - STAKE, "slashed once");
        vm.assertEq(jobs.multiplierOf(provider), 200, "one fault");
    }

    function test_conviction_ofTheLastCommitment_returnsBondsOfPendingCheckpoints() public {
        uint256 id = trainingJob(Scheme.Optimistic);
        post(id, 1);
        post(id, 2);
        commit(id);
        convict(id);
        uint256 before = game.creditOf(provider);
        vm.assertEq(instalments.close(id, 2), 0, "in any order, at once");
        vm.assertEq(instalments.close(id, 1), 0, "unpaid");
        vm.assertEq(game.creditOf(provider) - before, 2 ether, "bonds");
        jobs.settle(id);
        vm.assertEq(escrow.creditOf(provider), 0, "nothing was paid");
        vm.assertEq(escrow.creditOf(consumer), DEPOSIT, "all back");
    }

    function test_overJobs_takeNoChallengesOfCheckpoints() public {
        uint256 id = trainingJob(Scheme.Optimistic);
        post(id, 1);
        commit(id);
        convict(id);
        (TraceLeaf memory before, TraceLeaf memory next) = (leafOf(1, 0), leafOf(1, 1));
        uint256 claimId = instalments.claimIdOf(id, 1);
        vm.prank(challenger);
        vm.expectRevert(abi.encodeWithSelector(IDisputeGame.NotChallengeable.selector, claimId));
        game.challenge{value: 1 ether}(claimId, 0, before, next);
    }

    /// @dev Whoever vanishes with a false checkpoint cannot free its stake before it could be convicted.
    function test_attack24_lateProviders_areHeldUntilTheirCheckpointsAreClosed() public {
        uint256 id = trainingJob(Scheme.Optimistic);
        vm.warp(jobs.jobOf(id).deadline);
        post(id, 1);
        pass(1);
        timeOutJob(id);
        vm.expectRevert(abi.encodeWithSelector(IInstalments.CheckpointsPending.selector, id, 1));
        jobs.expire(id);
        uint256 state = vm.snapshotState();
        convictOf(id, 1, 0);
        jobs.settle(id);
        uint256 whole = 10_000 ether - DEPOSIT / 10;
        vm.assertEq(staking.operatorOf(provider).stake, whole - STAKE, "all of it");
        vm.revertToState(state);
        pass(3 days);
        closeIt(id, 1);
        jobs.expire(id);
        requireStatus(id, IJobRegistry.Status.Failed);
        vm.assertEq(staking.operatorOf(provider).stake, whole - STAKE / 10, "late, as ever");
        vm.assertEq(escrow.creditOf(provider), FIRST, "what was verified");
        vm.assertEq(escrow.creditOf(consumer), DEPOSIT - FIRST, "the rest");
    }

    function test_attack_lateProvidersWhoseCheckpointsWait_keepNothingElseOfTheDeposit() public {
        uint256 id = trainingJob(Scheme.Both);
        (, uint256 fees) = escrow.pursesOf(id);
        uint256 rest = escrow.creditOf(consumer);
        vm.warp(jobs.jobOf(id).deadline);
        post(id, 1);
        pass(1);
        expectTooEarly(id, jobs.jobOf(id).deadline + 1);
        jobs.refundRest(id);
        jobs.callTimeout(id);
        uint256 graceEnds = jobs.jobOf(id).graceEnds;
        vm.warp(graceEnds);
        expectTooEarly(id, graceEnds + 1);
        jobs.refundRest(id);
        vm.warp(graceEnds + 1);
        jobs.refundRest(id);
        vm.assertEq(escrow.creditOf(consumer) - rest, PRICE - FIRST, "what no checkpoint can earn");
        jobs.refundRest(id);
        vm.assertEq(escrow.creditOf(consumer) - rest, PRICE - FIRST, "once");
        requireStatus(id, IJobRegistry.Status.Training);
        vm.assertEq(staking.lockedBy(provider, address(jobs)), STAKE + DEPOSIT / 10, "all of it stays");
        uint256 state = vm.snapshotState();
        vm.warp(instalments.checkpointOf(id, 1).challengeUntil + 1);
        closeIt(id, 1);
        vm.assertEq(escrow.creditOf(provider), FIRST, "what was verified");
        jobs.expire(id);
        vm.assertEq(escrow.creditOf(consumer), DEPOSIT - FIRST + fees, "all but that");
        vm.revertToState(state);
        convictOf(id, 1, 0);
        jobs.settle(id);
        vm.assertEq(escrow.creditOf(consumer), DEPOSIT + fees, "what was convicted earns nothing");
        vm.revertToState(state);
        game.showVoid(id, 0, 1, "", new bytes32[](0));
        jobs.settle(id);
        vm.assertEq(escrow.creditOf(provider), FIRST, "the author's loss");
        vm.assertEq(escrow.creditOf(consumer), DEPOSIT - FIRST + fees, "and no more");
    }

    function test_refundRest_ofALateJobWithoutCheckpoints_givesAllBack() public {
        uint256 id = matchedJob(Scheme.Optimistic);
        vm.prank(provider);
        jobs.lock{value: 1 ether}(id);
        vm.warp(jobs.jobOf(id).deadline + 1);
        timeOutJob(id);
        jobs.refundRest(id);
        jobs.expire(id);
        vm.assertEq(escrow.creditOf(consumer), DEPOSIT, "once");
    }

    function test_refundRest_ofWhatCanStillBePaid_isRefused() public {
        uint256 id = committedJob();
        vm.expectRevert(
            abi.encodeWithSelector(IJobRegistry.WrongStatus.selector, id, IJobRegistry.Status.Committed)
        );
        jobs.refundRest(id);
        pass(40 days);
        timeOutJob(id);
        vm.expectRevert(
            abi.encodeWithSelector(IJobRegistry.WrongStatus.selector, id, IJobRegistry.Status.Committed)
        );
        jobs.refundRest(id);
    }

    function test_attack11_void_paysForTheCheckpointsThatWait() public {
        uint256 id = trainingJob(Scheme.Optimistic);
        post(id, 1);
        pass(3 days + 1);
        closeIt(id, 1);
        post(id, 2);
        game.showVoid(id, 0, 1, "", new bytes32[](0));
        jobs.settle(id);
        requireStatus(id, IJobRegistry.Status.Void);
        vm.assertEq(escrow.creditOf(provider), FIRST + SECOND, "the author's loss");
        vm.assertEq(escrow.creditOf(consumer), DEPOSIT - FIRST - SECOND, "the rest");
        vm.assertEq(instalments.close(id, 2), 0, "the bond alone");
        vm.assertEq(game.creditOf(provider), 3 ether, "all bonds");
        vm.assertEq(staking.operatorOf(provider).stake, 10_000 ether, "nobody is slashed");
    }

    function test_void_shownOnACheckpoint_endsTheJob() public {
        uint256 id = trainingJob(Scheme.Optimistic);
        post(id, 1);
        uint256 open = challengeOf(id, 1, 0);
        game.showVoid(instalments.claimIdOf(id, 1), 0, 1, "", new bytes32[](0));
        jobs.settle(id);
        requireStatus(id, IJobRegistry.Status.Void);
        vm.assertEq(escrow.creditOf(provider), FIRST, "posted");
        vm.assertEq(game.creditOf(provider), 2 ether, "the job's bond is back too");
        game.settle(open);
        vm.assertEq(game.creditOf(challenger), 1 ether, "bonds return");
    }

    function test_void_afterTheCommitment_paysTheRest() public {
        uint256 id = trainingJob(Scheme.Optimistic);
        post(id, 1);
        commit(id);
        game.showVoid(id, 0, 1, "", new bytes32[](0));
        jobs.settle(id);
        vm.assertEq(escrow.creditOf(provider), PRICE, "all of the price");
        instalments.close(id, 1);
        vm.assertEq(escrow.creditOf(provider), PRICE, "once");
        vm.assertEq(game.creditOf(provider), 2 ether, "bonds");
    }

    function test_withheld_leavesWhatWasPaid() public {
        uint256 id = trainingJob(Scheme.Both);
        post(id, 1);
        pass(3 days + 1);
        closeIt(id, 1);
        commit(id);
        committee.withhold(jobs, id);
        jobs.settle(id);
        vm.assertEq(escrow.creditOf(provider), FIRST, "verified");
        vm.assertEq(escrow.creditOf(consumer), DEPOSIT - FIRST + 18 ether, "the rest");
    }
}

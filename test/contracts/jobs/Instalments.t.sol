// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {TrainingClaim} from "../../../contracts/disputes/interfaces/IDisputedClaims.sol";
import {IDisputeGame} from "../../../contracts/disputes/interfaces/IDisputeGame.sol";
import {TraceLeaf} from "../../../contracts/disputes/interfaces/IDisputeRules.sol";
import {IInstalments} from "../../../contracts/jobs/interfaces/IInstalments.sol";
import {IJobRegistry} from "../../../contracts/jobs/interfaces/IJobRegistry.sol";
import {ICommittee} from "../../../contracts/attestation/interfaces/ICommittee.sol";
import {Order, Scheme} from "../../../contracts/jobs/interfaces/Orders.sol";
import {MerkleProofs} from "../../../contracts/libraries/MerkleProofs.sol";
import {JobRegistry} from "../../../contracts/jobs/JobRegistry.sol";
import {InstalmentsFixture} from "./InstalmentsFixture.sol";

/// @notice Payment by verified checkpoints: 5 steps, 2 in an interval, 3 instalments; checkpoint i stands at leaf i.
contract InstalmentsTest is InstalmentsFixture {
    function setUp() public {
        setUpJobs();
    }

    function test_close_paysTheInstalmentWhenChallengesAreOver() public {
        uint256 id = trainingJob(Scheme.Optimistic);
        post(id, 1);
        uint256 until = instalments.checkpointOf(id, 1).challengeUntil;
        vm.assertEq(until, time() + 3 days, "as long as the last commitment");
        vm.assertEq(address(game).balance, 2 ether, "a bond of its own");
        vm.warp(until);
        vm.expectRevert(abi.encodeWithSelector(IJobRegistry.TooEarly.selector, id, until + 1));
        instalments.close(id, 1);
        expectTooEarly(id, until + 1);
        instalments.callTimeout(id, 1);
        // As long as nobody has called, challenges are taken, and nothing is paid.
        vm.warp(until + 1 days);
        expectTooEarly(id, until + 1);
        instalments.close(id, 1);
        uint256 state = vm.snapshotState();
        challengeOf(id, 1, 0);
        vm.revertToState(state);
        instalments.callTimeout(id, 1);
        vm.expectRevert(abi.encodeWithSelector(IInstalments.TimeoutAlreadyCalled.selector, id, 1));
        instalments.callTimeout(id, 1);
        uint256 graceEnds = instalments.checkpointOf(id, 1).graceEnds;
        vm.assertEq(graceEnds, until + 1 days + 1 hours, "grace");
        vm.warp(graceEnds);
        expectTooEarly(id, graceEnds + 1);
        instalments.close(id, 1);
        state = vm.snapshotState();
        challengeOf(id, 1, 0);
        vm.revertToState(state);
        vm.warp(graceEnds + 1);
        vm.prank(stranger);
        vm.assertEq(instalments.close(id, 1), FIRST, "returned");
        vm.assertEq(escrow.creditOf(provider), FIRST, "paid");
        vm.assertEq(game.creditOf(provider), 1 ether, "that bond back");
        requireStatus(id, IJobRegistry.Status.Training);
        uint256 locked = staking.lockedBy(provider, address(jobs));
        vm.assertEq(locked, STAKE + DEPOSIT / 10, "stake and performance bond stay");
        vm.expectRevert(abi.encodeWithSelector(IInstalments.NotPending.selector, id, 1));
        instalments.close(id, 1);
        vm.expectRevert(abi.encodeWithSelector(IInstalments.NotPending.selector, id, 1));
        instalments.callTimeout(id, 1);
    }

    function test_events_ofACheckpoint() public {
        uint256 id = trainingJob(Scheme.Optimistic);
        vm.recordLogs();
        post(id, 1);
        vm.warp(instalments.checkpointOf(id, 1).challengeUntil + 1);
        closeIt(id, 1);
        requireEvents(
            vm.getRecordedLogs(),
            address(instalments),
            bytes.concat(
                IInstalments.CheckpointPosted.selector,
                IInstalments.TimeoutCalled.selector,
                IInstalments.CheckpointClosed.selector
            )
        );
    }

    function test_finalise_paysTheRest() public {
        uint256 id = trainingJob(Scheme.Optimistic);
        post(id, 1);
        pass(1 hours);
        post(id, 2);
        commit(id);
        pass(3 days + 1);
        timeOutJob(id);
        vm.expectRevert(abi.encodeWithSelector(IInstalments.CheckpointsPending.selector, id, 1));
        jobs.finalise(id);
        closeIt(id, 1);
        vm.expectRevert(abi.encodeWithSelector(IInstalments.CheckpointsPending.selector, id, 2));
        jobs.finalise(id);
        closeIt(id, 2);
        vm.assertEq(escrow.creditOf(provider), FIRST + SECOND, "instalments");
        jobs.finalise(id);
        vm.assertEq(escrow.creditOf(provider), PRICE, "all of the price, however it is divided");
        vm.assertEq(escrow.creditOf(consumer), DEPOSIT - PRICE, "what exceeded it");
        vm.assertEq(game.creditOf(provider), 3 ether, "all bonds");
    }

    function test_close_inTheOrderOfNumbers() public {
        uint256 id = trainingJob(Scheme.Optimistic);
        post(id, 1);
        post(id, 2);
        pass(3 days + 1);
        vm.expectRevert(abi.encodeWithSelector(IInstalments.CheckpointsPending.selector, id, 1));
        instalments.close(id, 2);
    }

    function test_post_mayLeaveCheckpointsOut_andIsPaidForThemWithTheNext() public {
        uint256 id = trainingJob(Scheme.Optimistic);
        post(id, 2);
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(IInstalments.NoCheckpoint.selector, id, 1));
        instalments.post{value: 1 ether}(id, 1, prefix(1));
        pass(3 days + 1);
        timeOutCheckpoint(id, 2);
        vm.assertEq(instalments.close(id, 2), FIRST + SECOND, "two parts of three");
    }

    function test_post_refusesWhatIsNoCheckpoint() public {
        uint256 id = trainingJob(Scheme.Optimistic);
        uint256[4] memory numbers = [uint256(0), 3, 256, type(uint256).max];
        vm.startPrank(provider);
        for (uint256 i = 0; i < numbers.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IInstalments.NoCheckpoint.selector, id, numbers[i]));
            instalments.post{value: 1 ether}(id, numbers[i], prefix(1));
            vm.expectRevert(abi.encodeWithSelector(IInstalments.NotPending.selector, id, numbers[i]));
            instalments.close(id, numbers[i]);
        }
        vm.expectRevert(abi.encodeWithSelector(IJobRegistry.WrongBond.selector, 1, 1 ether));
        instalments.post{value: 1}(id, 1, prefix(1));
        // A prefix of another length.
        vm.expectRevert(abi.encodeWithSelector(MerkleProofs.WrongProofLength.selector, 2, 1));
        instalments.post{value: 1 ether}(id, 1, prefix(2));
        IJobRegistry.Commitment memory wrong = prefix(2);
        wrong.last.witnessHash = "another";
        vm.expectRevert(abi.encodeWithSelector(IJobRegistry.WrongLeaf.selector, 2));
        instalments.post{value: 1 ether}(id, 2, wrong);
        wrong = prefix(1);
        wrong.resultId = "elsewhere";
        vm.expectRevert(abi.encodeWithSelector(IJobRegistry.ResultNotStored.selector, bytes32("elsewhere")));
        instalments.post{value: 1 ether}(id, 1, wrong);
        vm.stopPrank();
        vm.expectRevert(abi.encodeWithSelector(IJobRegistry.NotProvider.selector, id, address(this)));
        instalments.post{value: 1 ether}(id, 1, prefix(1));
        vm.warp(jobs.jobOf(id).deadline + 1);
        timeOutJob(id);
        uint256 graceEnds = jobs.jobOf(id).graceEnds;
        vm.expectRevert(abi.encodeWithSelector(IJobRegistry.TooLate.selector, id, graceEnds));
        vm.prank(provider);
        instalments.post{value: 1 ether}(id, 1, prefix(1));
    }

    function test_post_inTrainingAlone_andOnlyWhereTheOrderAllowsIt() public {
        uint256 whole = lockedJob(Scheme.Optimistic);
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(IInstalments.NoCheckpoint.selector, whole, 1));
        instalments.post{value: 1 ether}(whole, 1, prefix(1));
        uint256 id = trainingJob(Scheme.Optimistic);
        commit(id);
        bytes memory reason = abi.encodeWithSelector(
            IJobRegistry.WrongStatus.selector,
            id,
            IJobRegistry.Status.Committed
        );
        vm.prank(provider);
        vm.expectRevert(reason);
        instalments.post{value: 1 ether}(id, 1, prefix(1));
    }

    function test_open_boundsInstalments() public {
        uint8[5] memory parts = [uint8(0), 1, 3, 4, 17];
        for (uint256 i = 0; i < parts.length; ++i) {
            bytes memory training = encode(trainingOrder());
            Order memory order = orderOf(training, Scheme.Optimistic, 0, 0);
            order.conditions.instalments = parts[i];
            // Three intervals.
            if (parts[i] > 3) {
                vm.expectRevert(
                    abi.encodeWithSelector(IJobRegistry.UnfitTraining.selector, bytes32("instalments"))
                );
            }
            jobs.open(order, "order", training);
        }
    }

    function test_open_withoutSomethingThatKeepsCheckpoints_refusesInstalments() public {
        JobRegistry lone = new JobRegistry(address(access), staking, rules, escrow, parameters());
        lone.setModules(game, ICommittee(address(0)), certificates, IInstalments(address(0)));
        grant(address(lone), IJobRegistry.open.selector, MARKET, address(this));
        bytes memory training = encode(trainingOrder());
        Order memory order = orderOf(training, Scheme.Optimistic, 0, 0);
        order.conditions.instalments = 2;
        vm.expectRevert(abi.encodeWithSelector(IJobRegistry.UnfitTraining.selector, bytes32("instalments")));
        lone.open(order, "order", training);
    }

    function test_claim_isThePrefixAlone() public {
        uint256 id = trainingJob(Scheme.Optimistic);
        post(id, 2);
        commit(id);
        TrainingClaim memory last = jobs.claimOf(id);
        TrainingClaim memory claim = jobs.claimOf(instalments.claimIdOf(id, 2));
        vm.assertEq(claim.steps, 4, "two whole intervals");
        vm.assertEq(claim.traceRoot, prefix(2).traceRoot, "root");
        (last.steps, last.traceRoot, last.challengeUntil) = (
            claim.steps,
            claim.traceRoot,
            claim.challengeUntil
        );
        vm.assertEq(keccak256(abi.encode(claim)), keccak256(abi.encode(last)), "the rest is the job's");
        claim = jobs.claimOf(instalments.claimIdOf(id, 1));
        vm.assertEq(claim.challengeUntil, 0, "not posted");
    }

    /// @dev Leaves beyond the prefix are none of its claim.
    function test_challenge_ofAnIntervalBehindTheCheckpoint_isRefused() public {
        uint256 id = trainingJob(Scheme.Optimistic);
        post(id, 1);
        uint256 claimId = instalments.claimIdOf(id, 1);
        (TraceLeaf memory before, TraceLeaf memory next) = (leafOf(1, 0), leafOf(1, 1));
        vm.prank(challenger);
        vm.expectRevert();
        game.challenge{value: 1 ether}(claimId, 1, before, next);
        challengeOf(id, 1, 0);
    }

    function test_close_waitsForOpenChallenges() public {
        uint256 id = trainingJob(Scheme.Optimistic);
        post(id, 1);
        pass(3 days);
        challengeOf(id, 1, 0);
        pass(1);
        timeOutCheckpoint(id, 1);
        vm.expectRevert(
            abi.encodeWithSelector(IDisputeGame.StillOpen.selector, instalments.claimIdOf(id, 1), 1)
        );
        instalments.close(id, 1);
    }

    function test_parallelChallenges_growTheClockOfTheirOwnCheckpointAlone() public {
        uint256 id = trainingJob(Scheme.Optimistic);
        post(id, 1);
        post(id, 2);
        uint256 one = challengeOf(id, 2, 0);
        uint256 alone = game.deadlineOf(challengeOf(id, 1, 0));
        uint256 two = challengeOf(id, 2, 1);
        vm.assertEq(alone, time() + 4 hours, "a checkpoint with one challenge");
        vm.assertEq(game.deadlineOf(one), time() + 4 hours, "a turn that began beside none");
        vm.assertEq(game.deadlineOf(two), time() + 4 hours + 10 minutes, "one that began beside another");
    }

    function test_pausing_stopsNeitherCheckpointsNorPayments() public {
        uint256 id = trainingJob(Scheme.Optimistic);
        jobs.pause();
        post(id, 1);
        pass(3 days + 1);
        timeOutCheckpoint(id, 1);
        vm.assertEq(instalments.close(id, 1), FIRST, "paid");
    }

    function test_claims_areMovedByTheInstalmentsAlone() public {
        uint256 id = trainingJob(Scheme.Optimistic);
        post(id, 1);
        uint256 claimId = instalments.claimIdOf(id, 1);
        bytes memory refusal = abi.encodeWithSelector(IJobRegistry.NotAuthorised.selector, address(this));
        vm.expectRevert(refusal);
        jobs.openClaim(claimId);
        vm.expectRevert(refusal);
        jobs.closeClaim(claimId, 1);
    }

    /// @dev INV-1 and INV-5, whatever the price, the parts, and the checkpoints that are posted.
    function testFuzz_INV1_INV5_instalmentsAndRestAreThePrice(
        uint128 price,
        uint8 parts,
        uint16 posted
    ) public {
        price = uint128(bound(price, 0, DEPOSIT));
        parts = uint8(bound(parts, 2, 3));
        uint256 id = openDivided(Scheme.Optimistic, parts);
        jobs.matchJob(id, provider, price);
        vm.prank(provider);
        jobs.lock{value: 1 ether}(id);
        for (uint256 number = 1; number < parts; ++number) {
            if ((posted >> number) & 1 == 0) continue;
            uint256 last = (number * 3) / parts;
            vm.prank(provider);
            instalments.post{value: 1 ether}(id, number, prefix(last));
            pass(3 days + 1);
            closeIt(id, number);
            vm.assertEq(escrow.creditOf(provider), (uint256(price) * number) / parts, "INV-1");
            vm.warp(time() - 3 days - 1 hours - 2);
        }
        commit(id);
        pass(3 days + 1);
        timeOutJob(id);
        jobs.finalise(id);
        vm.assertEq(escrow.creditOf(provider), price, "price");
        vm.assertEq(escrow.creditOf(consumer), DEPOSIT - price, "INV-5");
    }
}

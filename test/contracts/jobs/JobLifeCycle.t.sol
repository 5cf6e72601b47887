// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Verdict} from "../../../contracts/attestation/interfaces/ICommittee.sol";
import {IAttestedJobs} from "../../../contracts/attestation/interfaces/IAttestedJobs.sol";
import {IDisputeGame} from "../../../contracts/disputes/interfaces/IDisputeGame.sol";
import {TraceLeaf} from "../../../contracts/disputes/interfaces/IDisputeRules.sol";
import {IDisputedClaims} from "../../../contracts/disputes/interfaces/IDisputedClaims.sol";
import {IJobRegistry} from "../../../contracts/jobs/interfaces/IJobRegistry.sol";
import {Certificate} from "../../../contracts/jobs/interfaces/IModelCertificate.sol";
import {Scheme} from "../../../contracts/jobs/interfaces/Orders.sol";
import {JobsFixture} from "./JobsFixture.sol";

/// @notice Every row of the table in `IJobRegistry`, every pair that it does not name, and the edges of every deadline.
contract JobLifeCycleTest is JobsFixture {
    uint256 private constant STATUSES = 11;
    uint256 private constant CALLS = 9;

    function setUp() public {
        setUpJobs();
    }

    /// @dev INV-1
    function test_INV1_everyCallIsRefusedInEveryStatusThatItsRowDoesNotName() public {
        for (uint256 status = 0; status < STATUSES; ++status) {
            uint256 id = jobIn(IJobRegistry.Status(status));
            requireStatus(id, IJobRegistry.Status(status));
            for (uint256 call = 0; call < CALLS; ++call) {
                uint256 state = vm.snapshotState();
                requireCall(id, IJobRegistry.Status(status), call);
                vm.revertToState(state);
            }
        }
    }

    function test_reportsOnAJobThatIsOverChangeNothing() public {
        uint256[5] memory over = [uint256(6), 7, 8, 9, 10];
        for (uint256 i = 0; i < over.length; ++i) {
            uint256 id = jobIn(IJobRegistry.Status(over[i]));
            bytes32 before = keccak256(abi.encode(jobs.jobOf(id), totals()));
            vm.startPrank(address(game));
            jobs.onConvicted(id, 0, 1, challenger);
            jobs.onVoid(id);
            vm.stopPrank();
            vm.assertEq(keccak256(abi.encode(jobs.jobOf(id), totals())), before, "changed");
        }
    }

    function test_reportsByOthersAreRefused() public {
        uint256 id = committedJob();
        bytes memory refusal = abi.encodeWithSelector(IJobRegistry.NotAuthorised.selector, address(this));
        vm.expectRevert(refusal);
        jobs.onConvicted(id, 0, 1, challenger);
        vm.expectRevert(refusal);
        jobs.onVoid(id);
        vm.expectRevert(refusal);
        jobs.onAttested(id);
        vm.expectRevert(refusal);
        jobs.onWithheld(id);
    }

    function test_open_takesDepositAndFees() public {
        uint256 before = token.balanceOf(consumer);
        uint256 id = openJob(Scheme.Both);
        (uint256 price, uint256 fees) = escrow.pursesOf(id);
        vm.assertEq(price, DEPOSIT, "deposit");
        vm.assertEq(fees, 18 ether, "nine members, two of the three intervals each");
        vm.assertEq(before - token.balanceOf(consumer), DEPOSIT + 18 ether, "taken");
    }

    function test_lock_returnsWhatExceedsThePrice_andUnmatchKeepsTheDeposit() public {
        uint256 id = matchedJob(Scheme.Optimistic);
        (uint256 held, ) = escrow.pursesOf(id);
        vm.assertEq(held, DEPOSIT, "the next bid may be higher");
        pass(1 hours + 1);
        timeOutJob(id);
        jobs.unmatch(id);
        vm.assertEq(jobs.jobOf(id).provider, address(0), "provider");
        jobs.matchJob(id, provider, DEPOSIT);
        pass(1 hours + 1);
        timeOutJob(id);
        jobs.unmatch(id);
        jobs.matchJob(id, provider, PRICE);
        vm.prank(provider);
        jobs.lock{value: 1 ether}(id);
        (held, ) = escrow.pursesOf(id);
        vm.assertEq(held, PRICE, "price");
        vm.assertEq(escrow.creditOf(consumer), DEPOSIT - PRICE, "back");
        uint256 locked = staking.lockedBy(provider, address(jobs));
        vm.assertEq(locked, STAKE + DEPOSIT / 10, "stake and performance bond");
        vm.assertEq(staking.operatorOf(provider).stake, 10_000 ether - DEPOSIT / 5, "two walks");
        vm.assertEq(address(game).balance, 1 ether, "bond");
    }

    function test_finalise_paysAndCertifies() public {
        uint256 id = committedJob();
        pass(3 days + 1);
        timeOutJob(id);
        vm.prank(stranger);
        vm.assertEq(jobs.finalise(id), id, "certificate");
        vm.assertEq(escrow.creditOf(provider), PRICE, "paid");
        vm.assertEq(staking.lockedBy(provider, address(jobs)), 0, "stake free");
        vm.assertEq(game.creditOf(provider), 1 ether, "bond back");
        vm.assertEq(certificates.ownerOf(id), consumer, "owner");
        requireCertificate(id, false);
    }

    function test_finalise_withACommitteeThatAttested() public {
        uint256 id = committedJob(Scheme.Both);
        (
            address asked,
            uint256 intervals,
            uint8 size,
            uint8 threshold,
            uint128 fee,
            uint256 opened,

        ) = committee.asked(id);
        vm.assertEq(asked, provider, "provider");
        vm.assertEq(
            abi.encode(intervals, size, threshold, fee, opened),
            abi.encode(3, 9, 5, 1 ether, 1),
            "asked"
        );
        pass(1 days);
        committee.attest(jobs, id);
        committee.payAll(escrow, id, stranger);
        vm.expectRevert(abi.encodeWithSelector(IJobRegistry.TooEarly.selector, id, time() + 2 days + 1));
        jobs.callTimeout(id);
        pass(2 days + 1);
        timeOutJob(id);
        jobs.finalise(id);
        vm.assertEq(escrow.creditOf(stranger), 18 ether, "members");
        requireCertificate(id, true);
    }

    function test_attestedLate_leavesTimeToDisputeTheLastReveal() public {
        uint256 id = committedJob(Scheme.Committee);
        pass(5 days);
        committee.attest(jobs, id);
        vm.assertEq(jobs.jobOf(id).challengeUntil, time() + 4 hours, "one move's time");
        challenge(id, 2);
        pass(4 hours + 1);
        timeOutJob(id);
        vm.expectRevert(abi.encodeWithSelector(IJobRegistry.ChallengesOpen.selector, id, 1));
        jobs.finalise(id);
    }

    function test_attack_attestedAfterTheTimeToChallenge_leavesAWholeMoveForDisputes_once() public {
        uint256 id = committedJob(Scheme.Both);
        pass(36 days + 1);
        committee.attest(jobs, id);
        uint256 until = time() + 4 hours;
        vm.assertEq(jobs.jobOf(id).challengeUntil, until, "one move's time");
        vm.warp(until);
        vm.expectRevert(abi.encodeWithSelector(IJobRegistry.TooEarly.selector, id, until + 1));
        jobs.callTimeout(id);
        challenge(id, 2);
        vm.expectRevert(
            abi.encodeWithSelector(IJobRegistry.WrongStatus.selector, id, IJobRegistry.Status.Attested)
        );
        committee.attest(jobs, id);
        vm.assertEq(jobs.jobOf(id).challengeUntil, until, "put off once");
    }

    function test_silentCommittee_twiceTheWindow() public {
        uint256 id = committedJob(Scheme.Both);
        uint256 committed = time();
        vm.warp(committed + 6 days + 1);
        vm.expectRevert(abi.encodeWithSelector(IJobRegistry.NotAttested.selector, id));
        jobs.callTimeout(id);
        committee.decide(id, Verdict.Silent);
        vm.warp(committed + 6 days);
        vm.expectRevert(abi.encodeWithSelector(IJobRegistry.TooEarly.selector, id, committed + 6 days + 1));
        jobs.callTimeout(id);
        vm.warp(committed + 6 days + 1);
        timeOutJob(id);
        jobs.finalise(id);
        vm.assertEq(escrow.creditOf(consumer), DEPOSIT - PRICE + 18 ether, "fees back");
        requireCertificate(id, false);
    }

    function test_attack25_committeeThatNeverDecidesHoldsNothingUpForEver() public {
        uint256 id = committedJob(Scheme.Both);
        uint256 until = time() + 6 days + 30 days;
        vm.assertEq(jobs.jobOf(id).challengeUntil, until, "bound");
        vm.warp(until);
        challenge(id, 0);
        vm.expectRevert(abi.encodeWithSelector(IJobRegistry.NotAttested.selector, id));
        jobs.callTimeout(id);
        vm.warp(until + 1);
        timeOutJob(id);
        vm.expectRevert(abi.encodeWithSelector(IJobRegistry.ChallengesOpen.selector, id, 1));
        jobs.finalise(id);
        id = committedJob(Scheme.Both);
        pass(36 days + 1);
        timeOutJob(id);
        jobs.finalise(id);
        (, , , , , , uint256 closed) = committee.asked(id);
        vm.assertEq(closed, 1, "closed");
    }

    /// @dev Each deadline is held against the same clock: until a timeout is called, and for the grace after it, what was
    /// due may still be done; before that nothing follows from its being late.
    function test_attack2_edgesOfLockAndUnmatch() public {
        uint256 id = matchedJob(Scheme.Optimistic);
        uint256 until = time() + 1 hours;
        vm.assertEq(jobs.jobOf(id).deadline, until, "deadline");
        uint256 graceEnds = requireClock(id, until);
        uint256 state = vm.snapshotState();
        vm.warp(graceEnds);
        expectTooEarly(id, graceEnds + 1);
        jobs.unmatch(id);
        lockIt(id);
        requireStatus(id, IJobRegistry.Status.Training);
        vm.assertEq(jobs.jobOf(id).graceEnds, 0, "the next time has a timeout of its own");
        vm.revertToState(state);
        vm.warp(graceEnds + 1);
        vm.expectRevert(abi.encodeWithSelector(IJobRegistry.TooLate.selector, id, graceEnds));
        lockIt(id);
        jobs.unmatch(id);
        requireStatus(id, IJobRegistry.Status.Open);
        vm.assertEq(jobs.jobOf(id).graceEnds, 0, "the next provider has its own");
    }

    function test_attack2_edgesOfMatchAndExpiry() public {
        uint256 id = openJob();
        uint256 until = time() + 7 days;
        for (uint256 moment = until - 1; moment <= until + 1; ++moment) {
            vm.warp(moment);
            uint256 state = vm.snapshotState();
            if (moment <= until) {
                expectTooEarly(id, until + 1);
                jobs.expire(id);
                jobs.matchJob(id, provider, PRICE);
                // Until it may be unmatched, and until the expiry.
                expectTooEarly(id, moment + 1 hours + 1);
                jobs.expire(id);
                vm.warp(moment + 1 hours + 1);
                timeOutJob(id);
                jobs.expire(id);
                vm.assertEq(escrow.creditOf(consumer), DEPOSIT, "all back");
                vm.assertEq(staking.operatorOf(provider).stake, 10_000 ether - DEPOSIT / 10, "it walked");
            } else {
                vm.expectRevert(abi.encodeWithSelector(IJobRegistry.TooLate.selector, id, until));
                jobs.matchJob(id, provider, PRICE);
                jobs.expire(id);
                vm.assertEq(escrow.creditOf(consumer), DEPOSIT, "all back");
            }
            vm.revertToState(state);
        }
    }

    function test_expiry_ofAMatchedJob_isHeldToTheOrdersToo() public {
        uint256 id = matchedJob(Scheme.Optimistic);
        pass(1 hours + 1);
        timeOutJob(id);
        uint256 expiry = jobs.jobOf(id).expiry;
        expectTooEarly(id, expiry + 1);
        jobs.expire(id);
        vm.warp(expiry + 1);
        jobs.expire(id);
        requireStatus(id, IJobRegistry.Status.Expired);
    }

    function test_attack2_edgesOfCommitAndLateness() public {
        uint256 id = lockedJob(Scheme.Optimistic);
        uint256 graceEnds = requireClock(id, time() + TRAINING_TIME);
        uint256 state = vm.snapshotState();
        vm.warp(graceEnds);
        expectTooEarly(id, graceEnds + 1);
        jobs.expire(id);
        commitIt(id);
        requireStatus(id, IJobRegistry.Status.Committed);
        vm.assertEq(jobs.jobOf(id).graceEnds, 0, "the time to challenge has a timeout of its own");
        vm.revertToState(state);
        vm.warp(graceEnds + 1);
        vm.expectRevert(abi.encodeWithSelector(IJobRegistry.TooLate.selector, id, graceEnds));
        commitIt(id);
        jobs.expire(id);
        requireStatus(id, IJobRegistry.Status.Failed);
    }

    function test_attack2_edgesOfChallengeAndFinalise() public {
        uint256 id = committedJob();
        uint256 graceEnds = requireClock(id, time() + 3 days);
        uint256 state = vm.snapshotState();
        vm.warp(graceEnds);
        expectTooEarly(id, graceEnds + 1);
        jobs.finalise(id);
        challenge(id, 0);
        vm.revertToState(state);
        vm.warp(graceEnds + 1);
        (TraceLeaf memory before, TraceLeaf memory next) = (leaf(0), leaf(1));
        vm.expectRevert(abi.encodeWithSelector(IDisputeGame.NotChallengeable.selector, id));
        vm.prank(challenger);
        game.challenge{value: 1 ether}(id, 0, before, next);
        jobs.finalise(id);
    }

    /// @dev A sequencer that halts for any time from just before a deadline: nobody could do anything meanwhile.
    function testFuzz_attack_haltedSequencer_costsNobodyAnything(uint256 halt) public {
        halt = bound(halt, 1 hours, 90 days);
        uint256 id = matchedJob(Scheme.Optimistic);
        uint256 before = staking.operatorOf(provider).stake;
        // First block after it: whoever profits is first, and calls whatever it can.
        pass(1 hours - 1 + halt);
        jobs.callTimeout(id);
        lockIt(id);
        pass(TRAINING_TIME - 1 + halt);
        jobs.callTimeout(id);
        commitIt(id);
        pass(3 days - 1 + halt);
        jobs.callTimeout(id);
        vm.expectRevert();
        jobs.finalise(id);
        challenge(id, 0);
        vm.assertEq(staking.operatorOf(provider).stake, before, "nobody was slashed");
    }

    function test_timeout_isCalledOnce_andOnlyWhereSomethingIsDue() public {
        uint256 id = openJob();
        vm.expectRevert(
            abi.encodeWithSelector(IJobRegistry.WrongStatus.selector, id, IJobRegistry.Status.Open)
        );
        jobs.callTimeout(id);
        vm.expectRevert(
            abi.encodeWithSelector(IJobRegistry.WrongStatus.selector, 10_000, IJobRegistry.Status.None)
        );
        jobs.callTimeout(10_000);
    }

    function test_attestation_inTheGrace_beginsTheTimeToChallengeAnew() public {
        uint256 id = committedJob(Scheme.Both);
        pass(36 days + 1);
        jobs.callTimeout(id);
        committee.attest(jobs, id);
        vm.assertEq(jobs.jobOf(id).graceEnds, 0, "anew");
        pass(4 hours);
        vm.expectPartialRevert(IJobRegistry.TooEarly.selector);
        jobs.callTimeout(id);
        pass(1);
        timeOutJob(id);
        jobs.finalise(id);
    }

    /// @dev No timeout at the deadline, one after it, and no second one.
    function requireClock(uint256 id, uint256 until) private returns (uint256 graceEnds) {
        vm.warp(until);
        expectTooEarly(id, until + 1);
        jobs.callTimeout(id);
        // Late by a day, and nobody has called.
        vm.warp(until + 1 days);
        uint256 state = vm.snapshotState();
        IJobRegistry.Status status = statusOf(id);
        if (status == IJobRegistry.Status.Matched) lockIt(id);
        else if (status == IJobRegistry.Status.Training) commitIt(id);
        else challenge(id, 0);
        vm.revertToState(state);
        vm.prank(stranger);
        jobs.callTimeout(id);
        graceEnds = until + 1 days + 1 hours;
        vm.assertEq(jobs.jobOf(id).graceEnds, graceEnds, "grace");
        vm.expectRevert(abi.encodeWithSelector(IJobRegistry.TimeoutAlreadyCalled.selector, id));
        jobs.callTimeout(id);
    }

    function expectTooEarly(uint256 id, uint256 from) private {
        vm.expectRevert(abi.encodeWithSelector(IJobRegistry.TooEarly.selector, id, from));
    }

    function lockIt(uint256 id) private {
        vm.prank(provider);
        jobs.lock{value: 1 ether}(id);
    }

    function commitIt(uint256 id) private {
        IJobRegistry.Commitment memory made = commitment();
        vm.prank(provider);
        jobs.commit(id, made);
    }

    /// @dev A job in any status, by the calls that lead there.
    function jobIn(IJobRegistry.Status status) private returns (uint256 id) {
        if (status == IJobRegistry.Status.None) return 10_000;
        if (status == IJobRegistry.Status.Open) return openJob(Scheme.Both);
        if (status == IJobRegistry.Status.Matched) return matchedJob(Scheme.Both);
        if (status == IJobRegistry.Status.Training) return lockedJob(Scheme.Both);
        if (status == IJobRegistry.Status.Expired || status == IJobRegistry.Status.Cancelled) {
            id = openJob(Scheme.Both);
            if (status == IJobRegistry.Status.Cancelled) jobs.cancel(id);
            else pass(7 days + 1);
            if (status == IJobRegistry.Status.Expired) jobs.expire(id);
            return id;
        }
        id = committedJob(Scheme.Both);
        if (status == IJobRegistry.Status.Committed) return id;
        if (status == IJobRegistry.Status.Failed) convict(id);
        if (status == IJobRegistry.Status.Void) game.showVoid(id, 0, 1, "", new bytes32[](0));
        if (status != IJobRegistry.Status.Attested && status != IJobRegistry.Status.Finalised) return id;
        committee.attest(jobs, id);
        if (status == IJobRegistry.Status.Attested) return id;
        pass(4 days);
        timeOutJob(id);
        jobs.finalise(id);
    }

    /// @dev One call, by whom and when it would be right.
    function requireCall(uint256 id, IJobRegistry.Status status, uint256 call) private {
        IJobRegistry.Status[3] memory from;
        bytes memory data;
        address sender = address(this);
        uint256 value = 0;
        if (call == 0) {
            from[0] = IJobRegistry.Status.Open;
            data = abi.encodeCall(IJobRegistry.matchJob, (id, provider, PRICE));
        } else if (call == 1) {
            from[0] = IJobRegistry.Status.Matched;
            (sender, value) = (provider, 1 ether);
            data = abi.encodeCall(IJobRegistry.lock, (id));
        } else if (call == 2) {
            from[0] = IJobRegistry.Status.Matched;
            pass(1 hours + 1);
            callWhereDue(id);
            data = abi.encodeCall(IJobRegistry.unmatch, (id));
        } else if (call == 3) {
            from[0] = IJobRegistry.Status.Open;
            data = abi.encodeCall(IJobRegistry.cancel, (id));
        } else if (call == 4) {
            from = [IJobRegistry.Status.Open, IJobRegistry.Status.Matched, IJobRegistry.Status.Training];
            pass(30 days);
            if (status == IJobRegistry.Status.Matched || status == IJobRegistry.Status.Training)
                callWhereDue(id);
            data = abi.encodeCall(IJobRegistry.expire, (id));
        } else if (call == 5) {
            from[0] = IJobRegistry.Status.Training;
            sender = provider;
            data = abi.encodeCall(IJobRegistry.commit, (id, commitment()));
        } else if (call == 6) {
            (from[0], from[1]) = (IJobRegistry.Status.Committed, IJobRegistry.Status.Attested);
            pass(400 days);
            callWhereDue(id);
            data = abi.encodeCall(IJobRegistry.finalise, (id));
        } else if (call == 7) {
            from[0] = IJobRegistry.Status.Committed;
            sender = address(committee);
            data = abi.encodeCall(IAttestedJobs.onAttested, (id));
        } else {
            (from[0], from[1]) = (IJobRegistry.Status.Committed, IJobRegistry.Status.Attested);
            sender = address(committee);
            data = abi.encodeCall(IAttestedJobs.onWithheld, (id));
        }
        bool isNamed = status != IJobRegistry.Status.None;
        isNamed = isNamed && (status == from[0] || status == from[1] || status == from[2]);
        vm.prank(sender);
        (bool ok, bytes memory answer) = address(jobs).call{value: value}(data);
        vm.assertEq(ok, isNamed, "allowed");
        if (isNamed) return;
        vm.assertEq(answer, abi.encodeWithSelector(IJobRegistry.WrongStatus.selector, id, status), "refusal");
    }

    /// @dev In a status in which nothing is due the call is refused, and so is what would follow it.
    function callWhereDue(uint256 id) private {
        try jobs.callTimeout(id) {} catch {}
        pass(1 hours + 1);
    }

    function requireCertificate(uint256 id, bool isAttested) private view {
        (bytes32 last, ) = stateAt(LEAVES - 1);
        Certificate memory wanted = Certificate({
            jobId: id,
            provider: provider,
            orderHash: "order",
            datasetId: DATASET,
            programRoot: PROGRAM,
            trainingHash: keccak256(encode(trainingOrder())),
            traceRoot: traceRoot(),
            stateRoot: last,
            resultId: RESULT,
            programDigest: "file",
            leavesDigest: "leaves",
            isAttested: isAttested,
            finalisedAt: uint64(time())
        });
        vm.assertEq(abi.encode(certificates.certificateOf(id)), abi.encode(wanted), "certificate");
    }

    function totals() private view returns (bytes memory) {
        uint256 locked = staking.lockedBy(provider, address(jobs));
        return
            abi.encode(locked, escrow.creditOf(provider), escrow.creditOf(consumer), game.creditOf(provider));
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {TrainingClaim} from "../../../contracts/disputes/interfaces/IDisputedClaims.sol";
import {IDisputeGame, JobStatus, RuleBook} from "../../../contracts/disputes/interfaces/IDisputeGame.sol";
import {
    IDescentRules,
    PostedStates,
    Round,
    Stage,
    TraceLeaf
} from "../../../contracts/disputes/interfaces/IDisputeRules.sol";
import {Position} from "../../../contracts/disputes/Position.sol";
import {IJobRegistry} from "../../../contracts/jobs/interfaces/IJobRegistry.sol";
import {IJobTable} from "../../../contracts/jobs/interfaces/IJobTable.sol";
import {Scheme} from "../../../contracts/jobs/interfaces/Orders.sol";
import {IStaking} from "../../../contracts/staking/interfaces/IStaking.sol";
import {CommitteeDouble, Deaf} from "./JobDoubles.sol";
import {JobsFixture} from "./JobsFixture.sol";

/// @notice Where the money goes when a job does not end well, and what a provider's conduct costs.
contract JobEndsTest is JobsFixture {
    address private constant BURN_SINK = 0x000000000000000000000000000000000000dEaD;

    function setUp() public {
        setUpJobs();
    }

    function test_conviction_takesTheWholeStakeAndBurnsAtLeastThePrice() public {
        uint256 id = committedJob();
        convict(id);
        jobs.settle(id);
        requireStatus(id, IJobRegistry.Status.Failed);
        vm.assertEq(staking.operatorOf(provider).stake, 10_000 ether - STAKE, "slashed");
        vm.assertEq(staking.creditOf(challenger), STAKE / 2, "challenger");
        vm.assertGe(staking.creditOf(BURN_SINK), PRICE, "burnt");
        vm.assertEq(escrow.creditOf(consumer), DEPOSIT, "all back");
        vm.assertEq(escrow.creditOf(provider), 0, "provider");
        vm.assertEq(staking.lockedBy(provider, address(jobs)), 0, "nothing locked");
    }

    function testFuzz_conviction_convictingOneselfNeverPays(uint128 price) public {
        price = uint128(bound(price, 0, DEPOSIT));
        uint256 id = openJob();
        jobs.matchJob(id, provider, price);
        vm.prank(provider);
        jobs.lock{value: 1 ether}(id);
        vm.prank(provider);
        jobs.commit(id, commitment());
        uint256 before = staking.operatorOf(provider).stake;
        convict(id);
        jobs.settle(id);
        uint256 lost = before - staking.operatorOf(provider).stake;
        vm.assertGe(lost - staking.creditOf(challenger), price, "even with the challenger's reward");
    }

    function test_late_losesTheLatePenaltyAndThePerformanceBond_andPaysNobody() public {
        uint256 id = lockedJob(Scheme.Optimistic);
        pass(TRAINING_TIME + 1);
        timeOutJob(id);
        vm.prank(stranger);
        jobs.expire(id);
        requireStatus(id, IJobRegistry.Status.Failed);
        uint256 lost = STAKE / 10 + DEPOSIT / 10;
        vm.assertEq(staking.operatorOf(provider).stake, 10_000 ether - lost, "a tenth of each");
        vm.assertEq(staking.lockedBy(provider, address(jobs)), 0, "the rest is free");
        vm.assertEq(staking.creditOf(stranger), 0, "whoever reported could have made it late");
        vm.assertEq(staking.creditOf(BURN_SINK), lost, "burnt");
        vm.assertEq(escrow.creditOf(consumer), DEPOSIT, "all back");
        vm.assertEq(game.creditOf(provider), 1 ether, "bond back");
    }

    function test_void_beforeTheCommitment_returnsEverything() public {
        uint256 id = lockedJob(Scheme.Both);
        game.showVoid(id, 0, 1, "", new bytes32[](0));
        jobs.settle(id);
        requireStatus(id, IJobRegistry.Status.Void);
        vm.assertEq(escrow.creditOf(consumer), DEPOSIT + 18 ether, "all back");
        vm.assertEq(staking.operatorOf(provider).stake, 10_000 ether, "nobody is slashed");
        vm.assertEq(staking.lockedBy(provider, address(jobs)), 0, "stake free");
        vm.assertEq(game.creditOf(provider), 1 ether, "bond back");
        (, , , , , , uint256 closed) = committee.asked(id);
        vm.assertEq(closed, 0, "no committee was drawn");
    }

    function test_attack11_voidAfterTheWork_isTheAuthorsLoss() public {
        uint256 id = committedJob(Scheme.Both);
        uint256 open = challenge(id, 1);
        game.showVoid(id, 0, 1, "", new bytes32[](0));
        jobs.settle(id);
        vm.assertEq(escrow.creditOf(provider), PRICE, "paid");
        vm.assertEq(escrow.creditOf(consumer), DEPOSIT - PRICE + 18 ether, "the rest");
        vm.assertEq(staking.operatorOf(provider).stake, 10_000 ether, "nobody is slashed");
        (, , , , , , uint256 closed) = committee.asked(id);
        vm.assertEq(closed, 1, "committee closed");
        game.settle(open);
        vm.assertEq(game.creditOf(challenger), 1 ether, "bonds return");
        vm.expectRevert(
            abi.encodeWithSelector(IJobRegistry.WrongStatus.selector, id, IJobRegistry.Status.Void)
        );
        jobs.finalise(id);
    }

    /// @dev Attack: a provider that committed to rubbish stayed silent, called its own timeout and kept half of its stake.
    function test_attack_withheld_slashesAndRewardsNobody() public {
        uint256 id = committedJob(Scheme.Both);
        committee.withhold(jobs, id);
        jobs.settle(id);
        requireStatus(id, IJobRegistry.Status.Failed);
        vm.assertEq(staking.operatorOf(provider).stake, 10_000 ether - STAKE, "slashed");
        vm.assertEq(staking.creditOf(stranger) + staking.creditOf(provider), 0, "nobody reports lateness");
        vm.assertEq(escrow.creditOf(consumer), DEPOSIT + 18 ether, "all back");
        vm.assertEq(game.creditOf(provider), 1 ether, "no challenge was open");
        vm.expectRevert(abi.encodeWithSelector(IJobTable.NothingToSettle.selector, id));
        jobs.settle(id);
    }

    function test_attack24_withheldThenConvicted_isSlashedOnce() public {
        uint256 id = committedJob(Scheme.Both);
        uint256 open = challenge(id, 1);
        committee.withhold(jobs, id);
        jobs.settle(id);
        vm.assertEq(staking.operatorOf(provider).stake, 10_000 ether - STAKE, "slashed");
        vm.expectRevert(abi.encodeWithSelector(IJobRegistry.ChallengesOpen.selector, id, 1));
        jobs.settle(id);
        pass(4 hours + 1);
        game.callTimeout(open);
        pass(1 hours + 1);
        game.executeTimeout(open);
        vm.assertEq(staking.operatorOf(provider).stake, 10_000 ether - STAKE, "not again");
        vm.assertEq(jobs.multiplierOf(provider), 200, "one fault");
        vm.expectRevert(abi.encodeWithSelector(IJobTable.NothingToSettle.selector, id));
        jobs.settle(id);
    }

    function test_attack24_convictedThenWithheld_isRefused() public {
        uint256 id = committedJob(Scheme.Both);
        convict(id);
        jobs.settle(id);
        bytes memory reason = abi.encodeWithSelector(
            IJobRegistry.WrongStatus.selector,
            id,
            IJobRegistry.Status.Failed
        );
        vm.expectRevert(reason);
        committee.withhold(jobs, id);
        vm.expectRevert(reason);
        jobs.expire(id);
        vm.assertEq(staking.operatorOf(provider).stake, 10_000 ether - STAKE, "once");
    }

    function test_withheld_whileAChallengeIsOpen_theBondGoesBackWhenItIsLost() public {
        uint256 id = committedJob(Scheme.Both);
        TrainingClaim memory claim = jobs.claimOf(id);
        uint256 open = challenge(id, 1);
        committee.withhold(jobs, id);
        jobs.settle(id);
        vm.assertEq(game.creditOf(provider), 0, "not yet");
        // A job that is over takes no other challenge.
        TraceLeaf memory first = leaf(0);
        TraceLeaf memory next = leaf(1);
        vm.expectRevert(abi.encodeWithSelector(IDisputeGame.NotChallengeable.selector, id));
        vm.prank(challenger);
        game.challenge{value: 1 ether}(id, 0, first, next);
        // The provider answers, and the challenger does not go on.
        answer(open, claim);
        pass(4 hours + 1);
        game.callTimeout(open);
        pass(1 hours + 1);
        game.executeTimeout(open);
        jobs.settle(id);
        vm.assertEq(game.creditOf(provider), 1 ether + 0.5 ether, "bond, and half of the challenger's");
    }

    function test_attack24_unbondingJustBeforeASlash_doesNotHelp() public {
        uint256 id = committedJob();
        uint256 free = 10_000 ether - STAKE;
        vm.prank(provider);
        staking.unbond(free);
        vm.expectRevert(abi.encodeWithSelector(IStaking.InsufficientUnlocked.selector, provider, 1, 0));
        vm.prank(provider);
        staking.unbond(1);
        convict(id);
        jobs.settle(id);
        vm.assertEq(staking.operatorOf(provider).stake, 0, "the job's stake");
        vm.assertEq(staking.operatorOf(provider).unbonding, free, "no more than that");
    }

    /// @dev Whatever keeps the slash from happening, the conviction counts, and the slash is only late.
    function test_INV6_aConvictionThatCannotBeSettledStillCounts() public {
        uint256 id = committedJob(Scheme.Both);
        bytes memory code = address(staking).code;
        vm.etch(address(staking), hex"fe");
        convict(id);
        vm.expectRevert();
        jobs.settle(id);
        requireStatus(id, IJobRegistry.Status.Failed);
        vm.etch(address(staking), code);
        vm.prank(stranger);
        jobs.settle(id);
        vm.assertEq(staking.creditOf(challenger), STAKE / 2, "the challenger's, whoever settles");
        vm.assertEq(escrow.creditOf(consumer), DEPOSIT + 18 ether, "all back");
        vm.expectRevert(abi.encodeWithSelector(IJobTable.NothingToSettle.selector, id));
        jobs.settle(id);
    }

    function test_INV6_aVoidThatCannotBeSettledStillCounts() public {
        uint256 id = committedJob(Scheme.Both);
        committee.breakDown(true);
        game.showVoid(id, 0, 1, "", new bytes32[](0));
        requireStatus(id, IJobRegistry.Status.Void);
        vm.expectRevert(abi.encodeWithSelector(CommitteeDouble.Broken.selector));
        jobs.settle(id);
        vm.assertEq(escrow.creditOf(provider), 0, "nothing half done");
        committee.breakDown(false);
        jobs.settle(id);
        vm.assertEq(escrow.creditOf(provider), PRICE, "paid");
    }

    /// @dev A conviction, and nobody has settled yet.
    function test_INV6_attack24_stakePursesAndConductWaitForTheSettlement() public {
        uint256 id = committedJob(Scheme.Both);
        convict(id);
        vm.assertTrue(jobs.isOwed(id), "owed");
        vm.assertFalse(jobs.isRunning(id), "over");
        vm.assertEq(staking.lockedBy(provider, address(jobs)), STAKE, "still locked");
        (uint256 price, uint256 fees) = escrow.pursesOf(id);
        vm.assertEq(price + fees, PRICE + 18 ether, "still in escrow");
        vm.assertEq(escrow.creditOf(consumer), DEPOSIT - PRICE, "nothing paid");
        vm.assertEq(escrow.creditOf(provider), 0, "to nobody");
        // Of what is free, no more can be had than with the stake gone.
        vm.prank(provider);
        staking.unbond(10_000 ether - STAKE);
        vm.expectRevert(abi.encodeWithSelector(IStaking.InsufficientUnlocked.selector, provider, 1, 0));
        vm.prank(provider);
        staking.unbond(1);
        // However long it takes.
        pass(400 days);
        vm.prank(stranger);
        jobs.settle(id);
        vm.assertEq(staking.creditOf(challenger), STAKE / 2, "the challenger's, whoever settles");
        vm.assertEq(staking.operatorOf(provider).stake, 0, "slashed");
        vm.assertEq(jobs.multiplierOf(provider), 200, "conduct counts");
        vm.assertEq(escrow.creditOf(consumer), DEPOSIT + 18 ether, "all back");
        vm.assertFalse(jobs.isOwed(id), "settled");
    }

    function test_INV6_nobodyTakesTheRewardOrAnotherEndBeforeTheSettlement() public {
        uint256 id = committedJob(Scheme.Both);
        uint256 won = challenge(id, 1);
        uint256 other = challenge(id, 0);
        pass(4 hours + 1);
        game.callTimeout(won);
        pass(1 hours + 1);
        game.executeTimeout(won);
        // Another end is none any more: not by the committee, by time, by payment, or by a void program.
        bytes memory reason = abi.encodeWithSelector(
            IJobRegistry.WrongStatus.selector,
            id,
            IJobRegistry.Status.Failed
        );
        vm.expectRevert(reason);
        committee.withhold(jobs, id);
        vm.expectRevert(reason);
        committee.attest(jobs, id);
        vm.expectRevert(reason);
        jobs.expire(id);
        vm.expectRevert(reason);
        jobs.finalise(id);
        vm.expectRevert(abi.encodeWithSelector(IDisputeGame.WrongStatus.selector, id, JobStatus.Convicted));
        game.showVoid(id, 0, 1, "", new bytes32[](0));
        // The challenge of another interval gets its bond and its moves back, before and after.
        game.settle(other);
        vm.assertGt(game.creditOf(challenger), 2 ether, "both bonds");
        vm.assertEq(certificates.balanceOf(consumer), 0, "no certificate");
        jobs.settle(id);
        vm.assertEq(staking.creditOf(challenger), STAKE / 2, "the challenger's");
        vm.assertEq(staking.creditOf(stranger), 0, "nobody else's");
    }

    function test_INV6_aVoidOnAnotherCheckpointAfterAConvictionChangesNothing() public {
        uint256 id = committedJob();
        convict(id);
        vm.prank(address(game));
        jobs.onVoid(id);
        requireStatus(id, IJobRegistry.Status.Failed);
        vm.prank(address(game));
        jobs.onConvicted(id, 0, 0, stranger);
        jobs.settle(id);
        vm.assertEq(staking.creditOf(challenger), STAKE / 2, "the first report counts");
        vm.assertEq(jobs.multiplierOf(provider), 200, "one fault");
    }

    function test_INV6_afterAWithheldWitness_whoeverSettlesIsNoReporter() public {
        uint256 id = committedJob(Scheme.Both);
        committee.withhold(jobs, id);
        vm.assertEq(staking.lockedBy(provider, address(jobs)), STAKE, "still locked");
        vm.prank(challenger);
        jobs.settle(id);
        vm.assertEq(staking.creditOf(challenger), 0, "no reward");
    }

    // `Deaf.call` is a function of its own, which reverts when what it calls does.
    // solhint-disable avoid-low-level-calls, no-unchecked-calls
    function test_attack27_payeesThatRefuseEverythingBlockNobody() public {
        Deaf deaf = new Deaf();
        address account = address(deaf);
        token.mint(account, 1_000 ether);
        vm.deal(account, 0);
        bytes memory identity = abi.encodeCall(IStaking.register, (2, hex"0024", "/dns4/example/tcp/1"));
        deaf.call(address(staking), identity);
        deaf.call(
            address(token),
            abi.encodeWithSignature("approve(address,uint256)", address(staking), 1_000 ether)
        );
        deaf.call(address(staking), abi.encodeCall(IStaking.stake, (1_000 ether)));
        deaf.call(address(staking), abi.encodeCall(IStaking.approve, (address(jobs), 1_000 ether)));
        datasets.set(RESULT, result(account));
        // The consumer is a contract that takes no ERC-721 token.
        Deaf customer = new Deaf();
        (consumer, provider) = (address(customer), account);
        token.mint(consumer, 1_000 ether);
        customer.call(
            address(token),
            abi.encodeWithSignature("approve(address,uint256)", address(escrow), 1_000 ether)
        );
        uint256 id = matchedJob(Scheme.Optimistic);
        deaf.call{value: 1 ether}(address(jobs), abi.encodeCall(IJobRegistry.lock, (id)));
        deaf.call(address(jobs), abi.encodeCall(IJobRegistry.commit, (id, commitment())));
        pass(3 days + 1);
        timeOutJob(id);
        jobs.finalise(id);
        vm.assertEq(certificates.ownerOf(id), consumer, "certificate");
        vm.assertEq(game.creditOf(provider), 1 ether, "its own affair");
    }
    // solhint-enable avoid-low-level-calls, no-unchecked-calls

    function test_conduct_doublesPerConvictionUpToSixteenfold() public {
        uint256[6] memory wanted = [uint256(200), 400, 800, 1_600, 1_600, 1_600];
        for (uint256 i = 0; i < wanted.length; ++i) {
            fundConsumer(consumer);
            uint256 id = openJob();
            jobs.matchJob(id, provider, 1 ether);
            vm.prank(provider);
            jobs.lock{value: 1 ether}(id);
            vm.prank(provider);
            jobs.commit(id, commitment());
            convict(id);
            jobs.settle(id);
            vm.assertEq(jobs.multiplierOf(provider), wanted[i], "multiplier");
            vm.assertEq(jobs.stakeFor(provider, 10 ether), (20 ether * wanted[i]) / 100, "stake");
        }
        vm.assertEq(jobs.multiplierOf(stranger), 100, "another's");
    }

    function test_conduct_latenessCountsHalf_andTimeForgives() public {
        uint256[4] memory wanted = [uint256(150), 200, 300, 400];
        for (uint256 i = 0; i < wanted.length; ++i) {
            beLate();
            vm.assertEq(jobs.multiplierOf(provider), wanted[i], "multiplier");
        }
        uint256 last = time();
        vm.warp(last + 30 days - 1);
        vm.assertEq(jobs.multiplierOf(provider), 400, "not yet");
        vm.warp(last + 30 days);
        vm.assertEq(jobs.multiplierOf(provider), 200, "halved");
        // A fault in between: the time begins anew, with what is left.
        beLate();
        vm.assertEq(jobs.multiplierOf(provider), 300, "once more");
        pass(30 days - 1);
        vm.assertEq(jobs.multiplierOf(provider), 300, "anew");
        pass(1);
        vm.assertEq(jobs.multiplierOf(provider), 150, "halved");
        pass(30 days);
        vm.assertEq(jobs.multiplierOf(provider), 100, "forgiven");
    }

    function beLate() private {
        uint256 id = lockedJob(Scheme.Optimistic);
        pass(TRAINING_TIME + 1);
        timeOutJob(id);
        jobs.expire(id);
    }

    /// @dev The provider's answer to a challenge of interval 1, which has two steps.
    function answer(uint256 challengeId, TrainingClaim memory claim) private {
        Round memory round;
        (round.stage, round.interval, round.claim) = (Stage.States, 1, claim);
        Position memory p = round.position;
        (p.stateBefore, ) = stateAt(1);
        (p.stateAfter, p.witnesses) = stateAt(2);
        (p.firstStep, p.steps) = (2, 2);
        PostedStates memory posted = PostedStates(SALT, new bytes32[](2), new bytes32[](2));
        (posted.witnesses[0], posted.witnesses[1]) = ("step 2", "step 3");
        (posted.roots[0], posted.roots[1]) = ("inner", p.stateAfter);
        vm.prank(provider);
        game.play(challengeId, RuleBook.Descent, abi.encodeCall(IDescentRules.postStates, (round, posted)));
    }
}

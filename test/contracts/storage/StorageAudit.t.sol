// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {IBundleRegistry} from "../../../contracts/storage/interfaces/IBundleRegistry.sol";
import {IDatasetRegistry} from "../../../contracts/storage/interfaces/IDatasetRegistry.sol";
import {IStorageAudit} from "../../../contracts/storage/interfaces/IStorageAudit.sol";
import {BeaconDouble} from "../doubles/BeaconDouble.sol";
import {StorageFixture} from "./StorageFixture.sol";

contract StorageAuditTest is StorageFixture {
    Anchored private made;
    bytes32 private id;

    function setUp() public {
        setUpStorage();
        made = anchorSmall(3, 20);
        id = enlistAndPlace(made, 0, "a");
    }

    function testFuzz_answer_takesTheSignalsOfTheProtocolAndNoOthers(
        uint32 objects,
        uint256 flipped,
        uint256 by
    ) public {
        IDatasetRegistry.Shape memory shape = smallShape(3);
        shape.objectCount = uint64(bound(objects, 1, 100_000));
        shape.segmentObjects = uint32(shape.objectCount);
        made = anchorShape(shape, 3);
        enlist("b", STAKE);
        id = place(made, 0, "b");
        uint32 epoch = nextEpoch();
        uint256[] memory signals = signalsFor(id, epoch, 7);
        uint256[] memory wrong = signalsFor(id, epoch, 7);
        wrong[flipped % 4] ^= bound(by, 1, type(uint256).max);
        vm.expectRevert(abi.encodeWithSelector(IStorageAudit.WrongProof.selector, id, epoch));
        audit.answer(id, epoch, 7, proofOf(POSSESSION, wrong));
        audit.answer(id, epoch, 7, proofOf(POSSESSION, signals));
        vm.assertTrue(audit.isAnswered(id, epoch), "answered");
    }

    function test_answer_ofARerandomisedProofCountsOnce() public {
        uint32 epoch = nextEpoch();
        answer(id, epoch);
        uint256[8] memory again = proofOf(POSSESSION, signalsFor(id, epoch, 7));
        again[1] = 99;
        vm.expectRevert(abi.encodeWithSelector(IStorageAudit.AlreadyAnswered.selector, id, epoch));
        audit.answer(id, epoch, 7, again);
    }

    function test_proof_forAnotherBundleOperatorEpochChainOrContractIsRefused() public {
        enlistAndPlace(made, 1, "b");
        uint32 first = nextEpoch();
        uint256[8] memory proof = proofOf(POSSESSION, signalsFor(id, first, 7));
        bytes32 other = bundleOf(made, 1);
        vm.expectPartialRevert(IStorageAudit.WrongProof.selector);
        audit.answer(other, first, 7, proof);
        uint32 second = nextEpoch();
        vm.expectPartialRevert(IStorageAudit.WrongProof.selector);
        audit.answer(id, second, 7, proof);
        proof = proofOf(POSSESSION, signalsFor(id, second, 7));
        vm.chainId(99);
        vm.expectPartialRevert(IStorageAudit.WrongProof.selector);
        audit.answer(id, second, 7, proof);
        vm.chainId(31337);
        vm.prank(actor("a"));
        bundles.surrender(id);
        enlistAndPlace(made, 0, "c");
        vm.expectPartialRevert(IStorageAudit.NotDue.selector);
        audit.answer(id, second, 7, proof);
        uint32 third = nextEpoch();
        vm.expectPartialRevert(IStorageAudit.WrongProof.selector);
        audit.answer(id, third, 7, proof);
    }

    function test_answer_anyoneMayCarryTheOperatorsProof() public {
        uint32 epoch = nextEpoch();
        vm.prank(actor("carrier"));
        answer(id, epoch);
        audit.claim(id);
        vm.assertEq(datasets.creditOf(actor("a")), FEE, "the operator earns");
    }

    function test_answer_withoutASeedIsRefused() public {
        vm.expectRevert(abi.encodeWithSelector(IStorageAudit.NoSeed.selector, 1));
        audit.answer(id, 1, 7, proofOf(POSSESSION, new uint256[](4)));
        toEpoch(1);
        audit.openEpoch();
        vm.expectRevert(abi.encodeWithSelector(IStorageAudit.NoSeed.selector, 1));
        audit.answer(id, 1, 7, proofOf(POSSESSION, new uint256[](4)));
    }

    function test_answer_forAnEpochThatWasOpenBeforeThePlacementIsNotDue() public {
        uint32 epoch = nextEpoch();
        bytes32 late = enlistAndPlace(made, 1, "b");
        vm.expectRevert(abi.encodeWithSelector(IStorageAudit.NotDue.selector, late, epoch));
        audit.answer(late, epoch, 7, proofOf(POSSESSION, new uint256[](4)));
        (, , uint64 closesAt) = audit.windowOf(epoch);
        vm.warp(closesAt + 1);
        vm.expectRevert(abi.encodeWithSelector(IStorageAudit.NotDue.selector, late, epoch));
        audit.callTimeout(late, epoch);
    }

    function test_seed_thatNeverComesOrComesTooLateSlashesNobody() public {
        toEpoch(1);
        uint32 epoch = audit.openEpoch();
        skip(SEED_DELAY);
        uint256 state = vm.snapshotState();
        beacon.deliver(1, "in time");
        (, uint64 opensAt, uint64 closesAt) = audit.windowOf(epoch);
        vm.assertEq(opensAt, block.timestamp, "opens with the seed");
        vm.assertEq(closesAt, block.timestamp + WINDOW, "closes");
        vm.revertToState(state);
        skip(1);
        beacon.deliver(1, "too late");
        (bytes32 seed, uint64 never, ) = audit.windowOf(epoch);
        vm.assertEq(seed, bytes32(0), "no seed");
        vm.assertEq(never, 0, "no window");
        skip(WINDOW + 1);
        vm.expectRevert(abi.encodeWithSelector(IStorageAudit.NoSeed.selector, epoch));
        audit.callTimeout(id, epoch);
        vm.expectRevert(abi.encodeWithSelector(IStorageAudit.NoTimeout.selector, id, epoch));
        audit.slashMissed(id, epoch);
        // An epoch that nobody opened.
        vm.expectRevert(abi.encodeWithSelector(IStorageAudit.NoSeed.selector, 2));
        audit.callTimeout(id, 2);
    }

    function test_epoch_whoseRequestTheBeaconRefusesIsOpenedLater() public {
        toEpoch(1);
        beacon.refuse(true);
        vm.expectRevert(BeaconDouble.Refused.selector);
        audit.openEpoch();
        (bool needed, ) = audit.checkUpkeep("");
        vm.assertTrue(needed, "still to be opened");
        beacon.refuse(false);
        uint32 epoch = audit.openEpoch();
        beacon.deliver(1, "seed");
        (, uint64 opensAt, ) = audit.windowOf(epoch);
        vm.assertEq(opensAt, block.timestamp, "opened");
    }

    function test_window_atItsLastSecondBeforeAndAfter() public {
        uint32 epoch = nextEpoch();
        uint256[8] memory proof = proofOf(POSSESSION, signalsFor(id, epoch, 7));
        (, , uint64 closesAt) = audit.windowOf(epoch);
        uint256 state = vm.snapshotState();
        vm.warp(closesAt);
        vm.expectPartialRevert(IStorageAudit.NotTimely.selector);
        audit.callTimeout(id, epoch);
        audit.answer(id, epoch, 7, proof);
        vm.revertToState(state);
        vm.warp(closesAt + 1);
        vm.expectRevert(abi.encodeWithSelector(IStorageAudit.WindowClosed.selector, id, epoch, closesAt, 0));
        audit.answer(id, epoch, 7, proof);
        audit.callTimeout(id, epoch);
        vm.expectRevert(abi.encodeWithSelector(IStorageAudit.TimeoutAlreadyCalled.selector, id, epoch));
        audit.callTimeout(id, epoch);
    }

    function test_grace_letsTheLateOperatorAnswerUntilItsLastSecond() public {
        uint32 epoch = nextEpoch();
        uint256[8] memory proof = proofOf(POSSESSION, signalsFor(id, epoch, 7));
        (, , uint64 closesAt) = audit.windowOf(epoch);
        vm.warp(closesAt + 100);
        audit.callTimeout(id, epoch);
        uint64 graceEnds = audit.graceEndsAt(id, epoch);
        vm.assertEq(graceEnds, closesAt + 100 + GRACE, "grace");
        vm.warp(graceEnds);
        vm.expectPartialRevert(IStorageAudit.NotTimely.selector);
        audit.slashMissed(id, epoch);
        uint256 state = vm.snapshotState();
        audit.answer(id, epoch, 7, proof);
        vm.warp(graceEnds + 1);
        vm.expectPartialRevert(IStorageAudit.AlreadyAnswered.selector);
        audit.slashMissed(id, epoch);
        vm.revertToState(state);
        vm.warp(graceEnds + 1);
        vm.expectPartialRevert(IStorageAudit.WindowClosed.selector);
        audit.answer(id, epoch, 7, proof);
        audit.slashMissed(id, epoch);
    }

    function test_timeout_cannotBeCalledAfterItsOwnWindow() public {
        uint32 epoch = nextEpoch();
        (, , uint64 closesAt) = audit.windowOf(epoch);
        vm.warp(closesAt + CALL_WINDOW + 1);
        vm.expectPartialRevert(IStorageAudit.NotTimely.selector);
        audit.callTimeout(id, epoch);
        vm.warp(closesAt + CALL_WINDOW);
        audit.callTimeout(id, epoch);
    }

    /// @dev Attack: a timeout of a cover holds for all its datasets. What one of them was not paid for in that epoch was on record
    /// as a gap only until a later gap took its place; a slash had no end.
    function test_attack_missedAudit_isSettledWithTheDeadlinesOfItsEpoch() public {
        uint32 epoch = nextEpoch();
        runTimeout(id, epoch, actor("reporter"));
        uint64 settled = datasets.settledAt(epoch + 1);
        (, , uint64 closesAt) = audit.windowOf(epoch);
        vm.warp(settled);
        vm.expectRevert(
            abi.encodeWithSelector(
                IStorageAudit.NotTimely.selector,
                id,
                epoch,
                closesAt + 2 + GRACE,
                settled - 1
            )
        );
        audit.slashMissed(id, epoch);
        vm.warp(settled - 1);
        audit.slashMissed(id, epoch);
    }

    function test_missedAudit_slashesOnceAndOpensRepair() public {
        uint32 epoch = nextEpoch();
        address reporter = actor("reporter");
        slash(id, epoch, reporter);
        vm.assertEq(staking.operatorOf(actor("a")).stake, STAKE - MISS, "stake");
        vm.assertEq(staking.operatorOf(actor("a")).locked, 0, "rest is free");
        vm.assertEq(bundles.creditOf(reporter), MISS / 20, "a tenth of the unburnt half");
        vm.assertEq(bundles.bountyOf(id), MISS / 2 - MISS / 20, "bounty");
        vm.expectPartialRevert(IStorageAudit.NotDue.selector);
        audit.slashMissed(id, epoch);
        vm.expectPartialRevert(IStorageAudit.NotDue.selector);
        audit.callTimeout(id, epoch);
    }

    function test_missedAuditAndFailedRetrieval_slashOnlyTheFirst() public {
        uint32 epoch = nextEpoch();
        runTimeout(id, epoch, address(this));
        vm.prank(address(retrieval));
        bundles.vacate(id, address(this), "retrieval");
        vm.expectPartialRevert(IStorageAudit.NotDue.selector);
        audit.slashMissed(id, epoch);
        vm.assertEq(staking.operatorOf(actor("a")).stake, STAKE - MISS, "one penalty");
    }

    function testFuzz_slashingOneselfAndRepairingNeverPays(uint96 miss, uint16 share) public {
        IDatasetRegistry.Parameters memory next = parameters();
        next.missPenalty = uint96(bound(miss, 4, STAKE));
        next.surrenderPenalty = next.missPenalty - 1;
        datasets.setParameters(next);
        staking.setParameters(7 days, uint16(bound(share, 0, 5_000)));
        made = anchorSmall(3, 20);
        enlist("b", STAKE);
        id = place(made, 0, "b");
        // The operator reports itself and repairs under another name.
        slash(id, nextEpoch(), actor("b"));
        enlist("sybil", STAKE);
        place(made, 0, "sybil");
        answer(id, nextEpoch());
        audit.claim(id);
        uint256 gained = bundles.creditOf(actor("b")) + bundles.creditOf(actor("sybil"));
        vm.assertLe(gained * 2, next.missPenalty, "at least half is lost");
    }

    function test_repair_isPaidOnceAfterTheFirstAnswer() public {
        slash(id, nextEpoch(), address(0));
        uint256 bounty = bundles.bountyOf(id);
        vm.assertEq(bounty, MISS / 2, "without a reporter all of the half");
        enlist("b", STAKE);
        place(made, 0, "b");
        uint32 epoch = nextEpoch();
        audit.claim(id);
        vm.assertEq(bundles.creditOf(actor("b")), 0, "not before an answer");
        answer(id, epoch);
        audit.claim(id);
        vm.assertEq(bundles.creditOf(actor("b")), bounty, "paid");
        answer(id, nextEpoch());
        audit.claim(id);
        vm.assertEq(bundles.creditOf(actor("b")), bounty, "once");
        vm.prank(actor("b"));
        bundles.withdrawBounty(actor("b"));
        vm.assertEq(token.balanceOf(actor("b")), bounty, "withdrawn");
    }

    function test_repairerThatFailsBeforeItsFirstAnswerGetsNothing() public {
        slash(id, nextEpoch(), address(0));
        enlist("b", STAKE);
        place(made, 0, "b");
        slash(id, nextEpoch(), address(0));
        vm.assertEq(bundles.creditOf(actor("b")), 0, "nothing");
        vm.assertEq(bundles.bountyOf(id), MISS / 2, "the bounty waits for the next one");
    }

    function test_claim_paysEachAnswerOnceUpToTheLastPaidEpoch() public {
        for (uint32 i = 1; i < 21; ++i) answer(id, nextEpoch());
        vm.assertEq(audit.claim(id), uint256(FEE) * 20, "all twenty");
        vm.assertEq(audit.claim(id), 0, "once");
        // An answer for an epoch that nobody paid for earns nothing.
        answer(id, nextEpoch());
        vm.assertEq(audit.claim(id), 0, "unpaid epoch");
        vm.assertEq(datasets.creditOf(actor("a")), uint256(FEE) * 20, "credit");
    }

    function testFuzz_claim_countsExactlyTheAnsweredEpochs(uint256 pattern, uint8 claims) public {
        uint256 expected;
        for (uint32 i = 0; i < 20; ++i) {
            uint32 epoch = nextEpoch();
            if ((pattern >> i) & 1 != 0) {
                answer(id, epoch);
                ++expected;
            }
            if ((uint256(claims) >> (i % 8)) & 1 != 0) audit.claim(id);
        }
        audit.claim(id);
        vm.assertEq(datasets.creditOf(actor("a")), uint256(FEE) * expected, "fees");
        vm.assertEq(audit.paidAnswersOf(id), expected, "count");
    }

    function test_claim_acrossWordsOfAnsweredBits() public {
        made = anchorSmall(3, 600);
        enlist("b", STAKE);
        id = place(made, 0, "b");
        uint32[5] memory epochs = [uint32(1), 255, 256, 511, 512];
        for (uint256 i = 0; i < 5; ++i) {
            toEpoch(epochs[i]);
            answer(id, openWithSeed());
        }
        vm.assertEq(audit.claim(id), uint256(FEE) * 5, "five");
    }

    function test_lateAnswerAfterALaterClaimIsStillPaid() public {
        uint32 first = nextEpoch();
        uint256[8] memory proof = proofOf(POSSESSION, signalsFor(id, first, 7));
        (, , uint64 closesAt) = audit.windowOf(first);
        vm.warp(closesAt + 1);
        audit.callTimeout(id, first);
        // The seed of the next epoch is there before the grace ends.
        vm.warp(closesAt + GRACE);
        audit.claim(id);
        audit.answer(id, first, 7, proof);
        vm.assertEq(audit.claim(id), FEE, "paid");
    }

    function test_earnedFees_arePaidWhenTheHoldingEnds() public {
        answer(id, nextEpoch());
        slash(id, nextEpoch(), address(this));
        vm.assertEq(datasets.creditOf(actor("a")), FEE, "slashed later");
        enlist("b", STAKE);
        place(made, 0, "b");
        answer(id, nextEpoch());
        vm.prank(actor("b"));
        bundles.surrender(id);
        vm.assertEq(
            datasets.creditOf(actor("b")),
            FEE,
            "surrendered later; not paid for the predecessor's answer"
        );
    }

    function test_answersBeforeAVacancyDoNotPayTheNextTenureOfTheSameOperator() public {
        uint32 epoch = nextEpoch();
        answer(id, epoch);
        token.mint(actor("a"), STAKE);
        vm.startPrank(actor("a"));
        token.approve(address(staking), STAKE);
        staking.stake(STAKE);
        bundles.surrender(id);
        vm.stopPrank();
        skip(1);
        place(made, 0, "a");
        audit.claim(id);
        vm.assertEq(datasets.creditOf(actor("a")), FEE, "once");
        vm.assertEq(bundles.bountyOf(id), SURRENDER / 2, "no repair without a new answer");
    }

    function test_surrender_afterACalledTimeoutCostsAMissAndPaysTheReporter() public {
        uint32 epoch = nextEpoch();
        (, , uint64 closesAt) = audit.windowOf(epoch);
        vm.warp(uint256(closesAt) + 1);
        vm.prank(actor("reporter"));
        audit.callTimeout(id, epoch);
        vm.prank(actor("a"));
        bundles.surrender(id);
        vm.assertEq(staking.operatorOf(actor("a")).stake, STAKE - MISS, "as much as being slashed");
        vm.assertGt(bundles.creditOf(actor("reporter")), 0, "the reporter's share");
    }

    function test_surrender_afterAMissedWindowCostsAMissBeforeAnybodyHasCalled() public {
        uint32 epoch = nextEpoch();
        (, , uint64 closesAt) = audit.windowOf(epoch);
        uint256 snapshot = vm.snapshotState();
        vm.warp(closesAt);
        vm.prank(actor("a"));
        bundles.surrender(id);
        vm.assertEq(staking.operatorOf(actor("a")).stake, STAKE - SURRENDER, "while the window is open");
        vm.revertToState(snapshot);
        vm.warp(uint256(closesAt) + 1);
        vm.prank(actor("a"));
        bundles.surrender(id);
        vm.assertEq(staking.operatorOf(actor("a")).stake, STAKE - MISS, "afterwards");
        vm.revertToState(snapshot);
        answer(id, epoch);
        vm.warp(uint256(closesAt) + 1);
        vm.prank(actor("a"));
        bundles.surrender(id);
        vm.assertEq(staking.operatorOf(actor("a")).stake, STAKE - SURRENDER, "answered");
    }

    function test_surrender_inAddedEpochsIsFreeUnlessTheHolderAgreedToThem() public {
        uint32 promised = bundles.holdingOf(id).until;
        token.mint(owner, 1e24);
        vm.startPrank(owner);
        token.approve(address(datasets), 1e24);
        datasets.addEpochs(made.id, 100);
        vm.stopPrank();
        vm.warp(datasets.settledAt(promised));
        openWithSeed();
        uint256 snapshot = vm.snapshotState();
        vm.prank(actor("a"));
        bundles.surrender(id);
        vm.assertEq(staking.operatorOf(actor("a")).stake, STAKE, "nothing is asked of it");
        vm.revertToState(snapshot);
        vm.startPrank(actor("a"));
        bundles.extend(id, promised + 100);
        bundles.surrender(id);
        vm.stopPrank();
        vm.assertEq(staking.operatorOf(actor("a")).stake, STAKE - SURRENDER, "an audit waits for its answer");
    }

    function test_fraud_endsDutiesKeepsEarnedFeesAndReleasesLocks() public {
        answer(id, nextEpoch());
        uint32 pending = nextEpoch();
        runTimeout(id, pending, address(this));
        vm.prank(address(fraud));
        datasets.markFraudulent(made.id, actor("claimant"));
        vm.expectPartialRevert(IStorageAudit.NotDue.selector);
        audit.slashMissed(id, pending);
        bundles.release(id);
        vm.assertEq(datasets.creditOf(actor("a")), FEE, "fee");
        vm.assertEq(staking.operatorOf(actor("a")).stake, STAKE, "stake");
        vm.assertEq(staking.operatorOf(actor("a")).locked, 0, "lock");
    }

    function test_windowChange_doesNotAlterAnOpenEpoch() public {
        uint32 epoch = nextEpoch();
        (, , uint64 closesAt) = audit.windowOf(epoch);
        audit.setWindows(IStorageAudit.Windows(2 days, 6 hours, 2 days, 2 hours));
        (, , uint64 after_) = audit.windowOf(epoch);
        vm.assertEq(after_, closesAt, "window");
        vm.warp(closesAt + 1);
        audit.callTimeout(id, epoch);
        vm.assertEq(audit.graceEndsAt(id, epoch), closesAt + 1 + GRACE, "grace");
        uint32 next = nextEpoch();
        (, uint64 opensAt, uint64 closes) = audit.windowOf(next);
        vm.assertEq(closes - opensAt, 6 hours, "next epoch");
    }

    function test_windows_haveHardBounds() public {
        // Below half of what was deployed.
        _expectWindows(IStorageAudit.Windows(SEED_DELAY / 2 - 1, WINDOW, CALL_WINDOW, GRACE));
        _expectWindows(IStorageAudit.Windows(SEED_DELAY, WINDOW / 2 - 1, CALL_WINDOW, GRACE));
        _expectWindows(IStorageAudit.Windows(SEED_DELAY, WINDOW, CALL_WINDOW / 2 - 1, GRACE));
        _expectWindows(IStorageAudit.Windows(SEED_DELAY, WINDOW, CALL_WINDOW, GRACE / 2 - 1));
        // Beyond the time after which bundles are released.
        _expectWindows(IStorageAudit.Windows(8 days, WINDOW, CALL_WINDOW, GRACE));
        _expectWindows(IStorageAudit.Windows(SEED_DELAY, WINDOW, CALL_WINDOW, 2 days));
        audit.setWindows(IStorageAudit.Windows(6 days, 12 hours, 3 days, 6 hours));
    }

    function test_lastDeadline_isBeforeTheReleaseOfABundle() public {
        toEpoch(20);
        vm.warp(block.timestamp + EPOCH - 1);
        uint32 epoch = audit.openEpoch();
        skip(SEED_DELAY);
        beacon.deliver(beacon.lastRequest(), "last moment");
        skip(WINDOW + CALL_WINDOW);
        audit.callTimeout(id, epoch);
        skip(GRACE + 1);
        vm.assertFalse(datasets.isOver(made.id), "still running");
        audit.slashMissed(id, epoch);
    }

    function test_upkeep_opensEachEpochOnce() public {
        (bool needed, ) = audit.checkUpkeep("");
        vm.assertTrue(needed, "needed");
        audit.performUpkeep("");
        (needed, ) = audit.checkUpkeep("");
        vm.assertFalse(needed, "done");
        vm.expectRevert(abi.encodeWithSelector(IStorageAudit.AlreadyOpen.selector, 0));
        audit.performUpkeep("");
        toEpoch(1);
        (needed, ) = audit.checkUpkeep("");
        vm.assertTrue(needed, "next");
        vm.assertEq(audit.epochOf(0).requestId, 1, "request");
    }

    function test_settings_onlyByTheAccessManager() public {
        bytes memory refused = abi.encodeWithSelector(
            IAccessManaged.AccessManagedUnauthorized.selector,
            owner
        );
        vm.startPrank(owner);
        vm.expectRevert(refused);
        audit.setWindows(IStorageAudit.Windows(SEED_DELAY, WINDOW, CALL_WINDOW, GRACE));
        vm.expectRevert(refused);
        retrieval.setParameters(1, 1, 1);
        vm.stopPrank();
    }

    function test_claim_ofABundleThatNobodyHoldsIsRefused() public {
        bytes32 vacant = bundleOf(made, 2);
        vm.expectRevert(abi.encodeWithSelector(IBundleRegistry.NotHeld.selector, vacant));
        audit.claim(vacant);
    }

    function _expectWindows(IStorageAudit.Windows memory wrong) private {
        vm.expectPartialRevert(IStorageAudit.OutOfBounds.selector);
        audit.setWindows(wrong);
    }
}

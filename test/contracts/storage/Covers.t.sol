// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IBundleRegistry} from "../../../contracts/storage/interfaces/IBundleRegistry.sol";
import {IStorageAudit} from "../../../contracts/storage/interfaces/IStorageAudit.sol";
import {CoverFixture} from "./CoverFixture.sol";

contract CoversTest is CoverFixture {
    Anchored private made;
    bytes32[] private ids;

    function setUp() public {
        setUpStorage();
        made = anchorSegments(17, 40);
        ids = placeInAll(made, "a");
    }

    function test_cover_answersForAllItsBundlesWithOneProof() public {
        bytes32 coverId = registerCover(ids, "a", 42);
        uint32 since = bundles.coverOf(coverId).since;
        vm.assertGt(since, 0, "from an epoch to come");
        uint32 epoch = nextEpoch();
        answerCover(coverId, ids, epoch);
        for (uint256 i = 0; i < ids.length; ++i) {
            IBundleRegistry.Holding memory holding = bundles.holdingOf(ids[i]);
            vm.assertEq(holding.coverId, coverId, "cover");
            vm.assertEq(holding.coverSince, since, "from when on it answers");
            vm.assertEq(bundles.dutyOf(ids[i], epoch), coverId, "duty");
            vm.assertEq(audit.claim(ids[i]), FEE, "fee of each bundle");
        }
        bytes memory cells = packedCells(ids);
        vm.expectPartialRevert(IStorageAudit.AlreadyAnswered.selector);
        audit.answerCover(coverId, epoch, 7, cells, proofOf(COVERING, new uint256[](5)));
    }

    function testFuzz_answerCover_takesTheSignalsOfTheProtocolAndNoOthers(
        uint256 count,
        uint256 flipped,
        uint256 by,
        bytes32 seed
    ) public {
        bytes32[] memory part = new bytes32[](bound(count, 1, ids.length));
        for (uint256 i = 0; i < part.length; ++i) part[i] = ids[i];
        bytes32 coverId = registerCover(part, "a", 42);
        toEpoch(1);
        uint32 epoch = audit.openEpoch();
        beacon.deliver(1, seed);
        uint256[] memory wrong = coverSignals(coverId, part, epoch);
        wrong[flipped % 5] ^= bound(by, 1, type(uint256).max);
        bytes memory cells = packedCells(part);
        vm.expectRevert(abi.encodeWithSelector(IStorageAudit.WrongProof.selector, coverId, epoch));
        audit.answerCover(coverId, epoch, 7, cells, proofOf(COVERING, wrong));
        answerCover(coverId, part, epoch);
    }

    function test_registration_withAnyOtherSignalIsRefused() public {
        for (uint256 i = 0; i < 3; ++i) {
            uint256[] memory signals = registrationSignals(ids, 42);
            signals[i] ^= 1;
            vm.expectRevert(abi.encodeWithSelector(IBundleRegistry.WrongCoverProof.selector, 42));
            vm.prank(actor("a"));
            bundles.registerCover(ids, 42, proofOf(REGISTRATION, signals));
        }
    }

    function test_registration_ofNoneOrTooManyBundlesIsRefused() public {
        vm.expectRevert(abi.encodeWithSelector(IBundleRegistry.WrongCoverSize.selector, 0));
        bundles.registerCover(new bytes32[](0), 42, proofOf(REGISTRATION, new uint256[](3)));
        vm.expectRevert(abi.encodeWithSelector(IBundleRegistry.WrongCoverSize.selector, 65));
        bundles.registerCover(new bytes32[](65), 42, proofOf(REGISTRATION, new uint256[](3)));
    }

    function test_registration_ofTheSameBundleTwiceIsRefused() public {
        ids[1] = ids[0];
        uint256[8] memory proof = proofOf(REGISTRATION, registrationSignals(ids, 42));
        vm.expectPartialRevert(IBundleRegistry.CoverTooSoon.selector);
        vm.prank(actor("a"));
        bundles.registerCover(ids, 42, proof);
    }

    function test_registration_ofAnothersBundleIsRefused() public {
        uint256[8] memory proof = proofOf(REGISTRATION, registrationSignals(ids, 42));
        vm.expectPartialRevert(IBundleRegistry.NotHolder.selector);
        vm.prank(actor("b"));
        bundles.registerCover(ids, 42, proof);
    }

    function test_registration_ofABundleUnderRepairIsRefusedUntilItAnsweredItself() public {
        vm.prank(actor("a"));
        bundles.surrender(ids[0]);
        enlist("b", STAKE);
        place(made, 0, "b");
        bytes32[] memory one = new bytes32[](1);
        one[0] = ids[0];
        uint256[8] memory proof = proofOf(REGISTRATION, registrationSignals(one, 42));
        vm.expectRevert(abi.encodeWithSelector(IBundleRegistry.RepairUnproven.selector, ids[0]));
        vm.prank(actor("b"));
        bundles.registerCover(one, 42, proof);
        answer(ids[0], nextEpoch());
        audit.claim(ids[0]);
        registerCover(one, "b", 42);
    }

    function test_answerCover_withOtherCellCountsIsRefused() public {
        bytes32 coverId = registerCover(ids, "a", 42);
        uint32 epoch = nextEpoch();
        uint256[8] memory proof = proofOf(COVERING, coverSignals(coverId, ids, epoch));
        bytes memory cells = packedCells(ids);
        cells[1] = 0x01;
        vm.expectRevert(abi.encodeWithSelector(IStorageAudit.WrongCells.selector, coverId));
        audit.answerCover(coverId, epoch, 7, cells, proof);
        vm.expectPartialRevert(IStorageAudit.NotDue.selector);
        audit.answerCover(keccak256("no cover"), epoch, 7, cells, proof);
    }

    /// @dev Attack: datasets of other shapes can have the same roots. A cover over such decoys of one cell each, with the
    /// same covering root in the same epoch, would have replaced the cell counts of the real cover, so that the cells
    /// asked of it were the first of each bundle.
    function test_attackC1_coverOfDecoysWithTheSameRoots_doesNotChangeTheCellCountsOfTheFirst() public {
        bytes32[] memory decoys = placeDecoys(made, ids.length, "a");
        bytes memory realCells = packedCells(ids);
        bytes memory fewCells = packedCells(decoys);
        vm.assertNotEq(keccak256(realCells), keccak256(fewCells), "the decoys are smaller");

        bytes32 coverId = registerCover(ids, "a", 42);
        bytes32 decoy = registerCover(decoys, "a", 42);
        vm.assertNotEq(coverId, decoy, "ids");
        vm.assertEq(bundles.coverOf(coverId).cellsHash, keccak256(realCells), "as registered");
        uint32 epoch = nextEpoch();
        uint256[8] memory proof = proofOf(COVERING, coverSignals(decoy, decoys, epoch));
        vm.expectRevert(abi.encodeWithSelector(IStorageAudit.WrongCells.selector, coverId));
        audit.answerCover(coverId, epoch, 7, fewCells, proof);
        answerCover(coverId, ids, epoch);
        vm.assertEq(audit.claim(ids[0]), FEE, "for its real cells");
    }

    function test_cover_ofOtherBundlesUnderTheSameRootIsAnotherCover() public {
        bytes32[] memory first = new bytes32[](2);
        (first[0], first[1]) = (ids[0], ids[1]);
        bytes32[] memory second = new bytes32[](2);
        (second[0], second[1]) = (ids[2], ids[3]);
        bytes32 one = registerCover(first, "a", 42);
        bytes32 two = registerCover(second, "a", 42);
        vm.assertNotEq(one, two, "the bundles tell them apart");
        vm.assertEq(bundles.dutyOf(ids[0], audit.currentEpoch() + 1), one, "first");
        vm.assertEq(bundles.dutyOf(ids[2], audit.currentEpoch() + 1), two, "second");
    }

    function test_cover_servesFromTheNextEpochOnOnly() public {
        uint32 epoch = nextEpoch();
        bytes32 coverId = registerCover(ids, "a", 42);
        vm.assertEq(bundles.dutyOf(ids[0], epoch), ids[0], "still alone");
        uint256[8] memory proof = proofOf(COVERING, coverSignals(coverId, ids, epoch));
        bytes memory cells = packedCells(ids);
        vm.expectRevert(abi.encodeWithSelector(IStorageAudit.NotDue.selector, coverId, epoch));
        audit.answerCover(coverId, epoch, 7, cells, proof);
        answer(ids[0], epoch);
        answerCover(coverId, ids, nextEpoch());
        vm.assertEq(audit.claim(ids[0]), 2 * uint256(FEE), "alone and covered");
    }

    function test_operatorThatLostOneBundleOfACoverAnswersForTheOthersAlone() public {
        registerCover(ids, "a", 42);
        uint32 epoch = nextEpoch();
        vm.prank(actor("a"));
        bundles.surrender(ids[3]);
        for (uint256 i = 0; i < ids.length; ++i) if (i != 3) answer(ids[i], epoch);
        (, , uint64 closesAt) = audit.windowOf(epoch);
        vm.warp(closesAt + 1);
        vm.expectPartialRevert(IStorageAudit.AlreadyAnswered.selector);
        audit.callTimeout(ids[0], epoch);
        vm.assertEq(audit.claim(ids[0]), FEE, "paid");
    }

    function test_bundleAnsweredAloneAndByItsCoverIsPaidOnce() public {
        bytes32 coverId = registerCover(ids, "a", 42);
        uint32 epoch = nextEpoch();
        answer(ids[0], epoch);
        answerCover(coverId, ids, epoch);
        vm.assertEq(audit.claim(ids[0]), FEE, "once");
    }

    function test_timeout_ofABundleWhoseCoverAnswered_isRefused() public {
        bytes32 coverId = registerCover(ids, "a", 42);
        uint32 epoch = nextEpoch();
        answerCover(coverId, ids, epoch);
        (, , uint64 closesAt) = audit.windowOf(epoch);
        vm.warp(closesAt + 1);
        vm.expectRevert(abi.encodeWithSelector(IStorageAudit.AlreadyAnswered.selector, coverId, epoch));
        audit.callTimeout(ids[0], epoch);
    }

    function test_timeoutOfACoverHoldsForEachOfItsBundles() public {
        bytes32 coverId = registerCover(ids, "a", 42);
        uint32 epoch = nextEpoch();
        runTimeout(ids[0], epoch, actor("reporter"));
        vm.assertGt(audit.graceEndsAt(coverId, epoch), 0, "keyed by the cover");
        audit.slashMissed(ids[1], epoch);
        audit.slashMissed(ids[0], epoch);
        vm.assertEq(bundles.creditOf(actor("reporter")), 2 * (MISS / 20), "reporter of both");
        vm.assertEq(staking.operatorOf(actor("a")).stake, STAKE * ids.length - 2 * MISS, "two faults");
    }

    function test_graceOfACoverServesABundleThatAnswersAlone() public {
        registerCover(ids, "a", 42);
        uint32 epoch = nextEpoch();
        (, , uint64 closesAt) = audit.windowOf(epoch);
        vm.warp(closesAt + 1);
        audit.callTimeout(ids[0], epoch);
        vm.warp(closesAt + 1 + GRACE);
        answer(ids[5], epoch);
        skip(1);
        vm.expectPartialRevert(IStorageAudit.AlreadyAnswered.selector);
        audit.slashMissed(ids[5], epoch);
        audit.slashMissed(ids[4], epoch);
    }

    function test_movingToANewCoverLosesNoFeeAndFreesFromNoDuty() public {
        bytes32 first = registerCover(ids, "a", 42);
        uint32 one = nextEpoch();
        bytes32 second = registerCover(ids, "a", 43);
        answerCover(first, ids, one);
        vm.assertEq(bundles.dutyOf(ids[0], one), first, "the old cover's epoch");
        uint32 two = nextEpoch();
        vm.assertEq(bundles.dutyOf(ids[0], two), second, "the new cover's epoch");
        answerCover(second, ids, two);
        // The old cover cannot stand in for the new one.
        uint32 three = nextEpoch();
        answerCover(first, ids, three);
        vm.assertEq(audit.claim(ids[0]), 2 * uint256(FEE), "two epochs");
        slash(ids[0], three, address(this));
    }

    function test_coversPerTenureAreBoundedSoThatAClaimIs() public {
        bytes32[] memory one = new bytes32[](1);
        one[0] = ids[0];
        for (uint256 i = 0; i < 32; ++i) {
            bytes32 coverId = registerCover(one, "a", 100 + i);
            answerCover(coverId, one, nextEpoch());
        }
        uint256[8] memory proof = proofOf(REGISTRATION, registrationSignals(one, 42));
        vm.expectPartialRevert(IBundleRegistry.CoverTooSoon.selector);
        vm.prank(actor("a"));
        bundles.registerCover(one, 42, proof);
        vm.assertEq(audit.claim(ids[0]), 32 * uint256(FEE), "all of them");
        // A new holder starts without covers.
        vm.prank(actor("a"));
        bundles.surrender(ids[0]);
        enlist("b", STAKE);
        place(made, 0, "b");
        (bytes32[] memory covers, ) = bundles.coversOf(ids[0]);
        vm.assertEq(covers.length, 0, "none");
        answer(ids[0], nextEpoch());
        vm.assertEq(audit.claim(ids[0]), FEE, "its own");
    }
}

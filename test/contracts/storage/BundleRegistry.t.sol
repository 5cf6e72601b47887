// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {MerkleProofs} from "../../../contracts/libraries/MerkleProofs.sol";
import {IStaking} from "../../../contracts/staking/interfaces/IStaking.sol";
import {BundleRegistry} from "../../../contracts/storage/BundleRegistry.sol";
import {IBundleRegistry} from "../../../contracts/storage/interfaces/IBundleRegistry.sol";
import {IDatasetRegistry} from "../../../contracts/storage/interfaces/IDatasetRegistry.sol";
import {IStorageAudit} from "../../../contracts/storage/interfaces/IStorageAudit.sol";
import {OperatorContract} from "../doubles/OperatorContract.sol";
import {PolicyDouble} from "../doubles/PolicyDouble.sol";
import {StorageFixture} from "./StorageFixture.sol";

contract BundleRegistryTest is StorageFixture {
    Anchored private made;
    bytes32[] private _ids;

    function setUp() public {
        setUpStorage();
        made = anchorSmall(3, 20);
    }

    function test_place_locksTheStakeAndAnswersFromTheNextEpochOn() public {
        bytes32 id = enlistAndPlace(made, 1, "a");
        IBundleRegistry.Holding memory holding = bundles.holdingOf(id);
        vm.assertEq(holding.operator, actor("a"), "operator");
        vm.assertEq(holding.since, 1, "since");
        vm.assertEq(holding.until, 21, "until");
        vm.assertEq(holding.cells, 1, "cells");
        vm.assertEq(holding.bundleIndex, 1, "index");
        vm.assertEq(holding.datasetId, made.id, "dataset");
        vm.assertEq(holding.poseidonRoot, uint256(made.poseidonRoots[1]), "root");
        vm.assertEq(staking.lockedBy(actor("a"), address(bundles)), STAKE, "lock");
        vm.assertEq(datasets.datasetOf(made.id).held, 1, "held");
    }

    function test_place_oneBadReceiptRevertsTheWholeCall() public {
        enlist("a", STAKE);
        enlist("b", STAKE);
        IBundleRegistry.SignedReceipt[] memory list = new IBundleRegistry.SignedReceipt[](2);
        list[0] = signReceipt(made, 0, "a", time() + 1 days);
        list[1] = signReceipt(made, 1, "b", time() + 1 days);
        list[1].signature = list[0].signature;
        vm.expectPartialRevert(IBundleRegistry.WrongSignature.selector);
        vm.prank(owner);
        bundles.place(list);
        vm.assertEq(bundles.holdingOf(bundleOf(made, 0)).operator, address(0), "nothing placed");
        list[1] = signReceipt(made, 1, "b", time() + 1 days);
        vm.prank(owner);
        bundles.place(list);
        vm.assertEq(datasets.datasetOf(made.id).held, 2, "held");
    }

    function test_place_severalDatasetsInOneCall() public {
        Anchored memory other = anchorSmall(3, 5);
        enlist("a", 2 * STAKE);
        enlist("b", STAKE);
        IBundleRegistry.SignedReceipt[] memory list = new IBundleRegistry.SignedReceipt[](3);
        list[0] = signReceipt(made, 0, "a", time() + 1 days);
        list[1] = signReceipt(other, 0, "a", time() + 1 days);
        list[2] = signReceipt(other, 2, "b", time() + 1 days);
        vm.prank(owner);
        bundles.place(list);
        vm.assertEq(datasets.datasetOf(made.id).held, 1, "first");
        vm.assertEq(datasets.datasetOf(other.id).held, 2, "second");
        vm.assertEq(bundles.holdingOf(bundleOf(other, 0)).until, 6, "until of its own dataset");
    }

    function test_receipt_expiredOrTooFarAheadIsRefused() public {
        enlist("a", STAKE);
        uint64 present = uint64(block.timestamp);
        _expectPlace(IBundleRegistry.ReceiptNotValid.selector, signReceipt(made, 0, "a", present - 1));
        _expectPlace(
            IBundleRegistry.ReceiptNotValid.selector,
            signReceipt(made, 0, "a", present + 1 days + 1)
        );
        placeSigned(signReceipt(made, 0, "a", present));
    }

    function test_receipt_signedBySomeoneElseIsRefused() public {
        enlist("a", STAKE);
        IBundleRegistry.SignedReceipt memory signed = signReceipt(made, 0, "b", uint64(block.timestamp) + 1);
        signed.receipt.operator = actor("a");
        _expectPlace(IBundleRegistry.WrongSignature.selector, signed);
        signed.receipt.operator = address(0);
        signed.signature = "";
        _expectPlace(IBundleRegistry.WrongSignature.selector, signed);
    }

    function test_receipt_forAnotherChainOrRegistryIsRefused() public {
        enlist("a", STAKE);
        IBundleRegistry.SignedReceipt memory signed = signReceipt(made, 0, "a", uint64(block.timestamp) + 1);
        vm.chainId(99);
        _expectPlace(IBundleRegistry.WrongSignature.selector, signed);
        vm.chainId(31337);
        BundleRegistry other = newBundleRegistry();
        IBundleRegistry.SignedReceipt[] memory list = new IBundleRegistry.SignedReceipt[](1);
        list[0] = signed;
        vm.expectPartialRevert(IBundleRegistry.WrongSignature.selector);
        vm.prank(owner);
        other.place(list);
        placeSigned(signed);
    }

    function test_receipt_forRootsThatAreNotAnchoredIsRefused() public {
        enlist("a", STAKE);
        made.transportRoots[0] = bytes32(uint256(1));
        bytes32[] memory proof = bundleProof(made, 0);
        IBundleRegistry.SignedReceipt memory signed = signReceipt(made, 0, "a", uint64(block.timestamp) + 1);
        _expectPlace(IBundleRegistry.NotAnchored.selector, signed);
        signed.proof = new bytes32[](proof.length + 1);
        _expectPlace(MerkleProofs.WrongProofLength.selector, signed);
        signed.receipt.bundleIndex = 3;
        _expectPlace(IBundleRegistry.UnknownBundle.selector, signed);
    }

    function test_receipt_ofAContractOperatorIsCheckedByErc1271() public {
        OperatorContract operator = new OperatorContract();
        token.mint(address(operator), STAKE);
        operator.enlist(staking, token, STAKE, address(bundles));
        IBundleRegistry.SignedReceipt memory signed;
        signed.receipt = receiptFor(made, 0, address(operator), uint64(block.timestamp) + 1);
        signed.proof = bundleProof(made, 0);
        _expectPlace(IBundleRegistry.WrongSignature.selector, signed);
        operator.approve(bundles.receiptDigest(signed.receipt));
        placeSigned(signed);
    }

    function test_receipt_cannotBeReplayedAfterTheOperatorGaveTheBundleUp() public {
        enlist("a", 5 * STAKE);
        uint64 present = uint64(block.timestamp);
        IBundleRegistry.SignedReceipt memory used = signReceipt(made, 0, "a", present + 1 hours);
        IBundleRegistry.SignedReceipt memory spare = signReceipt(made, 0, "a", present + 1 days);
        IBundleRegistry.SignedReceipt memory sibling = signReceipt(made, 1, "a", present + 1 days);
        placeSigned(used);
        vm.prank(actor("a"));
        bundles.surrender(bundleOf(made, 0));
        vm.assertEq(bundles.receiptFloorOf(made.id, 0, actor("a")), present + 1 days, "floor");
        // Neither the used one, nor any other signed before the surrender, for any bundle of the segment.
        _expectPlace(IBundleRegistry.ProofNeeded.selector, used);
        _expectPlace(IBundleRegistry.ReceiptOutdated.selector, sibling);
        // The last second of a receipt that was signed before.
        vm.warp(present + 1 days - EPOCH / 2);
        uint32 epoch = nextEpoch();
        vm.warp(present + 1 days);
        uint256[8] memory proof = proofOf(POSSESSION, placingSignals(made, 0, actor("a"), epoch));
        vm.expectPartialRevert(IBundleRegistry.ReceiptOutdated.selector);
        bundles.placeProven(spare, epoch, 7, proof);
        // One signed afterwards is good.
        vm.warp(present + 1 days + 1);
        placeProven(made, 0, "a", epoch);
    }

    function test_place_anotherBundleOfTheSameSegmentIsRefused() public {
        enlist("a", 5 * STAKE);
        place(made, 0, "a");
        _expectPlace(IBundleRegistry.SegmentTaken.selector, signReceipt(made, 1, "a", time() + 1 days));
        IDatasetRegistry.Shape memory shape = smallShape(3);
        shape.objectCount = 8;
        Anchored memory two = anchorShape(shape, 3);
        place(two, 0, "a");
        place(two, 3, "a");
        _expectPlace(IBundleRegistry.SegmentTaken.selector, signReceipt(two, 5, "a", time() + 1 days));
    }

    function test_place_onAHeldBundleIsRefused() public {
        enlistAndPlace(made, 0, "a");
        enlist("b", STAKE);
        _expectPlace(IBundleRegistry.AlreadyHeld.selector, signReceipt(made, 0, "b", time() + 1 days));
    }

    function test_place_operatorsThatAreNotEligibleAreRefused() public {
        uint64 later = time() + 1 days;
        _expectPlace(IBundleRegistry.NotEligible.selector, signReceipt(made, 0, "nobody", later));
        enlist("poor", STAKE - 1);
        _expectPlace(IBundleRegistry.NotEligible.selector, signReceipt(made, 0, "poor", later));
        vm.prank(enlist("retired", STAKE));
        staking.retire();
        _expectPlace(IBundleRegistry.NotEligible.selector, signReceipt(made, 0, "retired", later));
        vm.prank(enlist("validator", STAKE));
        staking.update(uint8(1 << uint8(IStaking.Role.Validator)), hex"0024", "");
        _expectPlace(IBundleRegistry.NotEligible.selector, signReceipt(made, 0, "validator", later));
    }

    function test_place_onlyWhileAPaidEpochIsLeft() public {
        enlist("a", STAKE);
        toEpoch(20);
        uint64 later = time() + 1 days;
        _expectPlace(IBundleRegistry.NothingToHold.selector, signReceipt(made, 0, "a", later));
        toEpoch(19);
        place(made, 0, "a");
        vm.prank(address(fraud));
        datasets.markFraudulent(made.id, owner);
        enlist("b", STAKE);
        _expectPlace(IBundleRegistry.NothingToHold.selector, signReceipt(made, 1, "b", time() + 1 days));
    }

    function test_policy_decidesForDatasetsAnchoredUnderItAndForNoOthers() public {
        enlist("a", 2 * STAKE);
        enlist("b", 2 * STAKE);
        IDatasetRegistry.Parameters memory next = parameters();
        next.policy = address(new PolicyDouble(actor("b")));
        datasets.setParameters(next);
        Anchored memory governed = anchorSmall(3, 5);
        _expectPlace(
            IBundleRegistry.RefusedByPolicy.selector,
            signReceipt(governed, 0, "a", time() + 1 days)
        );
        place(governed, 0, "b");
        place(made, 0, "a");
    }

    function test_surrender_costsItsPenaltyAndOpensRepair() public {
        bytes32 id = enlistAndPlace(made, 0, "a");
        vm.expectRevert(
            abi.encodeWithSelector(IBundleRegistry.NotHolder.selector, id, actor("a"), address(this))
        );
        bundles.surrender(id);
        vm.prank(actor("a"));
        bundles.surrender(id);
        IStaking.Operator memory account = staking.operatorOf(actor("a"));
        vm.assertEq(account.stake, STAKE - SURRENDER, "stake");
        vm.assertEq(account.locked, 0, "lock");
        // Half of the surrender, which is below half of a missed audit.
        vm.assertEq(bundles.bountyOf(id), SURRENDER / 2, "bounty");
        vm.assertEq(datasets.datasetOf(made.id).held, 0, "held");
        vm.assertEq(bundles.holdingOf(id).operator, address(0), "vacant");
    }

    function testFuzz_surrenderFollowedByOnesOwnRepairNeverPays(
        uint96 miss,
        uint96 part,
        uint16 share
    ) public {
        IDatasetRegistry.Parameters memory next = parameters();
        next.missPenalty = uint96(bound(miss, 4, STAKE));
        next.surrenderPenalty = uint96(bound(part, (next.missPenalty + 1) / 2, next.missPenalty - 1));
        datasets.setParameters(next);
        staking.setParameters(7 days, uint16(bound(share, 0, 5_000)));
        Anchored memory target = anchorSmall(3, 20);
        bytes32 id = enlistAndPlace(target, 0, "a");
        vm.prank(actor("a"));
        bundles.surrender(id);
        enlistAndPlace(target, 0, "sybil");
        answer(id, nextEpoch());
        audit.claim(id);
        uint256 lost = STAKE - staking.operatorOf(actor("a")).stake;
        uint256 gained = bundles.creditOf(actor("a")) + bundles.creditOf(actor("sybil"));
        vm.assertLe(gained * 2, lost, "half is burnt");
    }

    function testFuzz_takingABountyAndSurrenderingAgainNeverPays(uint96 miss, uint96 part) public {
        IDatasetRegistry.Parameters memory next = parameters();
        next.missPenalty = uint96(bound(miss, 4, STAKE));
        next.surrenderPenalty = uint96(bound(part, (next.missPenalty + 1) / 2, next.missPenalty - 1));
        datasets.setParameters(next);
        Anchored memory target = anchorSmall(3, 20);
        bytes32 id = enlistAndPlace(target, 0, "victim");
        slash(id, nextEpoch(), address(this));
        enlistAndPlace(target, 0, "rider");
        answer(id, nextEpoch());
        vm.prank(actor("rider"));
        bundles.surrender(id);
        uint256 lost = STAKE - staking.operatorOf(actor("rider")).stake;
        vm.assertLe(bundles.creditOf(actor("rider")), lost, "a bounty is worth no more than leaving costs");
    }

    function test_surrender_isFreeOnceThePromisedEpochsAreSettled() public {
        bytes32 id = enlistAndPlace(made, 0, "a");
        token.mint(owner, 1e24);
        vm.startPrank(owner);
        token.approve(address(datasets), 1e24);
        datasets.addEpochs(made.id, 100);
        vm.stopPrank();
        uint64 served = datasets.settledAt(21);
        vm.warp(served - 1);
        uint256 id2 = vm.snapshotState();
        vm.prank(actor("a"));
        bundles.surrender(id);
        vm.assertEq(staking.operatorOf(actor("a")).stake, STAKE - SURRENDER, "too early");
        vm.revertToState(id2);
        vm.warp(served);
        vm.prank(actor("a"));
        bundles.surrender(id);
        vm.assertEq(staking.operatorOf(actor("a")).stake, STAKE, "free");
        vm.assertEq(bundles.bountyOf(id), 0, "no bounty");
    }

    function test_release_byAnyoneOnceTheDatasetIsOver() public {
        bytes32 id = enlistAndPlace(made, 0, "a");
        vm.warp(datasets.settledAt(21) - 1);
        vm.expectRevert(abi.encodeWithSelector(IBundleRegistry.StillOnDuty.selector, id));
        bundles.release(id);
        vm.warp(datasets.settledAt(21));
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(IDatasetRegistry.StillHeld.selector, made.id, 1));
        datasets.close(made.id);
        bundles.release(id);
        vm.assertEq(staking.operatorOf(actor("a")).locked, 0, "unlocked");
        vm.assertEq(staking.operatorOf(actor("a")).stake, STAKE, "whole");
        vm.expectRevert(abi.encodeWithSelector(IBundleRegistry.NotHeld.selector, id));
        bundles.release(id);
        vm.prank(owner);
        datasets.close(made.id);
    }

    function test_release_burnsABountyThatNobodyEarned() public {
        bytes32 id = enlistAndPlace(made, 0, "a");
        vm.prank(actor("a"));
        bundles.surrender(id);
        vm.warp(datasets.settledAt(21));
        bundles.release(id);
        vm.assertEq(bundles.bountyOf(id), 0, "bounty");
        vm.assertEq(bundles.flushBurn(), SURRENDER / 2, "burnt");
        vm.assertEq(token.balanceOf(address(bundles)), 0, "nothing stuck");
    }

    function test_vacate_onlyByTheModules() public {
        bytes32 id = enlistAndPlace(made, 0, "a");
        vm.expectRevert(
            abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, address(this))
        );
        bundles.vacate(id, address(this), "why not");
        vm.expectRevert(
            abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, address(this))
        );
        bundles.settleRepair(id);
        vm.expectRevert(abi.encodeWithSelector(IBundleRegistry.ModulesAlreadySet.selector, address(audit)));
        bundles.setModules(address(this), address(this));
    }

    function test_bounty_ofRepeatedFaultsNeverExceedsHalfOfOnePenalty() public {
        bytes32 id = enlistAndPlace(made, 0, "a");
        vm.prank(address(retrieval));
        bundles.vacate(id, address(0), "fault");
        enlistAndPlace(made, 0, "b");
        vm.prank(address(retrieval));
        bundles.vacate(id, address(0), "fault");
        vm.assertEq(bundles.bountyOf(id), MISS / 2, "capped");
        vm.assertEq(bundles.flushBurn(), MISS / 2, "the rest is burnt");
    }

    function test_slash_reachesTheLockWhileTheOperatorRetiresAndUnbonds() public {
        bytes32 id = enlistAndPlace(made, 0, "a");
        uint32 epoch = nextEpoch();
        vm.startPrank(actor("a"));
        staking.retire();
        vm.expectPartialRevert(IStaking.InsufficientUnlocked.selector);
        staking.unbond(1);
        vm.stopPrank();
        slash(id, epoch, address(this));
        vm.assertEq(staking.operatorOf(actor("a")).stake, STAKE - MISS, "slashed");
        vm.prank(actor("a"));
        staking.unbond(STAKE - MISS);
    }

    function test_receipt_ofADatasetThatIsPaidForLongerThanAgreedIsRefused() public {
        enlist("a", STAKE);
        IBundleRegistry.SignedReceipt memory signed = signReceipt(made, 0, "a", time() + 1 days);
        _addEpochs(1);
        vm.expectRevert(abi.encodeWithSelector(IBundleRegistry.TermTooLong.selector, made.id, 22, 21));
        placeSigned(signed);
    }

    /// @dev Attack: epochs are added, and holders answer, or are slashed, for as long as it pleases who pays.
    function test_attackC7_epochsAddedLater_bindNobodyWhoDidNotAgreeToThem() public {
        bytes32 id = enlistAndPlace(made, 0, "a");
        _addEpochs(100);
        toEpoch(21);
        uint32 epoch = openWithSeed();
        (, , uint64 closesAt) = audit.windowOf(epoch);
        vm.warp(closesAt + 1);
        vm.expectPartialRevert(IStorageAudit.NotDue.selector);
        audit.callTimeout(id, epoch);
        // Who goes on all the same is paid.
        uint32 next = nextEpoch();
        answer(id, next);
        vm.assertEq(audit.claim(id), FEE, "paid");
    }

    function test_release_byAnyoneOnceTheAgreedEpochsAreSettled_makesRoomForWhoAnswers() public {
        bytes32 id = enlistAndPlace(made, 0, "a");
        _addEpochs(100);
        vm.warp(datasets.settledAt(21) - 1);
        vm.expectRevert(abi.encodeWithSelector(IBundleRegistry.StillOnDuty.selector, id));
        bundles.release(id);
        vm.warp(datasets.settledAt(21));
        bundles.release(id);
        vm.assertEq(bundles.holdingOf(id).operator, address(0), "vacant");
        vm.assertEq(staking.operatorOf(actor("a")).stake, STAKE, "whole");
        vm.assertEq(staking.operatorOf(actor("a")).locked, 0, "unlocked");
        enlistAndPlace(made, 0, "b");
        vm.assertEq(bundles.holdingOf(id).operator, actor("b"), "somebody else");
    }

    function test_extend_byTheHolderAloneLetsItServeOn() public {
        bytes32 id = enlistAndPlace(made, 0, "a");
        _addEpochs(100);
        vm.expectPartialRevert(IBundleRegistry.NotHolder.selector);
        bundles.extend(id, 121);
        vm.startPrank(actor("a"));
        vm.expectRevert(abi.encodeWithSelector(IBundleRegistry.NotLonger.selector, id, 21, 21));
        bundles.extend(id, 21);
        bundles.extend(id, 121);
        vm.stopPrank();
        vm.assertEq(bundles.holdingOf(id).until, 121, "until");
        toEpoch(30);
        slash(id, openWithSeed(), address(this));
        vm.assertEq(staking.operatorOf(actor("a")).stake, STAKE - MISS, "on duty");
    }

    function test_settleRepair_ofABundleThatWasNeverLost_paysNothing() public {
        bytes32 id = enlistAndPlace(made, 0, "a");
        access.grantRole(AUDITOR, address(this), 0);
        bundles.settleRepair(id);
        vm.assertEq(bundles.creditOf(actor("a")), 0, "credit");
    }

    function _addEpochs(uint32 epochs) private {
        token.mint(owner, 1e24);
        vm.startPrank(owner);
        token.approve(address(datasets), 1e24);
        datasets.addEpochs(made.id, epochs);
        vm.stopPrank();
    }

    function _expectPlace(bytes4 selector, IBundleRegistry.SignedReceipt memory signed) private {
        vm.expectPartialRevert(selector);
        placeSigned(signed);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IBundleRegistry} from "../../../contracts/storage/interfaces/IBundleRegistry.sol";
import {StorageFixture} from "./StorageFixture.sol";

/// @notice Who may take a bundle: the first holder by the owner's word, every later one by a proof that it has it.
contract PlacementTest is StorageFixture {
    Anchored private made;

    function setUp() public {
        setUpStorage();
        made = anchorSmall(3, 20);
        enlist("a", STAKE);
        enlist("squatter", STAKE);
    }

    /// @dev Attack: the roots are public, so that anybody could sign for a vacant bundle without a byte of it.
    function test_attackC8_squatterWithAReceiptAlone_isNotPlaced() public {
        IBundleRegistry.SignedReceipt[] memory list = new IBundleRegistry.SignedReceipt[](1);
        list[0] = signReceipt(made, 0, "squatter", time() + 1 days);
        vm.expectRevert(abi.encodeWithSelector(IBundleRegistry.NotByOwner.selector, made.id, 0, owner));
        vm.prank(actor("squatter"));
        bundles.place(list);
        list[0].approval = list[0].signature;
        vm.expectPartialRevert(IBundleRegistry.NotByOwner.selector);
        vm.prank(actor("squatter"));
        bundles.place(list);
    }

    function test_consentOfTheOwner_placesTheOperatorThatItNamesAndNoOther() public {
        IBundleRegistry.SignedReceipt[] memory list = new IBundleRegistry.SignedReceipt[](1);
        list[0] = signReceipt(made, 0, "squatter", time() + 1 days);
        list[0].approval = _approval(0, "a");
        vm.expectPartialRevert(IBundleRegistry.NotByOwner.selector);
        bundles.place(list);
        list[0] = signReceipt(made, 1, "a", time() + 1 days);
        list[0].approval = _approval(0, "a");
        vm.expectPartialRevert(IBundleRegistry.NotByOwner.selector);
        bundles.place(list);
        list[0] = signReceipt(made, 0, "a", time() + 1 days);
        list[0].approval = _approval(0, "a");
        bundles.place(list);
        vm.assertEq(bundles.holdingOf(bundleOf(made, 0)).operator, actor("a"), "placed");
    }

    function test_vacantBundle_isNotTheOwnersToGive() public {
        bytes32 id = place(made, 0, "a");
        vm.prank(actor("a"));
        bundles.surrender(id);
        IBundleRegistry.SignedReceipt memory signed = signReceipt(made, 0, "squatter", time() + 1 days);
        vm.expectRevert(abi.encodeWithSelector(IBundleRegistry.ProofNeeded.selector, id));
        placeSigned(signed);
    }

    /// @dev Attack: squatters take the vacancies with the first proof they like, under a seed that was known before.
    function test_attackC8_seedThatWasKnownBeforeTheVacancy_placesNobody() public {
        bytes32 id = place(made, 0, "a");
        uint32 known = nextEpoch();
        vm.prank(actor("a"));
        bundles.surrender(id);
        uint256[8] memory proof = proofOf(POSSESSION, placingSignals(made, 0, actor("squatter"), known));
        IBundleRegistry.SignedReceipt memory signed = signReceipt(made, 0, "squatter", time() + 1 days);
        vm.assertEq(bundles.provableFrom(made.id, 0, actor("squatter")), known + 1, "from the next epoch on");
        vm.expectRevert(
            abi.encodeWithSelector(IBundleRegistry.EpochNotFit.selector, id, known, known + 1, known)
        );
        bundles.placeProven(signed, known, 7, proof);
        uint32 next = nextEpoch();
        placeProven(made, 0, "squatter", next);
        vm.assertEq(bundles.holdingOf(id).since, next + 1, "from the next epoch on");
        vm.assertEq(bundles.provableFrom(made.id, 0, actor("squatter")), 0, "held");
    }

    /// @dev Attack: addresses are ground until the sixteen cells that a known seed asks of them are those one has.
    function test_attackC8_operatorThatStakedAfterTheSeedWasAskedFor_isNotPlaced() public {
        bytes32 id = place(made, 0, "a");
        vm.prank(actor("a"));
        bundles.surrender(id);
        uint32 epoch = nextEpoch();
        skip(1);
        enlist("ground", STAKE);
        skip(1);
        uint256[8] memory proof = proofOf(POSSESSION, placingSignals(made, 0, actor("ground"), epoch));
        IBundleRegistry.SignedReceipt memory signed = signReceipt(made, 0, "ground", time() + 1 days);
        uint64 openedAt = audit.epochOf(epoch).openedAt;
        vm.expectRevert(
            abi.encodeWithSelector(IBundleRegistry.StakedTooLate.selector, actor("ground"), openedAt)
        );
        bundles.placeProven(signed, epoch, 7, proof);
        placeProven(made, 0, "ground", nextEpoch());
    }

    function testFuzz_proof_ofAnyOtherSignalsPlacesNobody(uint256 flipped, uint256 by) public {
        bytes32 id = place(made, 0, "a");
        vm.prank(actor("a"));
        bundles.surrender(id);
        uint32 epoch = nextEpoch();
        uint256[] memory signals = placingSignals(made, 0, actor("squatter"), epoch);
        signals[flipped % 4] ^= bound(by, 1, type(uint256).max);
        IBundleRegistry.SignedReceipt memory signed = signReceipt(made, 0, "squatter", time() + 1 days);
        vm.expectRevert(abi.encodeWithSelector(IBundleRegistry.WrongPossession.selector, id, epoch));
        bundles.placeProven(signed, epoch, 7, proofOf(POSSESSION, signals));
    }

    /// @dev An answer to an audit of the same epoch, by a holder of the bundle, is no proof for somebody else's placing, nor
    /// the other way round: the judge is in the evaluation point.
    function test_proof_ofAnAuditIsNoneForAPlacement() public {
        bytes32 id = place(made, 0, "a");
        vm.prank(actor("a"));
        bundles.surrender(id);
        uint32 epoch = nextEpoch();
        IBundleRegistry.Holding memory holding;
        holding.operator = actor("squatter");
        holding.cells = uint16(datasets.cellsOf(made.id, 0));
        holding.poseidonRoot = uint256(made.poseidonRoots[0]);
        uint256[] memory signals = possessionSignals(id, holding, epoch, 7, address(audit));
        IBundleRegistry.SignedReceipt memory signed = signReceipt(made, 0, "squatter", time() + 1 days);
        vm.expectPartialRevert(IBundleRegistry.WrongPossession.selector);
        bundles.placeProven(signed, epoch, 7, proofOf(POSSESSION, signals));
    }

    function test_proof_underASeedOfMoreThanOneEpochAgoIsRefused() public {
        bytes32 id = place(made, 0, "a");
        vm.prank(actor("a"));
        bundles.surrender(id);
        uint32 epoch = nextEpoch();
        toEpoch(epoch + 2);
        uint256[8] memory proof = proofOf(POSSESSION, placingSignals(made, 0, actor("squatter"), epoch));
        IBundleRegistry.SignedReceipt memory signed = signReceipt(made, 0, "squatter", time() + 1 days);
        vm.expectRevert(
            abi.encodeWithSelector(IBundleRegistry.EpochNotFit.selector, id, epoch, epoch, epoch + 2)
        );
        bundles.placeProven(signed, epoch, 7, proof);
        vm.expectRevert(abi.encodeWithSelector(IBundleRegistry.NoSeed.selector, epoch + 1));
        bundles.placeProven(signed, epoch + 1, 7, proof);
        vm.expectPartialRevert(IBundleRegistry.EpochNotFit.selector);
        bundles.placeProven(signed, epoch + 3, 7, proof);
    }

    function test_bundleThatWasNeverPlaced_isAnybodysWhoProvesItOnceTheOwnersTimeIsOver() public {
        bytes32 id = bundleOf(made, 0);
        vm.assertEq(
            bundles.provableFrom(made.id, 0, actor("squatter")),
            1 + EXCLUSIVE,
            "after the owner's time"
        );
        toEpoch(EXCLUSIVE);
        uint32 early = openWithSeed();
        uint256[8] memory proof = proofOf(POSSESSION, placingSignals(made, 0, actor("a"), early));
        IBundleRegistry.SignedReceipt memory signed = signReceipt(made, 0, "a", time() + 1 days);
        vm.expectPartialRevert(IBundleRegistry.EpochNotFit.selector);
        bundles.placeProven(signed, early, 7, proof);
        placeProven(made, 0, "a", nextEpoch());
        vm.assertEq(bundles.holdingOf(id).operator, actor("a"), "placed without the owner");
        // The owner can still give the others.
        placeSigned(signReceipt(made, 1, "squatter", time() + 1 days));
    }

    function test_heldBundle_isNotTakenByAProof() public {
        place(made, 0, "a");
        uint32 epoch = nextEpoch();
        uint256[8] memory proof = proofOf(POSSESSION, placingSignals(made, 0, actor("squatter"), epoch));
        IBundleRegistry.SignedReceipt memory signed = signReceipt(made, 0, "squatter", time() + 1 days);
        vm.expectPartialRevert(IBundleRegistry.AlreadyHeld.selector);
        bundles.placeProven(signed, epoch, 7, proof);
    }

    function _approval(uint256 index, string memory name) private view returns (bytes memory) {
        bytes32 digest = bundles.assignmentDigest(made.id, uint32(index), actor(name));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyOf("owner"), digest);
        return abi.encodePacked(r, s, v);
    }
}

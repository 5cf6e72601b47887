// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IBundleRegistry} from "../../../contracts/storage/interfaces/IBundleRegistry.sol";
import {IDatasetRegistry} from "../../../contracts/storage/interfaces/IDatasetRegistry.sol";
import {Limits} from "../../../contracts/storage/Limits.sol";
import {StorageFixture} from "./StorageFixture.sol";

/// @notice Operators that come first where a bundle loses its holder.
contract StandbysTest is StorageFixture {
    Anchored private made;
    bytes32 private id;

    function setUp() public {
        setUpStorage();
        made = anchorSmall(3, 20);
        enlist("a", STAKE);
        enlist("friend", STAKE);
        enlist("standby", STAKE);
        id = place(made, 0, "a");
    }

    /// @dev Attack: one that knows the seed before it is on chain is always first, and leaves again at once.
    function test_attack_whoIsFirstWithItsProof_waitsForTheStandbys() public {
        _name("standby");
        vm.prank(actor("a"));
        bundles.surrender(id);
        uint32 free = audit.currentEpoch() + 1;
        vm.assertEq(bundles.provableFrom(made.id, 0, actor("standby")), free, "at once");
        vm.assertEq(
            bundles.provableFrom(made.id, 0, actor("friend")),
            free + Limits.STANDBY_EPOCHS,
            "afterwards"
        );
        uint32 epoch = nextEpoch();
        _refused("friend", epoch, free + Limits.STANDBY_EPOCHS);
        placeProven(made, 0, "standby", epoch);
        vm.assertEq(bundles.holdingOf(id).operator, actor("standby"), "placed");
    }

    function test_standbysThatDoNotCome_leaveItToAnybodyAfterTwoEpochs() public {
        _name("standby");
        vm.prank(actor("a"));
        bundles.surrender(id);
        uint32 open = audit.currentEpoch() + 1 + Limits.STANDBY_EPOCHS;
        uint32 epoch = nextEpoch();
        while (epoch < open) {
            _refused("friend", epoch, open);
            epoch = nextEpoch();
        }
        placeProven(made, 0, "friend", epoch);
        vm.assertEq(bundles.holdingOf(id).operator, actor("friend"), "placed");
    }

    function test_anotherList_replacesTheOneBefore() public {
        _name("friend");
        _name("standby");
        vm.assertFalse(bundles.isStandby(made.id, actor("friend")), "named before");
        vm.assertTrue(bundles.isStandby(made.id, actor("standby")), "named last");
        vm.prank(actor("a"));
        bundles.surrender(id);
        vm.prank(owner);
        bundles.setStandbys(made.id, new address[](0));
        vm.assertFalse(bundles.isStandby(made.id, actor("standby")), "nobody is");
        placeProven(made, 0, "friend", nextEpoch());
    }

    /// @dev What nobody has held yet its owner gives to whom it likes, and to anybody only after its time.
    function test_bundleThatNobodyHasHeld_isNoStandbys() public {
        _name("standby");
        vm.assertEq(bundles.provableFrom(made.id, 1, actor("standby")), 1 + EXCLUSIVE, "a standby");
        vm.assertEq(bundles.provableFrom(made.id, 1, actor("friend")), 1 + EXCLUSIVE, "anybody");
    }

    function test_standbys_areNamedByTheOwnerAlone() public {
        address[] memory named = new address[](1);
        named[0] = actor("friend");
        vm.expectRevert(
            abi.encodeWithSelector(IDatasetRegistry.NotOwner.selector, made.id, owner, actor("friend"))
        );
        vm.prank(actor("friend"));
        bundles.setStandbys(made.id, named);
    }

    function test_standbys_areNoMoreThanOneTransactionWrites() public {
        address[] memory named = new address[](Limits.MAX_STANDBYS + 1);
        vm.expectRevert(
            abi.encodeWithSelector(IBundleRegistry.TooManyStandbys.selector, Limits.MAX_STANDBYS + 1)
        );
        vm.prank(owner);
        bundles.setStandbys(made.id, named);
    }

    function _name(string memory operator) private {
        address[] memory named = new address[](1);
        named[0] = actor(operator);
        vm.expectEmit();
        emit IBundleRegistry.StandbysSet(made.id, named);
        vm.prank(owner);
        bundles.setStandbys(made.id, named);
    }

    function _refused(string memory name, uint32 epoch, uint32 earliest) private {
        uint256[8] memory proof = proofOf(POSSESSION, placingSignals(made, 0, actor(name), epoch));
        IBundleRegistry.SignedReceipt memory signed = signReceipt(made, 0, name, time() + 1 days);
        vm.expectRevert(
            abi.encodeWithSelector(IBundleRegistry.EpochNotFit.selector, id, epoch, earliest, epoch)
        );
        bundles.placeProven(signed, epoch, 7, proof);
    }
}

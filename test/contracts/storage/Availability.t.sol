// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IBundleRegistry} from "../../../contracts/storage/interfaces/IBundleRegistry.sol";
import {IDatasetRegistry} from "../../../contracts/storage/interfaces/IDatasetRegistry.sol";
import {StorageFixture} from "./StorageFixture.sol";

/// @notice Whether enough of every segment is held to read it.
contract AvailabilityTest is StorageFixture {
    function setUp() public {
        setUpStorage();
    }

    function test_attackC4_bundlesAreCountedBySegment() public {
        // Two segments of (2, 3): four held bundles may leave one of them without any to read it by.
        Anchored memory made = anchorShape(IDatasetRegistry.Shape(4, 100, 2, 2, 3, false), 2);
        address[6] memory holders;
        bytes32[6] memory names = [bytes32("a"), "b", "c", "d", "e", "f"];
        for (uint256 i = 0; i < 6; ++i) holders[i] = enlist(string(abi.encode(names[i])), STAKE);
        requireShort(made.id, 2);
        for (uint256 i = 0; i < 3; ++i) place(made, i, string(abi.encode(names[i])));
        requireShort(made.id, 1);
        vm.assertFalse(datasets.wasHeld(made.id), "the second never was");
        vm.assertEq(datasets.heldIn(made.id, 0), 3, "first segment");
        vm.assertEq(datasets.heldIn(made.id, 1), 0, "second segment");
        IBundleRegistry.SignedReceipt[] memory list = new IBundleRegistry.SignedReceipt[](2);
        for (uint256 i = 0; i < 2; ++i) {
            list[i] = signReceipt(made, 4 + i, string(abi.encode(names[4 + i])), time() + 1 days);
        }
        vm.prank(owner);
        bundles.place(list);
        requireShort(made.id, 0);
        (, , uint40 filledAt) = datasets.availabilityOf(made.id);
        vm.assertEq(filledAt, time(), "filled");
        vm.prank(holders[0]);
        bundles.surrender(bundleOf(made, 0));
        requireShort(made.id, 0);
        vm.prank(holders[1]);
        bundles.surrender(bundleOf(made, 1));
        requireShort(made.id, 1);
        vm.assertTrue(datasets.wasHeld(made.id), "it was held");
        vm.assertEq(datasets.heldIn(made.id, 0), 1, "left");
        vm.assertEq(datasets.datasetOf(made.id).held, 3, "held in all");
    }

    function test_place_receiptsOfSeveralSegmentsAtOnce() public {
        Anchored memory made = anchorShape(IDatasetRegistry.Shape(4, 100, 2, 2, 3, false), 2);
        IBundleRegistry.SignedReceipt[] memory list = new IBundleRegistry.SignedReceipt[](6);
        for (uint256 i = 0; i < 6; ++i) {
            string memory name = string(abi.encode("holder", i));
            enlist(name, STAKE);
            list[i] = signReceipt(made, i, name, time() + 1 days);
        }
        vm.prank(owner);
        bundles.place(list);
        requireShort(made.id, 0);
        vm.assertEq(datasets.heldIn(made.id, 0) + datasets.heldIn(made.id, 1), 6, "both");
    }

    function test_place_receiptsInAnyOrderOfSegments_areCountedWhereTheyBelong() public {
        Anchored memory made = anchorShape(IDatasetRegistry.Shape(8, 100, 2, 2, 3, false), 2);
        // Of four segments: the first bundle of the last, then all of the first, then two of the second.
        uint256[6] memory order = [uint256(9), 0, 1, 2, 3, 5];
        IBundleRegistry.SignedReceipt[] memory list = new IBundleRegistry.SignedReceipt[](6);
        for (uint256 i = 0; i < 6; ++i) {
            string memory name = string(abi.encode("holder", i));
            enlist(name, STAKE);
            list[i] = signReceipt(made, order[i], name, time() + 1 days);
        }
        vm.prank(owner);
        bundles.place(list);
        uint256[4] memory held = [uint256(3), 2, 0, 1];
        for (uint256 i = 0; i < 4; ++i) vm.assertEq(datasets.heldIn(made.id, i), held[i], "segment");
        requireShort(made.id, 2);
        vm.assertEq(datasets.datasetOf(made.id).held, 6, "in all");
    }

    function test_wasHeld_countsEachSegmentOnce_alsoWhereThereAreMoreThanAWordHasBits() public {
        uint64 segments = 300;
        Anchored memory made = anchorShape(IDatasetRegistry.Shape(segments, 100, 1, 1, 2, false), 2);
        vm.startPrank(address(bundles));
        for (uint256 i = 0; i < segments; ++i) {
            vm.assertFalse(datasets.wasHeld(made.id), "one never was");
            datasets.addHeld(made.id, i, 1);
            // Whoever leaves undoes nothing, and whoever comes again counts for nothing.
            datasets.removeHeld(made.id, i);
            datasets.addHeld(made.id, i, 1);
            datasets.removeHeld(made.id, i);
        }
        vm.stopPrank();
        vm.assertTrue(datasets.wasHeld(made.id), "each was");
        requireShort(made.id, segments);
    }

    function requireShort(bytes32 id, uint256 wanted) private view {
        (, uint16 shortSegments, ) = datasets.availabilityOf(id);
        vm.assertEq(shortSegments, wanted, "short segments");
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {MerkleProofs} from "../../../contracts/libraries/MerkleProofs.sol";
import {IDatasetRegistry} from "../../../contracts/storage/interfaces/IDatasetRegistry.sol";
import {IRetrievalChallenges} from "../../../contracts/storage/interfaces/IRetrievalChallenges.sol";
import {StorageFixture} from "./StorageFixture.sol";

/// @notice Questions to the owner of a dataset: for cells of a bundle that no holder owes.
contract OwnerQuestionsTest is StorageFixture {
    uint64 private constant LIMIT = 6 hours;

    Anchored private made;
    address private challenger = actor("challenger");

    function setUp() public {
        setUpStorage();
        made = anchorSmall(3, 20);
        enlistAndPlace(made, 0, "a");
        enlistAndPlace(made, 1, "b");
        vm.deal(challenger, 10 ether);
        toEpoch(1);
    }

    function test_challengeOwner_isAnnounced_andAsksTheOwner() public {
        address owner = datasets.datasetOf(made.id).owner;
        uint64 deadline = uint64(time()) + LIMIT;
        vm.expectEmit(address(retrieval));
        emit IRetrievalChallenges.OwnerChallenged(1, made.id, owner, challenger, 2, 0, deadline);
        uint256 number = _ask(2);
        IRetrievalChallenges.Challenge memory asked = retrieval.challengeOf(number);
        vm.assertEq(asked.operator, owner, "owner");
        vm.assertTrue(asked.isOwners, "its own");
        vm.assertEq(asked.bundleId, bundleOf(made, 2), "bundle");
        vm.assertEq(asked.datasetId, made.id, "dataset");
        vm.assertEq(asked.cells, 1, "cells");
        vm.assertEq(asked.bond, RETRIEVAL_BOND, "bond");
        vm.assertEq(asked.madeAt, time(), "time");
        vm.assertEq(asked.grace, GRACE, "grace");
        vm.assertEq(retrieval.openAgainst(owner), 0, "no holder's");
        vm.assertEq(retrieval.openOf(bundleOf(made, 2)), 0, "keeps no holder");
        vm.assertEq(retrieval.askedSince(made.id), time(), "asked for");
    }

    function test_challengeOwner_forWhatAHolderOwesIsRefused() public {
        vm.expectRevert(
            abi.encodeWithSelector(IRetrievalChallenges.OwedByHolder.selector, bundleOf(made, 0), actor("a"))
        );
        _ask(0);
    }

    function test_challengeOwner_whereASegmentIsShortIsRefused() public {
        Anchored memory short = anchorSmall(3, 20);
        enlistAndPlace(short, 0, "d");
        bytes32[] memory path = bundleProof(short, 2);
        (bytes32 poseidon, bytes32 transport) = (short.poseidonRoots[2], short.transportRoots[2]);
        vm.expectRevert(
            abi.encodeWithSelector(IRetrievalChallenges.NothingOwed.selector, bundleOf(short, 2))
        );
        vm.prank(challenger);
        retrieval.challengeOwner{value: RETRIEVAL_BOND}(short.id, 2, 0, poseidon, transport, path);
    }

    function test_whatAnOwnerHasPublished_itIsNotAskedForAgain() public {
        uint256 number = _ask(2);
        vm.expectRevert(
            abi.encodeWithSelector(
                IRetrievalChallenges.AlreadyChallenged.selector,
                bundleOf(made, 2),
                0,
                number
            )
        );
        _ask(2);
        retrieval.publish(number, cellOf(manifestOf(1), 2), new bytes32[](0));
        vm.expectRevert(
            abi.encodeWithSelector(IRetrievalChallenges.AlreadyPublished.selector, bundleOf(made, 2), 0)
        );
        _ask(2);
        // Of a holder it can be asked as before.
        enlistAndPlace(made, 2, "c");
        bytes32[] memory path = bundleProof(made, 2);
        bytes32 bundleId = bundleOf(made, 2);
        vm.prank(challenger);
        retrieval.challenge{value: RETRIEVAL_BOND}(bundleId, 0, made.transportRoots[2], path);
    }

    function test_whatAHolderHasPublished_itsOwnerCanBeAskedFor() public {
        enlistAndPlace(made, 2, "c");
        bytes32[] memory path = bundleProof(made, 2);
        bytes32 bundleId = bundleOf(made, 2);
        vm.prank(challenger);
        uint256 number = retrieval.challenge{value: RETRIEVAL_BOND}(
            bundleId,
            0,
            made.transportRoots[2],
            path
        );
        retrieval.publish(number, cellOf(manifestOf(1), 2), new bytes32[](0));
        vm.prank(actor("c"));
        bundles.surrender(bundleId);
        _ask(2);
    }

    function test_release_ofWhatIsOpenIsRefused_andOfWhatIsGonePassedOver() public {
        uint256[] memory numbers = new uint256[](2);
        numbers[0] = _ask(2);
        vm.expectRevert(abi.encodeWithSelector(IRetrievalChallenges.NotPublished.selector, numbers[0]));
        retrieval.release(numbers);
        retrieval.publish(numbers[0], cellOf(manifestOf(1), 2), new bytes32[](0));
        vm.assertFalse(retrieval.isOpen(numbers[0]), "answered");
        uint64 until = uint64(time()) + LIMIT;
        vm.warp(until);
        vm.expectRevert(
            abi.encodeWithSelector(IRetrievalChallenges.TooEarly.selector, numbers[0], until + 1)
        );
        retrieval.release(numbers);
        vm.warp(until + 1);
        // The second was never asked.
        retrieval.release(numbers);
        vm.assertEq(retrieval.askedSince(made.id), 0, "asked for no more");
        vm.assertEq(retrieval.questionsOf(made.id, 0, 5).length, 0, "gone");
        retrieval.release(numbers);
    }

    function test_unanswered_staysAfterTheBondIsBack_untilTheDatasetIsOver() public {
        uint256 number = _ask(2);
        uint64 deadline = uint64(time()) + LIMIT;
        vm.expectRevert(abi.encodeWithSelector(IRetrievalChallenges.NoTimeout.selector, number));
        retrieval.slashFailed(number);
        vm.warp(deadline + 1);
        retrieval.callTimeout(number);
        uint64 graceEnds = deadline + 1 + GRACE;
        vm.warp(graceEnds);
        vm.assertFalse(retrieval.isUnanswered(number, made.id), "may still be published");
        vm.expectRevert(
            abi.encodeWithSelector(IRetrievalChallenges.TooEarly.selector, number, graceEnds + 1)
        );
        retrieval.slashFailed(number);
        vm.warp(graceEnds + 1);
        vm.assertTrue(retrieval.isUnanswered(number, made.id), "unanswered");
        vm.assertFalse(retrieval.isUnanswered(number, bytes32(uint256(1))), "of this dataset");
        uint256 stake = staking.operatorOf(actor("a")).stake;
        vm.expectEmit(address(retrieval));
        emit IRetrievalChallenges.RetrievalFailed(
            number,
            bundleOf(made, 2),
            datasets.datasetOf(made.id).owner
        );
        retrieval.slashFailed(number);
        vm.assertEq(retrieval.creditOf(challenger), RETRIEVAL_BOND, "bond");
        vm.assertEq(staking.operatorOf(actor("a")).stake, stake, "no holder's fault");
        vm.assertEq(retrieval.failedAt(made.id), 0, "no holder failed");
        vm.assertTrue(retrieval.isOpen(number), "still open");
        vm.assertTrue(retrieval.isUnanswered(number, made.id), "still unanswered");
        vm.expectRevert(abi.encodeWithSelector(IRetrievalChallenges.UnknownChallenge.selector, number));
        retrieval.slashFailed(number);
        vm.warp(datasets.settledAt(datasets.datasetOf(made.id).endEpoch));
        retrieval.slashFailed(number);
        vm.assertEq(retrieval.creditOf(challenger), RETRIEVAL_BOND, "once");
        vm.assertEq(retrieval.askedSince(made.id), 0, "over");
        vm.assertFalse(retrieval.isUnanswered(number, made.id), "nobody's");
    }

    function test_whatAnOwnerHasPublished_isKnownCellByCell() public {
        (Anchored memory many, bytes32[] memory leaves) = _manyCells();
        for (uint256 i = 0; i < 6; ++i) {
            uint32 cell = [uint32(0), 1, 255, 256, 257, 299][i];
            uint256 number = _askCell(many, cell);
            retrieval.publish(number, new bytes(496), _path(leaves, cell));
            vm.expectPartialRevert(IRetrievalChallenges.AlreadyPublished.selector);
            _askCell(many, cell);
        }
        for (uint256 i = 0; i < 6; ++i) _askCell(many, [uint32(2), 254, 258, 16, 128, 298][i]);
    }

    /// @dev A dataset of bundles of 300 cells of zeros, the second of which nobody holds.
    function _manyCells() private returns (Anchored memory many, bytes32[] memory leaves) {
        leaves = new bytes32[](512);
        bytes32 leaf = keccak256(abi.encodePacked(bytes1(0), new bytes(496)));
        for (uint256 i = 0; i < 300; ++i) leaves[i] = leaf;
        bytes32 root = leaf;
        bytes32[] memory path = _path(leaves, 0);
        for (uint256 depth = 0; depth < 9; ++depth) root = MerkleProofs.nodeOf(root, path[depth]);
        many.bundles = 2;
        (many.poseidonRoots, many.transportRoots) = (new bytes32[](2), new bytes32[](2));
        for (uint256 i = 0; i < 2; ++i) {
            (many.poseidonRoots[i], many.transportRoots[i]) = (bytes32(i + 1), root);
        }
        anchorRoots(many, "many cells", IDatasetRegistry.Shape(1, 300 * 496 - 32, 1, 1, 2, false), 20);
        enlistAndPlace(many, 0, "d");
    }

    function _path(bytes32[] memory leaves, uint256 index) private pure returns (bytes32[] memory path) {
        path = new bytes32[](9);
        bytes32[] memory level = leaves;
        for (uint256 depth = 0; depth < 9; ++depth) {
            path[depth] = level[index ^ 1];
            bytes32[] memory above = new bytes32[](level.length / 2);
            for (uint256 i = 0; i < above.length; ++i) {
                above[i] = MerkleProofs.nodeOf(level[2 * i], level[2 * i + 1]);
            }
            (level, index) = (above, index / 2);
        }
    }

    function _askCell(Anchored memory of_, uint32 cell) private returns (uint256) {
        bytes32[] memory path = bundleProof(of_, 1);
        vm.prank(challenger);
        return
            retrieval.challengeOwner{value: RETRIEVAL_BOND}(
                of_.id,
                1,
                cell,
                of_.poseidonRoots[1],
                of_.transportRoots[1],
                path
            );
    }

    function _ask(uint32 index) private returns (uint256) {
        bytes32[] memory path = bundleProof(made, index);
        vm.prank(challenger);
        return
            retrieval.challengeOwner{value: RETRIEVAL_BOND}(
                made.id,
                index,
                0,
                made.poseidonRoots[index],
                made.transportRoots[index],
                path
            );
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {Credits} from "../../../contracts/libraries/Credits.sol";
import {ExactTransfer} from "../../../contracts/libraries/ExactTransfer.sol";
import {DatasetRegistry} from "../../../contracts/storage/DatasetRegistry.sol";
import {Limits} from "../../../contracts/storage/Limits.sol";
import {IDatasetRegistry} from "../../../contracts/storage/interfaces/IDatasetRegistry.sol";
import {FeeToken} from "../token/HostileTokens.sol";
import {StorageFixture} from "./StorageFixture.sol";

contract DatasetRegistryTest is StorageFixture {
    bytes32[] private _roots;

    function setUp() public {
        setUpStorage();
    }

    function test_anchor_takesExactlyTheQuoteAndRecordsWhatWasSaid() public {
        Anchored memory made = anchorSmall(3, 10);
        IDatasetRegistry.Dataset memory dataset = datasets.datasetOf(made.id);
        vm.assertEq(dataset.owner, owner, "owner");
        vm.assertEq(dataset.bundles, 3, "bundles");
        vm.assertEq(dataset.firstEpoch, 1, "first");
        vm.assertEq(dataset.endEpoch, 11, "end");
        vm.assertEq(dataset.agreedEnd, 11, "agreed");
        vm.assertEq(dataset.bond, uint256(BOND) * 3, "bond");
        vm.assertEq(dataset.feeBalance, uint256(FEE) * 3 * 10, "fees");
        vm.assertEq(token.balanceOf(address(datasets)), uint256(BOND) * 3 + uint256(FEE) * 30, "balance");
        vm.assertEq(token.balanceOf(owner), 0, "owner's rest");
        // Every part is static, so that the encoded struct is its words one after another.
        bytes memory terms = abi.encode(
            dataset.shape,
            dataset.objectRoot,
            dataset.bundlesRoot,
            bytes32(0),
            FEE,
            uint32(10),
            parameters()
        );
        bytes32 id = keccak256(
            abi.encode(block.chainid, address(datasets), owner, dataset.manifestHash, keccak256(terms))
        );
        vm.assertEq(made.id, id, "id");
    }

    /// @dev Attack: receipts bound no terms, so that an owner could anchor the roots that nodes had signed for with another
    /// fee, term, shape or object root. None of it fits the id that they signed now.
    function testFuzz_attackC7_anchor_ofOtherTermsThanNodesSignedForIsRefused(uint256 which) public {
        _roots = [bytes32(uint256(1)), bytes32(uint256(2)), bytes32(uint256(3))];
        IDatasetRegistry.AnchorParameters memory changed = _named("m", 2, owner);
        bytes32 signed = changed.datasetId;
        which %= 7;
        if (which == 0) changed.feePerAudit = 0;
        if (which == 1) changed.epochs = 200;
        if (which == 2) changed.shape.objectSize += 1;
        if (which == 3) changed.objectRoot = "other";
        if (which == 4) changed.manifestHash = "other";
        if (which == 5) changed.shape.encrypted = true;
        if (which == 6) _roots[1] = bytes32(uint256(7));
        _fund(owner);
        vm.expectPartialRevert(IDatasetRegistry.TermsChanged.selector);
        vm.prank(owner);
        datasets.anchor(changed, _roots, _roots);
        vm.assertEq(uint256(datasets.datasetOf(signed).status), 0, "nothing anchored");
    }

    function test_anchor_underParametersThatChangedSinceNodesSignedIsRefused() public {
        _roots = [bytes32(uint256(1)), bytes32(uint256(2)), bytes32(uint256(3))];
        IDatasetRegistry.AnchorParameters memory signed = _named("m", 2, owner);
        _fund(owner);
        IDatasetRegistry.Parameters memory next = parameters();
        next.missPenalty += 1;
        datasets.setParameters(next);
        bytes32 changed = _named("m", 2, owner).datasetId;
        vm.expectRevert(
            abi.encodeWithSelector(IDatasetRegistry.TermsChanged.selector, signed.datasetId, changed)
        );
        vm.prank(owner);
        datasets.anchor(signed, _roots, _roots);
        datasets.setParameters(parameters());
        vm.prank(owner);
        vm.assertEq(datasets.anchor(signed, _roots, _roots), signed.datasetId, "as signed");
    }

    /// @dev Attack: whoever sees an anchor on its way sends the same call first, for the ids, receipts or history in it.
    function test_attackC7_anchor_copiedByAnotherAccountIsRefused() public {
        _roots = [bytes32(uint256(1)), bytes32(uint256(2)), bytes32(uint256(3))];
        IDatasetRegistry.AnchorParameters memory signed = _named("m", 2, owner);
        _fund(address(this));
        vm.expectPartialRevert(IDatasetRegistry.TermsChanged.selector);
        datasets.anchor(signed, _roots, _roots);
    }

    function testFuzz_bundlesRoot_isTheMerkleRootOfTheListedRoots(
        uint8 n,
        uint8 segments,
        uint256 index
    ) public {
        IDatasetRegistry.Shape memory shape = smallShape(uint8(bound(n, 3, 20)));
        shape.objectCount = uint64(bound(segments, 1, 5)) * 4;
        Anchored memory made = anchorShape(shape, 1);
        index = bound(index, 0, made.bundles - 1);
        bytes32 node = keccak256(
            abi.encodePacked(bytes1(0), uint32(index), made.poseidonRoots[index], made.transportRoots[index])
        );
        bytes32[] memory proof = bundleProof(made, index);
        for (uint256 i = 0; i < proof.length; ++i) {
            node =
                (index >> i) & 1 == 0
                    ? keccak256(abi.encodePacked(bytes1(0x01), node, proof[i]))
                    : keccak256(abi.encodePacked(bytes1(0x01), proof[i], node));
        }
        vm.assertEq(node, datasets.datasetOf(made.id).bundlesRoot, "root");
    }

    function test_anchor_refusesEveryShapeBeyondItsLimit() public {
        IDatasetRegistry.Shape memory shape = smallShape(3);
        shape.k = uint8(Limits.MAX_K) + 1;
        shape.n = 255;
        _expectShape("k", Limits.MAX_K + 1, 1, Limits.MAX_K, shape);
        shape.k = 0;
        _expectShape("k", 0, 1, Limits.MAX_K, shape);
        shape = smallShape(2);
        _expectShape("n", 2, 3, 255, shape);
        shape = smallShape(3);
        shape.objectCount = 0;
        _expectShape("objectCount", 0, 1, type(uint64).max, shape);
        shape = smallShape(3);
        shape.objectSize = 0;
        _expectShape("objectSize", 0, 1, type(uint32).max, shape);
        shape = smallShape(3);
        shape.segmentObjects = 0;
        _expectShape("segmentObjects", 0, 1, type(uint32).max, shape);
        shape = smallShape(9);
        shape.objectCount = 404;
        _expectShape("bundles", 909, 2, 900, shape);
        // 16,384 cells hold exactly this object at k = 2 with its hash list: 16 bytes per shard.
        shape = smallShape(3);
        (shape.objectCount, shape.segmentObjects) = (1, 1);
        shape.objectSize = (16_384 * 496 - 16) * 2;
        datasets.quote(shape, 1, 1);
        shape.objectSize += 1;
        _expectShape("cells", 16_385, 1, 16_384, shape);
    }

    function testFuzz_cells_followTheShapeToTheByte(
        uint32 size,
        uint16 objects,
        uint8 k,
        bool sealed_
    ) public {
        IDatasetRegistry.Shape memory shape;
        shape.k = uint8(bound(k, 1, 36));
        shape.n = shape.k + 3;
        shape.objectSize = uint32(bound(size, 1, 4096));
        shape.objectCount = uint64(bound(objects, 1, 1000));
        shape.segmentObjects = 300;
        shape.encrypted = sealed_;
        Anchored memory made = anchorShape(shape, 1);
        uint256 segments = made.bundles / shape.n;
        uint256 last = shape.objectCount - (segments - 1) * 300;
        uint256 tag = sealed_ ? 16 : 0;
        uint256 shard = (shape.objectSize + tag + shape.k - 1) / shape.k;
        uint256 expected = last * shard + (32 * last + tag + shape.k - 1) / shape.k;
        vm.assertEq(datasets.cellsOf(made.id, uint32(made.bundles - 1)), (expected + 495) / 496, "cells");
    }

    function test_anchor_refusesARootOutsideTheField() public {
        _roots = [bytes32(uint256(1)), bytes32(FIELD), bytes32(uint256(2))];
        vm.expectRevert(abi.encodeWithSelector(IDatasetRegistry.RootNotInField.selector, 1, bytes32(FIELD)));
        vm.prank(owner);
        datasets.anchor(_unnamed("m", 1), _roots, _roots);
    }

    function test_anchor_refusesListsOfAnotherLength() public {
        _roots = [bytes32(uint256(1)), bytes32(uint256(2))];
        vm.expectRevert(abi.encodeWithSelector(IDatasetRegistry.WrongRootCount.selector, 2, 2, 3));
        datasets.anchor(_unnamed("m", 1), _roots, _roots);
    }

    function test_anchor_refusesTermsBeyondTheBoundsOfAClaim() public {
        _roots = [bytes32(uint256(1)), bytes32(uint256(2)), bytes32(uint256(3))];
        vm.expectPartialRevert(IDatasetRegistry.OutOfBounds.selector);
        datasets.anchor(_unnamed("m", 16_385), _roots, _roots);
        vm.expectPartialRevert(IDatasetRegistry.OutOfBounds.selector);
        datasets.anchor(_unnamed("m", 0), _roots, _roots);
    }

    function test_anchor_sameManifestTwiceIsRefusedAndAnotherOwnersHasAnotherId() public {
        Anchored memory made = anchorSmall(3, 1);
        bytes32 manifest = manifestOf(1);
        IDatasetRegistry.AnchorParameters memory again = anchorParameters(made, manifest, smallShape(3), 1);
        _fund(owner);
        vm.expectRevert(abi.encodeWithSelector(IDatasetRegistry.AlreadyAnchored.selector, made.id));
        vm.prank(owner);
        datasets.anchor(again, made.poseidonRoots, made.transportRoots);
        _fund(address(this));
        again = named(datasets, bundlesRootOf(made), again, address(this));
        bytes32 other = datasets.anchor(again, made.poseidonRoots, made.transportRoots);
        vm.assertNotEq(other, made.id, "id binds the owner");
    }

    function test_anchor_refusesATokenThatTakesAFee() public {
        FeeToken feeToken = new FeeToken();
        DatasetRegistry other = new DatasetRegistry(
            address(access),
            feeToken,
            EPOCH,
            CLOSE_DELAY,
            parameters()
        );
        feeToken.mint(address(this), 1e24);
        feeToken.approve(address(other), 1e24);
        _roots = [bytes32(uint256(1)), bytes32(uint256(2)), bytes32(uint256(3))];
        bytes32 root = bundlesRootOf(Anchored(0, 3, _roots, _roots));
        IDatasetRegistry.AnchorParameters memory anchored = named(
            other,
            root,
            _unnamed("m", 1),
            address(this)
        );
        vm.expectPartialRevert(ExactTransfer.InexactTransfer.selector);
        other.anchor(anchored, _roots, _roots);
    }

    function test_versions_areALinearHistoryOfOneOwner() public {
        bytes32 first = anchorSmall(3, 1).id;
        _roots = [bytes32(uint256(1)), bytes32(uint256(2)), bytes32(uint256(3))];
        IDatasetRegistry.AnchorParameters memory next = _unnamed("v2", 1);
        next.previous = first;
        next = _rename(next, address(this));
        _fund(address(this));
        vm.expectRevert(
            abi.encodeWithSelector(IDatasetRegistry.NotOwner.selector, first, owner, address(this))
        );
        datasets.anchor(next, _roots, _roots);

        _fund(owner);
        next = _rename(next, owner);
        vm.prank(owner);
        bytes32 second = datasets.anchor(next, _roots, _roots);
        vm.assertEq(datasets.successorOf(first), second, "successor");
        vm.assertEq(datasets.datasetOf(second).previous, first, "previous");

        next.manifestHash = "fork";
        next = _rename(next, owner);
        _fund(owner);
        vm.expectRevert(abi.encodeWithSelector(IDatasetRegistry.HasSuccessor.selector, first, second));
        vm.prank(owner);
        datasets.anchor(next, _roots, _roots);

        next.previous = "nothing";
        next = _rename(next, owner);
        vm.expectRevert(abi.encodeWithSelector(IDatasetRegistry.UnknownDataset.selector, bytes32("nothing")));
        vm.prank(owner);
        datasets.anchor(next, _roots, _roots);
    }

    function test_parameterChange_doesNotAlterAnAnchoredDataset() public {
        Anchored memory made = anchorSmall(3, 2);
        IDatasetRegistry.Dataset memory before = datasets.datasetOf(made.id);
        IDatasetRegistry.Parameters memory changed = IDatasetRegistry.Parameters(99, 100, 90, 60, address(7));
        datasets.setParameters(changed);
        vm.assertEq(abi.encode(datasets.parameters()), abi.encode(changed), "those of the next");
        vm.assertEq(
            keccak256(abi.encode(datasets.datasetOf(made.id))),
            keccak256(abi.encode(before)),
            "unchanged"
        );
        Anchored memory next = anchorSmall(3, 2);
        IDatasetRegistry.Dataset memory dataset = datasets.datasetOf(next.id);
        vm.assertEq(dataset.bond, 297, "new bond");
        vm.assertEq(dataset.policy, address(7), "new policy");
    }

    function test_parameters_haveHardBounds() public {
        // A surrender below half of a missed audit would make it pay to take a bounty and leave again.
        _expectParameters(IDatasetRegistry.Parameters(10, 100, 80, 39, address(0)));
        _expectParameters(IDatasetRegistry.Parameters(10, 100, 80, 80, address(0)));
        _expectParameters(IDatasetRegistry.Parameters(10, 79, 80, 50, address(0)));
        _expectParameters(IDatasetRegistry.Parameters(0, 100, 80, 50, address(0)));
        _expectParameters(IDatasetRegistry.Parameters(1e25 + 1, 100, 80, 50, address(0)));
        datasets.setParameters(IDatasetRegistry.Parameters(1e25, 1e25, 1e25, 5e24, address(0)));
    }

    function test_addEpochs_byTheOwnerWhileTheDatasetRuns() public {
        Anchored memory made = anchorSmall(3, 2);
        _fund(owner);
        vm.prank(owner);
        datasets.addEpochs(made.id, 5);
        IDatasetRegistry.Dataset memory dataset = datasets.datasetOf(made.id);
        vm.assertEq(dataset.endEpoch, 8, "end");
        vm.assertEq(dataset.agreedEnd, 3, "nobody has agreed to what is added");
        vm.assertEq(dataset.feeBalance, uint256(FEE) * 3 * 7, "fees");
        toEpoch(7);
        vm.prank(owner);
        datasets.addEpochs(made.id, 1);
        vm.assertEq(datasets.datasetOf(made.id).endEpoch, 9, "later end");
        (uint32 from, uint32 to) = datasets.gapOf(made.id);
        vm.assertEq(abi.encode(from, to), abi.encode(0, 0), "no gap");
    }

    function test_addEpochs_byAStrangerIsRefusedSoThatNobodyElseBindsTheOwnersBond() public {
        Anchored memory made = anchorSmall(3, 2);
        _fund(address(this));
        vm.expectRevert(
            abi.encodeWithSelector(IDatasetRegistry.NotOwner.selector, made.id, owner, address(this))
        );
        datasets.addEpochs(made.id, 16_000);
    }

    function test_addEpochs_saysWhatWasPaidAndUntilWhen() public {
        Anchored memory made = anchorSmall(3, 2);
        _fund(owner);
        vm.expectEmit(address(datasets));
        emit IDatasetRegistry.FeesAdded(made.id, owner, uint256(FEE) * 3 * 5, 8);
        vm.prank(owner);
        datasets.addEpochs(made.id, 5);
    }

    /// @dev 96 bits hold a dataset's fees: one unit more would be cut off, and the fee paid for nothing.
    function test_fees_beyondWhatADatasetsBalanceHoldsAreRefused() public {
        _roots = [bytes32(uint256(1)), bytes32(uint256(2)), bytes32(uint256(3))];
        uint96 fee = 1e25;
        uint32 most = uint32(type(uint96).max / (3 * uint256(fee)));
        IDatasetRegistry.AnchorParameters memory anchored = _unnamed("m", most + 1);
        anchored.feePerAudit = fee;
        anchored = _rename(anchored, owner);
        bytes memory refused = _feesRefused(uint256(fee) * 3 * (most + 1));
        vm.startPrank(owner);
        vm.expectRevert(refused);
        datasets.anchor(anchored, _roots, _roots);
        anchored.epochs = most;
        vm.stopPrank();
        anchored = _rename(anchored, owner);
        token.mint(owner, 1e30);
        vm.startPrank(owner);
        token.approve(address(datasets), 1e30);
        datasets.anchor(anchored, _roots, _roots);
        vm.assertEq(datasets.datasetOf(anchored.datasetId).feeBalance, uint256(fee) * 3 * most, "all of it");
        vm.expectRevert(refused);
        datasets.addEpochs(anchored.datasetId, 1);
        vm.stopPrank();
    }

    function test_close_leavesNothingThatCouldBePaidOnceMore() public {
        Anchored memory made = anchorSmall(3, 2);
        vm.warp(datasets.settledAt(3));
        vm.expectEmit(address(datasets));
        emit IDatasetRegistry.DatasetClosed(made.id, uint256(BOND) * 3, uint256(FEE) * 6);
        vm.prank(owner);
        datasets.close(made.id);
        IDatasetRegistry.Dataset memory dataset = datasets.datasetOf(made.id);
        vm.assertEq(dataset.bond, 0, "bond");
        vm.assertEq(dataset.feeBalance, 0, "fees");
    }

    function test_fraud_saysWhoHasTheBondAndHowMuchIsBurnt() public {
        Anchored memory made = anchorSmall(3, 2);
        address claimant = actor("claimant");
        uint256 bond = uint256(BOND) * 3;
        vm.expectEmit(address(datasets));
        emit IDatasetRegistry.BondSlashed(made.id, claimant, bond, bond / 2);
        vm.prank(address(fraud));
        datasets.markFraudulent(made.id, claimant);
        vm.assertEq(datasets.datasetOf(made.id).bond, 0, "nothing to slash again");
    }

    function test_close_onlyByTheOwnerAfterTheLastDeadline() public {
        Anchored memory made = anchorSmall(3, 2);
        uint64 due = datasets.settledAt(3);
        vm.assertEq(due, datasets.genesis() + 3 * uint64(EPOCH) + CLOSE_DELAY, "time");
        vm.warp(due - 1);
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(IDatasetRegistry.StillRunning.selector, made.id, due));
        datasets.close(made.id);
        vm.warp(due);
        vm.expectPartialRevert(IDatasetRegistry.NotOwner.selector);
        datasets.close(made.id);
        vm.startPrank(owner);
        datasets.close(made.id);
        vm.assertEq(datasets.withdrawCredit(owner), uint256(BOND) * 3 + uint256(FEE) * 6, "all back");
        vm.expectPartialRevert(IDatasetRegistry.WrongStatus.selector);
        datasets.close(made.id);
        vm.expectRevert(abi.encodeWithSelector(Credits.NoCredit.selector, owner));
        datasets.withdrawCredit(owner);
        vm.stopPrank();
        vm.assertEq(token.balanceOf(address(datasets)), 0, "nothing left");
    }

    function test_fraud_halvesTheBondBetweenClaimantAndBurnAndReturnsUnspentFees() public {
        Anchored memory made = anchorSmall(3, 2);
        address claimant = actor("claimant");
        vm.prank(address(fraud));
        datasets.markFraudulent(made.id, claimant);
        vm.assertEq(datasets.creditOf(claimant), (uint256(BOND) * 3) / 2, "claimant");
        vm.prank(address(fraud));
        vm.expectPartialRevert(IDatasetRegistry.WrongStatus.selector);
        datasets.markFraudulent(made.id, claimant);
        vm.prank(owner);
        datasets.close(made.id);
        vm.assertEq(uint256(datasets.datasetOf(made.id).status), 2, "stays on record");
        vm.assertEq(datasets.creditOf(owner), uint256(FEE) * 6, "fees");
        vm.assertEq(datasets.flushBurn(), (uint256(BOND) * 3) / 2, "burnt");
    }

    function test_modulesOnly() public {
        bytes32 id = anchorSmall(3, 1).id;
        bytes memory refused = abi.encodeWithSelector(
            IAccessManaged.AccessManagedUnauthorized.selector,
            owner
        );
        vm.startPrank(owner);
        vm.expectRevert(refused);
        datasets.payFee(id, owner, 1);
        vm.expectRevert(refused);
        datasets.markFraudulent(id, owner);
        vm.expectRevert(refused);
        datasets.addHeld(id, 0, 1);
        vm.expectRevert(refused);
        datasets.removeHeld(id, 0);
        vm.expectRevert(refused);
        datasets.setParameters(parameters());
        vm.stopPrank();
    }

    function test_cellsOf_aBundleThatTheDatasetDoesNotHave_reverts() public {
        Anchored memory made = anchorSmall(3, 1);
        vm.assertEq(datasets.cellsOf(made.id, 2), 1, "the last one");
        vm.expectRevert(
            abi.encodeWithSelector(IDatasetRegistry.InvalidShape.selector, bytes32("bundleIndex"), 3, 0, 2)
        );
        datasets.cellsOf(made.id, 3);
    }

    /// @dev What the bundles of `_roots` are anchored with, by `anchorer`.
    function _named(
        bytes32 manifest,
        uint32 epochs,
        address anchorer
    ) private view returns (IDatasetRegistry.AnchorParameters memory) {
        return _rename(_unnamed(manifest, epochs), anchorer);
    }

    function _rename(
        IDatasetRegistry.AnchorParameters memory anchored,
        address anchorer
    ) private view returns (IDatasetRegistry.AnchorParameters memory) {
        return named(datasets, bundlesRootOf(Anchored(0, 3, _roots, _roots)), anchored, anchorer);
    }

    function _unnamed(
        bytes32 manifest,
        uint32 epochs
    ) private pure returns (IDatasetRegistry.AnchorParameters memory) {
        return
            IDatasetRegistry.AnchorParameters(
                0,
                manifest,
                "sha-256",
                keccak256("objects"),
                smallShape(3),
                0,
                FEE,
                epochs
            );
    }

    function _feesRefused(uint256 fees) private pure returns (bytes memory) {
        return
            abi.encodeWithSelector(
                IDatasetRegistry.OutOfBounds.selector,
                bytes32("fees"),
                fees,
                0,
                type(uint96).max
            );
    }

    function _fund(address who) private {
        token.mint(who, 1e24);
        vm.prank(who);
        token.approve(address(datasets), 1e24);
    }

    function _expectShape(
        bytes32 field,
        uint256 value,
        uint256 low,
        uint256 high,
        IDatasetRegistry.Shape memory shape
    ) private {
        vm.expectRevert(
            abi.encodeWithSelector(IDatasetRegistry.InvalidShape.selector, field, value, low, high)
        );
        datasets.quote(shape, 1, 1);
    }

    function _expectParameters(IDatasetRegistry.Parameters memory wrong) private {
        vm.expectPartialRevert(IDatasetRegistry.OutOfBounds.selector);
        datasets.setParameters(wrong);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {JobRules} from "../../../contracts/jobs/JobRules.sol";
import {IJobRegistry} from "../../../contracts/jobs/interfaces/IJobRegistry.sol";
import {TrainingShape} from "../../../contracts/jobs/interfaces/IJobRules.sol";
import {Order, Problem} from "../../../contracts/jobs/interfaces/Orders.sol";
import {StorageFixture} from "../storage/StorageFixture.sol";

/// @notice What the registry of jobs asks of storage, on the real registries of datasets and bundles.
contract JobStorageTest is StorageFixture {
    JobRules private _rules;
    Anchored private _made;

    function setUp() public {
        setUpStorage();
        _rules = new JobRules(datasets, retrieval);
        _made = anchorSmall(3, 2);
    }

    function test_attack11_resultIsStoredOnlyWhenItCanBeReadAndIsPaid() public {
        uint256 paidUntil = datasets.genesis() + 3 * uint256(EPOCH);
        hold("first", 0);
        vm.assertFalse(_rules.isStored(_made.id, owner, time()), "one of two that it takes");
        vm.assertFalse(isRetrievable(_made.id), "not retrievable");
        hold("second", 1);
        vm.assertTrue(isRetrievable(_made.id), "retrievable");
        vm.assertTrue(_rules.isStored(_made.id, owner, time()), "stored");
        vm.assertFalse(_rules.isStored(_made.id, address(this), time()), "another's");
        // Anchored in epoch 0, for epochs 1 and 2.
        vm.assertTrue(_rules.isStored(_made.id, owner, paidUntil - 1), "last paid second");
        vm.assertFalse(_rules.isStored(_made.id, owner, paidUntil), "not paid any more");
        token.mint(owner, uint256(FEE) * 3 * 5);
        vm.startPrank(owner);
        token.approve(address(datasets), uint256(FEE) * 3 * 5);
        datasets.addEpochs(_made.id, 5);
        vm.stopPrank();
        vm.assertTrue(_rules.isStored(_made.id, owner, paidUntil - 1), "what is added changes nothing");
        vm.assertFalse(_rules.isStored(_made.id, owner, paidUntil), "nobody has agreed to what was added");
        vm.assertFalse(_rules.isStored("nothing", owner, time()), "never anchored");
        vm.prank(address(fraud));
        datasets.markFraudulent(_made.id, address(this));
        vm.assertFalse(_rules.isStored(_made.id, owner, time()), "fraudulent");
        vm.assertFalse(isRetrievable(_made.id), "not retrievable when fraudulent");
        vm.assertFalse(isRetrievable("nothing"), "nor when never anchored");
    }

    function test_attack_resultIsNotRetrievableWhenNobodyHasToHoldItAnyMore() public {
        hold("first", 0);
        hold("second", 1);
        toEpoch(3);
        vm.warp(time() - 1);
        vm.assertTrue(isRetrievable(_made.id), "last paid second");
        toEpoch(3);
        vm.assertEq(datasets.datasetOf(_made.id).held, 2, "still counted as held");
        vm.assertFalse(isRetrievable(_made.id), "not paid any more");
    }

    function test_attack_resultIsPayableOnceItsLatestHolderCouldBeAsked_andHasServed() public {
        hold("first", 0);
        toEpoch(1);
        hold("second", 1);
        (uint256 window, uint256 grace) = retrieval.deadlines();
        uint256 askable = time() + window + grace;
        vm.warp(askable);
        vm.expectRevert(
            abi.encodeWithSelector(IJobRegistry.ResultJustPlaced.selector, _made.id, askable + 1)
        );
        _rules.requirePayable(_made.id, 0);
        uint256 number = ask(0);
        vm.warp(askable + 1);
        vm.expectRevert(abi.encodeWithSelector(IJobRegistry.ResultAskedFor.selector, _made.id, askable));
        _rules.requirePayable(_made.id, 0);
        retrieval.publish(number, cellOf(manifestOf(1), 0), new bytes32[](0));
        // What was published can convict before anything is paid.
        vm.expectRevert(abi.encodeWithSelector(IJobRegistry.ResultAskedFor.selector, _made.id, askable));
        _rules.requirePayable(_made.id, 0);
        vm.warp(askable + 2 + window);
        uint256[] memory published = new uint256[](1);
        published[0] = number;
        retrieval.release(published);
        _rules.requirePayable(_made.id, 0);
        // Whoever asks later holds nothing up, unless the grace of the job was not over yet.
        ask(0);
        uint256 later = time();
        _rules.requirePayable(_made.id, later - 1);
        vm.expectRevert(abi.encodeWithSelector(IJobRegistry.ResultAskedFor.selector, _made.id, later));
        _rules.requirePayable(_made.id, later);
    }

    function test_trainingIsOpenedAgainstTheAnchoredDataset() public {
        bytes memory training = encoded(4, 100);
        TrainingShape memory shape = _rules.openOrder(order(training), training, true, true);
        vm.assertEq(shape.initialRoot, "initial", "root");
        vm.assertEq(
            abi.encode(shape.steps, shape.interval, shape.logMicroBatches),
            abi.encode(7, 2, 1),
            "shape"
        );
        requireUnfit(encoded(5, 100), "objects");
        requireUnfit(encoded(4, 99), "objectBytes");
        vm.prank(address(fraud));
        datasets.markFraudulent(_made.id, address(this));
        requireUnfit(encoded(4, 100), "dataset");
    }

    function requireUnfit(bytes memory training, bytes32 field) private {
        Order memory unfit = order(training);
        vm.expectRevert(abi.encodeWithSelector(IJobRegistry.UnfitTraining.selector, field));
        _rules.openOrder(unfit, training, true, true);
    }

    function isRetrievable(bytes32 id) private view returns (bool retrievable) {
        (retrievable, , ) = datasets.availabilityOf(id);
    }

    function hold(string memory name, uint256 index) private {
        enlist(name, STAKE);
        place(_made, index, name);
    }

    function ask(uint256 index) private returns (uint256 number) {
        bytes32[] memory siblings = bundleProof(_made, index);
        bytes32 id = bundleOf(_made, index);
        number = retrieval.challenge{value: RETRIEVAL_BOND}(id, 0, _made.transportRoots[index], siblings);
    }

    function problem(bytes memory training) private view returns (Problem memory) {
        return Problem(_made.id, keccak256(training), "program", [uint32(3), 2, 1], 0, 1, 0);
    }

    function order(bytes memory training) private view returns (Order memory o) {
        (o.problem, o.expiry, o.conditions.trainingTime) = (problem(training), uint64(time()), 1);
    }

    /// @dev docs/exact-ops.md section 7, written out.
    function encoded(uint256 objects, uint256 objectBytes) private view returns (bytes memory) {
        bytes memory head = abi.encode(
            keccak256("assay/training/v1"),
            8,
            bytes32("program"),
            bytes32("initial"),
            keccak256("objects"),
            _made.id,
            objects,
            objectBytes
        );
        // All objects are training samples; batches of 2 × 2, 7 steps, 2 to an interval, one entry.
        bytes memory rest = abi.encode(
            objects,
            bytes32(0),
            bytes32("seed"),
            1,
            1,
            7,
            2,
            1,
            17 * 32,
            2,
            bytes2(hex"0001")
        );
        return bytes.concat(head, rest);
    }
}

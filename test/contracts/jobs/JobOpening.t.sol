// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ICommittee} from "../../../contracts/attestation/interfaces/ICommittee.sol";
import {IElementRules} from "../../../contracts/disputes/interfaces/IDisputeRules.sol";
import {TrainingOrder} from "../../../contracts/disputes/TrainingOrders.sol";
import {JobRegistry} from "../../../contracts/jobs/JobRegistry.sol";
import {IJobRegistry} from "../../../contracts/jobs/interfaces/IJobRegistry.sol";
import {Order, Scheme} from "../../../contracts/jobs/interfaces/Orders.sol";
import {IDatasetRegistry} from "../../../contracts/storage/interfaces/IDatasetRegistry.sol";
import {JobsFixture} from "./JobsFixture.sol";

/// @notice What `open` takes.
contract JobOpeningTest is JobsFixture {
    function setUp() public {
        setUpJobs();
    }

    function test_open_refusesWhatContradictsTheDatasetOrTheProblem() public {
        TrainingOrder memory t = trainingOrder();
        t.programRoot = "another";
        requireUnfit(t, "programRoot");
        t = trainingOrder();
        t.datasetId = "another";
        requireUnfit(t, "datasetId");
        t = trainingOrder();
        t.objectRoot = "another";
        requireUnfit(t, "objectRoot");
        t = trainingOrder();
        t.objects = 999;
        requireUnfit(t, "objects");
        t = trainingOrder();
        t.objectBytes = 785;
        requireUnfit(t, "objectBytes");
        IDatasetRegistry.Dataset memory d = dataset();
        d.status = IDatasetRegistry.Status.Fraudulent;
        datasets.set(DATASET, d);
        requireUnfit(trainingOrder(), "dataset");
    }

    function test_open_refusesADatasetThatNobodyNeedServeAnyMore() public {
        datasets.end(DATASET);
        requireUnfit(trainingOrder(), "dataset");
    }

    function test_open_refusesSamplesThatNoStepCanDraw() public {
        TrainingOrder memory t = trainingOrder();
        t.bits = 12;
        requireUnfit(t, "bits");
        t = trainingOrder();
        t.logBatch = 21;
        requireUnfit(t, "logBatch");
        t = trainingOrder();
        t.logMicroBatches = 21;
        requireUnfit(t, "logMicroBatches");
        t = trainingOrder();
        t.training = 1_001;
        requireUnfit(t, "training");
        t.training = 127;
        requireUnfit(t, "training");
        // Without a split every object is a training sample.
        (t.training, t.splitSeed) = (900, 0);
        requireUnfit(t, "training");
        t.training = 1_000;
        requireFit(t);
        t = trainingOrder();
        t.training = 128;
        requireFit(t);
        IDatasetRegistry.Dataset memory d = dataset();
        d.shape.objectCount = 2 ** 32 + 1;
        datasets.set(DATASET, d);
        t.objects = 2 ** 32 + 1;
        requireUnfit(t, "objects");
        (d.shape.objectCount, t.objects) = (2 ** 32, 2 ** 32);
        datasets.set(DATASET, d);
        requireFit(t);
    }

    function test_open_refusesStepsThatNoDisputeFits() public {
        TrainingOrder memory t = trainingOrder();
        t.steps = 0;
        requireUnfit(t, "steps");
        t.steps = 2 ** 32;
        requireUnfit(t, "steps");
        t.steps = 2 ** 32 - 1;
        requireFit(t);
        t = trainingOrder();
        t.interval = 0;
        requireUnfit(t, "interval");
        t.interval = 97;
        requireUnfit(t, "interval");
        t.interval = 96;
        requireFit(t);
        t = trainingOrder();
        t.every = 0;
        requireUnfit(t, "every");
        t.every = 2 ** 32;
        requireUnfit(t, "every");
        t.every = 2 ** 32 - 1;
        requireFit(t);
        t = trainingOrder();
        t.table = "";
        requireUnfit(t, "table");
        t.table = hex"000102";
        requireUnfit(t, "table");
        t.table = new bytes(8_192 - 18 * 32 + 2);
        requireUnfit(t, "length");
        t.table = new bytes(8_192 - 18 * 32);
        requireFit(t);
    }

    function test_attack_open_refusesAnyOtherEncodingOfAnOrder() public {
        bytes memory training = encode(trainingOrder());
        bytes memory longer = bytes.concat(training, bytes32(0));
        requireRefused(orderOf(longer, Scheme.Optimistic, 0, 0), longer, unfit("encoding"));
        // The last word holds the table, and what fills it up.
        bytes memory dirty = bytes.concat(training);
        dirty[dirty.length - 1] = 0x01;
        requireRefused(orderOf(dirty, Scheme.Optimistic, 0, 0), dirty, unfit("encoding"));
        // The table a word further on, behind one that says nothing.
        uint256 head = 17 * 32;
        bytes memory moved = new bytes(training.length + 32);
        for (uint256 i = 0; i < training.length; ++i) moved[i < head ? i : i + 32] = training[i];
        moved[head - 1] = bytes1(uint8(moved[head - 1]) + 32);
        requireRefused(orderOf(moved, Scheme.Optimistic, 0, 0), moved, unfit("encoding"));
        jobs.open(orderOf(training, Scheme.Optimistic, 0, 0), "order", training);
    }

    function test_open_refusesProgramsBeyondTheLimits() public {
        bytes memory training = encode(trainingOrder());
        Order memory order = orderOf(training, Scheme.Optimistic, 0, 0);
        for (uint256 tape = 0; tape < 3; ++tape) {
            order.problem.nodeCounts = [uint32(30), 20, 10];
            order.problem.nodeCounts[tape] = 0;
            requireRefused(order, training, unfit("nodeCounts"));
            order.problem.nodeCounts[tape] = 65_537;
            requireRefused(order, training, unfit("nodeCounts"));
            order.problem.nodeCounts[tape] = 65_536;
            jobs.open(order, "order", training);
        }
        order.problem.nodeCounts = [uint32(30), 20, 10];
        order.problem.witnessNode = 30;
        requireRefused(order, training, unfit("witnessNode"));
        order.problem.witnessNode = 29;
        order.problem.slots = 0;
        requireRefused(order, training, unfit("slots"));
        order.problem.slots = 65_537;
        requireRefused(order, training, unfit("slots"));
        order.problem.slots = 65_536;
        jobs.open(order, "order", training);
    }

    function test_open_refusesMoreTensorsThanBondsCover() public {
        IDatasetRegistry.Dataset memory d = dataset();
        d.shape.objectCount = 2 ** 24;
        datasets.set(DATASET, d);
        TrainingOrder memory t = trainingOrder();
        (t.objects, t.training, t.logBatch, t.logMicroBatches) = (2 ** 24, 2 ** 24, 0, 20);
        bytes memory training = encode(t);
        Order memory order = orderOf(training, Scheme.Optimistic, 0, 0);
        // 2^7 · 2^20 and one more.
        order.problem.nodeCounts = [uint32(128), 1, 1];
        requireRefused(order, training, unfit("nodeCounts"));
        order.problem.nodeCounts = [uint32(127), 1, 1];
        jobs.open(order, "order", training);
        t.logMicroBatches = 11;
        training = encode(t);
        order = orderOf(training, Scheme.Optimistic, 0, 0);
        // 2^27 − 2^11, and what is left for the other tapes.
        order.problem.nodeCounts = [uint32(65_535), 2_000, 49];
        requireRefused(order, training, unfit("nodeCounts"));
        order.problem.nodeCounts = [uint32(65_535), 2_000, 48];
        jobs.open(order, "other", training);
    }

    function test_open_refusesBytesThatAreNotTheOrder() public {
        bytes memory training = encode(trainingOrder());
        Order memory order = orderOf(training, Scheme.Optimistic, 0, 0);
        order.problem.trainingHash = "another";
        requireRefused(order, training, abi.encodeWithSelector(IElementRules.WrongOrder.selector));
        TrainingOrder memory t = trainingOrder();
        t.tag = "another";
        training = encode(t);
        order = orderOf(training, Scheme.Optimistic, 0, 0);
        requireRefused(order, training, abi.encodeWithSelector(IElementRules.WrongOrder.selector));
        training = hex"00";
        order = orderOf(training, Scheme.Optimistic, 0, 0);
        vm.expectRevert();
        jobs.open(order, "order", training);
    }

    /// @dev Independent of the contract: what a scheme, a size and a threshold may be.

    function testFuzz_open_committeeFitsItsScheme(uint8 scheme, uint8 size, uint8 threshold) public {
        scheme = uint8(bound(scheme, 0, 2));
        size = uint8(bound(size, 0, 70));
        threshold = uint8(bound(threshold, 0, 70));
        bytes memory training = encode(trainingOrder());
        Order memory order = orderOf(training, Scheme(scheme), size, threshold);
        bool isFit =
            scheme == 0
                ? size == 0 && threshold == 0
                : size >= 1 && size <= 64 && threshold <= size && threshold > size - threshold;
        if (!isFit) {
            bytes memory reason = abi.encodeWithSelector(
                IJobRegistry.UnfitCommittee.selector,
                size,
                threshold
            );
            requireRefused(order, training, reason);
        } else {
            jobs.open(order, "order", training);
        }
    }

    function test_open_withoutACommitteeTakesOptimisticOrdersAlone() public {
        JobRegistry lone = new JobRegistry(address(access), staking, rules, escrow, parameters());
        lone.setModules(game, ICommittee(address(0)), certificates, instalments);
        grant(address(lone), IJobRegistry.open.selector, MARKET, address(this));
        bytes memory training = encode(trainingOrder());
        Order memory order = orderOf(training, Scheme.Both, 9, 5);
        vm.expectRevert(abi.encodeWithSelector(IJobRegistry.UnfitCommittee.selector, 9, 5));
        lone.open(order, "order", training);
    }

    function test_open_pricesTimesAndPause() public {
        bytes memory training = encode(trainingOrder());
        Order memory order = orderOf(training, Scheme.Optimistic, 0, 0);
        order.conditions.maximumPrice = DEPOSIT + 1;
        bytes memory reason = abi.encodeWithSelector(
            IJobRegistry.PriceAboveDeposit.selector,
            DEPOSIT + 1,
            DEPOSIT
        );
        requireRefused(order, training, reason);
        // In units of a feed the two cannot be compared.
        order.conditions.priceFeed = address(1);
        jobs.open(order, "order", training);
        order.conditions.trainingTime = 0;
        requireRefused(order, training, unfit("trainingTime"));
        order.conditions.trainingTime = 1;
        order.expiry = uint64(time()) - 1;
        requireRefused(
            order,
            training,
            abi.encodeWithSelector(IJobRegistry.TooLate.selector, 0, order.expiry)
        );
        order.expiry = type(uint64).max;
        uint256 id = jobs.open(order, "order", training);
        vm.assertEq(jobs.jobOf(id).expiry, type(uint48).max, "never");
        uint256 running = lockedJob(Scheme.Optimistic);
        jobs.pause();
        requireRefused(order, training, abi.encodeWithSelector(Pausable.EnforcedPause.selector));
        vm.prank(provider);
        jobs.commit(running, commitment());
        pass(3 days + 1);
        timeOutJob(running);
        jobs.finalise(running);
        jobs.unpause();
        jobs.open(order, "order", training);
    }

    function requireFit(TrainingOrder memory t) private {
        bytes memory training = encode(t);
        jobs.open(orderOf(training, Scheme.Optimistic, 0, 0), "order", training);
    }

    function requireUnfit(TrainingOrder memory t, bytes32 field) private {
        bytes memory training = encode(t);
        requireRefused(orderOf(training, Scheme.Optimistic, 0, 0), training, unfit(field));
    }

    function requireRefused(Order memory order, bytes memory training, bytes memory reason) private {
        vm.expectRevert(reason);
        jobs.open(order, "order", training);
    }

    function unfit(bytes32 field) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IJobRegistry.UnfitTraining.selector, field);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ICommittee} from "../../../contracts/attestation/interfaces/ICommittee.sol";
import {TrainingClaim} from "../../../contracts/disputes/interfaces/IDisputedClaims.sol";
import {IDisputeGame} from "../../../contracts/disputes/interfaces/IDisputeGame.sol";
import {IElementRules} from "../../../contracts/disputes/interfaces/IDisputeRules.sol";
import {TrainingOrder} from "../../../contracts/disputes/TrainingOrders.sol";
import {JobRegistry} from "../../../contracts/jobs/JobRegistry.sol";
import {IJobRegistry} from "../../../contracts/jobs/interfaces/IJobRegistry.sol";
import {IJobTable} from "../../../contracts/jobs/interfaces/IJobTable.sol";
import {IModelCertificate} from "../../../contracts/jobs/interfaces/IModelCertificate.sol";
import {Order, Scheme} from "../../../contracts/jobs/interfaces/Orders.sol";
import {MerkleProofs} from "../../../contracts/libraries/MerkleProofs.sol";
import {IDatasetRegistry} from "../../../contracts/storage/interfaces/IDatasetRegistry.sol";
import {JobsFixture} from "./JobsFixture.sol";

/// @notice What `open` takes, what `commit` takes, and parameters.
contract JobTermsTest is JobsFixture {
    function setUp() public {
        setUpJobs();
    }

    function test_claim_isWhatTheOrderSays() public {
        uint256 id = committedJob();
        TrainingClaim memory claim = jobs.claimOf(id);
        TrainingClaim memory wanted = TrainingClaim({
            provider: provider,
            challengeUntil: 1 << 63,
            traceRoot: traceRoot(),
            programRoot: PROGRAM,
            trainingHash: keccak256(encode(trainingOrder())),
            steps: 5,
            interval: 2,
            logMicroBatches: 1,
            nodeCounts: [uint256(30), 20, 10],
            witnessNode: 12,
            slots: 8
        });
        vm.assertEq(
            abi.encode(claim),
            abi.encode(wanted),
            "claim, as long as nobody has called its time over"
        );
        pass(3 days + 1);
        jobs.callTimeout(id);
        vm.assertEq(jobs.claimOf(id).challengeUntil, time() + 1 hours, "to the end of the grace");
        (bytes32 root, uint256 leaves) = jobs.traceOf(id);
        vm.assertEq(root, traceRoot(), "trace");
        vm.assertEq(leaves, LEAVES, "leaves");
    }

    function test_claim_ofAJobThatIsOverTakesNoChallenges() public {
        uint256 id = committedJob();
        convict(id);
        vm.assertEq(jobs.claimOf(id).challengeUntil, 0, "over");
        vm.assertEq(jobs.claimOf(99).traceRoot, bytes32(0), "never was");
        (bytes32 root, uint256 leaves) = jobs.traceOf(99);
        vm.assertEq(root, bytes32(0), "no trace");
        vm.assertEq(leaves, 0, "nor leaves of it");
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

    function test_match_refusesAPriceAboveTheDeposit() public {
        uint256 id = openJob();
        vm.expectRevert(
            abi.encodeWithSelector(IJobRegistry.PriceAboveDeposit.selector, DEPOSIT + 1, DEPOSIT)
        );
        jobs.matchJob(id, provider, DEPOSIT + 1);
        jobs.matchJob(id, provider, 0);
        vm.assertEq(jobs.jobOf(id).stake, 10 ether, "the least");
    }

    function test_lock_refusesOthersAndOtherBonds() public {
        uint256 id = matchedJob(Scheme.Optimistic);
        vm.expectRevert(abi.encodeWithSelector(IJobRegistry.NotProvider.selector, id, address(this)));
        jobs.lock{value: 1 ether}(id);
        for (uint256 value = 1 ether - 1; value <= 1 ether + 1; value += 2) {
            vm.expectRevert(abi.encodeWithSelector(IJobRegistry.WrongBond.selector, value, 1 ether));
            vm.prank(provider);
            jobs.lock{value: value}(id);
        }
    }

    function test_attack5_leavesOfAnotherTraceStateOrPlaceAreRefused() public {
        uint256 id = lockedJob(Scheme.Optimistic);
        IJobRegistry.Commitment memory c = commitment();
        c.first.stateRoot = "poisoned";
        requireNotCommitted(id, c, wrongLeaf(0));
        c = commitment();
        c.first.witnessHash = "poisoned";
        requireNotCommitted(id, c, wrongLeaf(0));
        c = commitment();
        c.first = leaf(1);
        requireNotCommitted(id, c, wrongLeaf(0));
        c = commitment();
        c.traceRoot = "another";
        requireNotCommitted(id, c, wrongLeaf(0));
        c = commitment();
        c.last = leaf(LEAVES - 2);
        requireNotCommitted(id, c, wrongLeaf(LEAVES - 1));
        c = commitment();
        c.last.stateRoot = "poisoned";
        requireNotCommitted(id, c, wrongLeaf(LEAVES - 1));
        c = commitment();
        c.last.siblings = new bytes32[](3);
        requireNotCommitted(id, c, abi.encodeWithSelector(MerkleProofs.WrongProofLength.selector, 3, 2));
        vm.expectRevert(abi.encodeWithSelector(IJobRegistry.NotProvider.selector, id, address(this)));
        jobs.commit(id, commitment());
    }

    function test_attack11_resultThatIsNotStoredIsRefused() public {
        uint256 id = lockedJob(Scheme.Optimistic);
        IDatasetRegistry.Dataset memory d = result(provider);
        d.status = IDatasetRegistry.Status.Closed;
        requireNotStored(id, d);
        requireNotStored(id, result(stranger));
        d = result(provider);
        d.shortSegments = 1;
        requireNotStored(id, d);
        d.shortSegments = 0;
        d.shape.encrypted = true;
        requireNotStored(id, d);
        d.shape.encrypted = false;
        // Epochs of a day from the genesis on: the fourth begins after the window, the third in its last second.
        d.endEpoch = 3;
        requireNotStored(id, d);
        d.endEpoch = 4;
        datasets.set(RESULT, d);
        vm.prank(provider);
        jobs.commit(id, commitment());
    }

    function test_commit_withACommitteeTheResultIsPaidForTwiceTheWindow() public {
        uint256 id = lockedJob(Scheme.Both);
        IDatasetRegistry.Dataset memory d = result(provider);
        d.endEpoch = 6;
        requireNotStored(id, d);
        d.endEpoch = 7;
        datasets.set(RESULT, d);
        vm.prank(provider);
        jobs.commit(id, commitment());
    }

    /// @dev INV-3
    function test_attack10_INV3_parametersSetLaterAlterNoOpenJob() public {
        uint256 id = openJob();
        IJobRegistry.Parameters memory next = parameters();
        (next.lockWindow, next.challengeWindow, next.stakePercent) = (1 days, 1 days, 500);
        (next.minimumStake, next.latePenalty, next.providerBond) = (9_000 ether, 10_000, 2 ether);
        next.dispute.challengerBond = 3 ether;
        jobs.setParameters(next);
        vm.assertEq(abi.encode(jobs.parametersOf(id)), abi.encode(parameters()), "the job's");
        vm.assertEq(abi.encode(jobs.parameters()), abi.encode(next), "those of the next");
        vm.assertEq(jobs.stakeFor(provider, PRICE), 9_000 ether, "of the next");
        vm.assertEq(jobs.stakeForJob(id, provider, PRICE), STAKE, "of the job");
        jobs.matchJob(id, provider, PRICE);
        vm.assertEq(jobs.jobOf(id).stake, STAKE, "stake");
        vm.assertEq(jobs.jobOf(id).deadline, time() + 1 hours, "lock window");
        vm.prank(provider);
        jobs.lock{value: 1 ether}(id);
        vm.prank(provider);
        jobs.commit(id, commitment());
        vm.assertEq(jobs.jobOf(id).challengeUntil, time() + 3 days, "challenge window");
        challenge(id, 1);
        vm.assertEq(abi.encode(jobs.parametersOf(99)), abi.encode(noParameters()), "of no job");
    }

    function test_parametersOutsideTheirBoundsAreRefused() public {
        bytes32[11] memory names = [
            bytes32("lockWindow"),
            "challengeWindow",
            "stakePercent",
            "minimumStake",
            "latePenalty",
            "window",
            "grace",
            "refundPrice",
            "challengerBond",
            "providerBond",
            "extension"
        ];
        for (uint256 i = 0; i < names.length; ++i) {
            IJobRegistry.Parameters memory p = parameters();
            if (i == 0) p.lockWindow = 9;
            if (i == 1) p.challengeWindow = 30 days + 1;
            if (i == 2) p.stakePercent = 199;
            if (i == 3) p.minimumStake = 0;
            if (i == 4) p.latePenalty = 10_001;
            if (i == 5) p.dispute.window = 59;
            if (i == 6) p.dispute.grace = 7 days + 1;
            if (i == 7) p.dispute.refundPrice = 0;
            // 22 posts of 300,000 gas, twice; 22 names of 150,000, a challenge of 300,000 and a ruling of 600,000,
            // twice.
            if (i == 8) p.dispute.challengerBond = 13_200_000 gwei - 1;
            if (i == 9) p.providerBond = 8_400_000 gwei - 1;
            if (i == 10) p.dispute.extension = 1 days + 1;
            vm.expectRevert(abi.encodeWithSelector(IJobRegistry.OutOfBounds.selector, names[i]));
            jobs.setParameters(p);
        }
        IJobRegistry.Parameters memory least = parameters();
        (least.dispute.challengerBond, least.providerBond) = (13_200_000 gwei, 8_400_000 gwei);
        (least.dispute.window, least.dispute.grace, least.dispute.extension) = (60, 60, 1 days);
        jobs.setParameters(least);
        uint256 id = matchedJob(Scheme.Optimistic);
        // The game takes what the registry takes.
        vm.prank(provider);
        jobs.lock{value: 8_400_000 gwei}(id);
    }

    function test_modulesAreNamedOnce_andStrangersMayNothing() public {
        vm.expectRevert(abi.encodeWithSelector(IJobTable.InvalidModules.selector));
        jobs.setModules(game, committee, certificates, instalments);
        JobRegistry fresh = new JobRegistry(address(access), staking, rules, escrow, parameters());
        vm.expectRevert(abi.encodeWithSelector(IJobTable.InvalidModules.selector));
        fresh.setModules(IDisputeGame(address(0)), committee, certificates, instalments);
        vm.expectRevert(abi.encodeWithSelector(IJobTable.InvalidModules.selector));
        fresh.setModules(game, committee, IModelCertificate(address(0)), instalments);
        vm.startPrank(stranger);
        bytes memory refusal = abi.encodeWithSelector(
            IAccessManaged.AccessManagedUnauthorized.selector,
            stranger
        );
        vm.expectRevert(refusal);
        fresh.setModules(game, committee, certificates, instalments);
        vm.expectRevert(refusal);
        jobs.setParameters(parameters());
        vm.expectRevert(refusal);
        jobs.matchJob(1, stranger, 0);
        vm.expectRevert(refusal);
        jobs.unmatch(1);
        vm.expectRevert(refusal);
        jobs.cancel(1);
        vm.expectRevert(refusal);
        jobs.pause();
        vm.stopPrank();
    }

    function noParameters() private pure returns (IJobRegistry.Parameters memory none) {}

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

    function requireNotCommitted(uint256 id, IJobRegistry.Commitment memory c, bytes memory reason) private {
        vm.expectRevert(reason);
        vm.prank(provider);
        jobs.commit(id, c);
    }

    function requireNotStored(uint256 id, IDatasetRegistry.Dataset memory d) private {
        datasets.set(RESULT, d);
        bytes memory reason = abi.encodeWithSelector(IJobRegistry.ResultNotStored.selector, RESULT);
        requireNotCommitted(id, commitment(), reason);
    }

    function unfit(bytes32 field) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IJobRegistry.UnfitTraining.selector, field);
    }

    function wrongLeaf(uint256 index) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IJobRegistry.WrongLeaf.selector, index);
    }
}

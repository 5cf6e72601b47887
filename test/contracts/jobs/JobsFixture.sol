// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {DescentRules} from "../../../contracts/disputes/DescentRules.sol";
import {DisputeGame} from "../../../contracts/disputes/DisputeGame.sol";
import {DisputeTerms} from "../../../contracts/disputes/interfaces/IDisputedClaims.sol";
import {
    IElementRules,
    IInputRules,
    IRangeRules,
    ISumRules,
    TraceLeaf
} from "../../../contracts/disputes/interfaces/IDisputeRules.sol";
import {TrainingOrder} from "../../../contracts/disputes/TrainingOrders.sol";
import {Escrow} from "../../../contracts/jobs/Escrow.sol";
import {Instalments} from "../../../contracts/jobs/Instalments.sol";
import {JobRegistry} from "../../../contracts/jobs/JobRegistry.sol";
import {JobRules} from "../../../contracts/jobs/JobRules.sol";
import {ModelCertificate} from "../../../contracts/jobs/ModelCertificate.sol";
import {IEscrow} from "../../../contracts/jobs/interfaces/IEscrow.sol";
import {IJobRegistry} from "../../../contracts/jobs/interfaces/IJobRegistry.sol";
import {Conditions, Order, Problem, Scheme} from "../../../contracts/jobs/interfaces/Orders.sol";
import {Staking} from "../../../contracts/staking/Staking.sol";
import {IStaking} from "../../../contracts/staking/interfaces/IStaking.sol";
import {IDatasetRegistry} from "../../../contracts/storage/interfaces/IDatasetRegistry.sol";
import {IRetrievalChallenges} from "../../../contracts/storage/interfaces/IRetrievalChallenges.sol";
import {MiniTest} from "../MiniTest.sol";
import {PlainToken} from "../token/HostileTokens.sol";
import {CommitteeDouble, DatasetsDouble, RetrievalDouble, VoidDouble} from "./JobDoubles.sol";

/// @notice The registry of jobs with the real escrow, staking, certificates, instalments and dispute game; datasets and
/// the committee are doubles. This contract is the market, and the admin.
abstract contract JobsFixture is MiniTest {
    uint64 internal constant MARKET = 9;
    uint64 internal constant JOB_MODULE = 10;
    uint64 internal constant COMMITTEE_MODULE = 11;

    bytes32 internal constant DATASET = "dataset";
    bytes32 internal constant RESULT = "result";
    bytes32 internal constant OBJECTS = "objects";
    bytes32 internal constant PROGRAM = "program";
    bytes32 internal constant INITIAL = "initial";
    uint128 internal constant DEPOSIT = 100 ether;
    uint256 internal constant PRICE = 80 ether;
    uint256 internal constant STAKE = 160 ether;
    uint32 internal constant TRAINING_TIME = 1 days;
    bytes32 internal constant SALT = "salt";
    /// @dev Leaves of the trace: 5 steps, 2 in an interval.
    uint256 internal constant LEAVES = 4;

    AccessManager internal access;
    PlainToken internal token;
    Staking internal staking;
    DatasetsDouble internal datasets;
    RetrievalDouble internal retrieval;
    JobRules internal rules;
    Escrow internal escrow;
    JobRegistry internal jobs;
    DisputeGame internal game;
    ModelCertificate internal certificates;
    CommitteeDouble internal committee;
    Instalments internal instalments;

    address internal consumer = actor("consumer");
    address internal provider = actor("provider");
    address internal challenger = actor("challenger");
    address internal stranger = actor("stranger");

    function setUpJobs() internal {
        vm.warp(1_800_000_000);
        token = new PlainToken();
        deployJobs(IERC20(address(token)));
        enlist(provider, 10_000 ether);
        fundConsumer(consumer);
        vm.deal(challenger, 1_000 ether);
        datasets.set(RESULT, result(provider));
    }

    /// @dev With a committee that is a double.
    function deployJobs(IERC20 token_) internal {
        deployRegistry(token_);
        committee = new CommitteeDouble();
        jobs.setModules(game, committee, certificates, instalments);
        openRoles(address(committee));
    }

    /// @dev Everything but a committee, and the modules that are yet to be named.
    function deployRegistry(IERC20 token_) internal {
        access = new AccessManager(address(this));
        staking = new Staking(address(access), token_, 14 days, 5_000);
        datasets = new DatasetsDouble();
        datasets.set(DATASET, dataset());
        retrieval = new RetrievalDouble();
        rules = new JobRules(IDatasetRegistry(address(datasets)), IRetrievalChallenges(address(retrieval)));
        escrow = new Escrow(address(access), token_);
        jobs = new JobRegistry(address(access), staking, rules, escrow, parameters());
        game = new DisputeGame(
            jobs,
            new DescentRules(),
            IElementRules(address(0)),
            ISumRules(address(0)),
            IRangeRules(address(0)),
            IInputRules(address(0)),
            new VoidDouble()
        );
        certificates = new ModelCertificate(jobs);
        instalments = new Instalments(jobs, rules);
    }

    function openRoles(address committee_) internal {
        grant(address(jobs), IJobRegistry.open.selector, MARKET, address(this));
        grant(address(jobs), IJobRegistry.matchJob.selector, MARKET, address(this));
        grant(address(jobs), IJobRegistry.unmatch.selector, MARKET, address(this));
        grant(address(jobs), IJobRegistry.cancel.selector, MARKET, address(this));
        grant(address(escrow), IEscrow.fund.selector, JOB_MODULE, address(jobs));
        grant(address(escrow), IEscrow.payPrice.selector, JOB_MODULE, address(jobs));
        grant(address(escrow), IEscrow.refundPrice.selector, JOB_MODULE, address(jobs));
        grant(address(escrow), IEscrow.close.selector, JOB_MODULE, address(jobs));
        grant(address(escrow), IEscrow.payFee.selector, COMMITTEE_MODULE, committee_);
    }

    /// @dev The present time, read through a call: via-IR may move `block.timestamp` across a warp.
    function time() internal view returns (uint256) {
        return this.blockTime();
    }

    function blockTime() external view returns (uint256) {
        return block.timestamp;
    }

    /// @dev Moves the clock forward.
    function pass(uint256 duration) internal {
        vm.warp(time() + duration);
    }

    function grant(address target, bytes4 selector, uint64 role, address member) internal {
        bytes4[] memory selectors = new bytes4[](1);
        selectors[0] = selector;
        access.setTargetFunctionRole(target, selectors, role);
        access.grantRole(role, member, 0);
    }

    function parameters() internal pure returns (IJobRegistry.Parameters memory) {
        DisputeTerms memory dispute = DisputeTerms(1 ether, 1 gwei, 4 hours, 10 minutes, 1 hours);
        return IJobRegistry.Parameters(1 hours, 3 days, 200, 10 ether, 1_000, dispute, 1 ether);
    }

    function enlist(address operator, uint256 amount) internal {
        token.mint(operator, amount);
        vm.deal(operator, 1_000 ether);
        vm.startPrank(operator);
        staking.register(uint8(1 << uint8(IStaking.Role.Provider)), hex"0024", "/dns4/example/tcp/1");
        token.approve(address(staking), amount);
        staking.stake(amount);
        staking.approve(address(jobs), type(uint256).max);
        vm.stopPrank();
    }

    function fundConsumer(address account) internal {
        token.mint(account, 1_000_000 ether);
        vm.prank(account);
        token.approve(address(escrow), type(uint256).max);
    }

    function dataset() internal pure returns (IDatasetRegistry.Dataset memory d) {
        d.status = IDatasetRegistry.Status.Active;
        d.objectRoot = OBJECTS;
        d.shape.objectCount = 1_000;
        d.shape.objectSize = 784;
    }

    function result(address owner) internal pure returns (IDatasetRegistry.Dataset memory d) {
        d.status = IDatasetRegistry.Status.Active;
        d.owner = owner;
        (d.bundles, d.held, d.shortSegments, d.endEpoch) = (11, 11, 0, 10_000);
        d.agreedEnd = d.endEpoch;
        (d.shape.k, d.shape.n) = (8, 11);
    }

    function trainingOrder() internal pure returns (TrainingOrder memory) {
        return
            TrainingOrder({
                tag: keccak256("assay/training/v1"),
                bits: 16,
                programRoot: PROGRAM,
                initialRoot: INITIAL,
                objectRoot: OBJECTS,
                datasetId: DATASET,
                objects: 1_000,
                objectBytes: 784,
                training: 900,
                splitSeed: "split",
                seed: "seed",
                logBatch: 6,
                logMicroBatches: 1,
                steps: 5,
                interval: 2,
                every: 3,
                table: hex"00010002"
            });
    }

    /// @dev A list of values is encoded as a struct without the offset in front.
    function encode(TrainingOrder memory order) internal pure returns (bytes memory encoded) {
        bytes memory whole = abi.encode(order);
        encoded = new bytes(whole.length - 32);
        for (uint256 i = 0; i < encoded.length; ++i) encoded[i] = whole[i + 32];
    }

    function orderOf(
        bytes memory training,
        Scheme scheme,
        uint8 size,
        uint8 threshold
    ) internal view returns (Order memory order) {
        order.consumer = consumer;
        order.problem = Problem(DATASET, keccak256(training), PROGRAM, [uint32(30), 20, 10], 12, 8, "file");
        Conditions memory c = order.conditions;
        (c.maximumPrice, c.deposit, c.trainingTime) = (DEPOSIT, DEPOSIT, TRAINING_TIME);
        (c.scheme, c.committeeSize, c.threshold) = (scheme, size, threshold);
        c.checkFee = size == 0 ? 0 : 1 ether;
        order.expiry = uint64(time() + 7 days);
    }

    function openJob(Scheme scheme) internal returns (uint256) {
        bytes memory training = encode(trainingOrder());
        (uint8 size, uint8 threshold) = scheme == Scheme.Optimistic ? (0, 0) : (9, 5);
        return jobs.open(orderOf(training, scheme, size, threshold), "order", training);
    }

    function openJob() internal returns (uint256) {
        return openJob(Scheme.Optimistic);
    }

    function openDivided(Scheme scheme, uint8 parts) internal returns (uint256) {
        bytes memory training = encode(trainingOrder());
        (uint8 size, uint8 threshold) = scheme == Scheme.Optimistic ? (0, 0) : (9, 5);
        Order memory order = orderOf(training, scheme, size, threshold);
        order.conditions.instalments = parts;
        // Longer than the time of challenges, so that checkpoints can be closed in training.
        order.conditions.trainingTime = 30 days;
        return jobs.open(order, "order", training);
    }

    function matchedJob(Scheme scheme) internal returns (uint256 id) {
        id = openJob(scheme);
        jobs.matchJob(id, provider, PRICE);
    }

    function lockedJob(Scheme scheme) internal returns (uint256 id) {
        id = matchedJob(scheme);
        vm.prank(provider);
        jobs.lock{value: 1 ether}(id);
    }

    function committedJob(Scheme scheme) internal returns (uint256 id) {
        id = lockedJob(scheme);
        vm.prank(provider);
        jobs.commit(id, commitment());
    }

    /// @dev A committed job without a committee.
    function committedJob() internal returns (uint256) {
        return committedJob(Scheme.Optimistic);
    }

    /// @dev Says that a job's time is over, and lets the grace pass.
    function timeOutJob(uint256 id) internal {
        jobs.callTimeout(id);
        pass(1 hours + 1);
    }

    function timeOutCheckpoint(uint256 id, uint256 number) internal {
        instalments.callTimeout(id, number);
        pass(1 hours + 1);
    }

    function convict(uint256 id) internal returns (uint256 challengeId) {
        challengeId = challenge(id, 1);
        pass(4 hours + 1);
        game.callTimeout(challengeId);
        pass(1 hours + 1);
        game.executeTimeout(challengeId);
    }

    function challenge(uint256 id, uint256 interval) internal returns (uint256) {
        (TraceLeaf memory before, TraceLeaf memory next) = (leaf(interval), leaf(interval + 1));
        vm.prank(challenger);
        return game.challenge{value: 1 ether}(id, interval, before, next);
    }

    function challengePrefix(uint256 claimId, uint256 last, uint256 interval) internal returns (uint256) {
        (TraceLeaf memory before, TraceLeaf memory next) = (
            leafOf(last, interval),
            leafOf(last, interval + 1)
        );
        vm.prank(challenger);
        return game.challenge{value: 1 ether}(claimId, interval, before, next);
    }

    function commitment() internal pure returns (IJobRegistry.Commitment memory) {
        return IJobRegistry.Commitment(traceRoot(), leaf(0), leaf(LEAVES - 1), "leaves", RESULT);
    }

    /// @dev Written out for four leaves, apart from the library that is tested.
    function leaf(uint256 i) internal pure returns (TraceLeaf memory opened) {
        (opened.stateRoot, opened.witnessHash) = stateAt(i);
        opened.siblings = new bytes32[](2);
        opened.siblings[0] = leafHash(i ^ 1);
        uint256 other = i < 2 ? 2 : 0;
        opened.siblings[1] = pair(leafHash(other), leafHash(other + 1));
    }

    /// @dev Checkpoint of a trace that ends at leaf 1 or 2.
    function prefix(uint256 last) internal pure returns (IJobRegistry.Commitment memory) {
        TraceLeaf memory first = leafOf(last, 0);
        return IJobRegistry.Commitment(prefixRoot(last), first, leafOf(last, last), "leaves", RESULT);
    }

    function leafOf(uint256 last, uint256 i) internal pure returns (TraceLeaf memory opened) {
        (opened.stateRoot, opened.witnessHash) = stateAt(i);
        opened.siblings = new bytes32[](last);
        // An absent leaf is zero.
        opened.siblings[0] = i == 2 ? bytes32(0) : leafHash(i ^ 1);
        if (last == 2) {
            opened.siblings[1] = i == 2 ? pair(leafHash(0), leafHash(1)) : pair(leafHash(2), bytes32(0));
        }
    }

    function prefixRoot(uint256 last) private pure returns (bytes32) {
        bytes32 two = pair(leafHash(0), leafHash(1));
        return last == 1 ? two : pair(two, pair(leafHash(2), bytes32(0)));
    }

    function traceRoot() internal pure returns (bytes32) {
        return pair(pair(leafHash(0), leafHash(1)), pair(leafHash(2), leafHash(3)));
    }

    function stateAt(uint256 i) internal pure returns (bytes32 root, bytes32 witnessHash) {
        if (i == 0) return (INITIAL, bytes32(0));
        bytes memory witnesses =
            i == 2 ? bytes.concat(bytes32("step 2"), bytes32("step 3")) : bytes.concat(bytes32(i));
        return (keccak256(abi.encode("state", i)), keccak256(bytes.concat(SALT, witnesses)));
    }

    function leafHash(uint256 i) internal pure returns (bytes32) {
        (bytes32 root, bytes32 witnessHash) = stateAt(i);
        bytes32 inner = keccak256(bytes.concat(keccak256("assay/trace/v1"), root, witnessHash));
        return keccak256(bytes.concat(hex"00", inner));
    }

    function pair(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return keccak256(bytes.concat(hex"01", left, right));
    }

    function statusOf(uint256 id) internal view returns (IJobRegistry.Status) {
        return jobs.jobOf(id).status;
    }

    function requireStatus(uint256 id, IJobRegistry.Status wanted) internal view {
        vm.assertEq(uint256(statusOf(id)), uint256(wanted), "status");
    }
}

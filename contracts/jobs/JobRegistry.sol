// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Verdict} from "../attestation/interfaces/ICommittee.sol";
import {IAttestedJobs} from "../attestation/interfaces/IAttestedJobs.sol";
import {Clock} from "../libraries/Clock.sol";
import {IStaking} from "../staking/interfaces/IStaking.sol";
import {Commitments} from "./Commitments.sol";
import {IEscrow} from "./interfaces/IEscrow.sol";
import {IJobRegistry} from "./interfaces/IJobRegistry.sol";
import {IJobRules, TrainingShape} from "./interfaces/IJobRules.sol";
import {Conditions, Order, Problem} from "./interfaces/Orders.sol";
import {JobEnds} from "./JobEnds.sol";
import {JobTable} from "./JobTable.sol";

/// @title The life of a job
contract JobRegistry is JobEnds {
    using Commitments for Commitment;
    using SafeCast for uint256;

    /// @notice How long a committee that does not decide can hold up a job, after twice the challenge window.
    uint256 public constant MAX_PENDING = 30 days;

    constructor(
        address authority,
        IStaking staking_,
        IJobRules rules_,
        IEscrow escrow_,
        Parameters memory parameters_
    ) JobTable(authority, staking_, rules_, escrow_, parameters_) {}

    /// @inheritdoc IJobRegistry
    function open(
        Order calldata order,
        bytes32 orderHash,
        bytes calldata training
    ) external restricted nonReentrant whenNotPaused returns (uint256 jobId) {
        TrainingShape memory shape = rules.openOrder(
            order,
            training,
            address(committee) != address(0),
            address(instalments) != address(0)
        );
        jobId = ++jobCount;
        Record storage record = _records[jobId];
        Job storage job = record.job;
        job.consumer = order.consumer;
        job.status = Status.Open;
        job.expiry = uint48(Math.min(order.expiry, type(uint48).max));
        job.orderHash = orderHash;
        job.stateRoot = shape.initialRoot;
        job.instalments = order.conditions.instalments;
        _keepProblem(record, order.problem, shape);
        uint256 fees = _keepConditions(record, order.conditions);
        emit JobOpened(jobId, orderHash, order.consumer, order, training);
        escrow.fund(jobId, order.consumer, order.conditions.deposit, fees);
    }

    /// @inheritdoc IJobRegistry
    function matchJob(uint256 jobId, address provider, uint256 price) external restricted {
        Record storage record = _requireStatus(jobId, Status.Open);
        Job storage job = record.job;
        if (block.timestamp > job.expiry) revert TooLate(jobId, job.expiry);
        uint256 deposit = _priceIn(jobId);
        if (price > deposit) revert PriceAboveDeposit(price, deposit);
        Parameters storage inForce = _parameterSets[record.parameterSet];
        uint256 stake = _stakeFor(inForce, provider, price);
        uint256 performance = performanceFor(deposit);
        job.status = Status.Matched;
        job.provider = provider;
        job.price = uint128(price);
        job.stake = stake.toUint128();
        job.performance = uint128(performance);
        job.deadline = uint48(block.timestamp + inForce.lockWindow);
        emit JobMatched(jobId, provider, price, stake, job.deadline);
        // Both from now on: what else the provider has signed for can take neither away before it locks.
        staking.lock(provider, stake + performance);
    }

    /// @inheritdoc IJobRegistry
    function unmatch(uint256 jobId) external restricted {
        Record storage record = _requireStatus(jobId, Status.Matched);
        Job storage job = record.job;
        _requireOver(jobId, job, job.deadline);
        (address provider, uint256 stake, uint256 performance) = (job.provider, job.stake, job.performance);
        job.status = Status.Open;
        (job.provider, job.price, job.stake, job.deadline) = (address(0), 0, 0, 0);
        (job.performance, job.graceEnds) = (0, 0);
        emit JobUnmatched(jobId, provider);
        _walk(record.datasetId, provider, stake, performance);
    }

    /// @inheritdoc IJobRegistry
    function cancel(uint256 jobId) external restricted {
        Job storage job = _requireStatus(jobId, Status.Open).job;
        job.status = Status.Cancelled;
        emit JobCancelled(jobId);
        escrow.close(jobId);
    }

    /// @inheritdoc IJobRegistry
    function lock(uint256 jobId) external payable nonReentrant {
        Record storage record = _requireStatus(jobId, Status.Matched);
        Job storage job = record.job;
        (address provider, uint256 price, uint256 stake) = (job.provider, job.price, job.stake);
        _requireProvider(jobId, job);
        job.status = Status.Training;
        job.graceEnds = 0;
        job.deadline = uint48(block.timestamp + record.trainingTime);
        record.isBonded = true;
        emit JobLocked(jobId, provider, stake, job.deadline);
        uint256 deposit = _priceIn(jobId);
        if (deposit != price) escrow.refundPrice(jobId, deposit - price);
        _bond(jobId, provider, _parameterSets[record.parameterSet]);
    }

    /// @inheritdoc IJobRegistry
    /// @dev The result must be stored (`IJobRules.isStored`) until the challenge window of the commitment is over, and
    /// twice as long where there is a committee.
    function commit(uint256 jobId, Commitment calldata commitment) external nonReentrant {
        Record storage record = _requireStatus(jobId, Status.Training);
        Job storage job = record.job;
        _requireProvider(jobId, job);
        uint256 leaves = _leavesOf(record);
        commitment.requireLeaves(leaves, job.stateRoot);
        uint256 window = _parameterSets[record.parameterSet].challengeWindow;
        uint8 size = record.committeeSize;
        uint256 until = block.timestamp + (size == 0 ? window : 2 * window);
        if (!rules.isStored(commitment.resultId, msg.sender, until)) {
            revert ResultNotStored(commitment.resultId);
        }
        job.status = Status.Committed;
        job.graceEnds = 0;
        job.traceRoot = commitment.traceRoot;
        job.stateRoot = commitment.last.stateRoot;
        job.resultId = commitment.resultId;
        job.challengeUntil = uint48(size == 0 ? until : until + MAX_PENDING);
        record.leavesDigest = commitment.leavesDigest;
        record.since = uint40(block.timestamp);
        _announceCommitment(jobId, job, commitment);
        _freePerformance(job);
        if (size == 0) return;
        committee.open(jobId, msg.sender, leaves - 1, size, record.threshold, record.checkFee);
    }

    /// @inheritdoc IJobRegistry
    function callTimeout(uint256 jobId) external {
        Record storage record = _records[jobId];
        Job storage job = record.job;
        if (job.graceEnds != 0) revert TimeoutAlreadyCalled(jobId);
        uint256 until = job.deadline;
        Status status = job.status;
        if (status == Status.Committed || status == Status.Attested) {
            until = job.challengeUntil;
            // The word of a committee brings the end nearer, and its silence too.
            bool isWaiting = status == Status.Committed && record.committeeSize != 0;
            if (isWaiting && !_isUndecided(jobId)) until -= MAX_PENDING;
            else if (isWaiting && block.timestamp <= until) revert NotAttested(jobId);
        } else if (status != Status.Matched && status != Status.Training) {
            revert WrongStatus(jobId, status);
        }
        if (!Clock.isLate(block.timestamp, until)) revert TooEarly(jobId, until + 1);
        job.graceEnds = uint32(block.timestamp + _parameterSets[record.parameterSet].dispute.grace);
        emit TimeoutCalled(jobId, job.graceEnds);
    }

    /// @inheritdoc IJobRegistry
    function expire(uint256 jobId) external nonReentrant {
        Record storage record = _records[jobId];
        Job storage job = record.job;
        Status status = job.status;
        if (status == Status.Training || status == Status.Matched) _requireOver(jobId, job, job.deadline);
        else if (status != Status.Open) revert WrongStatus(jobId, status);
        if (status == Status.Training) {
            _requireClosed(jobId, job);
            _fail(jobId, Fault.Late, address(0));
            _settle(jobId, record);
            _releaseBond(jobId, record);
        } else {
            uint256 until = job.expiry;
            if (block.timestamp <= until) revert TooEarly(jobId, until + 1);
            job.status = Status.Expired;
            emit JobExpired(jobId);
            if (status == Status.Matched) {
                _walk(record.datasetId, job.provider, job.stake, job.performance);
            }
            escrow.close(jobId);
        }
    }

    /// @inheritdoc IJobRegistry
    /// @dev Not guarded: credits alone change hands.
    function refundRest(uint256 jobId) external {
        Job storage job = _requireStatus(jobId, Status.Training).job;
        _requireOver(jobId, job, job.deadline);
        uint256 owed = job.instalments > 1 ? instalments.owedOf(jobId) : 0;
        escrow.refundPrice(jobId, _priceIn(jobId) - owed);
    }

    /// @inheritdoc IJobRegistry
    function finalise(uint256 jobId) external nonReentrant returns (uint256 certificateId) {
        Record storage record = _records[jobId];
        Job storage job = record.job;
        Status status = job.status;
        if (status != Status.Committed && status != Status.Attested) revert WrongStatus(jobId, status);
        _requireOver(jobId, job, job.challengeUntil);
        uint256 challenges = game.openChallenges(jobId);
        if (challenges != 0) revert ChallengesOpen(jobId, challenges);
        _requireClosed(jobId, job);
        rules.requirePayable(job.resultId, job.graceEnds);
        (address provider, uint256 price) = (job.provider, job.price);
        bool isUndecided = status == Status.Committed && record.committeeSize != 0 && _isUndecided(jobId);
        job.status = Status.Finalised;
        record.since = uint40(block.timestamp);
        record.isBonded = false;
        emit JobFinalised(jobId, provider, price, jobId);
        game.releaseJob(jobId);
        staking.unlock(provider, uint256(job.stake) + job.performance);
        _pay(jobId, provider, _priceIn(jobId));
        escrow.close(jobId);
        if (isUndecided) committee.close(jobId);
        return certificate.issue(job.consumer, _certificateOf(jobId, record));
    }

    /// @inheritdoc IAttestedJobs
    function onAttested(uint256 jobId) external {
        _requireCaller(address(committee));
        Record storage record = _requireStatus(jobId, Status.Committed);
        Job storage job = record.job;
        Parameters storage inForce = _parameterSets[record.parameterSet];
        job.status = Status.Attested;
        job.graceEnds = 0;
        record.isAttested = true;
        // What the last reveal showed can still be disputed, however late it was. A job is attested to once, so that
        // nobody puts its end off again.
        job.challengeUntil = uint48(
            Math.max(record.since + inForce.challengeWindow, block.timestamp + inForce.dispute.window)
        );
        emit JobAttested(jobId);
    }

    function _keepProblem(
        Record storage record,
        Problem calldata problem,
        TrainingShape memory shape
    ) private {
        record.datasetId = problem.datasetId;
        record.programRoot = problem.programRoot;
        record.trainingHash = problem.trainingHash;
        record.programDigest = problem.programDigest;
        record.steps = shape.steps;
        record.interval = shape.interval;
        record.logMicroBatches = shape.logMicroBatches;
        record.nodes0 = problem.nodeCounts[0];
        record.nodes1 = problem.nodeCounts[1];
        record.nodes2 = problem.nodeCounts[2];
        record.witnessNode = problem.witnessNode;
        record.slots = problem.slots;
    }

    /// @return fees of the committee
    function _keepConditions(
        Record storage record,
        Conditions calldata conditions
    ) private returns (uint256 fees) {
        record.trainingTime = conditions.trainingTime;
        record.parameterSet = _parameterSet;
        uint8 size = conditions.committeeSize;
        if (size == 0) return 0;
        record.committeeSize = size;
        record.threshold = conditions.threshold;
        record.checkFee = conditions.checkFee;
        return committee.feesFor(_leavesOf(record) - 1, size, conditions.checkFee);
    }

    /// @dev What a conviction burns of the stake, whoever reports it, stands in for as much of the bond.
    function _freePerformance(Job storage job) private {
        uint256 freed = Math.min(job.performance, job.stake / 2);
        job.performance -= uint128(freed);
        staking.unlock(msg.sender, freed);
    }

    function _announceCommitment(uint256 jobId, Job storage job, Commitment calldata commitment) private {
        emit JobCommitted(
            jobId,
            msg.sender,
            commitment.traceRoot,
            commitment.last.stateRoot,
            commitment.leavesDigest,
            commitment.resultId,
            job.challengeUntil
        );
    }

    /// @dev What can still be disputed, or is owed for a checkpoint, comes before the end.
    function _requireClosed(uint256 jobId, Job storage job) private view {
        if (job.instalments > 1) instalments.requireClosed(jobId);
    }

    function _requireProvider(uint256 jobId, Job storage job) private view {
        if (msg.sender != job.provider) revert NotProvider(jobId, msg.sender);
        if (!Clock.mayMove(block.timestamp, job.graceEnds)) revert TooLate(jobId, job.graceEnds);
    }

    /// @dev The timeout of what is due in this status was called, and its grace is over.
    function _requireOver(uint256 jobId, Job storage job, uint256 deadline) private view {
        uint256 graceEnds = job.graceEnds;
        if (Clock.mayMove(block.timestamp, graceEnds)) {
            revert TooEarly(jobId, (graceEnds == 0 ? deadline : graceEnds) + 1);
        }
    }

    /// @dev Whether a committee that was drawn may still work.
    function _isUndecided(uint256 jobId) private view returns (bool) {
        return committee.verdictOf(jobId) == Verdict.Pending;
    }
}

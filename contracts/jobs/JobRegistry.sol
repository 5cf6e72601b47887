// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Verdict} from "../attestation/interfaces/ICommittee.sol";
import {IAttestedJobs} from "../attestation/interfaces/IAttestedJobs.sol";
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
        job.status = Status.Matched;
        job.provider = provider;
        job.price = uint128(price);
        job.stake = stake.toUint128();
        job.deadline = uint48(block.timestamp + inForce.lockWindow);
        emit JobMatched(jobId, provider, price, stake, job.deadline);
    }

    /// @inheritdoc IJobRegistry
    function unmatch(uint256 jobId) external restricted {
        Job storage job = _requireStatus(jobId, Status.Matched).job;
        if (block.timestamp <= job.deadline) revert TooEarly(jobId, uint256(job.deadline) + 1);
        address provider = job.provider;
        job.status = Status.Open;
        (job.provider, job.price, job.stake, job.deadline) = (address(0), 0, 0, 0);
        emit JobUnmatched(jobId, provider);
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
        job.deadline = uint48(block.timestamp + record.trainingTime);
        record.isBonded = true;
        emit JobLocked(jobId, provider, stake, job.deadline);
        uint256 deposit = _priceIn(jobId);
        if (deposit != price) escrow.refundPrice(jobId, deposit - price);
        staking.lock(provider, stake);
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
        job.traceRoot = commitment.traceRoot;
        job.stateRoot = commitment.last.stateRoot;
        job.resultId = commitment.resultId;
        job.challengeUntil = uint48(size == 0 ? until : until + MAX_PENDING);
        record.leavesDigest = commitment.leavesDigest;
        record.since = uint40(block.timestamp);
        _announceCommitment(jobId, job, commitment);
        if (size == 0) return;
        committee.open(jobId, msg.sender, leaves - 1, size, record.threshold, record.checkFee);
    }

    /// @inheritdoc IJobRegistry
    function expire(uint256 jobId) external nonReentrant {
        Record storage record = _records[jobId];
        Job storage job = record.job;
        Status status = job.status;
        uint256 until = job.expiry;
        if (status == Status.Training) until = job.deadline;
        else if (status == Status.Matched) until = Math.max(job.deadline, until);
        else if (status != Status.Open) revert WrongStatus(jobId, status);
        if (block.timestamp <= until) revert TooEarly(jobId, until + 1);
        if (status == Status.Training) {
            _requireClosed(jobId, job);
            _fail(jobId, Fault.Late, msg.sender);
            _settle(jobId, record);
            _releaseBond(jobId, record);
        } else {
            job.status = Status.Expired;
            emit JobExpired(jobId);
            escrow.close(jobId);
        }
    }

    /// @inheritdoc IJobRegistry
    function finalise(uint256 jobId) external nonReentrant returns (uint256 certificateId) {
        Record storage record = _records[jobId];
        Job storage job = record.job;
        bool isUndecided = _requireDecided(jobId, record);
        uint256 challenges = game.openChallenges(jobId);
        if (challenges != 0) revert ChallengesOpen(jobId, challenges);
        _requireClosed(jobId, job);
        (address provider, uint256 price) = (job.provider, job.price);
        job.status = Status.Finalised;
        record.since = uint40(block.timestamp);
        record.isBonded = false;
        emit JobFinalised(jobId, provider, price, jobId);
        game.releaseJob(jobId);
        staking.unlock(provider, job.stake);
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
        record.isAttested = true;
        // What the last reveal showed can still be disputed.
        uint256 until = Math.max(
            record.since + inForce.challengeWindow,
            block.timestamp + inForce.dispute.window
        );
        job.challengeUntil = uint48(Math.min(until, job.challengeUntil));
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
        if (block.timestamp > job.deadline) revert TooLate(jobId, job.deadline);
    }

    /// @return isUndecided whether the job goes on without the word of a committee that may still work
    function _requireDecided(uint256 jobId, Record storage record) private view returns (bool isUndecided) {
        Status status = record.job.status;
        if (status != Status.Committed && status != Status.Attested) revert WrongStatus(jobId, status);
        uint256 until = record.job.challengeUntil;
        if (status == Status.Committed && record.committeeSize != 0) {
            isUndecided = committee.verdictOf(jobId) == Verdict.Pending;
            if (!isUndecided) until -= MAX_PENDING;
            else if (block.timestamp <= until) revert NotAttested(jobId);
        }
        if (block.timestamp <= until) revert TooEarly(jobId, until + 1);
    }
}

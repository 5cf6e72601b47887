// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Verdict} from "../attestation/interfaces/ICommittee.sol";
import {IAttestedJobs} from "../attestation/interfaces/IAttestedJobs.sol";
import {IDisputedClaims} from "../disputes/interfaces/IDisputedClaims.sol";
import {TraceLeaf} from "../disputes/interfaces/IDisputeRules.sol";
import {TraceLeaves} from "../disputes/TraceLeaves.sol";
import {IStaking} from "../staking/interfaces/IStaking.sol";
import {Conducts} from "./Conduct.sol";
import {IEscrow} from "./interfaces/IEscrow.sol";
import {IJobRegistry} from "./interfaces/IJobRegistry.sol";
import {IJobRules, TrainingShape} from "./interfaces/IJobRules.sol";
import {IJobTable} from "./interfaces/IJobTable.sol";
import {Conditions, Order, Problem, Scheme} from "./interfaces/Orders.sol";
import {JobTable} from "./JobTable.sol";

/// @title The life of a job
/// @dev An end that the game or the committee reports is written down first, and settled in a call of its own that may
/// fail: nothing outside this contract can keep a conviction from counting. Whatever failed is done by `settle`.
contract JobRegistry is JobTable, ReentrancyGuardTransient {
    using SafeCast for uint256;

    /// @notice How long a committee that does not decide can hold up a job, after twice the challenge window.
    uint256 public constant MAX_PENDING = 30 days;
    uint256 private constant BASIS_POINTS = 10_000;
    uint8 private constant MAX_COMMITTEE = 64;

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
        _requireConditions(order);
        jobId = ++jobCount;
        Record storage record = _records[jobId];
        Job storage job = record.job;
        job.consumer = order.consumer;
        job.status = Status.Open;
        job.expiry = uint48(Math.min(order.expiry, type(uint48).max));
        job.orderHash = orderHash;
        job.stateRoot = _keepProblem(record, order.problem, training);
        uint256 fees = _keepConditions(record, order.conditions);
        emit JobOpened(jobId, orderHash, order.consumer, order, training);
        escrow.fund(jobId, order.consumer, order.conditions.deposit, fees);
    }

    /// @inheritdoc IJobRegistry
    function matchJob(uint256 jobId, address provider, uint256 price) external restricted {
        Record storage record = _requireStatus(jobId, Status.Open);
        Job storage job = record.job;
        if (block.timestamp > job.expiry) revert TooLate(jobId, job.expiry);
        (uint256 deposit, ) = escrow.pursesOf(jobId);
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
        Parameters storage inForce = _parameterSets[record.parameterSet];
        if (msg.value != inForce.providerBond) revert WrongBond(msg.value, inForce.providerBond);
        job.status = Status.Training;
        job.deadline = uint48(block.timestamp + record.trainingTime);
        record.isBonded = true;
        emit JobLocked(jobId, provider, stake, job.deadline);
        (uint256 deposit, ) = escrow.pursesOf(jobId);
        if (deposit != price) escrow.refundPrice(jobId, deposit - price);
        staking.lock(provider, stake);
        game.openJob{value: msg.value}(jobId, provider, inForce.dispute);
    }

    /// @inheritdoc IJobRegistry
    /// @dev The result must be stored (`IJobRules.isStored`) until the challenge window of the commitment is over, and
    /// twice as long where there is a committee.
    function commit(uint256 jobId, Commitment calldata commitment) external nonReentrant {
        Record storage record = _requireStatus(jobId, Status.Training);
        Job storage job = record.job;
        _requireProvider(jobId, job);
        uint256 leaves = _leavesOf(record);
        _requireLeaves(commitment, leaves, job.stateRoot);
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
        record.since = uint48(block.timestamp);
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
        (address provider, uint256 price) = (job.provider, job.price);
        job.status = Status.Finalised;
        record.since = uint48(block.timestamp);
        record.isBonded = false;
        emit JobFinalised(jobId, provider, price, jobId);
        game.releaseJob(jobId);
        staking.unlock(provider, job.stake);
        escrow.payPrice(jobId, provider, price);
        escrow.close(jobId);
        if (isUndecided) committee.close(jobId);
        return certificate.issue(job.consumer, _certificateOf(jobId, record));
    }

    /// @inheritdoc IDisputedClaims
    /// @dev A job that has failed already fails no second time.
    function onConvicted(uint256 jobId, uint256, uint256, address challenger) external {
        _requireCaller(address(game));
        Record storage record = _records[jobId];
        record.isBonded = false;
        Status status = record.job.status;
        if (status != Status.Committed && status != Status.Attested) return;
        _fail(jobId, Fault.Convicted, challenger);
        _trySettle(jobId);
    }

    /// @inheritdoc IDisputedClaims
    function onVoid(uint256 jobId) external {
        _requireCaller(address(game));
        Record storage record = _records[jobId];
        record.isBonded = false;
        Status status = record.job.status;
        bool isCommitted = status == Status.Committed || status == Status.Attested;
        if (!isCommitted && status != Status.Training) return;
        record.job.status = Status.Void;
        record.isOwed = true;
        _trySettle(jobId);
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

    /// @inheritdoc IAttestedJobs
    function onWithheld(uint256 jobId, address reporter) external {
        _requireCaller(address(committee));
        Status status = _records[jobId].job.status;
        if (status != Status.Committed && status != Status.Attested) revert WrongStatus(jobId, status);
        _fail(jobId, Fault.Withheld, reporter);
        _trySettle(jobId);
    }

    /// @inheritdoc IJobTable
    function settle(uint256 jobId) external nonReentrant {
        Record storage record = _records[jobId];
        Status status = record.job.status;
        bool isOwed = record.isOwed;
        if (isOwed) _settle(jobId, record);
        bool isBonded = status == Status.Failed && record.isBonded;
        if (!isOwed && !isBonded) revert NothingToSettle(jobId);
        if (!isBonded) return;
        // The game goes on with the challenges that were open when the committee reported; its end returns the bond.
        uint256 challenges = game.openChallenges(jobId);
        if (challenges == 0) _releaseBond(jobId, record);
        else if (!isOwed) revert ChallengesOpen(jobId, challenges);
    }

    function _fail(uint256 jobId, Fault fault, address reporter) private {
        Record storage record = _records[jobId];
        record.job.status = Status.Failed;
        record.fault = fault;
        record.reporter = reporter;
        record.isOwed = true;
        _mark(record.job.provider, fault == Fault.Late ? Conducts.LATE : Conducts.CONVICTION);
    }

    function _trySettle(uint256 jobId) private {
        // solhint-disable-next-line no-empty-blocks
        try this.settle(jobId) {} catch {
            emit SettlementPending(jobId);
        }
    }

    function _settle(uint256 jobId, Record storage record) private {
        record.isOwed = false;
        if (record.job.status == Status.Void) _settleVoid(jobId, record.job);
        else _settleFailure(jobId, record, record.fault);
        // Withheld is what the committee itself has said.
        bool isDrawn = record.committeeSize != 0 && record.job.traceRoot != bytes32(0);
        if (isDrawn && record.fault != Fault.Withheld) committee.close(jobId);
    }

    function _settleVoid(uint256 jobId, Job storage job) private {
        uint256 paid = job.traceRoot == bytes32(0) ? 0 : job.price;
        staking.unlock(job.provider, job.stake);
        if (paid != 0) escrow.payPrice(jobId, job.provider, paid);
        emit JobVoided(jobId, paid, escrow.close(jobId));
    }

    function _settleFailure(uint256 jobId, Record storage record, Fault fault) private {
        (address provider, uint256 stake) = (record.job.provider, record.job.stake);
        uint256 penalty = stake;
        bytes32 reason = fault == Fault.Convicted ? bytes32("convicted") : bytes32("withheld");
        if (fault == Fault.Late) {
            reason = "late";
            penalty = Math.ceilDiv(stake * _parameterSets[record.parameterSet].latePenalty, BASIS_POINTS);
        }
        // All of it comes out of what this contract has locked for the job.
        (uint256 slashed, ) = staking.slash(provider, penalty, record.reporter, reason);
        if (slashed < stake) staking.unlock(provider, stake - slashed);
        emit JobFailed(jobId, provider, reason, slashed, escrow.close(jobId));
    }

    function _releaseBond(uint256 jobId, Record storage record) private {
        record.isBonded = false;
        emit BondReleased(jobId, record.job.provider);
        game.releaseJob(jobId);
    }

    /// @return initialRoot state root before the first step
    function _keepProblem(
        Record storage record,
        Problem calldata problem,
        bytes calldata training
    ) private returns (bytes32 initialRoot) {
        TrainingShape memory order = rules.openTraining(problem, training);
        record.datasetId = problem.datasetId;
        record.programRoot = problem.programRoot;
        record.trainingHash = problem.trainingHash;
        record.programDigest = problem.programDigest;
        record.steps = order.steps;
        record.interval = order.interval;
        record.logMicroBatches = order.logMicroBatches;
        record.nodes0 = problem.nodeCounts[0];
        record.nodes1 = problem.nodeCounts[1];
        record.nodes2 = problem.nodeCounts[2];
        record.witnessNode = problem.witnessNode;
        record.slots = problem.slots;
        return order.initialRoot;
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

    /// @dev What an order says beside its training.
    function _requireConditions(Order calldata order) private view {
        if (block.timestamp > order.expiry) revert TooLate(0, order.expiry);
        Conditions calldata c = order.conditions;
        if (c.trainingTime == 0) revert UnfitTraining("trainingTime");
        if (c.priceFeed == address(0) && c.maximumPrice > c.deposit) {
            revert PriceAboveDeposit(c.maximumPrice, c.deposit);
        }
        (uint256 size, uint256 threshold) = (c.committeeSize, c.threshold);
        bool isFit = size == 0 && threshold == 0;
        if (c.scheme != Scheme.Optimistic) {
            bool isDrawable = address(committee) != address(0) && size <= MAX_COMMITTEE;
            isFit = isDrawable && threshold <= size && 2 * threshold > size;
        }
        if (!isFit) revert UnfitCommittee(c.committeeSize, c.threshold);
    }

    function _requireProvider(uint256 jobId, Job storage job) private view {
        if (msg.sender != job.provider) revert NotProvider(jobId, msg.sender);
        if (block.timestamp > job.deadline) revert TooLate(jobId, job.deadline);
    }

    function _requireLeaves(
        Commitment calldata commitment,
        uint256 leaves,
        bytes32 initialRoot
    ) private pure {
        TraceLeaf calldata first = commitment.first;
        bool isFirst = first.stateRoot == initialRoot && first.witnessHash == bytes32(0);
        if (!isFirst || !TraceLeaves.isUnder(first, 0, leaves, commitment.traceRoot)) revert WrongLeaf(0);
        if (!TraceLeaves.isUnder(commitment.last, leaves - 1, leaves, commitment.traceRoot)) {
            revert WrongLeaf(leaves - 1);
        }
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

    function _requireCaller(address wanted) private view {
        if (msg.sender != wanted) revert NotAuthorised(msg.sender);
    }
}

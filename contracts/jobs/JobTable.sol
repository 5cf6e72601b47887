// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ICommittee} from "../attestation/interfaces/ICommittee.sol";
import {IAttestedJobs} from "../attestation/interfaces/IAttestedJobs.sol";
import {Clock} from "../libraries/Clock.sol";
import {IDisputedClaims, TrainingClaim} from "../disputes/interfaces/IDisputedClaims.sol";
import {IDisputeGame} from "../disputes/interfaces/IDisputeGame.sol";
import {TraceLeaves} from "../disputes/TraceLeaves.sol";
import {LapsingPause} from "../libraries/LapsingPause.sol";
import {IStaking} from "../staking/interfaces/IStaking.sol";
import {ClaimIds} from "./ClaimIds.sol";
import {Conduct, Conducts} from "./Conduct.sol";
import {ICertifiedJobs} from "./interfaces/ICertifiedJobs.sol";
import {IEscrow} from "./interfaces/IEscrow.sol";
import {IInstalments} from "./interfaces/IInstalments.sol";
import {IJobRegistry} from "./interfaces/IJobRegistry.sol";
import {IJobRules} from "./interfaces/IJobRules.sol";
import {IJobTable} from "./interfaces/IJobTable.sol";
import {Certificate, IModelCertificate} from "./interfaces/IModelCertificate.sol";

/// @title Jobs, parameters and modules of the registry
/// @notice Everything but the life cycle.
abstract contract JobTable is IJobRegistry, IJobTable, ICertifiedJobs, AccessManaged, LapsingPause {
    using Conducts for Conduct;

    /// @dev Why a job has failed.
    enum Fault {
        None,
        Late,
        Convicted,
        Withheld,
        // The last three are those of `ResultFault`, in its order: `onResultFault` counts on from here.
        Lost,
        Misstored,
        Stranded
    }

    struct Record {
        Job job;
        bytes32 datasetId;
        bytes32 programRoot;
        bytes32 trainingHash;
        bytes32 programDigest;
        bytes32 leavesDigest;
        /// T, I and what a dispute must know of the program, in one word.
        uint32 steps;
        uint8 interval;
        uint8 logMicroBatches;
        uint32 nodes0;
        uint32 nodes1;
        uint32 nodes2;
        uint32 witnessNode;
        uint32 slots;
        uint32 trainingTime;
        uint8 committeeSize;
        uint8 threshold;
        /// Which parameters were in force when the job was opened. A ruling writes to this word: it is not zero then.
        uint24 parameterSet;
        /// When it was committed, then when it was finalised.
        uint40 since;
        bool isAttested;
        /// The provider's bond is in the game.
        bool isBonded;
        /// The job is over, and its stake and purses are still as they were.
        bool isOwed;
        Fault fault;
        /// Who is rewarded for a fault.
        address reporter;
        /// Tokens for each interval that a member checks.
        uint128 checkFee;
    }

    uint256 internal constant BASIS_POINTS = 10_000;
    /// @dev Part of the deposit that a provider risks by not doing the job, whatever its price.
    uint256 private constant PERFORMANCE_DIVISOR = 10;

    IStaking public immutable staking;
    IJobRules public immutable rules;
    IEscrow public immutable escrow;

    IDisputeGame public game;
    ICommittee public committee;
    IModelCertificate public certificate;
    IInstalments public instalments;
    /// @inheritdoc IJobTable
    uint256 public jobCount;

    uint24 internal _parameterSet;
    mapping(uint256 number => Parameters) internal _parameterSets;
    mapping(uint256 jobId => Record) internal _records;
    mapping(address provider => Conduct) internal _conducts;

    constructor(
        address authority,
        IStaking staking_,
        IJobRules rules_,
        IEscrow escrow_,
        Parameters memory parameters_
    ) AccessManaged(authority) {
        staking = staking_;
        rules = rules_;
        escrow = escrow_;
        _setParameters(parameters_);
    }

    /// @inheritdoc IJobTable
    function setModules(
        IDisputeGame game_,
        ICommittee committee_,
        IModelCertificate certificate_,
        IInstalments instalments_
    ) external restricted {
        bool isNamed = address(game_) != address(0) && address(certificate_) != address(0);
        if (!isNamed || address(game) != address(0)) revert InvalidModules();
        (game, committee, certificate, instalments) = (game_, committee_, certificate_, instalments_);
        emit ModulesSet(game_, committee_, certificate_, instalments_);
    }

    /// @inheritdoc IJobTable
    function setParameters(Parameters calldata parameters_) external restricted {
        _setParameters(parameters_);
    }

    /// @inheritdoc IJobTable
    function pause() external restricted {
        _pause();
    }

    /// @inheritdoc IJobTable
    function unpause() external restricted {
        _unpause();
    }

    /// @inheritdoc IJobRegistry
    function jobOf(uint256 jobId) external view returns (Job memory) {
        return _records[jobId].job;
    }

    /// @inheritdoc IJobRegistry
    function statusOf(uint256 jobId) external view returns (Status) {
        return _records[jobId].job.status;
    }

    /// @inheritdoc IJobRegistry
    function parametersOf(uint256 jobId) external view returns (Parameters memory) {
        return _parameterSets[_records[jobId].parameterSet];
    }

    /// @inheritdoc IJobTable
    function isOwed(uint256 jobId) external view returns (bool) {
        return _records[jobId].isOwed;
    }

    /// @inheritdoc IJobTable
    function parameters() external view returns (Parameters memory) {
        return _parameterSets[_parameterSet];
    }

    /// @inheritdoc IJobRegistry
    function stakeFor(address provider, uint256 price) external view returns (uint256) {
        return _stakeFor(_parameterSets[_parameterSet], provider, price);
    }

    /// @inheritdoc IJobRegistry
    function stakeForJob(uint256 jobId, address provider, uint256 price) external view returns (uint256) {
        return _stakeFor(_parameterSets[_records[jobId].parameterSet], provider, price);
    }

    /// @inheritdoc IJobRegistry
    function performanceFor(uint256 deposit) public pure returns (uint256) {
        return Math.ceilDiv(deposit, PERFORMANCE_DIVISOR);
    }

    /// @inheritdoc IJobTable
    function multiplierOf(address provider) external view returns (uint256) {
        return _conducts[provider].multiplierOf();
    }

    /// @inheritdoc IAttestedJobs
    function isRunning(uint256 jobId) external view returns (bool) {
        return _isRunning(_records[jobId].job.status);
    }

    /// @inheritdoc IAttestedJobs
    function traceOf(uint256 jobId) external view returns (bytes32 traceRoot, uint256 leaves) {
        Record storage record = _records[jobId];
        traceRoot = record.job.traceRoot;
        if (record.steps != 0) leaves = _leavesOf(record);
    }

    /// @inheritdoc IAttestedJobs
    function challengeUntilOf(uint256 jobId) external view returns (uint256) {
        return _records[jobId].job.challengeUntil;
    }

    /// @inheritdoc IDisputedClaims
    /// @dev A job that is over takes no challenges, also where the game has not heard of its end.
    function claimOf(uint256 claimId) external view returns (TrainingClaim memory claim) {
        (uint256 jobId, uint256 number) = ClaimIds.split(claimId);
        Record storage record = _records[jobId];
        claim.provider = record.job.provider;
        claim.traceRoot = record.job.traceRoot;
        uint256 graceEnds = record.job.graceEnds;
        claim.programRoot = record.programRoot;
        claim.trainingHash = record.trainingHash;
        claim.steps = record.steps;
        claim.interval = record.interval;
        claim.logMicroBatches = record.logMicroBatches;
        claim.nodeCounts = [uint256(record.nodes0), record.nodes1, record.nodes2];
        claim.witnessNode = record.witnessNode;
        claim.slots = record.slots;
        if (number != 0) {
            IInstalments.Checkpoint memory checkpoint = instalments.checkpointOf(jobId, number);
            claim.traceRoot = checkpoint.traceRoot;
            graceEnds = checkpoint.graceEnds;
            claim.steps = checkpoint.steps;
        }
        bool isClaimed = claim.traceRoot != bytes32(0) && _isRunning(record.job.status);
        if (isClaimed) claim.challengeUntil = uint64(Clock.endOf(graceEnds));
    }

    /// @inheritdoc ICertifiedJobs
    function certificateOf(uint256 jobId) external view returns (Certificate memory c) {
        Record storage record = _records[jobId];
        if (record.job.status == Status.Finalised) c = _certificateOf(jobId, record);
    }

    function _certificateOf(
        uint256 jobId,
        Record storage record
    ) internal view returns (Certificate memory c) {
        Job storage job = record.job;
        c.jobId = jobId;
        (c.provider, c.orderHash, c.datasetId) = (job.provider, job.orderHash, record.datasetId);
        (c.programRoot, c.trainingHash) = (record.programRoot, record.trainingHash);
        (c.traceRoot, c.stateRoot, c.resultId) = (job.traceRoot, job.stateRoot, job.resultId);
        (c.programDigest, c.leavesDigest) = (record.programDigest, record.leavesDigest);
        (c.isAttested, c.finalisedAt) = (record.isAttested, record.since);
    }

    function _mark(address provider, uint256 weight) internal {
        Conduct storage conduct = _conducts[provider];
        conduct.mark(weight);
        emit ConductMarked(provider, conduct.multiplierOf());
    }

    /// @dev Rounds up.
    function _stakeFor(
        Parameters storage inForce,
        address provider,
        uint256 price
    ) internal view returns (uint256 stake) {
        stake = Math.max(Math.ceilDiv(price * inForce.stakePercent, 100), inForce.minimumStake);
        stake = Math.ceilDiv(stake * _conducts[provider].multiplierOf(), 100);
    }

    /// @dev A provider has locked the job, and it has not ended.
    function _isRunning(Status status) internal pure returns (bool) {
        return status == Status.Training || status == Status.Committed || status == Status.Attested;
    }

    function _leavesOf(Record storage record) internal view returns (uint256) {
        return TraceLeaves.countOf(record.steps, record.interval);
    }

    function _requireStatus(uint256 jobId, Status wanted) internal view returns (Record storage record) {
        record = _records[jobId];
        if (record.job.status != wanted) revert WrongStatus(jobId, record.job.status);
    }

    function _setParameters(Parameters memory next) private {
        rules.requireParameters(next);
        _parameterSets[++_parameterSet] = next;
        emit ParametersSet(next);
    }
}

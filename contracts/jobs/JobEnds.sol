// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IAttestedJobs} from "../attestation/interfaces/IAttestedJobs.sol";
import {IDisputedClaims} from "../disputes/interfaces/IDisputedClaims.sol";
import {ClaimIds} from "./ClaimIds.sol";
import {Conducts} from "./Conduct.sol";
import {ICheckpointedJobs} from "./interfaces/ICheckpointedJobs.sol";
import {IJobTable} from "./interfaces/IJobTable.sol";
import {JobTable} from "./JobTable.sol";

/// @title What others report of a job, and how its money moves when it does not end well
/// @dev What the game or the committee reports is only written down: nothing outside this contract can keep a ruling
/// from counting, and a ruling pays for no slash. `settle` moves the money, in a transaction of its own.
abstract contract JobEnds is JobTable, ReentrancyGuardTransient {
    bytes32 private constant CONVICTED = "convicted";
    bytes32 private constant WITHHELD = "withheld";
    bytes32 private constant LATE = "late";
    bytes32 private constant VOID = "void";
    bytes32 private constant UNLOCKED = "unlocked";
    bytes32 private constant LOST = "lost";
    bytes32 private constant MISSTORED = "misstored";
    bytes32 private constant STRANDED = "stranded";

    /// @inheritdoc IDisputedClaims
    /// @dev A job that has failed already fails no second time.
    function onConvicted(uint256 claimId, uint256, uint256, address challenger) external {
        (uint256 jobId, Record storage record) = _reported(claimId);
        if (!_isRunning(record.job.status)) return;
        _fail(jobId, Fault.Convicted, challenger);
        emit SettlementPending(jobId, CONVICTED);
    }

    /// @inheritdoc IDisputedClaims
    function onVoid(uint256 claimId) external {
        (uint256 jobId, Record storage record) = _reported(claimId);
        if (!_isRunning(record.job.status)) return;
        record.job.status = Status.Void;
        record.isOwed = true;
        emit SettlementPending(jobId, VOID);
    }

    /// @inheritdoc IAttestedJobs
    function onWithheld(uint256 jobId) external {
        _requireCaller(address(committee));
        Status status = _records[jobId].job.status;
        if (status != Status.Committed && status != Status.Attested) revert WrongStatus(jobId, status);
        _fail(jobId, Fault.Withheld, address(0));
        emit SettlementPending(jobId, WITHHELD);
    }

    /// @inheritdoc IJobTable
    function onResultFault(uint256 jobId, ResultFault fault, address reporter) external restricted {
        Status status = _records[jobId].job.status;
        if (!_isRunning(status)) revert WrongStatus(jobId, status);
        Fault jobFault = Fault(uint8(Fault.Lost) + uint8(fault));
        _fail(jobId, jobFault, reporter);
        emit SettlementPending(jobId, _reasonOf(jobFault));
    }

    /// @inheritdoc ICheckpointedJobs
    function openClaim(uint256 claimId) external payable {
        _requireCaller(address(instalments));
        (uint256 jobId, ) = ClaimIds.split(claimId);
        Record storage record = _records[jobId];
        _bond(claimId, record.job.provider, _parameterSets[record.parameterSet]);
    }

    /// @inheritdoc ICheckpointedJobs
    function closeClaim(uint256 claimId, uint256 amount) external {
        _requireCaller(address(instalments));
        (uint256 jobId, ) = ClaimIds.split(claimId);
        game.releaseJob(claimId);
        _pay(jobId, _records[jobId].job.provider, amount);
    }

    /// @inheritdoc IJobTable
    function settle(uint256 jobId) external nonReentrant {
        Record storage record = _records[jobId];
        Status status = record.job.status;
        bool isOwed = record.isOwed;
        if (isOwed) _settle(jobId, record);
        bool isBonded = (status == Status.Failed || status == Status.Void) && record.isBonded;
        if (!isOwed && !isBonded) revert NothingToSettle(jobId);
        if (!isBonded) return;
        // The game goes on with the challenges that were open when somebody else reported; its end returns the bond.
        uint256 challenges = game.openChallenges(jobId);
        if (challenges == 0) _releaseBond(jobId, record);
        else if (!isOwed) revert ChallengesOpen(jobId, challenges);
    }

    function _fail(uint256 jobId, Fault fault, address reporter) internal {
        Record storage record = _records[jobId];
        record.job.status = Status.Failed;
        record.fault = fault;
        record.reporter = reporter;
        record.isOwed = true;
    }

    function _settle(uint256 jobId, Record storage record) internal {
        record.isOwed = false;
        if (record.job.status == Status.Void) _settleVoid(jobId, record);
        else _settleFailure(jobId, record, record.fault);
        // Withheld is what the committee itself has said.
        bool isDrawn = record.committeeSize != 0 && record.job.traceRoot != bytes32(0);
        if (isDrawn && record.fault != Fault.Withheld) committee.close(jobId);
    }

    function _releaseBond(uint256 jobId, Record storage record) internal {
        record.isBonded = false;
        emit BondReleased(jobId, record.job.provider);
        game.releaseJob(jobId);
    }

    /// @dev Puts a bond into the game: what was sent.
    function _bond(uint256 claimId, address provider, Parameters storage inForce) internal {
        if (msg.value != inForce.providerBond) revert WrongBond(msg.value, inForce.providerBond);
        game.openJob{value: msg.value}(claimId, provider, inForce.dispute);
    }

    function _pay(uint256 jobId, address provider, uint256 amount) internal {
        if (amount != 0) escrow.payPrice(jobId, provider, amount);
    }

    /// @return price what is in escrow of the deposit, or of the price
    function _priceIn(uint256 jobId) internal view returns (uint256 price) {
        (price, ) = escrow.pursesOf(jobId);
    }

    /// @dev A provider that had the job and did not lock. Nobody need train on data that is known to be bad, or that
    /// nobody need serve any more.
    function _walk(bytes32 datasetId, address provider, uint256 stake, uint256 performance) internal {
        bool isExcused = rules.isOver(datasetId);
        staking.unlock(provider, isExcused ? stake + performance : stake);
        if (!isExcused) _burnPerformance(provider, performance, UNLOCKED);
    }

    /// @dev Nobody is rewarded for another's delay: whoever causes it could be its reporter.
    function _burnPerformance(
        address provider,
        uint256 performance,
        bytes32 reason
    ) internal returns (uint256 burnt) {
        (burnt, ) = staking.slash(provider, performance, address(0), reason);
    }

    function _requireCaller(address wanted) internal view {
        if (msg.sender != wanted) revert NotAuthorised(msg.sender);
    }

    /// @dev A report of the game. The bond of a checkpoint is not the job's.
    function _reported(uint256 claimId) private returns (uint256 jobId, Record storage record) {
        _requireCaller(address(game));
        uint256 number;
        (jobId, number) = ClaimIds.split(claimId);
        record = _records[jobId];
        if (number == 0) record.isBonded = false;
    }

    /// @dev The author of a void program pays for what was committed to, the checkpoints that wait among it.
    function _settleVoid(uint256 jobId, Record storage record) private {
        Job storage job = record.job;
        uint256 paid = 0;
        if (job.traceRoot != bytes32(0)) paid = _priceIn(jobId);
        else if (job.instalments > 1) paid = instalments.owedOf(jobId);
        staking.unlock(job.provider, uint256(job.stake) + job.performance);
        _pay(jobId, job.provider, paid);
        emit JobVoided(jobId, paid, escrow.close(jobId));
    }

    function _settleFailure(uint256 jobId, Record storage record, Fault fault) private {
        (address provider, uint256 stake) = (record.job.provider, record.job.stake);
        // Also when a checkpoint is convicted: to be late must not cost more than to be wrong on purpose.
        uint256 performance = record.job.performance;
        bytes32 reason = _reasonOf(fault);
        uint256 slashed = 0;
        if (fault == Fault.Stranded) {
            (stake, performance) = (stake + performance, 0);
        } else {
            uint256 penalty = stake;
            if (fault == Fault.Late) {
                penalty = Math.ceilDiv(stake * _parameterSets[record.parameterSet].latePenalty, BASIS_POINTS);
            }
            _mark(provider, fault == Fault.Late ? Conducts.LATE : Conducts.CONVICTION);
            // All of it comes out of what this contract has locked for the job.
            (slashed, ) = staking.slash(provider, penalty, record.reporter, reason);
        }
        if (slashed < stake) staking.unlock(provider, stake - slashed);
        if (performance != 0) slashed += _burnPerformance(provider, performance, reason);
        emit JobFailed(jobId, provider, reason, slashed, escrow.close(jobId));
    }

    function _reasonOf(Fault fault) private pure returns (bytes32) {
        if (fault == Fault.Late) return LATE;
        if (fault == Fault.Convicted) return CONVICTED;
        if (fault == Fault.Withheld) return WITHHELD;
        if (fault == Fault.Lost) return LOST;
        return fault == Fault.Misstored ? MISSTORED : STRANDED;
    }
}

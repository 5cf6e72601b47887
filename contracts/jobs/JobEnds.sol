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
    function onWithheld(uint256 jobId, address reporter) external {
        _requireCaller(address(committee));
        Status status = _records[jobId].job.status;
        if (status != Status.Committed && status != Status.Attested) revert WrongStatus(jobId, status);
        _fail(jobId, Fault.Withheld, reporter);
        emit SettlementPending(jobId, WITHHELD);
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
        if (record.job.status == Status.Void) _settleVoid(jobId, record.job);
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
    function _settleVoid(uint256 jobId, Job storage job) private {
        uint256 paid = 0;
        if (job.traceRoot != bytes32(0)) paid = _priceIn(jobId);
        else if (job.instalments > 1) paid = instalments.owedOf(jobId);
        staking.unlock(job.provider, job.stake);
        _pay(jobId, job.provider, paid);
        emit JobVoided(jobId, paid, escrow.close(jobId));
    }

    function _settleFailure(uint256 jobId, Record storage record, Fault fault) private {
        (address provider, uint256 stake) = (record.job.provider, record.job.stake);
        uint256 penalty = stake;
        bytes32 reason = fault == Fault.Convicted ? CONVICTED : WITHHELD;
        if (fault == Fault.Late) {
            reason = LATE;
            penalty = Math.ceilDiv(stake * _parameterSets[record.parameterSet].latePenalty, BASIS_POINTS);
        }
        _mark(provider, fault == Fault.Late ? Conducts.LATE : Conducts.CONVICTION);
        // All of it comes out of what this contract has locked for the job.
        (uint256 slashed, ) = staking.slash(provider, penalty, record.reporter, reason);
        if (slashed < stake) staking.unlock(provider, stake - slashed);
        emit JobFailed(jobId, provider, reason, slashed, escrow.close(jobId));
    }
}

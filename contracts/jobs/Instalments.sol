// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {TrainingClaim} from "../disputes/interfaces/IDisputedClaims.sol";
import {TraceLeaves} from "../disputes/TraceLeaves.sol";
import {Clock} from "../libraries/Clock.sol";
import {ClaimIds} from "./ClaimIds.sol";
import {Commitments} from "./Commitments.sol";
import {ICheckpointedJobs} from "./interfaces/ICheckpointedJobs.sol";
import {IInstalments} from "./interfaces/IInstalments.sol";
import {IJobRegistry} from "./interfaces/IJobRegistry.sol";
import {IJobRules} from "./interfaces/IJobRules.sol";

/// @title Checkpoints of jobs, and what was paid for them
/// @dev It keeps no money: bonds are in the game and prices in the escrow, and the registry moves both.
contract Instalments is IInstalments, ReentrancyGuardTransient {
    using Commitments for IJobRegistry.Commitment;

    IJobRegistry public immutable registry;
    IJobRules public immutable rules;

    mapping(uint256 jobId => Ledger) private _ledgers;
    mapping(uint256 jobId => mapping(uint256 number => Checkpoint)) private _checkpoints;

    constructor(IJobRegistry registry_, IJobRules rules_) {
        registry = registry_;
        rules = rules_;
    }

    /// @inheritdoc IInstalments
    function post(
        uint256 jobId,
        uint256 number,
        IJobRegistry.Commitment calldata commitment
    ) external payable nonReentrant {
        IJobRegistry.Job memory job = registry.jobOf(jobId);
        if (job.status != IJobRegistry.Status.Training) revert IJobRegistry.WrongStatus(jobId, job.status);
        if (msg.sender != job.provider) revert IJobRegistry.NotProvider(jobId, msg.sender);
        if (!Clock.mayMove(block.timestamp, job.graceEnds)) {
            revert IJobRegistry.TooLate(jobId, job.graceEnds);
        }
        Ledger storage ledger = _ledgers[jobId];
        bool isNext = number != 0 && number < job.instalments && ledger.posted >> number == 0;
        if (!isNext) revert NoCheckpoint(jobId, number);
        TrainingClaim memory claim = registry.claimOf(jobId);
        uint256 intervals = TraceLeaves.countOf(claim.steps, claim.interval) - 1;
        // Below the last leaf, so that only whole intervals stand before it.
        uint256 leaf = (number * intervals) / job.instalments;
        commitment.requireLeaves(leaf + 1, job.stateRoot);
        uint256 until = block.timestamp + registry.parametersOf(jobId).challengeWindow;
        if (!rules.isStored(commitment.resultId, msg.sender, until)) {
            revert IJobRegistry.ResultNotStored(commitment.resultId);
        }
        uint256 steps = leaf * claim.interval;
        ledger.posted |= uint16(1 << number);
        _checkpoints[jobId][number] = Checkpoint({
            traceRoot: commitment.traceRoot,
            challengeUntil: uint48(until),
            steps: uint32(steps),
            graceEnds: 0,
            stateRoot: commitment.last.stateRoot,
            resultId: commitment.resultId
        });
        _announce(jobId, number, commitment, steps, until);
        ICheckpointedJobs(address(registry)).openClaim{value: msg.value}(ClaimIds.claimIdOf(jobId, number));
    }

    /// @inheritdoc IInstalments
    function callTimeout(uint256 jobId, uint256 number) external {
        Ledger storage ledger = _ledgers[jobId];
        if (!_isPending(ledger, number)) revert NotPending(jobId, number);
        Checkpoint storage checkpoint = _checkpoints[jobId][number];
        if (checkpoint.graceEnds != 0) revert TimeoutAlreadyCalled(jobId, number);
        uint256 until = checkpoint.challengeUntil;
        if (!Clock.isLate(block.timestamp, until)) revert IJobRegistry.TooEarly(jobId, until + 1);
        checkpoint.graceEnds = uint32(block.timestamp + registry.parametersOf(jobId).dispute.grace);
        emit TimeoutCalled(jobId, number, checkpoint.graceEnds);
    }

    /// @inheritdoc IInstalments
    function close(uint256 jobId, uint256 number) external nonReentrant returns (uint256 paid) {
        Ledger storage ledger = _ledgers[jobId];
        if (!_isPending(ledger, number)) revert NotPending(jobId, number);
        IJobRegistry.Job memory job = registry.jobOf(jobId);
        bool isOver = job.status == IJobRegistry.Status.Failed || job.status == IJobRegistry.Status.Void;
        if (!isOver) {
            _requireFirst(jobId, ledger.posted & ~ledger.closed & ((1 << number) - 1));
            _requireOver(jobId, _checkpoints[jobId][number]);
            Checkpoint storage checkpoint = _checkpoints[jobId][number];
            rules.requirePayable(checkpoint.resultId, checkpoint.graceEnds);
            paid = _earned(job, number) - ledger.paid;
            ledger.paid += uint128(paid);
        }
        ledger.closed |= uint16(1 << number);
        emit CheckpointClosed(jobId, number, paid);
        // The game refuses as long as a challenge is open, and when the bond was lost or went back.
        ICheckpointedJobs(address(registry)).closeClaim(ClaimIds.claimIdOf(jobId, number), paid);
    }

    /// @inheritdoc IInstalments
    function requireClosed(uint256 jobId) external view {
        Ledger storage ledger = _ledgers[jobId];
        _requireFirst(jobId, ledger.posted & ~ledger.closed);
    }

    /// @inheritdoc IInstalments
    function owedOf(uint256 jobId) external view returns (uint256) {
        Ledger storage ledger = _ledgers[jobId];
        uint256 last = 0;
        for (uint256 rest = ledger.posted >> 1; rest != 0; rest >>= 1) ++last;
        return last == 0 ? 0 : _earned(registry.jobOf(jobId), last) - ledger.paid;
    }

    /// @inheritdoc IInstalments
    function ledgerOf(uint256 jobId) external view returns (Ledger memory) {
        return _ledgers[jobId];
    }

    /// @inheritdoc IInstalments
    function checkpointOf(uint256 jobId, uint256 number) external view returns (Checkpoint memory) {
        return _checkpoints[jobId][number];
    }

    /// @inheritdoc IInstalments
    function claimIdOf(uint256 jobId, uint256 number) external pure returns (uint256) {
        return ClaimIds.claimIdOf(jobId, number);
    }

    function _announce(
        uint256 jobId,
        uint256 number,
        IJobRegistry.Commitment calldata commitment,
        uint256 steps,
        uint256 until
    ) private {
        emit CheckpointPosted(
            jobId,
            number,
            msg.sender,
            steps,
            commitment.traceRoot,
            commitment.last.stateRoot,
            commitment.leavesDigest,
            commitment.resultId,
            until
        );
    }

    /// @dev The timeout was called, and its grace is over.
    function _requireOver(uint256 jobId, Checkpoint storage checkpoint) private view {
        uint256 graceEnds = checkpoint.graceEnds;
        if (!Clock.mayMove(block.timestamp, graceEnds)) return;
        uint256 until = graceEnds == 0 ? checkpoint.challengeUntil : graceEnds;
        revert IJobRegistry.TooEarly(jobId, until + 1);
    }

    function _isPending(Ledger storage ledger, uint256 number) private view returns (bool) {
        uint256 pending = ledger.posted & ~ledger.closed;
        return number <= type(uint8).max && (pending >> number) & 1 != 0;
    }

    /// @dev Rounds down; the last payment takes the rest.
    function _earned(IJobRegistry.Job memory job, uint256 number) private pure returns (uint256) {
        return (uint256(job.price) * number) / job.instalments;
    }

    function _requireFirst(uint256 jobId, uint256 pending) private pure {
        if (pending == 0) return;
        uint256 number = 0;
        while ((pending >> number) & 1 == 0) ++number;
        revert CheckpointsPending(jobId, number);
    }
}

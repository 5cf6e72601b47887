// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ClaimIds} from "./ClaimIds.sol";
import {IInstalments} from "./interfaces/IInstalments.sol";
import {IJobRegistry} from "./interfaces/IJobRegistry.sol";

/// @title Results that providers stand for at present
/// @notice A job's last one from the commitment until it is paid, a checkpoint's from its post until it is closed.
abstract contract OwedResults {
    struct Owed {
        uint256 jobId;
        bytes32 resultId;
        bytes32 stateRoot;
        /// Last second in which a challenge of it is taken.
        uint256 challengeUntil;
    }

    IJobRegistry public immutable registry;
    IInstalments public immutable instalments;

    constructor(IJobRegistry registry_, IInstalments instalments_) {
        registry = registry_;
        instalments = instalments_;
    }

    /// @return owed all zeros when the claim has no result that is owed
    function _owedOf(uint256 claimId) internal view returns (Owed memory owed) {
        (uint256 jobId, uint256 number) = ClaimIds.split(claimId);
        IJobRegistry.Job memory job = registry.jobOf(jobId);
        bool isCommitted =
            job.status == IJobRegistry.Status.Committed || job.status == IJobRegistry.Status.Attested;
        if (number == 0) {
            if (!isCommitted) return owed;
            return Owed(jobId, job.resultId, job.stateRoot, job.challengeUntil);
        }
        IInstalments.Ledger memory ledger = instalments.ledgerOf(jobId);
        bool isRunning = isCommitted || job.status == IJobRegistry.Status.Training;
        bool isPending = ((uint256(ledger.posted) & ~uint256(ledger.closed)) >> number) & 1 == 1;
        if (!isRunning || !isPending) return owed;
        IInstalments.Checkpoint memory checkpoint = instalments.checkpointOf(jobId, number);
        return Owed(jobId, checkpoint.resultId, checkpoint.stateRoot, checkpoint.challengeUntil);
    }
}

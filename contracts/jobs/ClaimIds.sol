// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Numbers that commitments have in the dispute game
/// @notice A job's last commitment has the job's own number, a checkpoint that of the job with its own above it. To the
/// game each is a claim of its own, with a bond and clocks of its own.
library ClaimIds {
    uint256 private constant JOB_BITS = 48;

    /// @param number of the checkpoint, 0 for the last commitment
    function claimIdOf(uint256 jobId, uint256 number) internal pure returns (uint256) {
        return jobId | (number << JOB_BITS);
    }

    function split(uint256 claimId) internal pure returns (uint256 jobId, uint256 number) {
        return (claimId & ((1 << JOB_BITS) - 1), claimId >> JOB_BITS);
    }
}

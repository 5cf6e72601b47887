// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title What instalments ask of the registry of jobs
interface ICheckpointedJobs {
    /// @notice Opens a checkpoint in the game, with the provider's bond for it, exactly. The instalments alone.
    function openClaim(uint256 claimId) external payable;

    /// @notice Takes a checkpoint out of the game and pays its instalment. The instalments alone.
    /// @param amount tokens
    function closeClaim(uint256 claimId, uint256 amount) external;
}

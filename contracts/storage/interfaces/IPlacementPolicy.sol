// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Who may hold which bundle of a dataset, where the uploader's proposal alone shall not decide
/// @notice A dataset takes over the policy in force when it is anchored. Without one, any eligible operator may hold
/// what it signed for.
interface IPlacementPolicy {
    /// @notice Whether the operator may take the bundle. Must not revert for what it refuses.
    function check(bytes32 datasetId, uint32 bundleIndex, address operator) external view returns (bool);
}

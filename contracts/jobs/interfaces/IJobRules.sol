// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Order} from "./Orders.sol";

/// @notice What the registry keeps of a training order.
struct TrainingShape {
    /// State root before the first step.
    bytes32 initialRoot;
    /// T and I.
    uint32 steps;
    uint8 interval;
    uint8 logMicroBatches;
}

/// @title What the registry of jobs asks of orders and of stored results
/// @notice A contract of its own that keeps nothing, because one contract cannot hold it all.
interface IJobRules {
    /// @notice Checks an order and opens its training order against its hash. It must be on the active dataset that the
    /// problem names, and a dispute over any step of it must fit transactions and bonds; reverts with
    /// `IJobRegistry.UnfitTraining` and the field otherwise, or as `IJobRegistry` says of its conditions. Whether the
    /// program is valid is not asked: it can be shown void.
    /// @param training encoded as docs/exact-ops.md section 7 says
    /// @param isDrawable whether there is a contract that draws committees
    /// @param isDivisible whether there is one that keeps checkpoints
    function openOrder(
        Order calldata order,
        bytes calldata training,
        bool isDrawable,
        bool isDivisible
    ) external view returns (TrainingShape memory);

    /// @notice Whether a result is stored: its dataset is active and the provider's, operators hold all its bundles,
    /// and its first epoch that is not paid (at genesis + endEpoch · epochLength) begins after `until`.
    function isStored(bytes32 resultId, address provider, uint256 until) external view returns (bool);
}

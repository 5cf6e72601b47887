// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IJobRegistry} from "./IJobRegistry.sol";
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
    /// @notice Checks an order and opens its training order against its hash. It must be on the active dataset that
    /// the problem names, and a dispute over any step of it must fit transactions and bonds; reverts with
    /// `IJobRegistry.UnfitTraining` and the field otherwise, or as `IJobRegistry` says of its conditions. Whether
    /// the program is valid is not asked: it can be shown void.
    /// @param training encoded as docs/exact-ops.md section 7 says
    /// @param isDrawable whether there is a contract that draws committees
    /// @param isDivisible whether there is one that keeps checkpoints
    function openOrder(
        Order calldata order,
        bytes calldata training,
        bool isDrawable,
        bool isDivisible
    ) external view returns (TrainingShape memory);

    /// @notice Holds parameters of new jobs against their hard bounds; reverts with `IJobRegistry.OutOfBounds` and
    /// the name of the first that is outside.
    function requireParameters(IJobRegistry.Parameters calldata parameters) external pure;

    /// @notice Whether a result can be committed to: its dataset is the provider's, active and not encrypted, each
    /// segment has had holders of k bundles, and the first epoch that its anchor did not pay for (at genesis +
    /// agreedEnd · epochLength) begins after `until`, so that every holder has to answer for it until then: epochs that
    /// were added bind nobody. That nobody need hold it still keeps holders from making its provider late by leaving
    /// just before the commitment: they have their places to lose, and it is not paid before others hold it.
    function isStored(bytes32 resultId, address provider, uint256 until) external view returns (bool);

    /// @notice Reverts unless a result can be paid for: with `IJobRegistry.ResultNotStored` when it is not retrievable
    /// (`IDatasetRegistry.availabilityOf`; its owner therefore pays for epochs that last until the job is over),
    /// with `ResultJustPlaced` until a retrieval's window and grace have passed since a bundle of it was last placed,
    /// so that its new holder can be asked for it, and with `ResultAskedFor` while a retrieval challenge of it is open
    /// that was made before that, or before the grace ended. Later ones hold nothing up, so that nobody is kept
    /// waiting by asking again and again.
    /// @param graceEnds last second of the grace after which it can be paid for
    function requirePayable(bytes32 resultId, uint256 graceEnds) external view;

    /// @notice Whether nobody owes the dataset any more: its paid epochs are over, or it was shown to be fraudulent.
    function isOver(bytes32 datasetId) external view returns (bool);
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IElementRules} from "./interfaces/IDisputeRules.sol";
import {SampleOrder} from "./SampleOrder.sol";

/// @notice An order as docs/exact-ops.md section 7 encodes it.
struct TrainingOrder {
    bytes32 tag;
    uint256 bits;
    bytes32 programRoot;
    bytes32 initialRoot;
    bytes32 objectRoot;
    bytes32 datasetId;
    uint256 objects;
    uint256 objectBytes;
    uint256 training;
    bytes32 splitSeed;
    bytes32 seed;
    uint256 logBatch;
    uint256 logMicroBatches;
    uint256 steps;
    uint256 interval;
    uint256 every;
    /// Two big-endian bytes for each entry.
    bytes table;
}

/// @title Orders opened against their hash
library TrainingOrders {
    bytes32 internal constant TAG = keccak256("assay/training/v1");

    /// @notice The order that has this hash.
    function decode(
        bytes calldata encoded,
        bytes32 trainingHash
    ) internal pure returns (TrainingOrder memory order) {
        if (keccak256(encoded) != trainingHash) revert IElementRules.WrongOrder();
        // The encoding of a list of values is that of a struct without the offset in front.
        order = abi.decode(bytes.concat(bytes32(uint256(32)), encoded), (TrainingOrder));
        if (order.tag != TAG) revert IElementRules.WrongOrder();
    }

    /// @notice LR of a step: table[min(⌊t / every⌋, length − 1)].
    function learningRateAt(TrainingOrder memory order, uint256 step) internal pure returns (uint256) {
        uint256 entry = step / order.every;
        uint256 entries = order.table.length / 2;
        if (entry >= entries) entry = entries - 1;
        return (uint256(uint8(order.table[2 * entry])) << 8) | uint8(order.table[2 * entry + 1]);
    }

    /// @notice Object at a row of a micro-batch of a step.
    function objectAt(
        TrainingOrder memory order,
        uint256 step,
        uint256 microBatch,
        uint256 row
    ) internal pure returns (uint256) {
        return
            SampleOrder.objectAt(
                SampleOrder.Order({
                    seed: order.seed,
                    splitSeed: order.splitSeed,
                    objects: order.objects,
                    training: order.training,
                    batch: 1 << order.logBatch,
                    microBatches: 1 << order.logMicroBatches
                }),
                step,
                microBatch,
                row
            );
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {KeyedPermutation} from "./KeyedPermutation.sol";
import {Philox} from "./Philox.sol";

/// @title Which object stands at which place of which batch
/// @notice docs/exact-ops.md section 3, "Order of samples".
library SampleOrder {
    /// @notice Thrown when a step has no such row.
    error NoSuchRow(uint256 microBatch, uint256 row);
    /// @notice Thrown when the training samples do not fill one step.
    error NoSteps(uint256 training, uint256 samplesOfStep);

    /// @notice Sizes of a dataset and of a step, and the seeds that order them.
    struct Order {
        bytes32 seed;
        /// Zero seed: no split, all objects are training samples.
        bytes32 splitSeed;
        uint256 objects;
        uint256 training;
        /// Samples of a micro-batch, micro-batches of a step.
        uint256 batch;
        uint256 microBatches;
    }

    /// @notice Object at row `row` of micro-batch `microBatch` of step `step`, counted over all epochs.
    function objectAt(
        Order memory order,
        uint256 step,
        uint256 microBatch,
        uint256 row
    ) internal pure returns (uint256) {
        if (microBatch >= order.microBatches || row >= order.batch) revert NoSuchRow(microBatch, row);
        uint256 samples = order.microBatches * order.batch;
        uint256 steps = order.training / samples;
        if (steps == 0) revert NoSteps(order.training, samples);
        uint256 place = (step % steps) * samples + microBatch * order.batch + row;
        uint256 sample = KeyedPermutation.imageOf(
            order.seed,
            Philox.SHUFFLE,
            step / steps,
            order.training,
            place
        );
        return trainingObject(order, sample);
    }

    /// @notice Object of training sample `sample`; validation samples follow the training samples.
    function trainingObject(Order memory order, uint256 sample) internal pure returns (uint256) {
        if (order.splitSeed == bytes32(0)) return sample;
        return KeyedPermutation.imageOf(order.splitSeed, Philox.SPLIT, 0, order.objects, sample);
    }
}

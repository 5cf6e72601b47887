// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ExactLimits} from "./ExactLimits.sol";
import {ExactMath} from "./ExactMath.sol";
import {Node} from "./NodeDescriptor.sol";
import {Tensor, TensorLeaves} from "./TensorLeaves.sol";

/// @title Reduction over micro-batches, and stochastic gradient descent with momentum
/// @notice One output element from opened operands (docs/exact-ops.md section 4).
library ExactOptimizer {
    using TensorLeaves for Tensor;

    /// @notice ACCUMULATE: the sum over those micro-batches whose gradients are given.
    function sum(Tensor[] memory gradients, uint256 out) internal pure returns (int256 total) {
        for (uint256 j = 0; j < gradients.length; ++j) total += gradients[j].read(out);
    }

    /// @notice SGD_MOMENTUM of gradient, momentum and weight.
    function momentum(Node memory node, Tensor[] memory inputs, uint256 out) internal pure returns (int256) {
        int256[] memory attributes = node.attributes;
        int256 decayed = inputs[1].read(out) * attributes[0];
        int256 fading = inputs[2].read(out) * attributes[2];
        return
            ExactMath.sat(
                inputs[0].read(out) +
                    ExactMath.rnd(decayed, uint256(attributes[1])) +
                    ExactMath.rnd(fading, uint256(attributes[3] + ExactLimits.EV - ExactLimits.EW))
            );
    }

    /// @notice SGD_WEIGHT of weight and new momentum.
    /// @param learningRate of the step, from the order's schedule
    function weight(
        Node memory node,
        Tensor[] memory inputs,
        uint256 out,
        uint256 learningRate
    ) internal pure returns (int256) {
        // 4 = 2^(−26 + 28): the momentum in units of the weight.
        int256 step = 4 * inputs[1].read(out) * int256(learningRate);
        return ExactMath.sat(inputs[0].read(out) - ExactMath.rnd(step, uint256(node.attributes[0])));
    }
}

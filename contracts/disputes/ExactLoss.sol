// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ExactMath} from "./ExactMath.sol";
import {Node} from "./NodeDescriptor.sol";
import {ExponentialTables} from "./ExponentialTables.sol";
import {Tensor, TensorLeaves} from "./TensorLeaves.sol";

/// @title Losses: the exponential, and the gradients of cross-entropy and mean squared error
/// @notice One output element from opened operands (docs/exact-ops.md sections 4 and 5).
library ExactLoss {
    using TensorLeaves for Tensor;

    /// @notice Thrown when a row of exponentials has no positive sum.
    error NoSum(uint256 row);

    /// @notice log2(e) with 16 fraction bits.
    uint256 private constant LOG2_E = 94_548;
    int256 private constant MAX_DISTANCE = 20 * 2 ** 16;

    /// @notice EXP: e^(z − max) with 30 fraction bits.
    function exponential(
        Node memory node,
        Tensor memory z,
        Tensor memory max,
        uint256 out
    ) internal pure returns (int256) {
        int256 d = max.read(out / node.output.shape[1]) - z.read(out);
        if (d > MAX_DISTANCE) d = MAX_DISTANCE;
        // Only a maximum that is itself wrong lies below an element.
        if (d < 0) d = 0;
        uint256 tau = (uint256(d) * LOG2_E) >> 16;
        uint256 product = ExponentialTables.product((tau >> 8) & 0xff, tau & 0xff);
        return int256(product >> ((tau >> 16) + 22));
    }

    /// @notice SOFTMAX_GRAD: probability less the label, at −P − log2 N.
    function softmaxGradient(
        Node memory node,
        Tensor[] memory inputs,
        uint256 out
    ) internal pure returns (int256 accumulator, int256 exponent) {
        uint256 columns = node.output.shape[1];
        uint256 row = out / columns;
        uint256 p = uint256(node.attributes[1]);
        int256 sum = inputs[1].read(row);
        if (sum <= 0) revert NoSum(row);
        accumulator = ExactMath.floorDivide(inputs[0].read(out) << p, sum);
        if (inputs[2].read(row) == int256(out % columns)) accumulator -= int256(1 << p);
        exponent = -int256(p) - int256(node.logBatch);
    }

    /// @notice MSE_GRAD: twice the difference over N·D.
    function squaredErrorGradient(
        Node memory node,
        Tensor[] memory inputs,
        uint256 out
    ) internal pure returns (int256, int256) {
        (int256 sum, int256 exponent) = difference(inputs, out);
        return ExactMath.divide(sum, exponent + 1 - int256(node.logBatch), node.output.shape[1]);
    }

    /// @notice ADD: the aligned sum of all inputs.
    function aligned(
        Tensor[] memory inputs,
        uint256 out
    ) internal pure returns (int256 sum, int256 exponent) {
        exponent = _commonExponent(inputs);
        for (uint256 i = 0; i < inputs.length; ++i) {
            sum += ExactMath.align(inputs[i].read(out), inputs[i].exponent, exponent);
        }
    }

    /// @dev First input less the second, aligned.
    function difference(
        Tensor[] memory inputs,
        uint256 out
    ) private pure returns (int256 value, int256 exponent) {
        exponent = _commonExponent(inputs);
        value =
            ExactMath.align(inputs[0].read(out), inputs[0].exponent, exponent) -
            ExactMath.align(inputs[1].read(out), inputs[1].exponent, exponent);
    }

    function _commonExponent(Tensor[] memory inputs) private pure returns (int256) {
        int256[] memory exponents = new int256[](inputs.length);
        for (uint256 i = 0; i < inputs.length; ++i) exponents[i] = inputs[i].exponent;
        return ExactMath.commonExponent(exponents);
    }
}

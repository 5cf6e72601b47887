// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ExactDot} from "./ExactDot.sol";
import {ExactElementwise} from "./ExactElementwise.sol";
import {ExactLimits} from "./ExactLimits.sol";
import {ExactLinear} from "./ExactLinear.sol";
import {ExactLoss} from "./ExactLoss.sol";
import {ExactMath} from "./ExactMath.sol";
import {ExactOptimizer} from "./ExactOptimizer.sol";
import {ExactPooling} from "./ExactPooling.sol";
import {Node, NodeDescriptor} from "./NodeDescriptor.sol";
import {Opcodes} from "./Opcodes.sol";
import {Tensor, TensorLeaves} from "./TensorLeaves.sol";

/// @notice What a node reads besides tensors.
struct StepContext {
    /// Learning rate of the step, unsigned 16 bit, from the order's schedule (SGD_WEIGHT).
    uint256 learningRate;
    /// log2 of the micro-batches of a step (ACCUMULATE).
    uint256 logMicroBatches;
}

/// @title One output element of any node, from opened operands
/// @notice The third of the realisations that docs/exact-ops.md names. An element is either computed at once
/// (`element`), or put together from sums that were narrowed elsewhere (`partialSum`, then `complete`); how it becomes
/// a mantissa is judged by `ExactFinish`.
library ExactOps {
    using TensorLeaves for Tensor;

    /// @notice Thrown when an opcode is unknown, or is judged in another way (INPUT).
    error NoOperation(uint256 opcode);
    /// @notice Thrown when a node does not compute sums.
    error NoSum(uint256 opcode);
    /// @notice Thrown when products [from, to) are not a range of a sum.
    error NoSuchProducts(uint256 from, uint256 to, uint256 products);
    /// @notice Thrown when not all sums of an element are given.
    error WrongSumCount(uint256 count, uint256 expected);
    /// @notice Thrown when operands are missing, or the openings do not end where calldata says.
    error WrongOperands(uint256 length, uint256 expected);

    /// @notice Reads and checks the openings of all operands of a node, one after the other.
    /// @dev LOAD opens the slot's tensor. ACCUMULATE opens the slot's gradient of each micro-batch whose product is to
    /// be added. The others open their inputs in order.
    /// @param gradients operands of ACCUMULATE, ignored elsewhere
    function openOperands(
        Node memory node,
        uint256 gradients,
        bytes calldata packed
    ) internal pure returns (Tensor[] memory tensors) {
        bool isSlot = node.opcode == Opcodes.LOAD || node.opcode == Opcodes.ACCUMULATE;
        uint256 count = node.inputs.length;
        if (isSlot) count = node.opcode == Opcodes.LOAD ? 1 : gradients;
        tensors = new Tensor[](count);
        uint256 start;
        assembly ("memory-safe") {
            start := packed.offset
        }
        uint256 cursor = start;
        for (uint256 i = 0; i < count; ++i) {
            (tensors[i], cursor) = TensorLeaves.open(isSlot ? node.output : node.layouts[i], cursor);
        }
        if (cursor != start + packed.length) revert WrongOperands(packed.length, cursor - start);
    }

    /// @notice Products of the sum behind one output element; 0 for an opcode that computes none.
    /// @param logMicroBatches log2 of the micro-batches of a step
    function products(Node memory node, uint256 logMicroBatches) internal pure returns (uint256) {
        uint256 opcode = node.opcode;
        if (opcode == Opcodes.MATMUL || opcode == Opcodes.ROW_SUM) return node.layouts[0].shape[1];
        if (opcode == Opcodes.ACCUMULATE) return 1 << logMicroBatches;
        if (opcode == Opcodes.AVERAGE_POOL) return _area(node, 0);
        if (opcode == Opcodes.MAX_POOL_GRAD || opcode == Opcodes.AVERAGE_POOL_GRAD) return _area(node, 1);
        if (opcode < Opcodes.CONV || opcode > Opcodes.CONV_WEIGHT_GRAD) return 0;
        uint256[4] memory kernel = node.layouts[1].shape;
        return kernel[1] * kernel[2] * kernel[3];
    }

    /// @notice Sums behind one output element: the positions of the block of a convolution with pooling, else 1.
    function candidates(Node memory node) internal pure returns (uint256) {
        if (node.opcode != Opcodes.CONV && node.opcode != Opcodes.CONV_POOL_INDEX) return 1;
        uint256 pool = uint256(node.attributes[9]);
        return pool * pool;
    }

    /// @notice Sum of the products [k0, k1) of an output element, in the order of docs/exact-ops.md section 6.
    /// @param tensors operands; of ACCUMULATE those of micro-batches k0 to k1 − 1 alone
    /// @param out row-major index of the output element
    /// @param candidate position of the block of a convolution with pooling, else 0
    function partialSum(
        Node memory node,
        Tensor[] memory tensors,
        uint256 out,
        uint256 candidate,
        uint256 k0,
        uint256 k1
    ) internal pure returns (int256) {
        uint256 opcode = node.opcode;
        _requireElement(node, out);
        // How many micro-batches there are is for the caller to know.
        uint256 count = opcode == Opcodes.ACCUMULATE ? k1 : products(node, 0);
        if (k0 > k1 || k1 > count) revert NoSuchProducts(k0, k1, count);
        if (candidate >= candidates(node)) revert WrongSumCount(candidate, candidates(node));
        if (k0 == k1) return 0;
        if (opcode == Opcodes.MATMUL) {
            return ExactLinear.matmul(node, tensors[0], tensors[1], out, k0, k1);
        }
        if (opcode == Opcodes.CONV || opcode == Opcodes.CONV_POOL_INDEX) {
            return ExactLinear.convolution(node, tensors[0], tensors[1], out, candidate, k0, k1);
        }
        if (opcode == Opcodes.CONV_INPUT_GRAD) {
            return ExactLinear.inputGradient(node, tensors[0], tensors[1], out, k0, k1);
        }
        if (opcode == Opcodes.CONV_WEIGHT_GRAD) {
            return ExactLinear.weightGradient(node, tensors[0], tensors[1], out, k0, k1);
        }
        if (opcode == Opcodes.ROW_SUM) {
            return ExactDot.sum(tensors[0], out * node.layouts[0].shape[1] + k0, k1 - k0);
        }
        return _pooledSum(node, tensors, out, k0, k1);
    }

    /// @notice The accumulator of an output element and its exponent, from its sums.
    /// @param tensors operands; what only the sums need need not be opened
    /// @param sums one for each candidate, over all products; none for an opcode without sums
    function complete(
        Node memory node,
        Tensor[] memory tensors,
        uint256 out,
        int256[] memory sums,
        StepContext memory context
    ) internal pure returns (int256 accumulator, int256 exponent) {
        _requireElement(node, out);
        uint256 opcode = node.opcode;
        if (opcode < Opcodes.LOAD || opcode > Opcodes.SGD_WEIGHT) revert NoOperation(opcode);
        if (products(node, context.logMicroBatches) == 0) {
            return plain(node, tensors, out, context.learningRate);
        }
        return fromSums(node, tensors, out, sums, context);
    }

    /// @notice The accumulator of an element of an opcode without sums, and its exponent.
    function plain(
        Node memory node,
        Tensor[] memory tensors,
        uint256 out,
        uint256 learningRate
    ) internal pure returns (int256, int256) {
        _requireElement(node, out);
        if (node.opcode >= Opcodes.EXP) return _lossOrUpdate(node, tensors, out, learningRate);
        return ExactElementwise.element(node, tensors, out);
    }

    /// @notice The accumulator of an element of an opcode with sums, and its exponent.
    /// @param sums one for each candidate, over all products
    function fromSums(
        Node memory node,
        Tensor[] memory tensors,
        uint256 out,
        int256[] memory sums,
        StepContext memory context
    ) internal pure returns (int256 accumulator, int256 exponent) {
        _requireElement(node, out);
        uint256 opcode = node.opcode;
        if (sums.length != candidates(node)) revert WrongSumCount(sums.length, candidates(node));
        accumulator = sums[0];
        if (opcode == Opcodes.ACCUMULATE) {
            return (ExactMath.rnd(accumulator, context.logMicroBatches), ExactLimits.EV);
        }
        exponent = tensors[0].exponent;
        if (opcode == Opcodes.AVERAGE_POOL || opcode == Opcodes.AVERAGE_POOL_GRAD) {
            (accumulator, exponent) = ExactMath.divide(
                accumulator,
                exponent,
                products(node, context.logMicroBatches)
            );
        } else if (opcode >= Opcodes.MATMUL && opcode <= Opcodes.CONV_WEIGHT_GRAD) {
            exponent += tensors[1].exponent;
        }
        if (
            opcode == Opcodes.CONV_WEIGHT_GRAD || opcode == Opcodes.AVERAGE_POOL || opcode == Opcodes.ROW_SUM
        ) {
            return (accumulator, exponent);
        }
        return _biasAndGate(node, tensors, out, sums, accumulator, exponent);
    }

    /// @notice The accumulator of an output element and its exponent, from its operands alone.
    function element(
        Node memory node,
        Tensor[] memory tensors,
        uint256 out,
        StepContext memory context
    ) internal pure returns (int256, int256) {
        uint256 count = products(node, context.logMicroBatches);
        int256[] memory sums = new int256[](count == 0 ? 0 : candidates(node));
        for (uint256 i = 0; i < sums.length; ++i) {
            sums[i] = partialSum(node, tensors, out, i, 0, count);
        }
        return complete(node, tensors, out, sums, context);
    }

    /// @dev Bias, then gate, then relu; of a block the largest, or its position. Sums of a pooling gradient come in
    /// divided.
    function _biasAndGate(
        Node memory node,
        Tensor[] memory tensors,
        uint256 out,
        int256[] memory sums,
        int256 accumulator,
        int256 exponent
    ) private pure returns (int256, int256) {
        uint256 flags = uint256(node.attributes[0]);
        if (node.opcode == Opcodes.CONV || node.opcode == Opcodes.CONV_POOL_INDEX) {
            uint256 position = 0;
            for (uint256 i = 1; i < sums.length; ++i) {
                if (sums[i] > accumulator) (accumulator, position) = (sums[i], i);
            }
            // One bias stands at all positions, so that it does not matter for the index.
            if (node.opcode == Opcodes.CONV_POOL_INDEX) return (int256(position), 0);
        }
        // The optional operands come last: bias, then gate.
        uint256 next = node.opcode == Opcodes.AVERAGE_POOL_GRAD ? 1 : 2;
        if (flags & Opcodes.BIAS != 0) {
            uint256 channel = out % node.output.shape[node.output.rank - 1];
            accumulator += ExactMath.biasAt(tensors[next].read(channel), exponent, node.bits);
            ++next;
        }
        if (flags & Opcodes.GATED != 0 && tensors[next].read(out) <= 0) return (0, exponent);
        if (flags & Opcodes.RECTIFIED != 0 && accumulator < 0) return (0, exponent);
        return (accumulator, exponent);
    }

    function _pooledSum(
        Node memory node,
        Tensor[] memory tensors,
        uint256 out,
        uint256 k0,
        uint256 k1
    ) private pure returns (int256) {
        uint256 opcode = node.opcode;
        if (opcode == Opcodes.AVERAGE_POOL) return ExactPooling.sum(node, tensors[0], out, k0, k1);
        if (opcode == Opcodes.AVERAGE_POOL_GRAD) {
            return ExactPooling.averageGradient(node, tensors[0], out, k0, k1);
        }
        if (opcode == Opcodes.MAX_POOL_GRAD) {
            return ExactPooling.maximumGradient(node, tensors[0], tensors[1], out, k0, k1);
        }
        if (opcode != Opcodes.ACCUMULATE) revert NoSum(opcode);
        if (tensors.length != k1 - k0) revert WrongOperands(tensors.length, k1 - k0);
        return ExactOptimizer.sum(tensors, out);
    }

    function _lossOrUpdate(
        Node memory node,
        Tensor[] memory tensors,
        uint256 out,
        uint256 learningRate
    ) private pure returns (int256, int256) {
        uint256 opcode = node.opcode;
        if (opcode == Opcodes.EXP) {
            return (ExactLoss.exponential(node, tensors[0], tensors[1], out), ExactLimits.EXPONENTIAL);
        }
        if (opcode == Opcodes.SOFTMAX_GRAD) return ExactLoss.softmaxGradient(node, tensors, out);
        if (opcode == Opcodes.MSE_GRAD) return ExactLoss.squaredErrorGradient(node, tensors, out);
        if (opcode == Opcodes.SGD_MOMENTUM) {
            return (ExactOptimizer.momentum(node, tensors, out), ExactLimits.EV);
        }
        if (opcode == Opcodes.SGD_WEIGHT) {
            return (ExactOptimizer.weight(node, tensors, out, learningRate), ExactLimits.EW);
        }
        revert NoOperation(opcode);
    }

    function _requireElement(Node memory node, uint256 out) private pure {
        uint256 elements = NodeDescriptor.elements(node.output);
        if (out >= elements) revert TensorLeaves.NoSuchElement(out, elements);
    }

    function _area(Node memory node, uint256 first) private pure returns (uint256) {
        return uint256(node.attributes[first]) * uint256(node.attributes[first + 1]);
    }
}

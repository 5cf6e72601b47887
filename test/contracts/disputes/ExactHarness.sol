// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ElementVerdict} from "../../../contracts/disputes/ExactFinish.sol";
import {ExactOps, StepContext} from "../../../contracts/disputes/ExactOps.sol";
import {Node, NodeDescriptor} from "../../../contracts/disputes/NodeDescriptor.sol";
import {Tensor} from "../../../contracts/disputes/TensorLeaves.sol";
import {Batch, BatchJudge} from "./BatchJudge.sol";

/// @notice Calls the dispute libraries as a dispute does, and shows what they return.
contract ExactHarness is BatchJudge {
    /// @notice Accumulators and exponents of many elements, and the verdicts on mantissas of a tensor.
    function elements(
        bytes calldata descriptor,
        bytes calldata operands,
        uint256 gradients,
        StepContext calldata context,
        Batch calldata batch
    ) external pure returns (int256[] memory accumulators, int256 from, ElementVerdict[] memory verdicts) {
        Node memory node = NodeDescriptor.decode(descriptor);
        Tensor[] memory tensors = ExactOps.openOperands(node, gradients, operands);
        accumulators = new int256[](batch.outs.length);
        for (uint256 i = 0; i < accumulators.length; ++i) {
            (accumulators[i], from) = ExactOps.element(node, tensors, batch.outs[i], context);
        }
        verdicts = _judge(node, accumulators, from, batch);
    }

    /// @notice Sum of a range of products, and what the whole sum makes of the element.
    function partialSum(
        bytes calldata descriptor,
        bytes calldata operands,
        uint256 gradients,
        uint256 out,
        uint256 candidate,
        uint256 k0,
        uint256 k1
    ) external pure returns (int256) {
        Node memory node = NodeDescriptor.decode(descriptor);
        Tensor[] memory tensors = ExactOps.openOperands(node, gradients, operands);
        return ExactOps.partialSum(node, tensors, out, candidate, k0, k1);
    }

    function complete(
        bytes calldata descriptor,
        bytes calldata operands,
        uint256 gradients,
        uint256 out,
        int256[] calldata sums,
        StepContext calldata context
    ) external pure returns (int256, int256) {
        Node memory node = NodeDescriptor.decode(descriptor);
        Tensor[] memory tensors = ExactOps.openOperands(node, gradients, operands);
        return ExactOps.complete(node, tensors, out, sums, context);
    }

    function products(
        bytes calldata descriptor,
        uint256 logMicroBatches
    ) external pure returns (uint256, uint256) {
        Node memory node = NodeDescriptor.decode(descriptor);
        return (ExactOps.products(node, logMicroBatches), ExactOps.candidates(node));
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ElementVerdict, ExactFinish} from "../../../contracts/disputes/ExactFinish.sol";
import {ExactOps, StepContext} from "../../../contracts/disputes/ExactOps.sol";
import {Node, NodeDescriptor} from "../../../contracts/disputes/NodeDescriptor.sol";
import {Tensor, TensorLeaves} from "../../../contracts/disputes/TensorLeaves.sol";

/// @notice One element as a dispute rules on it: everything opened and checked in one transaction.
contract DisputeHarness {
    error WrongOperand(uint256 operand);

    bytes32 public programRoot;
    uint256[3] private nodeCounts;
    /// @notice Commitments of the operands, in order, as a dispute has them from earlier moves.
    bytes32[] private commitments;
    /// @notice Where `rule` leaves its verdict.
    ElementVerdict public ruled;

    function prepare(bytes32 root, uint256[3] calldata counts, bytes32[] calldata operands) external {
        programRoot = root;
        nodeCounts = counts;
        commitments = operands;
    }

    /// @notice One move of a dispute: everything is opened and one element is judged.
    /// @param claim int32 exponent and int64 mantissa, packed
    function rule(
        bytes calldata descriptor,
        bytes32[] calldata siblings,
        bytes calldata operands,
        uint256 out,
        uint96 claim,
        uint256 learningRate
    ) external {
        Node memory node = NodeDescriptor.verify(descriptor, siblings, programRoot, nodeCounts);
        Tensor[] memory tensors = ExactOps.openOperands(node, commitments.length, operands);
        for (uint256 i = 0; i < tensors.length; ++i) {
            bytes32 commitment = TensorLeaves.commitmentOf(tensors[i].dataRoot, tensors[i].exponent);
            if (commitment != commitments[i]) revert WrongOperand(i);
        }
        (int256 accumulator, int256 exponent) = ExactOps.element(
            node,
            tensors,
            out,
            StepContext(learningRate, 0)
        );
        ruled = ExactFinish.judge(
            node,
            accumulator,
            exponent,
            int64(uint64(claim)),
            int32(uint32(claim >> 64))
        );
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ExactLoss} from "./ExactLoss.sol";
import {ExactPooling} from "./ExactPooling.sol";
import {Node} from "./NodeDescriptor.sol";
import {Opcodes} from "./Opcodes.sol";
import {Tensor, TensorLeaves} from "./TensorLeaves.sol";

/// @title Operations on single elements, rows and windows that open at once
/// @notice Definitions of docs/exact-ops.md section 4.
library ExactElementwise {
    using TensorLeaves for Tensor;

    /// @notice Thrown when an opcode is none of these.
    error NotElementwise(uint256 opcode);

    /// @notice Accumulator and exponent of an output element.
    function element(
        Node memory node,
        Tensor[] memory tensors,
        uint256 out
    ) internal pure returns (int256 accumulator, int256 exponent) {
        uint256 opcode = node.opcode;
        if (opcode == Opcodes.ADD) {
            (accumulator, exponent) = ExactLoss.aligned(tensors, out);
            bool isCut = accumulator < 0 && uint256(node.attributes[0]) & Opcodes.RECTIFIED != 0;
            return (isCut ? int256(0) : accumulator, exponent);
        }
        exponent = tensors[0].exponent;
        if (opcode == Opcodes.MAX_POOL || opcode == Opcodes.MAX_POOL_INDEX) {
            uint256 position;
            (accumulator, position) = ExactPooling.largest(node, tensors[0], out);
            return opcode == Opcodes.MAX_POOL ? (accumulator, exponent) : (int256(position), int256(0));
        }
        if (opcode == Opcodes.ROW_MAX) return (_rowMaximum(node, tensors[0], out), exponent);
        // A closed gate needs no gradient.
        if (opcode == Opcodes.GATE && tensors[1].read(out) <= 0) return (0, exponent);
        if (opcode == Opcodes.RELAYOUT) out = sourceOf(node, out);
        accumulator = tensors[0].read(out);
        if (opcode == Opcodes.RELU) {
            if (accumulator < 0) accumulator = 0;
        } else if (opcode != Opcodes.GATE && (opcode < Opcodes.LOAD || opcode > Opcodes.SHIFT)) {
            revert NotElementwise(opcode);
        }
    }

    /// @notice Element of the input of a RELAYOUT that its output element is a copy of.
    function sourceOf(Node memory node, uint256 out) internal pure returns (uint256 source) {
        unchecked {
            int256[] memory attributes = node.attributes;
            uint256[4] memory place;
            for (uint256 i = 4; i != 0; --i) {
                uint256 axis = uint256(attributes[3 + i]);
                uint256 size = uint256(attributes[axis]);
                place[axis] = out % size;
                out /= size;
            }
            for (uint256 axis = 0; axis < 4; ++axis) {
                source = source * uint256(attributes[axis]) + place[axis];
            }
        }
    }

    function _rowMaximum(Node memory node, Tensor memory x, uint256 row) private pure returns (int256 value) {
        unchecked {
            uint256 columns = node.layouts[0].shape[1];
            uint256 cursor = x.pointer(row * columns, columns);
            bool isSigned = x.dtype < Opcodes.U8;
            value = TensorLeaves.load(cursor, x.width, isSigned);
            for (uint256 i = 1; i < columns; ++i) {
                int256 other = TensorLeaves.load(cursor + i * x.width, x.width, isSigned);
                if (other > value) value = other;
            }
        }
    }
}

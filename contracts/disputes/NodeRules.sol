// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ExactLimits} from "./ExactLimits.sol";
import {Layout, Node, NodeDescriptor} from "./NodeDescriptor.sol";
import {Opcodes} from "./Opcodes.sol";
import {WindowRules} from "./WindowRules.sol";

/// @title Nodes that are void by themselves
/// @notice Rules of docs/exact-ops.md section 4 that a descriptor breaks whatever the other nodes are: its form, its
/// opcode, the number, types and shapes of its operands, its attributes. Each is one of those that
/// keepers/src/core/exact/tape/validate.ts has, so that a node that is void here is void for the keepers too. What
/// depends on other nodes (bounds, exponents of inputs, slots, sources of EXP and SOFTMAX_GRAD) is not judged here, nor
/// is how much must be opened.
library NodeRules {
    using NodeDescriptor for Layout;

    /// @notice Whether committed bytes are no descriptor, or that of a void node.
    /// @param tape place that the bytes are committed at
    /// @param index place that the bytes are committed at
    function isVoid(bytes calldata descriptor, uint256 tape, uint256 index) internal pure returns (bool) {
        (bool isWellFormed, Node memory node) = NodeDescriptor.tryDecode(descriptor);
        if (!isWellFormed || node.tape != tape || node.index != index) return true;
        return !_isWhole(node) || !_isSound(node);
    }

    /// @dev What must hold before the rules of an opcode can be asked.
    function _isWhole(Node memory node) private pure returns (bool) {
        if (node.bits != 8 && node.bits != 16) return false;
        if (node.logBatch > ExactLimits.MAX_LOG_BATCH) return false;
        if (node.opcode == 0 || node.opcode > Opcodes.SGD_WEIGHT) return false;
        if (node.attributes.length != attributesOf(node.opcode)) return false;
        for (uint256 i = 0; i < node.attributes.length; ++i) {
            if (node.attributes[i] < -ExactLimits.MAX_I32) return false;
        }
        for (uint256 i = 0; i < node.inputs.length; ++i) {
            if (node.inputs[i] >= node.index || !_isLayout(node.layouts[i])) return false;
        }
        return _isLayout(node.output) && _isArity(node) && _isOnTape(node);
    }

    /// @notice Attributes of an opcode.
    function attributesOf(uint256 opcode) internal pure returns (uint256) {
        // One byte for each code from 0, from the highest.
        bytes32 counts =
            hex"00_06_02_02_08_00_01_02_0a_0a_09_08_02_00_01_00_00_08_08_09_08_09_00_02_00_01_04_01";
        return uint8(counts[opcode]);
    }

    function _isLayout(Layout memory form) private pure returns (bool) {
        if (form.dtype > Opcodes.U32) return false;
        uint256 elements = form.elements();
        if (elements == 0 || elements > ExactLimits.MAX_ELEMENTS) return false;
        return form.rank == 4 ? form.rowAxes == 2 || form.rowAxes == 3 : form.rowAxes == 1;
    }

    /// @dev Number of inputs, and flags that the opcode has.
    function _isArity(Node memory node) private pure returns (bool) {
        uint256 opcode = node.opcode;
        uint256 count = node.inputs.length;
        if (opcode == Opcodes.ADD) return count > 1 && _onlyFlags(node, Opcodes.RECTIFIED);
        (uint256 required, uint256 allowed) = _operandsOf(opcode);
        if (allowed == 0) return count == required;
        if (!_onlyFlags(node, allowed)) return false;
        uint256 flags = uint256(node.attributes[0]);
        if (flags & Opcodes.BIAS != 0) ++required;
        if (flags & Opcodes.GATED != 0) ++required;
        return count == required;
    }

    /// @dev Inputs that always stand, and the flags that an opcode may set; 0 for an opcode without flags.
    function _operandsOf(uint256 opcode) private pure returns (uint256 required, uint256 flags) {
        uint256 finish = Opcodes.RECTIFIED | Opcodes.FIXED;
        if (opcode == Opcodes.MATMUL) return (2, Opcodes.BIAS | Opcodes.GATED | finish);
        if (opcode == Opcodes.CONV || opcode == Opcodes.CONV_POOL_INDEX) return (2, Opcodes.BIAS | finish);
        if (opcode == Opcodes.CONV_INPUT_GRAD || opcode == Opcodes.MAX_POOL_GRAD) return (2, Opcodes.GATED);
        if (opcode == Opcodes.AVERAGE_POOL_GRAD) return (1, Opcodes.GATED);
        if (opcode == Opcodes.ROW_SUM) return (1, Opcodes.FIXED);
        if (opcode == Opcodes.SOFTMAX_GRAD) return (3, Opcodes.QUANTIZED);
        if (opcode < Opcodes.STORE || opcode == Opcodes.ACCUMULATE) return (0, 0);
        if (opcode == Opcodes.SGD_MOMENTUM) return (3, 0);
        bool isBinary =
            opcode == Opcodes.CONV_WEIGHT_GRAD || opcode == Opcodes.GATE || opcode > Opcodes.SOFTMAX_GRAD;
        return (isBinary || opcode == Opcodes.EXP ? 2 : 1, 0);
    }

    function _onlyFlags(Node memory node, uint256 allowed) private pure returns (bool) {
        return uint256(node.attributes[0]) & ~allowed == 0;
    }

    function _isOnTape(Node memory node) private pure returns (bool) {
        if (node.opcode == Opcodes.INPUT) return node.tape == 0;
        if (node.opcode == Opcodes.ACCUMULATE) return node.tape == 1;
        return node.opcode < Opcodes.SGD_MOMENTUM || node.tape == 2;
    }

    /// @dev Types, shapes and attributes of a whole node.
    function _isSound(Node memory node) private pure returns (bool) {
        uint256 opcode = node.opcode;
        if (opcode == Opcodes.INPUT) return _isInput(node);
        if (opcode == Opcodes.LOAD || opcode == Opcodes.ACCUMULATE) return node.output.dtype == Opcodes.I32;
        if (opcode == Opcodes.STORE) return _isSame(node, 0, Opcodes.I32) && _yields(node, Opcodes.I32);
        if (opcode == Opcodes.RELAYOUT) return _isRelayout(node);
        if (opcode == Opcodes.REQUANTIZE || opcode == Opcodes.SHIFT) {
            uint256 dtype = opcode == Opcodes.SHIFT ? Opcodes.I32 : mantissasOf(node);
            return
                node.layouts[0].dtype < Opcodes.U8 &&
                _isSame(node, 0, node.layouts[0].dtype) &&
                _yields(node, dtype);
        }
        if (opcode >= Opcodes.CONV && opcode <= Opcodes.CONV_WEIGHT_GRAD)
            return WindowRules.isConvolution(node);
        if (opcode >= Opcodes.MAX_POOL && opcode <= Opcodes.AVERAGE_POOL_GRAD)
            return WindowRules.isPool(node);
        if (opcode >= Opcodes.SGD_MOMENTUM) return _isUpdate(node);
        if (
            opcode == Opcodes.ADD ||
            opcode == Opcodes.RELU ||
            opcode == Opcodes.GATE ||
            opcode == Opcodes.MSE_GRAD
        ) {
            if (opcode == Opcodes.MSE_GRAD && node.layouts[0].rank != 2) return false;
            return _areSame(node, mantissasOf(node)) && _yields(node, mantissasOf(node));
        }
        return _isMatrix(node);
    }

    /// @notice Type of B-bit tensors.
    function mantissasOf(Node memory node) internal pure returns (uint256) {
        return node.bits == 8 ? Opcodes.I8 : Opcodes.I16;
    }

    function _isInput(Node memory node) private pure returns (bool) {
        int256[] memory attributes = node.attributes;
        uint256 dtype = node.output.dtype;
        bool isPlain = attributes[2] == 1 && attributes[3] == 0;
        if (attributes[0] < 0 || attributes[1] < 0 || attributes[1] > 3 || attributes[5] < 0) return false;
        if (node.output.shape[0] != 1 << node.logBatch) return false;
        if (node.output.rowAxes != (node.output.rank == 4 ? 2 : 1)) return false;
        if (attributes[5] > 0) {
            return isPlain && (dtype == Opcodes.U32 || (dtype == Opcodes.U8 && attributes[5] <= 256));
        }
        if (dtype > Opcodes.I32) return false;
        if (attributes[1] == 3) return isPlain && dtype == Opcodes.I32;
        // u8, i8, i16: both ends of what raw values can become.
        (int256 low, int256 high) = attributes[1] == 0
            ? (int256(0), int256(255))
            : attributes[1] == 1
                ? (int256(-128), int256(127))
                : (int256(-32_768), int256(32_767));
        int256 most =
            dtype == Opcodes.I8
                ? int256(127)
                : dtype == Opcodes.I16
                    ? int256(32_767)
                    : ExactLimits.MAX_I32;
        (low, high) = (low * attributes[2] + attributes[3], high * attributes[2] + attributes[3]);
        return low >= -most && low <= most && high >= -most && high <= most;
    }

    function _isRelayout(Node memory node) private pure returns (bool) {
        int256[] memory attributes = node.attributes;
        uint256 elements = 1;
        uint256 axes = 0;
        for (uint256 i = 0; i < 4; ++i) {
            if (attributes[i] < 1 || attributes[4 + i] < 0 || attributes[4 + i] > 3) return false;
            elements *= uint256(attributes[i]);
            axes |= 1 << uint256(attributes[4 + i]);
        }
        bool isWhole =
            axes == 15 && elements == node.layouts[0].elements() && elements == node.output.elements();
        return isWhole && node.output.dtype == node.layouts[0].dtype;
    }

    function _isUpdate(Node memory node) private pure returns (bool) {
        int256[] memory attributes = node.attributes;
        for (uint256 i = 0; i < attributes.length; ++i) {
            bool isFactor = node.opcode == Opcodes.SGD_MOMENTUM && i % 2 == 0;
            int256 most = isFactor ? ExactLimits.MAX_FACTOR : ExactLimits.MAX_FACTOR_SHIFT;
            if (attributes[i] < 0 || attributes[i] > most) return false;
        }
        return _areSame(node, Opcodes.I32) && _yields(node, Opcodes.I32);
    }

    /// @dev MATMUL, ROW_SUM, ROW_MAX, EXP, SOFTMAX_GRAD: their first input is a matrix.
    function _isMatrix(Node memory node) private pure returns (bool) {
        Layout memory x = node.layouts[0];
        Layout memory output = node.output;
        uint256 opcode = node.opcode;
        if (x.rank != 2) return false;
        uint256[4] memory column = [x.shape[0], 1, 1, 1];
        if (opcode == Opcodes.MATMUL) return _isMatmul(node);
        if (opcode == Opcodes.ROW_MAX) return hasShape(output, x.dtype, 1, column);
        if (opcode == Opcodes.ROW_SUM) {
            bool isFixed = uint256(node.attributes[0]) & Opcodes.FIXED != 0;
            bool isTerm = x.dtype != Opcodes.I64 && x.shape[1] <= ExactLimits.MAX_PRODUCTS;
            return isTerm && hasShape(output, isFixed ? Opcodes.I32 : Opcodes.I64, 1, column);
        }
        if (opcode == Opcodes.EXP) {
            return x.dtype == Opcodes.I32 && hasShape(output, Opcodes.U32, 2, x.shape);
        }
        uint256 labels = node.layouts[2].dtype;
        if (labels != Opcodes.U8 && labels != Opcodes.U32) return false;
        if (!hasShape(node.layouts[2], labels, 1, column)) return false;
        return _isProbability(node, x.shape[1]) && hasShape(output, mantissasOf(node), 2, x.shape);
    }

    function _isMatmul(Node memory node) private pure returns (bool) {
        (Layout memory a, Layout memory b) = (node.layouts[0], node.layouts[1]);
        if (a.dtype > Opcodes.I16 || b.dtype > Opcodes.I16 || b.rank != 2) return false;
        if (a.shape[1] != b.shape[1] || a.shape[1] > ExactLimits.MAX_PRODUCTS) return false;
        uint256 flags = uint256(node.attributes[0]);
        uint256 dtype = flags & Opcodes.FIXED != 0 ? Opcodes.I32 : mantissasOf(node);
        uint256[4] memory shape = [a.shape[0], b.shape[0], 1, 1];
        return hasShape(node.output, dtype, 2, shape) && areOptional(node, 2, b.shape[0]);
    }

    function _isProbability(Node memory node, uint256 classes) private pure returns (bool) {
        int256 bits = node.attributes[1];
        int256 least = ExactLimits.PROBABILITY_BITS_ABOVE_CLASSES;
        while ((1 << uint256(least - ExactLimits.PROBABILITY_BITS_ABOVE_CLASSES)) < classes) ++least;
        if (least < ExactLimits.MIN_PROBABILITY_BITS) least = ExactLimits.MIN_PROBABILITY_BITS;
        if (bits < least || bits > ExactLimits.MAX_PROBABILITY_BITS) return false;
        return node.attributes[0] != 0 || (node.bits == 16 && bits == ExactLimits.MIN_PROBABILITY_BITS);
    }

    /// @notice Whether bias and gate, where they stand, are what they must be.
    /// @param next number of the inputs before them
    function areOptional(Node memory node, uint256 next, uint256 outputs) internal pure returns (bool) {
        uint256 flags = uint256(node.attributes[0]);
        if (flags & Opcodes.BIAS != 0) {
            if (!hasShape(node.layouts[next], Opcodes.I32, 1, [outputs, 1, 1, 1])) return false;
            ++next;
        }
        if (flags & Opcodes.GATED == 0) return true;
        return hasShape(node.layouts[next], mantissasOf(node), node.output.rank, node.output.shape);
    }

    /// @notice Whether a layout has this type and shape.
    function hasShape(
        Layout memory form,
        uint256 dtype,
        uint256 rank,
        uint256[4] memory shape
    ) internal pure returns (bool) {
        if (form.dtype != dtype || form.rank != rank) return false;
        for (uint256 axis = 0; axis < 4; ++axis) {
            if (form.shape[axis] != shape[axis]) return false;
        }
        return true;
    }

    /// @dev Whether an input has this type and the output's shape.
    function _isSame(Node memory node, uint256 input, uint256 dtype) private pure returns (bool) {
        return hasShape(node.layouts[input], dtype, node.output.rank, node.output.shape);
    }

    function _areSame(Node memory node, uint256 dtype) private pure returns (bool) {
        for (uint256 i = 0; i < node.layouts.length; ++i) {
            if (!_isSame(node, i, dtype)) return false;
        }
        return true;
    }

    /// @dev Whether the output has this type and the rows of the first input.
    function _yields(Node memory node, uint256 dtype) private pure returns (bool) {
        return node.output.dtype == dtype && node.output.rowAxes == node.layouts[0].rowAxes;
    }
}

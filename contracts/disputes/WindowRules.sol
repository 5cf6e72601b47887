// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ExactLimits} from "./ExactLimits.sol";
import {Layout, Node} from "./NodeDescriptor.sol";
import {NodeRules} from "./NodeRules.sol";
import {Opcodes} from "./Opcodes.sol";

/// @title Rules of convolutions and pools
/// @notice Parts of `NodeRules`: types, shapes and attributes of nodes that move a window over an image.
library WindowRules {
    /// @dev Strides and pads start at this attribute; top, left, bottom, right.
    struct Frame {
        uint256 first;
        uint256 kernelH;
        uint256 kernelW;
    }

    /// @notice CONV, CONV_POOL_INDEX, CONV_INPUT_GRAD, CONV_WEIGHT_GRAD.
    function isConvolution(Node memory node) internal pure returns (bool) {
        (Layout memory a, Layout memory b) = (node.layouts[0], node.layouts[1]);
        if (a.dtype > Opcodes.I16 || b.dtype > Opcodes.I16) return false;
        if (a.rank != 4 || b.rank != 4 || a.rowAxes != 2 || node.output.rank != 4) return false;
        if (node.opcode == Opcodes.CONV_WEIGHT_GRAD) {
            return b.rowAxes == 2 && node.output.rowAxes == 3 && _isWeightGradient(node);
        }
        if (b.rowAxes != 3 || node.output.rowAxes != 2) return false;
        if (b.shape[1] * b.shape[2] * b.shape[3] > ExactLimits.MAX_PRODUCTS) return false;
        return node.opcode == Opcodes.CONV_INPUT_GRAD ? _isInputGradient(node) : _isForward(node);
    }

    /// @notice MAX_POOL, MAX_POOL_INDEX, AVERAGE_POOL and the gradients.
    function isPool(Node memory node) internal pure returns (bool) {
        bool isGradient = node.opcode == Opcodes.MAX_POOL_GRAD || node.opcode == Opcodes.AVERAGE_POOL_GRAD;
        uint256 first = isGradient ? 1 : 0;
        int256[] memory attributes = node.attributes;
        int256 most = int256(ExactLimits.MAX_AREA);
        for (uint256 i = 0; i < 2; ++i) {
            int256 kernel = attributes[first + i];
            if (kernel < 1 || kernel > most) return false;
            // Every window holds a pixel: pads are smaller than the kernel.
            if (attributes[first + 4 + i] >= kernel || attributes[first + 6 + i] >= kernel) return false;
        }
        Layout memory image = isGradient ? node.output : node.layouts[0];
        Layout memory pooled = isGradient ? node.layouts[0] : node.output;
        if (image.rank != 4 || image.rowAxes != 2 || pooled.rowAxes != 2) return false;
        Frame memory f = Frame(first + 2, uint256(attributes[first]), uint256(attributes[first + 1]));
        (bool isFit, uint256[4] memory shape) = _windows(node, f, image.shape);
        uint256 dtype = NodeRules.mantissasOf(node);
        if (!isFit || image.dtype != dtype) return false;
        if (!isGradient) {
            return
                NodeRules.hasShape(
                    pooled,
                    node.opcode == Opcodes.MAX_POOL_INDEX ? Opcodes.U8 : dtype,
                    4,
                    shape
                );
        }
        if (!NodeRules.hasShape(pooled, dtype, 4, shape)) return false;
        if (node.opcode == Opcodes.AVERAGE_POOL_GRAD) return NodeRules.areOptional(node, 1, 0);
        Layout memory index = node.layouts[1];
        if (index.rowAxes != 2 || !NodeRules.hasShape(index, Opcodes.U8, 4, shape)) return false;
        return NodeRules.areOptional(node, 2, 0);
    }

    function _isForward(Node memory node) private pure returns (bool) {
        uint256[4] memory kernel = node.layouts[1].shape;
        if (!_isGrouped(node.attributes[8], node.layouts[0].shape[3], kernel[0], kernel[3])) return false;
        (bool isFit, uint256[4] memory shape) = _windows(
            node,
            Frame(2, kernel[1], kernel[2]),
            node.layouts[0].shape
        );
        int256 pool = node.attributes[9];
        bool isIndex = node.opcode == Opcodes.CONV_POOL_INDEX;
        // The index of a block of k × k fits 8 bits.
        if (!isFit || pool < (isIndex ? int256(2) : int256(1)) || pool > 15) return false;
        shape = [shape[0], shape[1] / uint256(pool), shape[2] / uint256(pool), kernel[0]];
        if (shape[1] == 0 || shape[2] == 0) return false;
        bool isFixed = uint256(node.attributes[0]) & Opcodes.FIXED != 0;
        uint256 dtype =
            isIndex
                ? Opcodes.U8
                : isFixed
                    ? Opcodes.I32
                    : NodeRules.mantissasOf(node);
        return NodeRules.hasShape(node.output, dtype, 4, shape) && NodeRules.areOptional(node, 2, kernel[0]);
    }

    function _isInputGradient(Node memory node) private pure returns (bool) {
        uint256[4] memory kernel = node.layouts[1].shape;
        Layout memory d = node.layouts[0];
        if (!_isGrouped(node.attributes[8], d.shape[3], kernel[0], kernel[3])) return false;
        if (node.output.shape[3] != kernel[0] || node.output.dtype != NodeRules.mantissasOf(node))
            return false;
        (bool isFit, uint256[4] memory shape) = _windows(
            node,
            Frame(2, kernel[1], kernel[2]),
            node.output.shape
        );
        shape[3] = d.shape[3];
        return isFit && NodeRules.hasShape(d, d.dtype, 4, shape) && NodeRules.areOptional(node, 2, 0);
    }

    function _isWeightGradient(Node memory node) private pure returns (bool) {
        uint256[4] memory x = node.layouts[0].shape;
        Layout memory d = node.layouts[1];
        uint256[4] memory weights = node.output.shape;
        if (d.shape[1] * d.shape[2] * d.shape[3] > ExactLimits.MAX_PRODUCTS) return false;
        if (!_isGrouped(node.attributes[7], x[0], d.shape[0], weights[3])) return false;
        if (weights[0] != d.shape[0] || node.output.dtype != Opcodes.I32) return false;
        Frame memory f = Frame(1, weights[1], weights[2]);
        (bool isFit, uint256[4] memory shape) = _windows(node, f, [x[1], x[2], x[3], 1]);
        return isFit && NodeRules.hasShape(d, d.dtype, 4, [d.shape[0], x[1], shape[1], shape[2]]);
    }

    /// @dev Whether groups divide what is read and what is made, and each reads `share`.
    function _isGrouped(
        int256 groups,
        uint256 read,
        uint256 made,
        uint256 share
    ) private pure returns (bool) {
        if (groups < 1) return false;
        uint256 count = uint256(groups);
        return read % count == 0 && made % count == 0 && read / count == share;
    }

    /// @dev Windows of an image [N, H, W, C], if there is at least one each way and all numbers are in their bounds.
    function _windows(
        Node memory node,
        Frame memory f,
        uint256[4] memory image
    ) private pure returns (bool, uint256[4] memory shape) {
        shape = [image[0], 0, 0, image[3]];
        if (f.kernelH * f.kernelW > ExactLimits.MAX_AREA) return (false, shape);
        int256[] memory attributes = node.attributes;
        int256 most = int256(ExactLimits.MAX_STEP);
        for (uint256 i = 0; i < 6; ++i) {
            int256 step = attributes[f.first + i];
            if (step < (i < 2 ? int256(1) : int256(0)) || step > most) return (false, shape);
        }
        for (uint256 i = 0; i < 2; ++i) {
            uint256 kernel = i == 0 ? f.kernelH : f.kernelW;
            uint256 pads = uint256(attributes[f.first + 2 + i] + attributes[f.first + 4 + i]);
            if (image[1 + i] + pads < kernel) return (false, shape);
            shape[1 + i] = (image[1 + i] + pads - kernel) / uint256(attributes[f.first + i]) + 1;
        }
        return (true, shape);
    }
}

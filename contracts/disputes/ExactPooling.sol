// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Node} from "./NodeDescriptor.sol";
import {Tensor, TensorLeaves} from "./TensorLeaves.sol";

/// @title Pooling and its gradients
/// @notice One output element from opened operands; positions of a window are in row-major order, as in
/// docs/exact-ops.md sections 4 and 6.
library ExactPooling {
    using TensorLeaves for Tensor;

    /// @notice Thrown when a window holds no pixel.
    error EmptyWindow();

    /// @dev A window of a pooling node.
    struct Pool {
        uint256 kernelW;
        uint256 strideH;
        uint256 strideW;
        uint256 padTop;
        uint256 padLeft;
        /// Size of the tensor that is read.
        uint256 height;
        uint256 width;
        uint256 channels;
        /// First element of its image, and the channel.
        uint256 image;
        uint256 channel;
        /// Place of the output element.
        uint256 y;
        uint256 x;
    }

    /// @notice MAX_POOL and MAX_POOL_INDEX: the largest pixel of a window, and the position of the first such one.
    function largest(
        Node memory node,
        Tensor memory x,
        uint256 out
    ) internal pure returns (int256 value, uint256 position) {
        unchecked {
            Pool memory p = _poolOf(node, 0, out);
            uint256 area = uint256(node.attributes[0]) * p.kernelW;
            bool isFound = false;
            for (uint256 k = 0; k < area; ++k) {
                (bool isInside, uint256 element) = _pixel(p, k);
                if (!isInside) continue;
                int256 pixel = x.read(element);
                if (isFound && pixel <= value) continue;
                (value, position, isFound) = (pixel, k, true);
            }
            if (!isFound) revert EmptyWindow();
        }
    }

    /// @notice AVERAGE_POOL: the sum of the positions [k0, k1) of a window.
    function sum(
        Node memory node,
        Tensor memory x,
        uint256 out,
        uint256 k0,
        uint256 k1
    ) internal pure returns (int256 total) {
        unchecked {
            Pool memory p = _poolOf(node, 0, out);
            for (uint256 k = k0; k < k1; ++k) {
                (bool isInside, uint256 element) = _pixel(p, k);
                if (isInside) total += x.read(element);
            }
        }
    }

    /// @notice AVERAGE_POOL_GRAD: the sum of d over the windows in which the pixel has a position in [k0, k1).
    function averageGradient(
        Node memory node,
        Tensor memory d,
        uint256 out,
        uint256 k0,
        uint256 k1
    ) internal pure returns (int256 total) {
        unchecked {
            Pool memory p = _poolOf(node, 1, out);
            for (uint256 k = k0; k < k1; ++k) {
                (bool isInside, uint256 element) = _window(p, k);
                if (isInside) total += d.read(element);
            }
        }
    }

    /// @notice MAX_POOL_GRAD: as `averageGradient`, of the windows whose index names the pixel.
    function maximumGradient(
        Node memory node,
        Tensor memory d,
        Tensor memory index,
        uint256 out,
        uint256 k0,
        uint256 k1
    ) internal pure returns (int256 total) {
        unchecked {
            Pool memory p = _poolOf(node, 1, out);
            for (uint256 k = k0; k < k1; ++k) {
                (bool isInside, uint256 element) = _window(p, k);
                if (isInside && index.read(element) == int256(k)) total += d.read(element);
            }
        }
    }

    /// @dev The pixel at position k of the output element's window.
    function _pixel(Pool memory p, uint256 k) private pure returns (bool, uint256) {
        unchecked {
            uint256 y = p.y * p.strideH + k / p.kernelW;
            uint256 x = p.x * p.strideW + (k % p.kernelW);
            if (y < p.padTop || x < p.padLeft) return (false, 0);
            y -= p.padTop;
            x -= p.padLeft;
            if (y >= p.height || x >= p.width) return (false, 0);
            return (true, _element(p, y, x));
        }
    }

    /// @dev The window in which the output element, a pixel, has position k.
    function _window(Pool memory p, uint256 k) private pure returns (bool, uint256) {
        unchecked {
            uint256 y = p.y + p.padTop;
            uint256 x = p.x + p.padLeft;
            if (y < k / p.kernelW || x < k % p.kernelW) return (false, 0);
            y -= k / p.kernelW;
            x -= k % p.kernelW;
            if (y % p.strideH != 0 || x % p.strideW != 0) return (false, 0);
            y /= p.strideH;
            x /= p.strideW;
            if (y >= p.height || x >= p.width) return (false, 0);
            return (true, _element(p, y, x));
        }
    }

    function _element(Pool memory p, uint256 y, uint256 x) private pure returns (uint256) {
        unchecked {
            return p.image + (y * p.width + x) * p.channels + p.channel;
        }
    }

    function _poolOf(Node memory node, uint256 first, uint256 out) private pure returns (Pool memory p) {
        unchecked {
            int256[] memory attributes = node.attributes;
            p.kernelW = uint256(attributes[first + 1]);
            p.strideH = uint256(attributes[first + 2]);
            p.strideW = uint256(attributes[first + 3]);
            p.padTop = uint256(attributes[first + 4]);
            p.padLeft = uint256(attributes[first + 5]);
            uint256[4] memory read = node.layouts[0].shape;
            uint256[4] memory shape = node.output.shape;
            (p.height, p.width, p.channels) = (read[1], read[2], read[3]);
            p.channel = out % shape[3];
            out /= shape[3];
            p.x = out % shape[2];
            out /= shape[2];
            p.y = out % shape[1];
            p.image = (out / shape[1]) * p.height * p.width * p.channels;
        }
    }
}

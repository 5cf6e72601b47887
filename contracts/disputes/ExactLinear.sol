// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ExactDot} from "./ExactDot.sol";
import {Layout, Node} from "./NodeDescriptor.sol";
import {Tensor} from "./TensorLeaves.sol";

/// @title Contractions: matrix products, convolutions and their gradients
/// @notice Each function is the sum of products [k0, k1) of one output element, in the canonical order of
/// docs/exact-ops.md section 6. Absent pixels count as zero and need not be opened.
library ExactLinear {
    /// @dev Stride and padding of a convolution.
    struct Steps {
        uint256 strideH;
        uint256 strideW;
        uint256 padTop;
        uint256 padLeft;
        uint256 groups;
    }

    /// @dev What one element of a convolution multiplies: a window of an image by a row of weights.
    struct Window {
        uint256 height;
        uint256 width;
        uint256 channels;
        uint256 kernelW;
        /// Channels of the group, and the first of them.
        uint256 groupChannels;
        uint256 channel;
        /// First element of the image and of the weights' row.
        uint256 image;
        uint256 weights;
        /// Pixel of the image under the kernel's first position; may lie outside.
        int256 top;
        int256 left;
        /// Columns of the kernel that lie inside the image.
        uint256 fromColumn;
        uint256 toColumn;
        /// Products that are asked for.
        uint256 from;
        uint256 to;
    }

    /// @dev What one element of a weight gradient multiplies.
    struct Correlation {
        uint256 strideH;
        uint256 strideW;
        /// Rows and columns of the image, and those of the gradient.
        uint256 height;
        uint256 width;
        uint256 rows;
        uint256 columns;
        /// First elements of the channel in both operands.
        uint256 image;
        uint256 gradient;
        /// Pixel of the image that belongs to the gradient's first one; may lie outside.
        int256 top;
        int256 left;
        /// Rows and columns of the gradient whose pixel lies inside the image.
        uint256 fromRow;
        uint256 toRow;
        uint256 fromColumn;
        uint256 toColumn;
    }

    /// @notice MATMUL: row r of `a` by row o of `b`.
    function matmul(
        Node memory node,
        Tensor memory a,
        Tensor memory b,
        uint256 out,
        uint256 k0,
        uint256 k1
    ) internal pure returns (int256) {
        unchecked {
            uint256 products = node.layouts[0].shape[1];
            uint256 columns = node.output.shape[1];
            uint256 row = (out / columns) * products;
            return ExactDot.dot(a, row + k0, b, (out % columns) * products + k0, k1 - k0);
        }
    }

    /// @notice CONV and CONV_POOL_INDEX, before pooling: position `candidate` of the block.
    function convolution(
        Node memory node,
        Tensor memory x,
        Tensor memory w,
        uint256 out,
        uint256 candidate,
        uint256 k0,
        uint256 k1
    ) internal pure returns (int256 sum) {
        unchecked {
            Window memory v = _windowOf(node, out, candidate);
            (v.from, v.to) = (k0, k1);
            uint256 line = v.kernelW * v.groupChannels;
            for (uint256 kh = k0 / line; kh * line < k1; ++kh) {
                int256 y = v.top + int256(kh);
                if (y < 0 || y >= int256(v.height)) continue;
                // Element of the image under the kernel's first column.
                int256 pixel = int256(v.image) + (y * int256(v.width) + v.left) * int256(v.channels);
                if (v.groupChannels == v.channels) {
                    sum += _run(
                        x,
                        w,
                        v,
                        pixel,
                        kh * line,
                        v.fromColumn * v.channels,
                        v.toColumn * v.channels
                    );
                    continue;
                }
                for (uint256 kw = v.fromColumn; kw < v.toColumn; ++kw) {
                    int256 first = pixel + int256(kw * v.channels + v.channel);
                    sum += _run(x, w, v, first, kh * line + kw * v.groupChannels, 0, v.groupChannels);
                }
            }
        }
    }

    /// @notice CONV_INPUT_GRAD.
    function inputGradient(
        Node memory node,
        Tensor memory d,
        Tensor memory w,
        uint256 out,
        uint256 k0,
        uint256 k1
    ) internal pure returns (int256 sum) {
        unchecked {
            Steps memory s = _steps(node, 2);
            Window memory v = _gradientWindow(node, s, out);
            (v.from, v.to) = (k0, k1);
            uint256 line = v.kernelW * v.groupChannels;
            for (uint256 kh = k0 / line; kh * line < k1; ++kh) {
                (bool isInside, uint256 row) = _quotient(v.top, kh, s.strideH, v.height);
                if (isInside) sum += _gradientLine(d, w, v, s.strideW, row, kh * line);
            }
        }
    }

    /// @notice CONV_WEIGHT_GRAD.
    function weightGradient(
        Node memory node,
        Tensor memory x,
        Tensor memory d,
        uint256 out,
        uint256 k0,
        uint256 k1
    ) internal pure returns (int256 sum) {
        unchecked {
            Correlation memory c = _correlationOf(node, out);
            uint256 whole = k1 / c.columns;
            uint256 j = k0 / c.columns;
            while (j * c.columns < k1) {
                uint256 base = j * c.columns;
                // Lines that are asked for as a whole: those of whole samples, or up to the end of the sample.
                uint256 next = (whole / c.rows) * c.rows;
                if (j % c.rows != 0 || next <= j) next = (j / c.rows + 1) * c.rows;
                if (next > whole) next = whole;
                (uint256 from, uint256 to) = (c.fromColumn, c.toColumn);
                if (base < k0 || next <= j) {
                    next = j + 1;
                    if (base + from < k0) from = k0 - base;
                    if (base + to > k1) to = k1 - base;
                }
                if (from < to) sum += _lines(x, d, c, j, next - j, from, to);
                j = next;
            }
        }
    }

    /// @dev Columns [from, to) of lines of one sample of the gradient, or of whole samples. Line j is row j mod OH of
    /// sample j / OH.
    function _lines(
        Tensor memory x,
        Tensor memory d,
        Correlation memory c,
        uint256 j,
        uint256 lines,
        uint256 from,
        uint256 to
    ) private pure returns (int256 sum) {
        unchecked {
            uint256 row = j % c.rows;
            uint256 end = row + lines < c.toRow ? row + lines : c.toRow;
            if (row < c.fromRow) {
                j += c.fromRow - row;
                row = c.fromRow;
            }
            if (row >= end) return 0;
            // Row of the image, counted over all samples.
            uint256 y = (j / c.rows) * c.height + uint256(c.top + int256(row * c.strideH));
            ExactDot.Lines memory pairs;
            pairs.i = uint256(int256(c.image + y * c.width + from * c.strideW) + c.left);
            pairs.iStep = int256(c.strideH * c.width);
            pairs.k = c.gradient + j * c.columns + from;
            pairs.kStep = int256(c.columns);
            pairs.rows = lines > c.rows ? lines / c.rows : 1;
            pairs.lines = end - row;
            pairs.count = to - from;
            if (c.strideW == 1) return ExactDot.dotLines(x, d, pairs);
            return ExactDot.dotLinesStrided(x, c.strideW, d, pairs);
        }
    }

    /// @dev Those of the products [from, to) of a line that are asked for. The line's first product has number `base`,
    /// and its first pixel, which may lie outside the image, is element `pixel`.
    function _run(
        Tensor memory x,
        Tensor memory w,
        Window memory v,
        int256 pixel,
        uint256 base,
        uint256 from,
        uint256 to
    ) private pure returns (int256) {
        unchecked {
            if (base + from < v.from) from = v.from - base;
            if (base + to > v.to) to = v.to > base ? v.to - base : 0;
            if (from >= to) return 0;
            return ExactDot.dot(x, uint256(pixel + int256(from)), w, v.weights + base + from, to - from);
        }
    }

    /// @dev A line of the kernel, whose first product has number `base`, by row `row` of the gradient.
    function _gradientLine(
        Tensor memory d,
        Tensor memory w,
        Window memory v,
        uint256 stride,
        uint256 row,
        uint256 base
    ) private pure returns (int256 sum) {
        unchecked {
            uint256 first = v.image + row * v.width * v.channels + v.channel;
            // The first of the columns, from right to left, and the position of the kernel that multiplies it.
            uint256 column = uint256(v.left) / stride;
            if (column >= v.width) column = v.width - 1;
            uint256 kw = uint256(v.left) - column * stride;
            if (kw >= v.kernelW) return 0;
            uint256 lines = (v.kernelW - 1 - kw) / stride;
            lines = (lines < column ? lines : column) + 1;
            first += column * v.channels;
            kw *= v.groupChannels;
            stride *= v.groupChannels;
            if (base >= v.from && base + v.kernelW * v.groupChannels <= v.to) {
                return
                    ExactDot.dotLines(
                        d,
                        w,
                        ExactDot.Lines({
                            i: first,
                            iStep: -int256(v.channels),
                            k: v.weights + base + kw,
                            kStep: int256(stride),
                            rows: 1,
                            lines: lines,
                            count: v.groupChannels
                        })
                    );
            }
            base += kw;
            for (; lines != 0; --lines) {
                sum += _run(d, w, v, int256(first), base, 0, v.groupChannels);
                first -= v.channels;
                base += stride;
            }
        }
    }

    /// @dev The exact quotient (position − k) / stride, if it is one below `limit`.
    function _quotient(
        int256 position,
        uint256 k,
        uint256 stride,
        uint256 limit
    ) private pure returns (bool, uint256) {
        unchecked {
            if (int256(k) > position) return (false, 0);
            uint256 distance = uint256(position) - k;
            return (distance % stride == 0 && distance / stride < limit, distance / stride);
        }
    }

    function _steps(Node memory node, uint256 first) private pure returns (Steps memory s) {
        int256[] memory attributes = node.attributes;
        s.strideH = uint256(attributes[first]);
        s.strideW = uint256(attributes[first + 1]);
        s.padTop = uint256(attributes[first + 2]);
        s.padLeft = uint256(attributes[first + 3]);
        s.groups = uint256(attributes[first + 6]);
    }

    function _windowOf(
        Node memory node,
        uint256 out,
        uint256 candidate
    ) private pure returns (Window memory v) {
        unchecked {
            Steps memory s = _steps(node, 2);
            uint256[4] memory image = node.layouts[0].shape;
            uint256[4] memory kernel = node.layouts[1].shape;
            uint256[4] memory shape = node.output.shape;
            (v.height, v.width, v.channels) = (image[1], image[2], image[3]);
            (v.kernelW, v.groupChannels) = (kernel[2], kernel[3]);
            uint256 o = out % shape[3];
            out /= shape[3];
            uint256 pool = uint256(node.attributes[9]);
            uint256 x = (out % shape[2]) * pool + (candidate % pool);
            out /= shape[2];
            uint256 y = (out % shape[1]) * pool + candidate / pool;
            v.channel = (o / (kernel[0] / s.groups)) * kernel[3];
            v.image = (out / shape[1]) * v.height * v.width * v.channels;
            v.weights = o * kernel[1] * kernel[2] * kernel[3];
            v.top = int256(y * s.strideH) - int256(s.padTop);
            v.left = int256(x * s.strideW) - int256(s.padLeft);
            v.fromColumn = v.left < 0 ? uint256(-v.left) : 0;
            int256 rest = int256(v.width) - v.left;
            v.toColumn = rest < int256(v.kernelW) ? uint256(rest > 0 ? rest : int256(0)) : v.kernelW;
        }
    }

    /// @dev The window in terms of the gradient [N, OH, OW, O]; `top` and `left` are the padded pixel of the element.
    function _gradientWindow(
        Node memory node,
        Steps memory s,
        uint256 out
    ) private pure returns (Window memory v) {
        unchecked {
            uint256[4] memory gradient = node.layouts[0].shape;
            uint256[4] memory kernel = node.layouts[1].shape;
            uint256[4] memory shape = node.output.shape;
            (v.height, v.width, v.channels) = (gradient[1], gradient[2], gradient[3]);
            (v.kernelW, v.groupChannels) = (kernel[2], kernel[3]);
            uint256 c = out % shape[3];
            out /= shape[3];
            v.left = int256((out % shape[2]) + s.padLeft);
            out /= shape[2];
            v.top = int256((out % shape[1]) + s.padTop);
            v.channel = (c / (kernel[0] / s.groups)) * kernel[3];
            v.image = (out / shape[1]) * v.height * v.width * v.channels;
            v.weights = c * kernel[1] * kernel[2] * kernel[3];
        }
    }

    function _correlationOf(Node memory node, uint256 out) private pure returns (Correlation memory c) {
        unchecked {
            Steps memory s = _steps(node, 1);
            Layout memory x = node.layouts[0];
            Layout memory d = node.layouts[1];
            uint256[4] memory shape = node.output.shape;
            (c.strideH, c.strideW) = (s.strideH, s.strideW);
            (c.height, c.width) = (x.shape[2], x.shape[3]);
            (c.rows, c.columns) = (d.shape[2], d.shape[3]);
            uint256 channel = out % shape[3];
            out /= shape[3];
            c.left = int256(out % shape[2]) - int256(s.padLeft);
            out /= shape[2];
            c.top = int256(out % shape[1]) - int256(s.padTop);
            uint256 o = out / shape[1];
            channel += (o / (shape[0] / s.groups)) * shape[3];
            c.image = channel * x.shape[1] * c.height * c.width;
            c.gradient = o * d.shape[1] * c.rows * c.columns;
            (c.fromRow, c.toRow) = _inside(c.top, c.strideH, c.height, c.rows);
            (c.fromColumn, c.toColumn) = _inside(c.left, c.strideW, c.width, c.columns);
        }
    }

    /// @dev Those j < count with 0 <= first + j·stride < size.
    function _inside(
        int256 first,
        uint256 stride,
        uint256 size,
        uint256 count
    ) private pure returns (uint256 from, uint256 to) {
        unchecked {
            if (first < 0) from = (uint256(-first) + stride - 1) / stride;
            int256 rest = int256(size) - first;
            if (rest > 0) to = (uint256(rest) + stride - 1) / stride;
            if (to > count) to = count;
        }
    }
}

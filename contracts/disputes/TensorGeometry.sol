// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ExactLimits} from "./ExactLimits.sol";
import {Layout, NodeDescriptor} from "./NodeDescriptor.sol";

/// @notice How a tensor's packed bytes are cut into leaves (docs/exact-ops.md section 2).
struct Geometry {
    /// Bytes of an element.
    uint256 width;
    /// Elements of a row, and its bytes with the padding.
    uint256 rowLength;
    uint256 rowBytes;
    uint256 rows;
    /// Rows that share a leaf; 1 where rows are cut into chunks.
    uint256 rowsPerLeaf;
    /// Leaves of a row; 1 where rows share leaves.
    uint256 chunks;
    uint256 leaves;
    uint256 depth;
}

/// @title Rows, chunks and leaves of a layout
/// @notice The leaves in order are exactly the padded rows in order, so that adjacent leaves are one range of bytes.
library TensorGeometry {
    /// @notice Geometry of a layout; the element type must exist.
    function geometryOf(Layout memory form) internal pure returns (Geometry memory g) {
        unchecked {
            g.width = NodeDescriptor.widthOf(form.dtype);
            g.rowLength = NodeDescriptor.rowLength(form);
            g.rows = NodeDescriptor.elements(form) / g.rowLength;
            uint256 bytesOfRow = (g.width * g.rowLength + 31) & ~uint256(31);
            g.rowBytes = bytesOfRow;
            g.rowsPerLeaf = 1;
            g.chunks = 1;
            if (bytesOfRow > ExactLimits.MAX_LEAF) {
                g.chunks = (bytesOfRow + ExactLimits.MAX_LEAF - 1) / ExactLimits.MAX_LEAF;
            } else {
                while (2 * g.rowsPerLeaf * bytesOfRow <= ExactLimits.SHARED_LEAF) g.rowsPerLeaf *= 2;
            }
            g.leaves = ((g.rows + g.rowsPerLeaf - 1) / g.rowsPerLeaf) * g.chunks;
            g.depth = g.leaves > 1 ? Math.log2(g.leaves - 1) + 1 : 0;
        }
    }

    /// @notice First byte of a leaf within the packed tensor; the end of the tensor for the leaf after the last.
    function startOf(Geometry memory g, uint256 leaf) internal pure returns (uint256) {
        unchecked {
            if (g.chunks > 1) {
                return (leaf / g.chunks) * g.rowBytes + (leaf % g.chunks) * ExactLimits.MAX_LEAF;
            }
            uint256 row = leaf * g.rowsPerLeaf;
            return (row < g.rows ? row : g.rows) * g.rowBytes;
        }
    }

    /// @notice What a packed tensor is cut into leaves by: pieces of `most` bytes, and after every `period` bytes.
    function cuts(Geometry memory g) internal pure returns (uint256 most, uint256 period) {
        unchecked {
            if (g.chunks > 1) return (ExactLimits.MAX_LEAF, g.rowBytes);
            return (g.rowsPerLeaf * g.rowBytes, g.rows * g.rowBytes);
        }
    }
}

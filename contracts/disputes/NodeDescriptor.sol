// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {MerkleProofs} from "../libraries/MerkleProofs.sol";
import {ExactLimits} from "./ExactLimits.sol";

/// @notice Element type, shape and row of a tensor (docs/exact-ops.md section 2).
struct Layout {
    uint256 dtype;
    uint256 rank;
    /// Trailing axes that form a row.
    uint256 rowAxes;
    /// Axes beyond `rank` are 1.
    uint256[4] shape;
}

/// @notice One operation of a tape, as its descriptor states it (docs/exact-ops.md section 4).
struct Node {
    /// 0 micro-batch, 1 reduction, 2 optimiser.
    uint256 tape;
    uint256 index;
    uint256 opcode;
    /// Mantissa bits of the profile: 8 or 16.
    uint256 bits;
    /// log2 of the micro-batch size.
    uint256 logBatch;
    Layout output;
    /// Earlier nodes of the same tape, and their layouts.
    uint256[] inputs;
    Layout[] layouts;
    int256[] attributes;
}

/// @title Descriptors of nodes and their place under a program's root
/// @notice A descriptor is u8 tape, u32 index, u8 opcode, u8 B, u8 log2 N, output layout, u8 input count, per input
/// u32 node index and layout, u8 attribute count, int32 attributes; a layout is u8 dtype, u8 rank, u8 rowAxes, u32 for
/// each axis.
library NodeDescriptor {
    /// @notice Thrown when bytes are not exactly one descriptor.
    error MalformedDescriptor();
    /// @notice Thrown when a descriptor names a tape or an index that the program does not have.
    error NoSuchNode(uint256 tape, uint256 index);
    /// @notice Thrown when a descriptor is not the one that the program's root commits to.
    error WrongDescriptor(uint256 tape, uint256 index);

    /// @notice The node that the program has at the place its descriptor names.
    /// @param nodeCounts nodes of the three tapes, as the order states them
    /// @param siblings from the leaf up
    function verify(
        bytes calldata descriptor,
        bytes32[] calldata siblings,
        bytes32 programRoot,
        uint256[3] memory nodeCounts
    ) internal pure returns (Node memory node) {
        node = decode(descriptor);
        requireCommitted(descriptor, node.tape, node.index, siblings, programRoot, nodeCounts);
    }

    /// @notice As `verify`, but inputs and attributes are left out, whatever stands there.
    function verifyHead(
        bytes calldata descriptor,
        bytes32[] calldata siblings,
        bytes32 programRoot,
        uint256[3] memory nodeCounts
    ) internal pure returns (Node memory node) {
        (bool isLayout, ) = _readHead(descriptor, node);
        if (!isLayout) revert MalformedDescriptor();
        requireCommitted(descriptor, node.tape, node.index, siblings, programRoot, nodeCounts);
    }

    /// @notice Reverts unless the program commits to these bytes as node `index` of `tape`, well formed or not.
    function requireCommitted(
        bytes calldata descriptor,
        uint256 tape,
        uint256 index,
        bytes32[] calldata siblings,
        bytes32 programRoot,
        uint256[3] memory nodeCounts
    ) internal pure {
        if (tape > 2 || index >= nodeCounts[tape]) revert NoSuchNode(tape, index);
        uint256 leaves = nodeCounts[0] + nodeCounts[1] + nodeCounts[2];
        uint256 position = index;
        for (uint256 i = 0; i < tape; ++i) position += nodeCounts[i];
        bytes32 leaf = MerkleProofs.leafOf(descriptor);
        uint256 depth = MerkleProofs.depthOf(leaves);
        if (MerkleProofs.rootOf(leaf, position, siblings, depth) != programRoot) {
            revert WrongDescriptor(tape, index);
        }
    }

    /// @notice Reads a descriptor.
    function decode(bytes calldata descriptor) internal pure returns (Node memory node) {
        bool isWellFormed;
        (isWellFormed, node) = tryDecode(descriptor);
        if (!isWellFormed) revert MalformedDescriptor();
    }

    /// @notice Reads a descriptor; false when the bytes are not exactly one. Whether the node makes sense is judged by
    /// `NodeRules`.
    function tryDecode(bytes calldata descriptor) internal pure returns (bool, Node memory node) {
        unchecked {
            uint256 end;
            assembly ("memory-safe") {
                end := add(descriptor.offset, descriptor.length)
            }
            (bool isLayout, uint256 cursor) = _readHead(descriptor, node);
            if (!isLayout) return (false, node);
            uint256 count = _word(cursor) >> 248;
            cursor += 1;
            if (count > ExactLimits.MAX_INPUTS) return (false, node);
            node.inputs = new uint256[](count);
            node.layouts = new Layout[](count);
            for (uint256 i = 0; i < count; ++i) {
                node.inputs[i] = _word(cursor) >> 224;
                (isLayout, cursor) = _readLayout(cursor + 4, node.layouts[i]);
                if (!isLayout) return (false, node);
            }
            count = _word(cursor) >> 248;
            cursor += 1;
            if (cursor + 4 * count != end) return (false, node);
            node.attributes = new int256[](count);
            for (uint256 i = 0; i < count; ++i) {
                node.attributes[i] = int32(uint32(_word(cursor + 4 * i) >> 224));
            }
            return (true, node);
        }
    }

    /// @notice Elements of a tensor.
    function elements(Layout memory form) internal pure returns (uint256) {
        unchecked {
            return form.shape[0] * form.shape[1] * form.shape[2] * form.shape[3];
        }
    }

    /// @notice Elements of a row.
    function rowLength(Layout memory form) internal pure returns (uint256 length) {
        unchecked {
            length = 1;
            for (uint256 axis = form.rank - form.rowAxes; axis < form.rank; ++axis) {
                length *= form.shape[axis];
            }
        }
    }

    /// @notice Bytes of an element; 0 for a type that does not exist.
    function widthOf(uint256 dtype) internal pure returns (uint256) {
        // I8, I16, I32, I64, U8, U32: one byte each, from the lowest.
        return dtype > 5 ? 0 : (0x040108040201 >> (8 * dtype)) & 0xff;
    }

    /// @dev Fills what stands before the inputs; false when the output's layout is none.
    function _readHead(
        bytes calldata descriptor,
        Node memory node
    ) private pure returns (bool, uint256 cursor) {
        unchecked {
            assembly ("memory-safe") {
                cursor := descriptor.offset
            }
            uint256 head = _word(cursor);
            node.tape = head >> 248;
            node.index = (head >> 216) & 0xffffffff;
            node.opcode = (head >> 208) & 0xff;
            node.bits = (head >> 200) & 0xff;
            node.logBatch = (head >> 192) & 0xff;
            return _readLayout(cursor + 8, node.output);
        }
    }

    /// @dev Fills `form`; false when the rank or the row is none.
    function _readLayout(uint256 cursor, Layout memory form) private pure returns (bool, uint256) {
        unchecked {
            uint256 word = _word(cursor);
            (uint256 rank, uint256 rowAxes) = ((word >> 240) & 0xff, (word >> 232) & 0xff);
            form.dtype = word >> 248;
            form.rank = rank;
            form.rowAxes = rowAxes;
            if (rank == 0 || rank > 4 || rowAxes == 0 || rowAxes > rank) return (false, cursor);
            // Three bytes and at most four axes fit one word.
            for (uint256 axis = 0; axis < 4; ++axis) {
                form.shape[axis] = axis < rank ? (word >> (200 - 32 * axis)) & 0xffffffff : 1;
            }
            return (true, cursor + 3 + 4 * rank);
        }
    }

    /// @dev 32 bytes of calldata; what lies behind its end reads as zero, and the length is checked at the end.
    function _word(uint256 cursor) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := calldataload(cursor)
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ExactLimits} from "./ExactLimits.sol";
import {Layout, NodeDescriptor} from "./NodeDescriptor.sol";
import {Opcodes} from "./Opcodes.sol";
import {Geometry, TensorGeometry} from "./TensorGeometry.sol";

/// @notice Those leaves of a tensor that were opened in calldata.
struct Tensor {
    bytes32 dataRoot;
    int256 exponent;
    uint256 dtype;
    uint256 width;
    uint256 rowLength;
    uint256 rowBytes;
    /// Elements of the whole tensor.
    uint256 elements;
    /// Ranges of its packed bytes: first byte, end (64 bits each), where in calldata the first byte stands (128 bits).
    uint256[] spans;
    /// The span that was read last: first byte, end, and what leads from a byte to its place in calldata (modulo
    /// 2^256).
    uint256 from;
    uint256 to;
    uint256 origin;
}

/// @title Opened leaves of committed tensors
/// @notice An opening is, packed: int32 exponent, u8 number of spans, spans; where there are none, bytes32 data root. A
/// span opens adjacent leaves: u32 first leaf, u16 number of leaves, their bytes, then the siblings that lead to the
/// data root: on every level from the leaves up the left one (if the first node is a right child), then the right one
/// (if the last node is a left child). All lengths follow from the tensor's layout, none from the prover.
library TensorLeaves {
    using TensorGeometry for Geometry;

    /// @notice Thrown when a span leads to another data root than the first one of the tensor.
    error WrongLeaves(uint256 span);
    /// @notice Thrown when a span is empty or goes beyond the tensor.
    error NoSuchLeaves(uint256 first, uint256 count, uint256 leaves);
    /// @notice Thrown when an element is needed whose leaf was not opened.
    error NotOpened(uint256 element);
    /// @notice Thrown when an element is named that the tensor does not have.
    error NoSuchElement(uint256 element, uint256 elements);

    bytes32 private constant TAG = keccak256("assay/tensor/v1");

    /// @notice Commitment to a tensor.
    function commitmentOf(bytes32 dataRoot, int256 exponent) internal pure returns (bytes32) {
        return keccak256(abi.encode(TAG, dataRoot, exponent));
    }

    /// @notice Reads one opening and computes the data root that it leads to.
    /// @dev Nothing is shown before the caller has tied `dataRoot` and `exponent` of the result to a commitment.
    /// @param cursor position of the opening in calldata
    /// @return tensor what was opened
    /// @return end position after the opening
    function open(
        Layout memory form,
        uint256 cursor
    ) internal pure returns (Tensor memory tensor, uint256 end) {
        Geometry memory g = TensorGeometry.geometryOf(form);
        uint256 count;
        (tensor.exponent, count, tensor.dataRoot) = _head(cursor);
        tensor.dtype = form.dtype;
        tensor.width = g.width;
        tensor.rowLength = g.rowLength;
        tensor.rowBytes = g.rowBytes;
        tensor.elements = NodeDescriptor.elements(form);
        tensor.spans = new uint256[](count);
        end = count == 0 ? cursor + 37 : cursor + 5;
        for (uint256 i = 0; i < count; ++i) {
            bytes32 root;
            (tensor.spans[i], root, end) = _openSpan(g, end);
            if (i == 0) tensor.dataRoot = root;
            if (root != tensor.dataRoot) revert WrongLeaves(i);
        }
    }

    /// @notice Whether bytes of a packed tensor from `start` on have zero padding and mantissas in their range.
    /// @param lowest smallest mantissa of I8, I16 and I32 tensors; other types have one range
    function isCanonical(
        Geometry memory g,
        uint256 dtype,
        int256 lowest,
        uint256 start,
        bytes calldata data
    ) internal pure returns (bool) {
        uint256 used = g.rowLength * g.width;
        // Rows start at multiples of 32 bytes, and so do leaves.
        for (uint256 i = 0; i < data.length; i += 32) {
            uint256 column = (start + i) % g.rowBytes;
            uint256 word = uint256(bytes32(data[i:i + 32]));
            uint256 here = used > column ? used - column : 0;
            if (here < 32 && word << (8 * here) != 0) return false;
            if (!_inRange(word, g.width, dtype, lowest)) return false;
        }
        return true;
    }

    /// @notice Where in calldata `run` adjacent elements of one row stand, the first of which is `element`.
    function pointer(Tensor memory tensor, uint256 element, uint256 run) internal pure returns (uint256) {
        if (element >= tensor.elements) revert NoSuchElement(element, tensor.elements);
        unchecked {
            (uint256 length, uint256 width) = (tensor.rowLength, tensor.width);
            uint256 start = (element / length) * tensor.rowBytes + (element % length) * width;
            // Most runs lie in the span of the run before.
            if (start < tensor.from || start + run * width > tensor.to) {
                _seek(tensor, start, start + run * width, element);
            }
            return tensor.origin + start;
        }
    }

    /// @notice One mantissa.
    function read(Tensor memory tensor, uint256 element) internal pure returns (int256) {
        return load(pointer(tensor, element, 1), tensor.width, tensor.dtype < Opcodes.U8);
    }

    /// @notice The mantissa at a position in calldata.
    function load(uint256 cursor, uint256 width, bool isSigned) internal pure returns (int256 mantissa) {
        assembly ("memory-safe") {
            mantissa := shr(sub(256, shl(3, width)), calldataload(cursor))
            if isSigned {
                mantissa := signextend(sub(width, 1), mantissa)
            }
        }
    }

    /// @notice Whether these bytes of calldata belong to the span that was read last.
    function isAtHand(Tensor memory tensor, uint256 cursor, uint256 length) internal pure returns (bool) {
        unchecked {
            uint256 start = cursor - tensor.origin;
            uint256 end = start + length;
            return start >= tensor.from && start < end && end <= tensor.to;
        }
    }

    /// @dev Finds the span that holds the bytes [start, end) of the packed tensor.
    function _seek(Tensor memory tensor, uint256 start, uint256 end, uint256 element) private pure {
        unchecked {
            uint256[] memory spans = tensor.spans;
            for (uint256 i = 0; i < spans.length; ++i) {
                uint256 span = spans[i];
                (uint256 from, uint256 to) = (span >> 192, (span >> 128) & type(uint64).max);
                if (start >= from && end <= to) {
                    (tensor.from, tensor.to, tensor.origin) = (from, to, uint128(span) - from);
                    return;
                }
            }
        }
        revert NotOpened(element);
    }

    function _head(uint256 cursor) private pure returns (int256 exponent, uint256 count, bytes32 dataRoot) {
        assembly ("memory-safe") {
            let word := calldataload(cursor)
            exponent := signextend(3, shr(224, word))
            count := and(shr(216, word), 0xff)
            dataRoot := calldataload(add(cursor, 5))
        }
    }

    function _openSpan(
        Geometry memory g,
        uint256 cursor
    ) private pure returns (uint256 span, bytes32 root, uint256 end) {
        uint256 first;
        uint256 count;
        assembly ("memory-safe") {
            let word := calldataload(cursor)
            first := shr(224, word)
            count := and(shr(208, word), 0xffff)
        }
        unchecked {
            if (count == 0 || first + count > g.leaves) revert NoSuchLeaves(first, count, g.leaves);
            cursor += 6;
            uint256 start = g.startOf(first);
            uint256 finish = g.startOf(first + count);
            span = (start << 192) | (finish << 128) | cursor;
            uint256[] memory nodes = _hashLeaves(g, first, count, cursor);
            (root, end) = _fold(nodes, first, g.depth, cursor + finish - start);
        }
    }

    /// @dev Hashes of `count` adjacent leaves whose bytes stand at `cursor`.
    function _hashLeaves(
        Geometry memory g,
        uint256 first,
        uint256 count,
        uint256 cursor
    ) private pure returns (uint256[] memory nodes) {
        nodes = new uint256[](count);
        uint256 start = g.startOf(first);
        (uint256 most, uint256 period) = g.cuts();
        // A leaf is laid down behind what is allocated, and the space is used again.
        assembly ("memory-safe") {
            let free := mload(0x40)
            let data := add(free, 1)
            mstore8(free, 0)
            let node := add(nodes, 32)
            for {
                let end := add(node, shl(5, count))
            } lt(node, end) {
                node := add(node, 32)
            } {
                let length := sub(period, mod(start, period))
                if gt(length, most) {
                    length := most
                }
                calldatacopy(data, cursor, length)
                mstore(node, keccak256(free, add(length, 1)))
                cursor := add(cursor, length)
                start := add(start, length)
            }
        }
    }

    /// @dev Root over adjacent nodes, the first of which has index `first` on the lowest of `depth` levels; siblings
    /// stand at `cursor`. `nodes` is overwritten.
    function _fold(
        uint256[] memory nodes,
        uint256 first,
        uint256 depth,
        uint256 cursor
    ) private pure returns (bytes32 root, uint256 end) {
        assembly ("memory-safe") {
            // The children of a node are laid down behind the prefix of inner nodes.
            let free := mload(0x40)
            mstore8(free, 1)
            let leftChild := add(free, 1)
            let rightChild := add(free, 33)
            let base := add(nodes, 32)
            let finish := add(base, shl(5, mload(nodes)))
            for {} and(gt(sub(finish, base), 32), gt(depth, 0)) {
                depth := sub(depth, 1)
            } {
                let from := base
                let to := base
                if and(first, 1) {
                    mstore(leftChild, calldataload(cursor))
                    mstore(rightChild, mload(from))
                    mstore(to, keccak256(free, 65))
                    cursor := add(cursor, 32)
                    from := add(from, 32)
                    to := add(to, 32)
                }
                for {} lt(add(from, 32), finish) {
                    from := add(from, 64)
                } {
                    mstore(leftChild, mload(from))
                    mstore(rightChild, mload(add(from, 32)))
                    mstore(to, keccak256(free, 65))
                    to := add(to, 32)
                }
                if lt(from, finish) {
                    mstore(leftChild, mload(from))
                    mstore(rightChild, calldataload(cursor))
                    mstore(to, keccak256(free, 65))
                    cursor := add(cursor, 32)
                    to := add(to, 32)
                }
                finish := to
                first := shr(1, first)
            }
            // One node is left: its path to the root.
            root := mload(base)
            for {} depth {
                depth := sub(depth, 1)
            } {
                // On the right where the index is odd.
                let side := shl(5, and(first, 1))
                mstore(add(leftChild, side), root)
                mstore(sub(rightChild, side), calldataload(cursor))
                root := keccak256(free, 65)
                cursor := add(cursor, 32)
                first := shr(1, first)
            }
            end := cursor
        }
    }

    /// @dev Whether every mantissa of a word is allowed. Excluded are: the lowest value of the signed types unless
    /// `lowest` allows it, and I64 beyond 53 bits.
    function _inRange(uint256 word, uint256 width, uint256 dtype, int256 lowest) private pure returns (bool) {
        if (dtype > Opcodes.I64) return true;
        uint256 bits = 8 * width;
        if (dtype == Opcodes.I64) {
            for (uint256 i = 0; i < 4; ++i) {
                int256 mantissa = int64(uint64(word >> (64 * i)));
                if (mantissa > ExactLimits.MAX_I64 || mantissa < -ExactLimits.MAX_I64) return false;
            }
            return true;
        }
        if (lowest == -int256(1 << (bits - 1))) return true;
        // Lanes that are 100…0 become zero; a zero lane is found as in Mycroft's test for a zero byte.
        unchecked {
            uint256 ones = type(uint256).max / ((1 << bits) - 1);
            uint256 tops = ones << (bits - 1);
            uint256 lanes = word ^ tops;
            return (lanes - ones) & ~lanes & tops == 0;
        }
    }
}

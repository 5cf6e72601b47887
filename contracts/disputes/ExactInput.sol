// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ExactMath} from "./ExactMath.sol";
import {Node, NodeDescriptor} from "./NodeDescriptor.sol";
import {TensorLeaves} from "./TensorLeaves.sol";

/// @title Elements that come from the bytes of an object
/// @notice Opcode INPUT of docs/exact-ops.md section 4.
library ExactInput {
    /// @notice Thrown when not exactly the bytes of one raw value are given.
    error WrongRawLength(uint256 length, uint256 expected);

    /// @notice Which bytes an element is made of.
    /// @return row place of the object in the micro-batch
    /// @return offset first byte, within the object
    /// @return width number of bytes
    function placeOf(
        Node memory node,
        uint256 out
    ) internal pure returns (uint256 row, uint256 offset, uint256 width) {
        uint256 elements = NodeDescriptor.elements(node.output);
        if (out >= elements) revert TensorLeaves.NoSuchElement(out, elements);
        uint256 perRow = elements / node.output.shape[0];
        width = widthOf(node);
        row = out / perRow;
        offset = uint256(node.attributes[0]) + (out % perRow) * width;
    }

    /// @notice The element that raw bytes stand for, and its exponent.
    /// @dev A label is read unsigned. Whether it names a class is for the caller to judge.
    function element(Node memory node, bytes calldata raw) internal pure returns (int256, int256) {
        uint256 width = widthOf(node);
        if (raw.length != width) revert WrongRawLength(raw.length, width);
        uint256 value = 0;
        // Little-endian, as the files that datasets come in.
        for (uint256 i = 0; i < width; ++i) value |= uint256(uint8(raw[i])) << (8 * i);
        int256 signed = int256(value);
        bool isSigned = node.attributes[1] != 0 && node.attributes[5] == 0;
        if (isSigned && value >> (8 * width - 1) != 0) signed -= int256(1 << (8 * width));
        return (ExactMath.sat(signed * node.attributes[2] + node.attributes[3]), node.attributes[4]);
    }

    /// @notice Bytes of a raw value: u8, i8, i16, i32.
    function widthOf(Node memory node) internal pure returns (uint256) {
        int256 encoding = node.attributes[1];
        return
            encoding < 2
                ? 1
                : encoding == 2
                    ? 2
                    : 4;
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Opcodes} from "./Opcodes.sol";
import {Tensor, TensorLeaves} from "./TensorLeaves.sol";

/// @title Sums of products of opened mantissas
/// @notice Both operands lie in calldata, packed big-endian, at any byte offset.
library ExactDot {
    /// @notice Thrown when an operand of a contraction is neither I8 nor I16.
    error WrongOperand(uint256 dtype);

    /// @notice Σ a[i + j]·b[k + j] over j < count; each run lies in one row.
    function dot(
        Tensor memory a,
        uint256 i,
        Tensor memory b,
        uint256 k,
        uint256 count
    ) internal pure returns (int256) {
        if (a.dtype > Opcodes.I16) revert WrongOperand(a.dtype);
        if (b.dtype > Opcodes.I16) revert WrongOperand(b.dtype);
        uint256 cursor = TensorLeaves.pointer(a, i, count);
        uint256 bt = TensorLeaves.pointer(b, k, count);
        if (a.width == 2) return b.width == 2 ? _dot16(cursor, bt, count) : _dot16by8(cursor, bt, count);
        return b.width == 2 ? _dot16by8(bt, cursor, count) : _dot8(cursor, bt, count);
    }

    /// @notice Σ a[i + j·step]·b[k + j] over j < count; each run lies in one row.
    function dotStrided(
        Tensor memory a,
        uint256 i,
        uint256 step,
        Tensor memory b,
        uint256 k,
        uint256 count
    ) internal pure returns (int256 total) {
        if (a.dtype > Opcodes.I16) revert WrongOperand(a.dtype);
        if (b.dtype > Opcodes.I16) revert WrongOperand(b.dtype);
        unchecked {
            uint256 cursor = TensorLeaves.pointer(a, i, (count - 1) * step + 1);
            uint256 bt = TensorLeaves.pointer(b, k, count);
            (uint256 aWidth, uint256 bWidth) = (a.width, b.width);
            step *= aWidth;
            for (uint256 j = 0; j < count; ++j) {
                total += TensorLeaves.load(cursor, aWidth, true) * TensorLeaves.load(bt, bWidth, true);
                cursor += step;
                bt += bWidth;
            }
        }
    }

    /// @notice Σ a[i + j] over j < count, of any element type; the run lies in one row.
    function sum(Tensor memory a, uint256 i, uint256 count) internal pure returns (int256 total) {
        uint256 cursor = TensorLeaves.pointer(a, i, count);
        uint256 width = a.width;
        // Sign extension from the highest byte of a word changes nothing.
        uint256 top = a.dtype < Opcodes.U8 ? width - 1 : 31;
        assembly ("memory-safe") {
            let unused := sub(256, shl(3, width))
            for {
                let end := add(cursor, mul(count, width))
            } lt(cursor, end) {
                cursor := add(cursor, width)
            } {
                total := add(total, signextend(top, shr(unused, calldataload(cursor))))
            }
        }
    }

    /// @dev Sixteen products at a time.
    function _dot16(uint256 a, uint256 b, uint256 count) private pure returns (int256 total) {
        assembly ("memory-safe") {
            for {} count {} {
                let x := calldataload(a)
                let y := calldataload(b)
                switch lt(count, 16)
                case 0 {
                    count := sub(count, 16)
                }
                default {
                    // The tail: what follows the last element is shifted out, zeros come in.
                    let rest := sub(16, count)
                    x := shr(mul(16, rest), x)
                    y := shr(mul(16, rest), y)
                    count := 0
                }
                total := add(total, mul(signextend(1, x), signextend(1, y)))
                total := add(total, mul(signextend(1, shr(16, x)), signextend(1, shr(16, y))))
                total := add(total, mul(signextend(1, shr(32, x)), signextend(1, shr(32, y))))
                total := add(total, mul(signextend(1, shr(48, x)), signextend(1, shr(48, y))))
                total := add(total, mul(signextend(1, shr(64, x)), signextend(1, shr(64, y))))
                total := add(total, mul(signextend(1, shr(80, x)), signextend(1, shr(80, y))))
                total := add(total, mul(signextend(1, shr(96, x)), signextend(1, shr(96, y))))
                total := add(total, mul(signextend(1, shr(112, x)), signextend(1, shr(112, y))))
                total := add(total, mul(signextend(1, shr(128, x)), signextend(1, shr(128, y))))
                total := add(total, mul(signextend(1, shr(144, x)), signextend(1, shr(144, y))))
                total := add(total, mul(signextend(1, shr(160, x)), signextend(1, shr(160, y))))
                total := add(total, mul(signextend(1, shr(176, x)), signextend(1, shr(176, y))))
                total := add(total, mul(signextend(1, shr(192, x)), signextend(1, shr(192, y))))
                total := add(total, mul(signextend(1, shr(208, x)), signextend(1, shr(208, y))))
                total := add(total, mul(signextend(1, shr(224, x)), signextend(1, shr(224, y))))
                total := add(total, mul(signextend(1, shr(240, x)), signextend(1, shr(240, y))))
                a := add(a, 32)
                b := add(b, 32)
            }
        }
    }

    /// @dev Sixteen products at a time, `a` of 16 bits and `b` of 8.
    function _dot16by8(uint256 a, uint256 b, uint256 count) private pure returns (int256 total) {
        assembly ("memory-safe") {
            for {} count {} {
                let x := calldataload(a)
                let y := shr(128, calldataload(b))
                switch lt(count, 16)
                case 0 {
                    count := sub(count, 16)
                }
                default {
                    // The tail: what follows the last element is shifted out, zeros come in.
                    let rest := sub(16, count)
                    x := shr(mul(16, rest), x)
                    y := shr(mul(8, rest), y)
                    count := 0
                }
                total := add(total, mul(signextend(1, x), signextend(0, y)))
                total := add(total, mul(signextend(1, shr(16, x)), signextend(0, shr(8, y))))
                total := add(total, mul(signextend(1, shr(32, x)), signextend(0, shr(16, y))))
                total := add(total, mul(signextend(1, shr(48, x)), signextend(0, shr(24, y))))
                total := add(total, mul(signextend(1, shr(64, x)), signextend(0, shr(32, y))))
                total := add(total, mul(signextend(1, shr(80, x)), signextend(0, shr(40, y))))
                total := add(total, mul(signextend(1, shr(96, x)), signextend(0, shr(48, y))))
                total := add(total, mul(signextend(1, shr(112, x)), signextend(0, shr(56, y))))
                total := add(total, mul(signextend(1, shr(128, x)), signextend(0, shr(64, y))))
                total := add(total, mul(signextend(1, shr(144, x)), signextend(0, shr(72, y))))
                total := add(total, mul(signextend(1, shr(160, x)), signextend(0, shr(80, y))))
                total := add(total, mul(signextend(1, shr(176, x)), signextend(0, shr(88, y))))
                total := add(total, mul(signextend(1, shr(192, x)), signextend(0, shr(96, y))))
                total := add(total, mul(signextend(1, shr(208, x)), signextend(0, shr(104, y))))
                total := add(total, mul(signextend(1, shr(224, x)), signextend(0, shr(112, y))))
                total := add(total, mul(signextend(1, shr(240, x)), signextend(0, shr(120, y))))
                a := add(a, 32)
                b := add(b, 16)
            }
        }
    }

    /// @dev Thirty-two products at a time.
    function _dot8(uint256 a, uint256 b, uint256 count) private pure returns (int256 total) {
        assembly ("memory-safe") {
            for {} count {} {
                let x := calldataload(a)
                let y := calldataload(b)
                switch lt(count, 32)
                case 0 {
                    count := sub(count, 32)
                }
                default {
                    // The tail: what follows the last element is shifted out, zeros come in.
                    let rest := sub(32, count)
                    x := shr(mul(8, rest), x)
                    y := shr(mul(8, rest), y)
                    count := 0
                }
                total := add(total, mul(signextend(0, x), signextend(0, y)))
                total := add(total, mul(signextend(0, shr(8, x)), signextend(0, shr(8, y))))
                total := add(total, mul(signextend(0, shr(16, x)), signextend(0, shr(16, y))))
                total := add(total, mul(signextend(0, shr(24, x)), signextend(0, shr(24, y))))
                total := add(total, mul(signextend(0, shr(32, x)), signextend(0, shr(32, y))))
                total := add(total, mul(signextend(0, shr(40, x)), signextend(0, shr(40, y))))
                total := add(total, mul(signextend(0, shr(48, x)), signextend(0, shr(48, y))))
                total := add(total, mul(signextend(0, shr(56, x)), signextend(0, shr(56, y))))
                total := add(total, mul(signextend(0, shr(64, x)), signextend(0, shr(64, y))))
                total := add(total, mul(signextend(0, shr(72, x)), signextend(0, shr(72, y))))
                total := add(total, mul(signextend(0, shr(80, x)), signextend(0, shr(80, y))))
                total := add(total, mul(signextend(0, shr(88, x)), signextend(0, shr(88, y))))
                total := add(total, mul(signextend(0, shr(96, x)), signextend(0, shr(96, y))))
                total := add(total, mul(signextend(0, shr(104, x)), signextend(0, shr(104, y))))
                total := add(total, mul(signextend(0, shr(112, x)), signextend(0, shr(112, y))))
                total := add(total, mul(signextend(0, shr(120, x)), signextend(0, shr(120, y))))
                total := add(total, mul(signextend(0, shr(128, x)), signextend(0, shr(128, y))))
                total := add(total, mul(signextend(0, shr(136, x)), signextend(0, shr(136, y))))
                total := add(total, mul(signextend(0, shr(144, x)), signextend(0, shr(144, y))))
                total := add(total, mul(signextend(0, shr(152, x)), signextend(0, shr(152, y))))
                total := add(total, mul(signextend(0, shr(160, x)), signextend(0, shr(160, y))))
                total := add(total, mul(signextend(0, shr(168, x)), signextend(0, shr(168, y))))
                total := add(total, mul(signextend(0, shr(176, x)), signextend(0, shr(176, y))))
                total := add(total, mul(signextend(0, shr(184, x)), signextend(0, shr(184, y))))
                total := add(total, mul(signextend(0, shr(192, x)), signextend(0, shr(192, y))))
                total := add(total, mul(signextend(0, shr(200, x)), signextend(0, shr(200, y))))
                total := add(total, mul(signextend(0, shr(208, x)), signextend(0, shr(208, y))))
                total := add(total, mul(signextend(0, shr(216, x)), signextend(0, shr(216, y))))
                total := add(total, mul(signextend(0, shr(224, x)), signextend(0, shr(224, y))))
                total := add(total, mul(signextend(0, shr(232, x)), signextend(0, shr(232, y))))
                total := add(total, mul(signextend(0, shr(240, x)), signextend(0, shr(240, y))))
                total := add(total, mul(signextend(0, shr(248, x)), signextend(0, shr(248, y))))
                a := add(a, 32)
                b := add(b, 32)
            }
        }
    }
}

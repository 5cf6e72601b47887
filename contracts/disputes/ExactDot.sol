// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Opcodes} from "./Opcodes.sol";
import {Tensor, TensorLeaves} from "./TensorLeaves.sol";

/// @title Sums of products of opened mantissas
/// @notice Both operands lie in calldata, packed big-endian, at any byte offset.
library ExactDot {
    /// @dev Pairs of runs that are equally long and equally far apart, in one row or at the same places of adjacent
    /// rows.
    struct Lines {
        /// First element of the first run of either operand, and elements from one run to the next.
        uint256 i;
        int256 iStep;
        uint256 k;
        int256 kStep;
        /// Rows of either operand, not 0; more than one only where the steps are not negative.
        uint256 rows;
        /// Runs in a row, and elements of a run; not 0.
        uint256 lines;
        uint256 count;
    }

    /// @notice Thrown when an operand of a contraction is neither I8 nor I16.
    error WrongOperand(uint256 dtype);

    /// @dev Fewer products than these are multiplied one by one.
    uint256 private constant FEW = 4;
    /// @dev Sign bits of all elements of a word.
    uint256 private constant SIGNS16 = 0x8000800080008000800080008000800080008000800080008000800080008000;
    uint256 private constant SIGNS8 = 0x8080808080808080808080808080808080808080808080808080808080808080;
    /// @dev Every other part of a word, of 64 and of 32 bits.
    uint256 private constant EVEN64 = 0x0000000000000000ffffffffffffffff0000000000000000ffffffffffffffff;
    uint256 private constant EVEN32 = 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff;

    /// @notice Σ a[i + j]·b[k + j] over j < count; each run lies in one row.
    function dot(
        Tensor memory a,
        uint256 i,
        Tensor memory b,
        uint256 k,
        uint256 count
    ) internal pure returns (int256) {
        (uint256 aWidth, uint256 bWidth) = _widths(a, b);
        uint256 cursor = TensorLeaves.pointer(a, i, count);
        uint256 bt = TensorLeaves.pointer(b, k, count);
        return _dot(cursor, aWidth, bt, bWidth, count);
    }

    /// @notice Σ dot(a, i + l·iStep, b, k + l·kStep, count) over l < lines, of all rows.
    function dotLines(
        Tensor memory a,
        Tensor memory b,
        Lines memory pairs
    ) internal pure returns (int256 total) {
        unchecked {
            (uint256 aWidth, uint256 bWidth) = _widths(a, b);
            uint256 cursor = TensorLeaves.pointer(a, pairs.i, pairs.count);
            uint256 bt = TensorLeaves.pointer(b, pairs.k, pairs.count);
            uint256 aStep = uint256(pairs.iStep) * aWidth;
            uint256 bStep = uint256(pairs.kStep) * bWidth;
            // What lies between two runs need not be opened; where it is, all runs are at hand.
            if (
                !TensorLeaves.isAtHand(a, _last(cursor, a, aStep, pairs), pairs.count * aWidth) ||
                !TensorLeaves.isAtHand(b, _last(bt, b, bStep, pairs), pairs.count * bWidth)
            ) return dotLinesStrided(a, 1, b, pairs);
            for (uint256 row = pairs.rows; row != 0; --row) {
                total += _dotRow(pairs, cursor, aStep, aWidth, bt, bStep, bWidth);
                cursor += a.rowBytes;
                bt += b.rowBytes;
            }
        }
    }

    /// @notice As `dotLines`; elements of a run of `a` stand `step` elements apart, and runs are found one by one.
    function dotLinesStrided(
        Tensor memory a,
        uint256 step,
        Tensor memory b,
        Lines memory pairs
    ) internal pure returns (int256 total) {
        unchecked {
            _widths(a, b);
            for (uint256 row = 0; row < pairs.rows; ++row) {
                for (uint256 line = 0; line < pairs.lines; ++line) {
                    uint256 i = pairs.i + row * a.rowLength + line * uint256(pairs.iStep);
                    uint256 k = pairs.k + row * b.rowLength + line * uint256(pairs.kStep);
                    if (step == 1) {
                        total += dot(a, i, b, k, pairs.count);
                        continue;
                    }
                    i = TensorLeaves.pointer(a, i, (pairs.count - 1) * step + 1);
                    k = TensorLeaves.pointer(b, k, pairs.count);
                    total += _dotStepped(i, step * a.width, a.width, k, b.width, b.width, pairs.count);
                }
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

    /// @dev Widths of the elements of both operands.
    function _widths(Tensor memory a, Tensor memory b) private pure returns (uint256, uint256) {
        if (a.dtype > Opcodes.I16) revert WrongOperand(a.dtype);
        if (b.dtype > Opcodes.I16) revert WrongOperand(b.dtype);
        return (a.width, b.width);
    }

    /// @dev Where the last run stands if the first stands at `cursor`.
    function _last(
        uint256 cursor,
        Tensor memory tensor,
        uint256 step,
        Lines memory pairs
    ) private pure returns (uint256) {
        unchecked {
            return cursor + (pairs.rows - 1) * tensor.rowBytes + (pairs.lines - 1) * step;
        }
    }

    /// @dev The lines of one row, whose first runs stand at `a` and `b`.
    function _dotRow(
        Lines memory pairs,
        uint256 a,
        uint256 aStep,
        uint256 aWidth,
        uint256 b,
        uint256 bStep,
        uint256 bWidth
    ) private pure returns (int256 total) {
        unchecked {
            uint256 count = pairs.count;
            if (count == 1) return _dotStepped(a, aStep, aWidth, b, bStep, bWidth, pairs.lines);
            if (count >= FEW && count <= 16 && aWidth + bWidth == 4) {
                return _dotLines16(a, aStep, b, bStep, pairs.lines, count);
            }
            for (uint256 lines = pairs.lines; lines != 0; --lines) {
                total += _dot(a, aWidth, b, bWidth, count);
                a += aStep;
                b += bStep;
            }
        }
    }

    function _dot(
        uint256 a,
        uint256 aWidth,
        uint256 b,
        uint256 bWidth,
        uint256 count
    ) private pure returns (int256) {
        // Of few products each by itself is cheaper than a word of them.
        if (count < FEW) return _dotStepped(a, aWidth, aWidth, b, bWidth, bWidth, count);
        if (aWidth == 2) return bWidth == 2 ? _dot16(a, b, count) : _dot16by8(a, b, count);
        return bWidth == 2 ? _dot16by8(b, a, count) : _dot8(a, b, count);
    }

    /// @dev One product at a time; elements stand `aStep` and `bStep` bytes apart.
    function _dotStepped(
        uint256 a,
        uint256 aStep,
        uint256 aWidth,
        uint256 b,
        uint256 bStep,
        uint256 bWidth,
        uint256 count
    ) private pure returns (int256 total) {
        assembly ("memory-safe") {
            let aUnused := sub(256, shl(3, aWidth))
            let bUnused := sub(256, shl(3, bWidth))
            for {} count {
                count := sub(count, 1)
            } {
                total := add(total, mul(sar(aUnused, calldataload(a)), sar(bUnused, calldataload(b))))
                a := add(a, aStep)
                b := add(b, bStep)
            }
        }
    }

    /// @dev As `_dot16`, of several runs of at most sixteen products each.
    function _dotLines16(
        uint256 a,
        uint256 aStep,
        uint256 b,
        uint256 bStep,
        uint256 lines,
        uint256 count
    ) private pure returns (int256 total) {
        assembly ("memory-safe") {
            let lanes := 0x000000000000ffff000000000000ffff000000000000ffff000000000000ffff
            let half := 0x0000000000008000000000000000800000000000000080000000000000008000
            // What follows the last element is shifted out, zeros come in.
            let rest := shl(4, sub(16, count))
            for {} lines {
                lines := sub(lines, 1)
            } {
                let x := xor(shr(rest, calldataload(a)), SIGNS16)
                let y := xor(shr(rest, calldataload(b)), SIGNS16)
                y := or(shl(128, y), shr(128, y))
                let even := and(y, EVEN64)
                y := or(shl(64, even), shr(64, xor(y, even)))
                let sums := mul(sub(and(x, lanes), half), sub(and(y, lanes), half))
                sums := add(sums, mul(sub(and(shr(16, x), lanes), half), sub(and(shr(16, y), lanes), half)))
                sums := add(sums, mul(sub(and(shr(32, x), lanes), half), sub(and(shr(32, y), lanes), half)))
                sums := add(sums, mul(sub(and(shr(48, x), lanes), half), sub(and(shr(48, y), lanes), half)))
                total := add(total, sums)
                a := add(a, aStep)
                b := add(b, bStep)
            }
            total := sar(192, add(total, shl(191, 1)))
        }
    }

    /// @dev Sixteen products at a time, by four multiplications of four lanes each: with Σ x_i·2^(64·i) times
    /// Σ y_i·2^(64·(3 − i)), modulo 2^256, the top 64 bits are Σ x_i·y_i. A lane holds 16 bits of a word and becomes
    /// signed when its sign bit is flipped and 2^15 is taken from it. What lies below the top lane sums up to less than
    /// 2^191 in magnitude for all runs of 2^31 elements, no tensor being longer: it is rounded away.
    function _dot16(uint256 a, uint256 b, uint256 count) private pure returns (int256 total) {
        assembly ("memory-safe") {
            let lanes := 0x000000000000ffff000000000000ffff000000000000ffff000000000000ffff
            let half := 0x0000000000008000000000000000800000000000000080000000000000008000
            for {} count {} {
                let x := calldataload(a)
                let y := calldataload(b)
                switch lt(count, 16)
                case 0 {
                    count := sub(count, 16)
                }
                default {
                    // The tail: what follows the last element is shifted out, zeros come in.
                    let rest := shl(4, sub(16, count))
                    x := shr(rest, x)
                    y := shr(rest, y)
                    count := 0
                }
                x := xor(x, SIGNS16)
                y := xor(y, SIGNS16)
                // The four 64-bit parts of y in reverse order.
                y := or(shl(128, y), shr(128, y))
                let even := and(y, EVEN64)
                y := or(shl(64, even), shr(64, xor(y, even)))
                let sums := mul(sub(and(x, lanes), half), sub(and(y, lanes), half))
                sums := add(sums, mul(sub(and(shr(16, x), lanes), half), sub(and(shr(16, y), lanes), half)))
                sums := add(sums, mul(sub(and(shr(32, x), lanes), half), sub(and(shr(32, y), lanes), half)))
                sums := add(sums, mul(sub(and(shr(48, x), lanes), half), sub(and(shr(48, y), lanes), half)))
                total := add(total, sums)
                a := add(a, 32)
                b := add(b, 32)
            }
            total := sar(192, add(total, shl(191, 1)))
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

    /// @dev Thirty-two products at a time, by four multiplications of eight lanes of 32 bits; otherwise as `_dot16`. A
    /// lane has room for the products of one word, so that each word's are added by themselves.
    function _dot8(uint256 a, uint256 b, uint256 count) private pure returns (int256 total) {
        assembly ("memory-safe") {
            let lanes := 0x000000ff000000ff000000ff000000ff000000ff000000ff000000ff000000ff
            let half := 0x0000008000000080000000800000008000000080000000800000008000000080
            for {} count {} {
                let x := calldataload(a)
                let y := calldataload(b)
                switch lt(count, 32)
                case 0 {
                    count := sub(count, 32)
                }
                default {
                    // The tail: what follows the last element is shifted out, zeros come in.
                    let rest := shl(3, sub(32, count))
                    x := shr(rest, x)
                    y := shr(rest, y)
                    count := 0
                }
                x := xor(x, SIGNS8)
                y := xor(y, SIGNS8)
                // The eight 32-bit parts of y in reverse order.
                y := or(shl(128, y), shr(128, y))
                let even := and(y, EVEN64)
                y := or(shl(64, even), shr(64, xor(y, even)))
                even := and(y, EVEN32)
                y := or(shl(32, even), shr(32, xor(y, even)))
                let sums := mul(sub(and(x, lanes), half), sub(and(y, lanes), half))
                sums := add(sums, mul(sub(and(shr(8, x), lanes), half), sub(and(shr(8, y), lanes), half)))
                sums := add(sums, mul(sub(and(shr(16, x), lanes), half), sub(and(shr(16, y), lanes), half)))
                sums := add(sums, mul(sub(and(shr(24, x), lanes), half), sub(and(shr(24, y), lanes), half)))
                total := add(total, sar(224, add(sums, shl(223, 1))))
                a := add(a, 32)
                b := add(b, 32)
            }
        }
    }
}

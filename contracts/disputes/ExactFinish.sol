// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ExactLimits} from "./ExactLimits.sol";
import {ExactMath} from "./ExactMath.sol";
import {Node} from "./NodeDescriptor.sol";
import {Opcodes} from "./Opcodes.sol";

/// @notice What an element shows about the tensor that holds it.
enum ElementVerdict {
    Right,
    /// The tensor's exponent cannot be right, whatever its elements: it is not the one that the finish rule fixes, or
    /// lower than requantising allows.
    WrongExponent,
    /// The accumulator does not fit the mantissa at the tensor's exponent.
    ExponentTooSmall,
    WrongMantissa
}

/// @title From accumulators to mantissas
/// @notice The finish rules and the verdicts of docs/exact-ops.md sections 1 and 6.
library ExactFinish {
    /// @notice Thrown when an exponent is asked to be witnessed that no element determines.
    error NotRequantized(uint256 opcode);

    enum Kind {
        Exact,
        Fixed,
        Requantized
    }

    /// @notice The finish of a node, and the exponent that a fixed one has.
    function kindOf(Node memory node) internal pure returns (Kind kind, int256 exponent) {
        uint256 opcode = node.opcode;
        if (opcode == Opcodes.SHIFT || opcode == Opcodes.CONV_WEIGHT_GRAD) {
            return (Kind.Fixed, node.attributes[0]);
        }
        if (opcode == Opcodes.MATMUL || opcode == Opcodes.CONV || opcode == Opcodes.ROW_SUM) {
            if (uint256(node.attributes[0]) & Opcodes.FIXED != 0) return (Kind.Fixed, node.attributes[1]);
            return (opcode == Opcodes.ROW_SUM ? Kind.Exact : Kind.Requantized, 0);
        }
        if (opcode == Opcodes.SOFTMAX_GRAD) {
            bool isQuantized = uint256(node.attributes[0]) & Opcodes.QUANTIZED != 0;
            return (isQuantized ? Kind.Requantized : Kind.Exact, 0);
        }
        bool isRequantized =
            opcode == Opcodes.REQUANTIZE ||
                opcode == Opcodes.CONV_INPUT_GRAD ||
                opcode == Opcodes.ADD ||
                opcode == Opcodes.MAX_POOL_GRAD ||
                opcode == Opcodes.AVERAGE_POOL ||
                opcode == Opcodes.AVERAGE_POOL_GRAD ||
                opcode == Opcodes.MSE_GRAD;
        return (isRequantized ? Kind.Requantized : Kind.Exact, 0);
    }

    /// @notice Judges a committed mantissa by the accumulator that belongs there.
    /// @param accumulator what the element's operands give, at exponent `from`
    /// @param mantissa what was committed, in a tensor whose exponent is `to`
    function judge(
        Node memory node,
        int256 accumulator,
        int256 from,
        int256 mantissa,
        int256 to
    ) internal pure returns (ElementVerdict) {
        (Kind kind, int256 exponent) = kindOf(node);
        int256 expected = accumulator;
        if (kind == Kind.Exact) {
            if (to != from) return ElementVerdict.WrongExponent;
        } else if (kind == Kind.Fixed) {
            if (to != exponent) return ElementVerdict.WrongExponent;
            expected = ExactMath.sat(ExactMath.shift(accumulator, to - from));
        } else {
            int256 s = to - from;
            if (s < ExactMath.smallestShift(from)) return ElementVerdict.WrongExponent;
            if (!ExactMath.fits(accumulator, s, node.bits)) return ElementVerdict.ExponentTooSmall;
            expected = ExactMath.rnd(accumulator, uint256(s));
        }
        return mantissa == expected ? ElementVerdict.Right : ElementVerdict.WrongMantissa;
    }

    /// @notice Whether an element shows that the exponent of a requantised tensor is not too large.
    /// @param accumulator what the element's operands give, at exponent `from`
    /// @param to exponent of the tensor
    function isWitness(
        Node memory node,
        int256 accumulator,
        int256 from,
        int256 to
    ) internal pure returns (bool) {
        (Kind kind, ) = kindOf(node);
        if (kind != Kind.Requantized) revert NotRequantized(node.opcode);
        int256 s = to - from;
        if (s == ExactMath.smallestShift(from)) return true;
        return s > 0 && !ExactMath.fits(accumulator, s - 1, node.bits);
    }

    /// @notice Lowest mantissa that a canonical output tensor may hold; 0 for unsigned types.
    /// @dev Never above what the node can yield: an input may be any raw value, and a copy has the range of what it
    /// copies, which its descriptor does not tell. What is allowed here and still wrong loses as an element.
    function lowestOf(Node memory node) internal pure returns (int256) {
        uint256 dtype = node.output.dtype;
        if (dtype == Opcodes.I64) return -ExactLimits.MAX_I64;
        if (dtype == Opcodes.I32) return -ExactLimits.MAX_I32;
        if (dtype > Opcodes.I16) return 0;
        int256 lowest = dtype == Opcodes.I8 ? int256(-127) : int256(-32_767);
        (Kind kind, ) = kindOf(node);
        // A probability of zero for the label gives −2^15.
        bool isProbability = node.opcode == Opcodes.SOFTMAX_GRAD && kind == Kind.Exact;
        bool isCopy = node.opcode == Opcodes.INPUT || node.opcode == Opcodes.RELAYOUT;
        return isProbability || isCopy ? lowest - 1 : lowest;
    }
}

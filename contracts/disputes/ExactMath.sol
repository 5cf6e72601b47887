// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ExactLimits} from "./ExactLimits.sol";

/// @title Arithmetic of the exact format
/// @notice Definitions of docs/exact-ops.md section 1. Accumulators are far below 2^64 in magnitude whatever tensors a
/// party commits to, so that nothing here overflows 256 bits.
library ExactMath {
    /// @notice S·2^−s, rounded half up.
    function rnd(int256 value, uint256 s) internal pure returns (int256) {
        if (s == 0) return value;
        // Beyond 200 bits every accumulator rounds to zero.
        if (s > 200) return 0;
        unchecked {
            return (value + int256(1 << (s - 1))) >> s;
        }
    }

    /// @notice Clamped to ±bound.
    function clamp(int256 value, int256 bound) internal pure returns (int256) {
        if (value > bound) return bound;
        return value < -bound ? -bound : value;
    }

    /// @notice Saturated to 32 bits, symmetrically.
    function sat(int256 value) internal pure returns (int256) {
        return clamp(value, ExactLimits.MAX_I32);
    }

    /// @notice The value at an exponent that is `t` higher.
    function shift(int256 value, int256 t) internal pure returns (int256) {
        t = clamp(t, ExactLimits.MAX_SHIFT);
        return t >= 0 ? rnd(value, uint256(t)) : value << uint256(-t);
    }

    /// @notice A bias (at −28) in units of an accumulator with the given exponent.
    function biasAt(int256 bias, int256 exponent, uint256 bits) internal pure returns (int256) {
        int256 bound = bits == 8 ? int256(2 ** 20) : int256(2 ** 40);
        return clamp(shift(bias, exponent - ExactLimits.EW), bound);
    }

    /// @notice The exponent at which terms of these exponents meet.
    function commonExponent(int256[] memory exponents) internal pure returns (int256) {
        (int256 low, int256 high) = (exponents[0], exponents[0]);
        for (uint256 i = 1; i < exponents.length; ++i) {
            if (exponents[i] < low) low = exponents[i];
            if (exponents[i] > high) high = exponents[i];
        }
        return high - low > ExactLimits.MAX_SPREAD ? high - ExactLimits.MAX_SPREAD : low;
    }

    /// @notice A term at the common exponent.
    function align(int256 mantissa, int256 exponent, int256 common) internal pure returns (int256) {
        return shift(mantissa, common - exponent);
    }

    /// @notice A sum divided by n: the exponent alone changes for a power of two.
    function divide(int256 value, int256 exponent, uint256 n) internal pure returns (int256, int256) {
        if (n & (n - 1) == 0) {
            while (n > 1) {
                n >>= 1;
                --exponent;
            }
            return (value, exponent);
        }
        int256 doubled = int256(2 * n);
        int256 numerator = value * int256(2 << ExactLimits.GUARD) + int256(n);
        return (floorDivide(numerator, doubled), exponent - int256(ExactLimits.GUARD));
    }

    /// @notice ⌊a / b⌋ for b > 0; Solidity rounds to zero.
    function floorDivide(int256 a, int256 b) internal pure returns (int256 quotient) {
        quotient = a / b;
        if (a % b < 0) --quotient;
    }

    /// @notice Smallest shift that requantising an accumulator at this exponent may use.
    function smallestShift(int256 exponent) internal pure returns (int256) {
        int256 least = ExactLimits.LOWEST_EXPONENT - exponent;
        return least > 0 ? least : int256(0);
    }

    /// @notice Whether 2·|A| < (2^B − 1)·2^s: the accumulator rounds to a mantissa of B bits.
    function fits(int256 accumulator, int256 s, uint256 bits) internal pure returns (bool) {
        uint256 magnitude = uint256(accumulator < 0 ? -accumulator : accumulator);
        // No accumulator reaches 2^199.
        if (s > 200) return true;
        return 2 * magnitude < ((1 << bits) - 1) << uint256(s);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ExactLimits} from "../../contracts/disputes/ExactLimits.sol";
import {ExactMath} from "../../contracts/disputes/ExactMath.sol";

/// @notice Properties of ExactMath: for all words, or for all values of 64 bits, since accumulators are below 2^52.
contract ExactMathCheck {
    function check_sat_keepsWhatFitsAndBoundsTheRest(int256 value) external pure {
        int256 result = ExactMath.sat(value);
        int256 bound = 2 ** 31 - 1;
        assert(result >= -bound && result <= bound);
        if (value >= -bound && value <= bound) assert(result == value);
        else assert(result == (value < 0 ? -bound : bound));
    }

    function check_fits_meansThatTheRoundedMantissaHasItsBits(int64 value, uint8 s) external pure {
        if (int256(uint256(s)) > ExactLimits.MAX_SHIFT || !ExactMath.fits(value, int256(uint256(s)), 8))
            return;
        int256 mantissa = ExactMath.rnd(value, s);
        assert(mantissa >= -127 && mantissa <= 127);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Bits} from "../../contracts/libraries/Bits.sol";

/// @notice Properties of Bits, for all words: what was answered is kept as one bit for each epoch.
contract BitsCheck {
    /// One assertion for all places: a branch for each would have to be followed.
    function check_count_isTheNumberOfBitsWhereverTheyStand(uint8 field) external pure {
        uint256 difference = 0;
        unchecked {
            uint256 expected = 0;
            for (uint256 i = 0; i < 8; ++i) expected += (field >> i) & 1;
            for (uint256 place = 0; place < 256; place += 8) {
                difference |= Bits.count(uint256(field) << place) - expected;
            }
        }
        assert(difference == 0);
        assert(Bits.count(type(uint256).max) == 256);
    }

    function check_range_holdsTheEpochsFromTheFirstToBeforeTheLast(
        uint16 index,
        uint32 from,
        uint32 to,
        uint8 position
    ) external pure {
        uint256 number = 256 * uint256(index) + position;
        bool isSet = (Bits.range(index, from, to) >> position) & 1 == 1;
        assert(isSet == (from <= number && number < to));
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Words of bits
library Bits {
    /// @notice Number of set bits. Sums of neighbouring fields, as in Warren, Hacker's Delight, section 5-1.
    function count(uint256 x) internal pure returns (uint256) {
        unchecked {
            uint256 ones = type(uint256).max;
            x -= (x >> 1) & (ones / 3);
            x = (x & (ones / 5)) + ((x >> 2) & (ones / 5));
            x = (x + (x >> 4)) & (ones / 17);
            // Fields of 16 bits, since 256 set bits do not fit into one byte.
            x = (x & (ones / 257)) + ((x >> 8) & (ones / 257));
            return (x * (ones / 65_535)) >> 240;
        }
    }

    /// @notice Mask of the bits of word `index` whose numbers, counted over all words, lie in [from, to).
    function range(uint256 index, uint256 from, uint256 to) internal pure returns (uint256 mask) {
        uint256 first = index << 8;
        mask = type(uint256).max;
        if (from > first) mask = from - first >= 256 ? 0 : mask << (from - first);
        if (to < first + 256) mask &= to <= first ? 0 : (1 << (to - first)) - 1;
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IDescentRules, IRangeRules, Round, Stage} from "./interfaces/IDisputeRules.sol";
import {Position} from "./Position.sol";

/// @title The ranges that a sum is cut into, and what was posted for them
library SumRanges {
    /// @dev Sums that are posted at once, and the bytes of one.
    uint256 private constant RANGES = 64;
    uint256 private constant SUM_BYTES = 8;

    /// @notice Reverts unless a challenger is to judge exactly these sums.
    function requireSums(Round calldata round, bytes calldata sums) internal pure {
        if (round.stage != Stage.Sum) revert IDescentRules.WrongStage(round.stage);
        if (keccak256(sums) != round.position.sums) revert IRangeRules.WrongSums();
    }

    /// @notice Number of ranges that are posted at once, and their length; the last may be shorter.
    function rangesOf(uint256 products) internal pure returns (uint256 count, uint256 width) {
        width = (products + RANGES - 1) / RANGES;
        count = (products + width - 1) / width;
    }

    /// @notice Products of a range.
    function rangeOf(Position calldata p, uint256 number) internal pure returns (uint256 from, uint256 to) {
        (uint256 count, uint256 width) = rangesOf(p.to - p.from);
        if (number >= count) revert IRangeRules.WrongSums();
        from = p.from + number * width;
        to = from + width < p.to ? from + width : p.to;
    }

    /// @notice The sum that was posted for a range.
    function sumAt(bytes calldata sums, uint256 number) internal pure returns (int256) {
        return int64(uint64(bytes8(sums[number * SUM_BYTES:(number + 1) * SUM_BYTES])));
    }

    /// @notice The sum of all that was posted.
    function totalOf(bytes calldata sums) internal pure returns (int256 total) {
        for (uint256 i = 0; i < sums.length / SUM_BYTES; ++i) total += sumAt(sums, i);
    }

    /// @notice Whether bytes hold one sum for each range of so many products.
    function areSums(bytes calldata sums, uint256 products) internal pure returns (bool) {
        (uint256 count, ) = rangesOf(products);
        return sums.length == count * SUM_BYTES;
    }
}

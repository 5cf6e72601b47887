// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {TraceLeaves} from "../../../contracts/disputes/TraceLeaves.sol";
import {MiniTest} from "../MiniTest.sol";

contract TraceLeavesTest is MiniTest {
    function testFuzz_strideOf_cutsAnySpanInOnePartOf192OrLevelsOf128(uint32 seed, uint8 bits) external pure {
        uint256 span = 1 + (uint256(seed) >> (bits % 32));
        vm.assertTrue(levelsOf(span) <= leastLevels(span), "levels");
    }

    function test_strideOf_atTheEdges() external pure {
        vm.assertEq(TraceLeaves.strideOf(1), 1, "one interval");
        vm.assertEq(TraceLeaves.strideOf(2), 1, "two");
        vm.assertEq(levelsOf(192), 1, "192");
        vm.assertEq(levelsOf(193), 2, "193");
        vm.assertEq(levelsOf(128 ** 2), 2, "128^2");
        vm.assertEq(levelsOf(128 ** 2 + 1), 3, "128^2 + 1");
        vm.assertEq(levelsOf(128 ** 4), 4, "128^4");
        vm.assertEq(levelsOf(2 ** 32), 5, "more than a game counts");
    }

    /// @dev Levels of a search that always goes on in the longest part.
    function levelsOf(uint256 span) private pure returns (uint256 levels) {
        for (; span > 1; ++levels) {
            uint256 stride = TraceLeaves.strideOf(span);
            uint256 parts = (span + stride - 1) / stride;
            vm.assertTrue(parts >= 2 && (parts <= 128 || span <= 192), "parts");
            span = stride;
        }
    }

    function leastLevels(uint256 span) private pure returns (uint256 levels) {
        for (uint256 reach = 1; reach < span; reach *= 128) ++levels;
        if (span <= 192 && levels > 1) levels = 1;
    }
}

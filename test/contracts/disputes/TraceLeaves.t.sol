// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {TraceLeaf} from "../../../contracts/disputes/interfaces/IDisputeRules.sol";
import {TraceLeaves} from "../../../contracts/disputes/TraceLeaves.sol";
import {MerkleProofs} from "../../../contracts/libraries/MerkleProofs.sol";
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

    function testFuzz_areUnder_holdsForNeighboursAloneAndForNoOtherLeaf(
        uint8 leaves,
        uint8 at,
        uint8 changed,
        bytes32 salt
    ) external view {
        uint256 count = 2 + (uint256(leaves) % 40);
        uint256 index = uint256(at) % (count - 1);
        (TraceLeaf memory before, TraceLeaf memory next, bytes32 root) = neighbours(count, index, salt);
        vm.assertTrue(this.areUnder(before, next, index, count, root), "neighbours");
        // Whatever is changed, the root is another one.
        if (changed % 4 == 0) before.stateRoot ^= bytes32(uint256(1));
        else if (changed % 4 == 1) next.stateRoot ^= bytes32(uint256(1));
        else if (changed % 4 == 2) next.witnessHash ^= bytes32(uint256(1));
        else before.witnessHash ^= bytes32(uint256(1));
        vm.assertTrue(!this.areUnder(before, next, index, count, root), "another leaf");
    }

    function test_areUnder_asksForEverySiblingAndForNoMore() external {
        (TraceLeaf memory before, TraceLeaf memory next, bytes32 root) = neighbours(10, 3, bytes32(0));
        vm.assertEq(before.siblings.length, 3, "of the first");
        vm.assertEq(next.siblings.length, 2, "of the second");
        bytes32[] memory full = new bytes32[](4);
        for (uint256 i = 0; i < 3; ++i) full[i] = before.siblings[i];
        (bytes32[] memory right, bytes32[] memory short) = (before.siblings, new bytes32[](1));
        before.siblings = full;
        vm.expectRevert(abi.encodeWithSelector(MerkleProofs.WrongProofLength.selector, 4, 3));
        this.areUnder(before, next, 3, 10, root);
        (before.siblings, next.siblings) = (right, short);
        vm.expectRevert(abi.encodeWithSelector(MerkleProofs.WrongProofLength.selector, 1, 2));
        this.areUnder(before, next, 3, 10, root);
    }

    /// @dev Takes the leaves from calldata.
    function areUnder(
        TraceLeaf calldata before,
        TraceLeaf calldata next,
        uint256 index,
        uint256 leaves,
        bytes32 root
    ) external pure returns (bool) {
        return TraceLeaves.areUnder(before, next, index, leaves, root);
    }

    /// @dev Two neighbours of a trace, as a member opens them.
    function neighbours(
        uint256 count,
        uint256 index,
        bytes32 salt
    ) private pure returns (TraceLeaf memory before, TraceLeaf memory next, bytes32 root) {
        uint256 depth = MerkleProofs.depthOf(count);
        bytes32[][] memory levels = new bytes32[][](depth + 1);
        levels[0] = new bytes32[](1 << depth);
        for (uint256 i = 0; i < count; ++i) levels[0][i] = hashOf(leafOf(i, salt));
        for (uint256 level = 1; level <= depth; ++level) {
            levels[level] = new bytes32[](1 << (depth - level));
            for (uint256 i = 0; i < levels[level].length; ++i) {
                levels[level][i] = MerkleProofs.nodeOf(
                    levels[level - 1][2 * i],
                    levels[level - 1][2 * i + 1]
                );
            }
        }
        uint256 meet = 0;
        while ((index >> meet) & 1 == 1) ++meet;
        (before, next, root) = (leafOf(index, salt), leafOf(index + 1, salt), levels[depth][0]);
        (before.siblings, next.siblings) = (new bytes32[](depth - 1), new bytes32[](meet));
        for (uint256 level = 0; level < depth; ++level) {
            if (level < meet) next.siblings[level] = levels[level][((index + 1) >> level) ^ 1];
            if (level != meet) {
                before.siblings[level < meet ? level : level - 1] = levels[level][(index >> level) ^ 1];
            }
        }
    }

    function leafOf(uint256 index, bytes32 salt) private pure returns (TraceLeaf memory leaf) {
        leaf.stateRoot = keccak256(abi.encode("state", index, salt));
        leaf.witnessHash = keccak256(abi.encode("witness", index, salt));
    }

    function hashOf(TraceLeaf memory leaf) private pure returns (bytes32) {
        bytes32 inner = keccak256(abi.encode(TraceLeaves.TAG, leaf.stateRoot, leaf.witnessHash));
        return keccak256(abi.encodePacked(bytes1(0), inner));
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

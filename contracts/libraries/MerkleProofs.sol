// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Binary keccak256 Merkle trees
/// @notice Leaves are hashed with prefix 0x00, inner nodes with 0x01; absent leaves are bytes32(0). Depths follow from
/// the anchored shape, never from the prover (docs/storage-protocol.md section 2).
library MerkleProofs {
    /// @notice Thrown when a proof does not have one sibling per level.
    error WrongProofLength(uint256 length, uint256 depth);

    /// @notice Levels above the leaves: ⌈log2 leaves⌉, 0 for a single leaf.
    function depthOf(uint256 leaves) internal pure returns (uint256 depth) {
        while ((1 << depth) < leaves) ++depth;
    }

    /// @notice Hash of a leaf's bytes.
    function leafOf(bytes calldata data) internal pure returns (bytes32 leaf) {
        assembly ("memory-safe") {
            let at := mload(0x40)
            mstore8(at, 0)
            calldatacopy(add(at, 1), data.offset, data.length)
            leaf := keccak256(at, add(data.length, 1))
        }
    }

    /// @notice Leaf of a bundle in a dataset's `bundlesRoot`.
    function bundleLeaf(
        uint32 bundleIndex,
        bytes32 poseidonRoot,
        bytes32 transportRoot
    ) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x00), bundleIndex, poseidonRoot, transportRoot));
    }

    /// @notice Hash of an inner node.
    function nodeOf(bytes32 left, bytes32 right) internal pure returns (bytes32 node) {
        // 65 bytes from 0x00 end inside the free memory pointer: it is put back.
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore8(0x00, 0x01)
            mstore(0x01, left)
            mstore(0x21, right)
            node := keccak256(0x00, 0x41)
            mstore(0x40, free)
        }
    }

    /// @notice Root that `leaf` at `index` has with these siblings, from the leaf up.
    function rootOf(
        bytes32 leaf,
        uint256 index,
        bytes32[] calldata siblings,
        uint256 depth
    ) internal pure returns (bytes32 node) {
        if (siblings.length != depth) revert WrongProofLength(siblings.length, depth);
        assembly ("memory-safe") {
            // Prefix, left child, right child, behind what is allocated.
            let free := mload(0x40)
            mstore8(free, 1)
            let left := add(free, 1)
            let right := add(free, 33)
            node := leaf
            let cursor := siblings.offset
            for {
                let end := add(cursor, shl(5, depth))
            } lt(cursor, end) {
                cursor := add(cursor, 32)
            } {
                // On the right where the index is odd.
                let side := shl(5, and(index, 1))
                mstore(add(left, side), node)
                mstore(sub(right, side), calldataload(cursor))
                node := keccak256(free, 65)
                index := shr(1, index)
            }
        }
    }

    /// @notice Root over a list of leaves, which is overwritten.
    function rootOfAll(bytes32[] memory leaves) internal pure returns (bytes32) {
        uint256 width = leaves.length;
        bytes32 absent = bytes32(0);
        while (width > 1) {
            uint256 pairs = (width + 1) >> 1;
            for (uint256 i = 0; i < pairs; ++i) {
                bytes32 right = 2 * i + 1 < width ? leaves[2 * i + 1] : absent;
                leaves[i] = nodeOf(leaves[2 * i], right);
            }
            absent = nodeOf(absent, absent);
            width = pairs;
        }
        return leaves[0];
    }
}

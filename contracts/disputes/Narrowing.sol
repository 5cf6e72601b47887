// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {MerkleProofs} from "../libraries/MerkleProofs.sol";

/// @title Going down a binary tree in few rounds
/// @notice One party posts the nodes of a lower level that stand below a node, the other names one of them. A tree of
/// any depth is cut into rounds of at most seven levels, as even as they can be.
library Narrowing {
    /// @notice Thrown when not all nodes of the lower level are posted, or more.
    error WrongNodeCount(uint256 count, uint256 expected);
    /// @notice Thrown when posted nodes do not have the node above them.
    error WrongNodes(bytes32 root, bytes32 expected);
    /// @notice Thrown when a node is named that does not stand there.
    error WrongChild(uint256 index);

    uint256 private constant MOST_LEVELS = 7;
    uint256 private constant MOST_LEAVES = 192;

    /// @notice Levels from a node `level` levels above the leaves to those that are posted next.
    /// @dev A tree of up to 192 leaves goes in one round: that still fits a transaction, and saves two.
    /// @param leaves of the whole tree
    function levelsDown(uint256 level, uint256 leaves) internal pure returns (uint256) {
        if (leaves <= MOST_LEAVES) return level;
        uint256 rounds = (level + MOST_LEVELS - 1) / MOST_LEVELS;
        return rounds == 0 ? 0 : (level + rounds - 1) / rounds;
    }

    /// @notice Nodes on the lower level below a node: fewer at the right edge of the tree.
    /// @param level of the lower nodes
    function countBelow(
        uint256 leaves,
        uint256 level,
        uint256 index,
        uint256 down
    ) internal pure returns (uint256) {
        uint256 nodes = (leaves + (1 << level) - 1) >> level;
        uint256 rest = nodes - (index << down);
        return rest < 1 << down ? rest : 1 << down;
    }

    /// @notice The node that stands above posted ones.
    /// @param level of the posted nodes, whose absent neighbours are roots of empty trees
    function fold(
        bytes32[] calldata nodes,
        uint256 level,
        uint256 down
    ) internal pure returns (bytes32 root) {
        bytes32 absent = bytes32(0);
        for (uint256 i = 0; i < level; ++i) absent = MerkleProofs.nodeOf(absent, absent);
        assembly ("memory-safe") {
            let base := mload(0x40)
            let count := nodes.length
            // The nodes, then room for the children of one.
            let scratch := add(base, shl(5, add(count, 1)))
            calldatacopy(base, nodes.offset, shl(5, count))
            mstore8(scratch, 1)
            let left := add(scratch, 1)
            let right := add(scratch, 33)
            for {} down {
                down := sub(down, 1)
            } {
                // An odd node meets an absent one.
                mstore(add(base, shl(5, count)), absent)
                let to := base
                let end := add(base, shl(5, count))
                for {
                    let from := base
                } lt(from, end) {
                    from := add(from, 64)
                } {
                    mstore(left, mload(from))
                    mstore(right, mload(add(from, 32)))
                    mstore(to, keccak256(scratch, 65))
                    to := add(to, 32)
                }
                count := shr(1, add(count, 1))
                mstore(left, absent)
                mstore(right, absent)
                absent := keccak256(scratch, 65)
            }
            root := mload(base)
        }
    }

    /// @notice Reverts unless the posted nodes are exactly those below `node`.
    function requireBelow(
        bytes32[] calldata nodes,
        bytes32 node,
        uint256 level,
        uint256 index,
        uint256 leaves
    ) internal pure {
        uint256 down = levelsDown(level, leaves);
        uint256 expected = countBelow(leaves, level - down, index, down);
        if (nodes.length != expected) revert WrongNodeCount(nodes.length, expected);
        bytes32 root = fold(nodes, level - down, down);
        if (root != node) revert WrongNodes(root, node);
    }

    /// @notice Reverts unless `child` is node number `number` of those posted below `node`.
    function requireChild(
        bytes32 node,
        uint256 down,
        uint256 count,
        uint256 number,
        bytes32 child,
        bytes32[] calldata siblings
    ) internal pure {
        if (number >= count || MerkleProofs.rootOf(child, number, siblings, down) != node) {
            revert WrongChild(number);
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {MerkleProofs} from "../../contracts/libraries/MerkleProofs.sol";

/// @notice Properties of MerkleProofs, for all leaves; keccak256 is taken to have no collisions.
contract MerkleProofsCheck {
    /// Three leaves: one of the four places is absent.
    uint256 private constant LEAVES = 3;

    function rootOf(
        bytes32 leaf,
        uint256 index,
        bytes32[] calldata siblings
    ) external pure returns (bytes32) {
        return MerkleProofs.rootOf(leaf, index, siblings, MerkleProofs.depthOf(LEAVES));
    }

    function check_proof_ofEveryLeafLeadsToTheRoot(bytes32[3] calldata leaves) external view {
        bytes32[] memory list = new bytes32[](LEAVES);
        for (uint256 i = 0; i < LEAVES; ++i) list[i] = leaves[i];
        bytes32 root = MerkleProofs.rootOfAll(list);
        bytes32 left = _node(leaves[0], leaves[1]);
        bytes32 right = _node(leaves[2], bytes32(0));
        assert(root == _node(left, right));
        assert(this.rootOf(leaves[0], 0, _path(leaves[1], right)) == root);
        assert(this.rootOf(leaves[1], 1, _path(leaves[0], right)) == root);
        assert(this.rootOf(leaves[2], 2, _path(bytes32(0), left)) == root);
    }

    function check_proof_ofAnotherLeafLeadsToAnotherRoot(
        bytes32 leaf,
        bytes32 other,
        bytes32[2] calldata path,
        bytes32[2] calldata otherPath
    ) external view {
        if (leaf == other) return;
        bytes32[] memory siblings = _path(path[0], path[1]);
        bytes32[] memory others = _path(otherPath[0], otherPath[1]);
        for (uint256 index = 0; index <= LEAVES; ++index) {
            assert(this.rootOf(leaf, index, siblings) != this.rootOf(other, index, others));
        }
    }

    function _path(bytes32 first, bytes32 second) private pure returns (bytes32[] memory siblings) {
        siblings = new bytes32[](2);
        (siblings[0], siblings[1]) = (first, second);
    }

    /// The tree of docs/storage-protocol.md section 2, hashed by Solidity.
    function _node(bytes32 left, bytes32 right) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x01), left, right));
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Layout} from "../../../contracts/disputes/NodeDescriptor.sol";
import {Geometry, TensorGeometry} from "../../../contracts/disputes/TensorGeometry.sol";
import {TensorLeaves} from "../../../contracts/disputes/TensorLeaves.sol";

/// @notice What an opened leaf shows.
enum LeafVerdict {
    /// It is not the committed leaf: whoever opened it has shown nothing.
    WrongProof,
    /// It is the committed leaf, and no tensor of the layout has it: whoever committed to it loses.
    NotCanonical,
    Canonical
}

/// @title What one leaf shows of a tensor that a party committed to
/// @dev The tree of docs/exact-ops.md, hashed leaf by leaf: what `TensorLeaves` does in assembly for many at once.
library LeafJudge {
    using TensorGeometry for Geometry;

    /// @param lowest smallest mantissa that the node may yield, see `ExactFinish.lowestOf`
    /// @param siblings from the leaf up, one for each level
    function judge(
        Layout memory form,
        int256 lowest,
        bytes32 dataRoot,
        uint256 index,
        bytes calldata leaf,
        bytes32[] calldata siblings
    ) internal pure returns (LeafVerdict) {
        Geometry memory g = TensorGeometry.geometryOf(form);
        if (index >= g.leaves || siblings.length != g.depth) return LeafVerdict.WrongProof;
        uint256 start = g.startOf(index);
        if (leaf.length != g.startOf(index + 1) - start) return LeafVerdict.WrongProof;
        if (_rootOf(index, leaf, siblings) != dataRoot) return LeafVerdict.WrongProof;
        return
            TensorLeaves.isCanonical(g, form.dtype, lowest, start, leaf)
                ? LeafVerdict.Canonical
                : LeafVerdict.NotCanonical;
    }

    function _rootOf(
        uint256 index,
        bytes calldata leaf,
        bytes32[] calldata siblings
    ) private pure returns (bytes32 node) {
        node = keccak256(abi.encodePacked(uint8(0), leaf));
        for (uint256 i = 0; i < siblings.length; ++i) {
            node =
                (index >> i) & 1 == 1
                    ? keccak256(abi.encodePacked(uint8(1), siblings[i], node))
                    : keccak256(abi.encodePacked(uint8(1), node, siblings[i]));
        }
    }
}

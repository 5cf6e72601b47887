// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {MerkleProofs} from "../libraries/MerkleProofs.sol";
import {Stage, TraceLeaf} from "./interfaces/IDisputeRules.sol";
import {Narrowing} from "./Narrowing.sol";

/// @title Leaves of a trace
/// @notice Leaf 0 holds the order's initial state, leaf i + 1 the state after interval i and h of it.
library TraceLeaves {
    bytes32 internal constant TAG = keccak256("assay/trace/v1");

    /// @notice Interval of a challenge that still looks for one.
    uint256 internal constant NO_INTERVAL = type(uint32).max;

    /// @notice How many leaves apart the state roots are that a search asks for next: in as few rounds as there can be,
    /// each of at most 128 parts (192 where one round is enough), as even as they can be.
    /// @param span leaves from the last one that is agreed with to the first one that is not
    function strideOf(uint256 span) internal pure returns (uint256) {
        uint256 down = Narrowing.levelsDown(MerkleProofs.depthOf(span), span);
        return (span + (1 << down) - 1) >> down;
    }

    /// @notice What a search goes on with: an interval that is to be opened, or state roots between the two leaves.
    function stageOf(uint256 from, uint256 to) internal pure returns (Stage) {
        return to - from == 1 ? Stage.TraceLeaves : Stage.TraceRoots;
    }

    /// @notice Leaves of the trace of `steps` steps: ⌈steps / interval⌉ + 1.
    function countOf(uint256 steps, uint256 interval) internal pure returns (uint256) {
        return (steps + interval - 1) / interval + 1;
    }

    /// @notice Whether a leaf stands at `index` of a trace of `leaves` leaves.
    function isUnder(
        TraceLeaf calldata opened,
        uint256 index,
        uint256 leaves,
        bytes32 traceRoot
    ) internal pure returns (bool) {
        uint256 depth = MerkleProofs.depthOf(leaves);
        return MerkleProofs.rootOf(_hashOf(opened), index, opened.siblings, depth) == traceRoot;
    }

    /// @notice Whether two leaves stand at `index` and behind it: each with its siblings up to where the two meet,
    /// where neither needs one, and the first one with those above.
    function areUnder(
        TraceLeaf calldata before,
        TraceLeaf calldata next,
        uint256 index,
        uint256 leaves,
        bytes32 traceRoot
    ) internal pure returns (bool) {
        uint256 depth = MerkleProofs.depthOf(leaves);
        uint256 count = before.siblings.length;
        if (count + 1 != depth) revert MerkleProofs.WrongProofLength(count, depth - 1);
        uint256 apart = 0;
        while ((index >> apart) & 1 == 1) ++apart;
        bytes32 left = MerkleProofs.rootOf(_hashOf(before), index, before.siblings[:apart], apart);
        bytes32 right = MerkleProofs.rootOf(_hashOf(next), index + 1, next.siblings, apart);
        bytes32 node = MerkleProofs.nodeOf(left, right);
        bytes32[] calldata above = before.siblings[apart:];
        return MerkleProofs.rootOf(node, index >> (apart + 1), above, count - apart) == traceRoot;
    }

    function _hashOf(TraceLeaf calldata opened) private pure returns (bytes32) {
        bytes32 leaf = keccak256(abi.encode(TAG, opened.stateRoot, opened.witnessHash));
        return keccak256(abi.encodePacked(bytes1(0), leaf));
    }
}

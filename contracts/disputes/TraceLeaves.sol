// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {MerkleProofs} from "../libraries/MerkleProofs.sol";
import {TraceLeaf} from "./interfaces/IDisputeRules.sol";

/// @title Leaves of a trace
/// @notice Leaf 0 holds the order's initial state, leaf i + 1 the state after interval i and h of it.
library TraceLeaves {
    bytes32 internal constant TAG = keccak256("assay/trace/v1");

    /// @notice Interval of a challenge that still looks for one.
    uint256 internal constant NO_INTERVAL = type(uint32).max;

    /// @notice The leaf that is opened next, with the one before it, in a search between a leaf that is right and a
    /// later one that is wrong.
    function middleOf(uint256 right, uint256 wrong) internal pure returns (uint256) {
        return (right + wrong + 1) / 2;
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
        bytes32 leaf = keccak256(abi.encode(TAG, opened.stateRoot, opened.witnessHash));
        bytes32 hash = keccak256(abi.encodePacked(bytes1(0), leaf));
        return MerkleProofs.rootOf(hash, index, opened.siblings, MerkleProofs.depthOf(leaves)) == traceRoot;
    }
}

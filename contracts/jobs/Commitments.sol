// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {TraceLeaf} from "../disputes/interfaces/IDisputeRules.sol";
import {TraceLeaves} from "../disputes/TraceLeaves.sol";
import {IJobRegistry} from "./interfaces/IJobRegistry.sol";

/// @title What every commitment shows, a checkpoint or the last one
library Commitments {
    /// @notice The first leaf holds the order's initial state, and both leaves stand under the root.
    /// @param leaves of the trace that is committed to
    function requireLeaves(
        IJobRegistry.Commitment calldata commitment,
        uint256 leaves,
        bytes32 initialRoot
    ) internal pure {
        TraceLeaf calldata first = commitment.first;
        bool isFirst = first.stateRoot == initialRoot && first.witnessHash == bytes32(0);
        if (!isFirst || !TraceLeaves.isUnder(first, 0, leaves, commitment.traceRoot)) {
            revert IJobRegistry.WrongLeaf(0);
        }
        if (!TraceLeaves.isUnder(commitment.last, leaves - 1, leaves, commitment.traceRoot)) {
            revert IJobRegistry.WrongLeaf(leaves - 1);
        }
    }
}

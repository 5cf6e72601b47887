// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {MerkleProofs} from "../libraries/MerkleProofs.sol";
import {ExactOps} from "./ExactOps.sol";
import {Evidence, IElementRules, Round} from "./interfaces/IDisputeRules.sol";
import {Node, NodeDescriptor} from "./NodeDescriptor.sol";
import {Opcodes} from "./Opcodes.sol";
import {RoundRules} from "./RoundRules.sol";
import {Tensor, TensorLeaves} from "./TensorLeaves.sol";

/// @title The operands of an element, as they were committed to
library OperandRules {
    /// @notice Opens the operands and holds each against the list of the step's tensors.
    /// @param from of ACCUMULATE the first micro-batch whose gradient is opened
    /// @param to of ACCUMULATE the one after the last
    function operandsOf(
        Round calldata round,
        Evidence calldata evidence,
        Node memory node,
        uint256 from,
        uint256 to
    ) internal pure returns (Tensor[] memory tensors) {
        tensors = ExactOps.openOperands(node, to - from, evidence.operands);
        uint256 count = tensors.length;
        if (evidence.proofs.length != count)
            revert IElementRules.WrongProofCount(evidence.proofs.length, count);
        bool isReduction = node.opcode == Opcodes.ACCUMULATE;
        // Inputs are nodes of the same tape and micro-batch.
        uint256 first = isReduction ? _storeOf(round, evidence, node) : round.position.place - node.index;
        uint256 depth = MerkleProofs.depthOf(RoundRules.tensorsOf(round.claim));
        for (uint256 i = 0; i < count; ++i) {
            uint256 place = first + (isReduction ? (from + i) * round.claim.nodeCounts[0] : node.inputs[i]);
            bytes32 commitment = TensorLeaves.commitmentOf(tensors[i].dataRoot, tensors[i].exponent);
            bytes32 root = MerkleProofs.rootOf(commitment, place, evidence.proofs[i], depth);
            if (root != round.position.tensors) revert IElementRules.WrongOperand(i);
        }
    }

    /// @dev The node of tape 0 that stores the gradient which a node of tape 1 sums.
    function _storeOf(
        Round calldata round,
        Evidence calldata evidence,
        Node memory node
    ) private pure returns (uint256) {
        Node memory store = NodeDescriptor.verify(
            evidence.store,
            evidence.storeProof,
            round.claim.programRoot,
            round.claim.nodeCounts
        );
        bool isStore =
            store.tape == 0 &&
                store.opcode == Opcodes.STORE &&
                store.attributes[0] == 1 &&
                store.attributes[1] == node.attributes[0];
        if (!isStore) revert IElementRules.WrongStore();
        return store.index;
    }
}

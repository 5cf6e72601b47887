// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {MerkleProofs} from "../libraries/MerkleProofs.sol";
import {ExactOps, StepContext} from "./ExactOps.sol";
import {Evidence, IElementJudge, JudgeFacts} from "./interfaces/IDisputeJudges.sol";
import {Node, NodeDescriptor} from "./NodeDescriptor.sol";
import {Opcodes} from "./Opcodes.sol";
import {Position} from "./Position.sol";
import {PositionRules} from "./PositionRules.sol";
import {Tensor, TensorLeaves} from "./TensorLeaves.sol";
import {TrainingOrder, TrainingOrders} from "./TrainingOrders.sol";

/// @title Rules on elements
contract ElementJudge is IElementJudge {
    /// @inheritdoc IElementJudge
    function bears(
        Position calldata position,
        JudgeFacts calldata facts,
        Evidence calldata evidence
    ) external pure returns (bool) {
        Node memory node = PositionRules.nodeOf(position, evidence);
        uint256 products = ExactOps.products(node, facts.logMicroBatches);
        Tensor[] memory tensors = _operandsOf(position, facts, evidence, node, 0, products);
        (int256 accumulator, int256 exponent) = ExactOps.element(
            node,
            tensors,
            evidence.out,
            _contextOf(position, facts, evidence, node)
        );
        return PositionRules.isBorneOut(position, evidence, node, evidence.out, accumulator, exponent);
    }

    /// @inheritdoc IElementJudge
    function bearsWithSum(
        Position calldata position,
        JudgeFacts calldata facts,
        Evidence calldata evidence,
        int256 sum
    ) external pure returns (bool) {
        Node memory node = PositionRules.nodeOf(position, evidence);
        Tensor[] memory tensors = _operandsOf(position, facts, evidence, node, 0, 0);
        int256[] memory sums = new int256[](1);
        sums[0] = sum;
        (int256 accumulator, int256 exponent) = ExactOps.complete(
            node,
            tensors,
            position.out,
            sums,
            _contextOf(position, facts, evidence, node)
        );
        return PositionRules.isBorneOut(position, evidence, node, position.out, accumulator, exponent);
    }

    /// @inheritdoc IElementJudge
    function partialSum(
        Position calldata position,
        JudgeFacts calldata facts,
        Evidence calldata evidence,
        uint256 from,
        uint256 to
    ) external pure returns (int256) {
        Node memory node = PositionRules.nodeOf(position, evidence);
        Tensor[] memory tensors = _operandsOf(position, facts, evidence, node, from, to);
        return ExactOps.partialSum(node, tensors, position.out, 0, from, to);
    }

    function _contextOf(
        Position calldata position,
        JudgeFacts calldata facts,
        Evidence calldata evidence,
        Node memory node
    ) private pure returns (StepContext memory context) {
        context.logMicroBatches = facts.logMicroBatches;
        if (node.opcode == Opcodes.SGD_WEIGHT) {
            TrainingOrder memory order = TrainingOrders.decode(evidence.order, facts.trainingHash);
            context.learningRate = TrainingOrders.learningRateAt(order, position.firstStep);
        }
    }

    /// @dev Opens the operands and holds each against the list of the step's tensors.
    /// @param from of ACCUMULATE the first micro-batch whose gradient is opened
    /// @param to of ACCUMULATE the one after the last
    function _operandsOf(
        Position calldata position,
        JudgeFacts calldata facts,
        Evidence calldata evidence,
        Node memory node,
        uint256 from,
        uint256 to
    ) private pure returns (Tensor[] memory tensors) {
        bool isReduction = node.opcode == Opcodes.ACCUMULATE;
        tensors = ExactOps.openOperands(node, to - from, evidence.operands);
        if (evidence.proofs.length != tensors.length) {
            revert WrongProofCount(evidence.proofs.length, tensors.length);
        }
        uint256 first;
        if (isReduction) {
            first = from * facts.nodeCounts[0] + _storeOf(facts, evidence, node);
        } else {
            // Inputs are nodes of the same tape and micro-batch.
            first = position.place - node.index;
        }
        uint256 depth = MerkleProofs.depthOf(_tensorsOf(facts));
        for (uint256 i = 0; i < tensors.length; ++i) {
            uint256 place = isReduction ? first + i * facts.nodeCounts[0] : first + node.inputs[i];
            bytes32 commitment = TensorLeaves.commitmentOf(tensors[i].dataRoot, tensors[i].exponent);
            if (MerkleProofs.rootOf(commitment, place, evidence.proofs[i], depth) != position.tensors) {
                revert WrongOperand(i);
            }
        }
    }

    /// @dev The node of tape 0 that stores the gradient which a node of tape 1 sums.
    function _storeOf(
        JudgeFacts calldata facts,
        Evidence calldata evidence,
        Node memory node
    ) private pure returns (uint256) {
        Node memory store = NodeDescriptor.verify(
            evidence.store,
            evidence.storeProof,
            facts.programRoot,
            facts.nodeCounts
        );
        bool isStore =
            store.tape == 0 &&
                store.opcode == Opcodes.STORE &&
                store.attributes[0] == 1 &&
                store.attributes[1] == node.attributes[0];
        if (!isStore) revert WrongStore();
        return store.index;
    }

    function _tensorsOf(JudgeFacts calldata facts) private pure returns (uint256) {
        return (facts.nodeCounts[0] << facts.logMicroBatches) + facts.nodeCounts[1] + facts.nodeCounts[2];
    }
}

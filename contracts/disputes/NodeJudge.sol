// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ExactFinish} from "./ExactFinish.sol";
import {ExactOps} from "./ExactOps.sol";
import {INodeJudge, JudgeFacts, NodeFacts} from "./interfaces/IDisputeJudges.sol";
import {Node, NodeDescriptor} from "./NodeDescriptor.sol";
import {NodeRules} from "./NodeRules.sol";
import {Opcodes} from "./Opcodes.sol";
import {TensorLeaves} from "./TensorLeaves.sol";
import {Geometry, TensorGeometry} from "./TensorGeometry.sol";

/// @title Rules on nodes and leaves
contract NodeJudge is INodeJudge {
    using TensorGeometry for Geometry;

    /// @inheritdoc INodeJudge
    function verified(
        bytes calldata descriptor,
        bytes32[] calldata siblings,
        JudgeFacts calldata facts
    ) external pure returns (NodeFacts memory) {
        Node memory node = NodeDescriptor.verify(descriptor, siblings, facts.programRoot, facts.nodeCounts);
        return _factsOf(node, facts.logMicroBatches);
    }

    /// @inheritdoc INodeJudge
    function factsOf(
        bytes calldata descriptor,
        uint256 logMicroBatches
    ) external pure returns (NodeFacts memory) {
        return _factsOf(NodeDescriptor.decode(descriptor), logMicroBatches);
    }

    /// @inheritdoc INodeJudge
    function isCanonical(
        bytes calldata descriptor,
        uint256 index,
        bytes calldata leaf
    ) external pure returns (bool) {
        Node memory node = NodeDescriptor.decode(descriptor);
        Geometry memory g = TensorGeometry.geometryOf(node.output);
        uint256 start = g.startOf(index);
        if (leaf.length != g.startOf(index + 1) - start) return false;
        return TensorLeaves.isCanonical(g, node.output.dtype, ExactFinish.lowestOf(node), start, leaf);
    }

    /// @inheritdoc INodeJudge
    function isVoid(
        bytes calldata descriptor,
        uint256 tape,
        uint256 index,
        bytes32[] calldata siblings,
        JudgeFacts calldata facts
    ) external pure returns (bool) {
        NodeDescriptor.requireCommitted(
            descriptor,
            tape,
            index,
            siblings,
            facts.programRoot,
            facts.nodeCounts
        );
        return NodeRules.isVoid(descriptor, tape, index);
    }

    function _factsOf(
        Node memory node,
        uint256 logMicroBatches
    ) private pure returns (NodeFacts memory facts) {
        facts.tape = node.tape;
        facts.index = node.index;
        facts.opcode = node.opcode;
        if (node.opcode == Opcodes.LOAD || node.opcode == Opcodes.STORE) {
            facts.space = uint256(node.attributes[0]);
            facts.slot = uint256(node.attributes[1]);
        }
        facts.elements = NodeDescriptor.elements(node.output);
        facts.leaves = TensorGeometry.geometryOf(node.output).leaves;
        facts.products = ExactOps.products(node, logMicroBatches);
        facts.candidates = ExactOps.candidates(node);
        (ExactFinish.Kind kind, ) = ExactFinish.kindOf(node);
        facts.isRequantized = kind == ExactFinish.Kind.Requantized;
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ExactInput} from "./ExactInput.sol";
import {ExactOps} from "./ExactOps.sol";
import {
    Evidence,
    IElementJudge,
    IInputJudge,
    InputVerdict,
    JudgeFacts,
    ObjectEvidence
} from "./interfaces/IDisputeJudges.sol";
import {Node} from "./NodeDescriptor.sol";
import {ObjectBytes} from "./ObjectBytes.sol";
import {Opcodes} from "./Opcodes.sol";
import {Position} from "./Position.sol";
import {PositionRules} from "./PositionRules.sol";
import {TrainingOrder, TrainingOrders} from "./TrainingOrders.sol";

/// @title Rules on elements that come from the dataset
contract InputJudge is IInputJudge {
    /// @inheritdoc IInputJudge
    function judgeInput(
        Position calldata position,
        JudgeFacts calldata facts,
        Evidence calldata evidence,
        ObjectEvidence calldata object
    ) external pure returns (InputVerdict) {
        Node memory node = PositionRules.nodeOf(position, evidence);
        if (node.opcode != Opcodes.INPUT) revert ExactOps.NoOperation(node.opcode);
        TrainingOrder memory order = TrainingOrders.decode(evidence.order, facts.trainingHash);
        {
            uint256 microBatch = position.place / facts.nodeCounts[0];
            (uint256 row, uint256 offset, uint256 width) = ExactInput.placeOf(node, evidence.out);
            uint256 index = TrainingOrders.objectAt(order, position.firstStep, microBatch, row);
            if (!ObjectBytes.areAt(object, order, index, offset, width)) revert IElementJudge.WrongObject(index);
        }
        (int256 value, int256 exponent) = ExactInput.element(node, object.raw);
        if (node.attributes[5] > 0 && value >= node.attributes[5]) return InputVerdict.Void;
        return
            PositionRules.isBorneOut(position, evidence, node, evidence.out, value, exponent)
                ? InputVerdict.Wrong
                : InputVerdict.Right;
    }
}

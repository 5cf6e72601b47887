// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ExactInput} from "./ExactInput.sol";
import {
    Evidence,
    IDescentRules,
    IInputRules,
    ObjectEvidence,
    Outcome,
    Round
} from "./interfaces/IDisputeRules.sol";
import {NextRound} from "./NextRound.sol";
import {Node} from "./NodeDescriptor.sol";
import {ObjectBytes} from "./ObjectBytes.sol";
import {Opcodes} from "./Opcodes.sol";
import {RoundRules} from "./RoundRules.sol";
import {TrainingOrder, TrainingOrders} from "./TrainingOrders.sol";

/// @title The move that opens an element of the dataset
contract InputRules is IInputRules {
    /// @inheritdoc IInputRules
    function ruleInput(
        Round calldata round,
        Evidence calldata evidence,
        ObjectEvidence calldata object
    ) external pure {
        uint256 claim = RoundRules.claimOf(round);
        Node memory node = RoundRules.nodeOf(round, evidence.descriptor);
        if (node.opcode != Opcodes.INPUT) revert IDescentRules.WrongNode(round.position.place);
        _requireObject(round, evidence, object, node);
        (int256 value, int256 exponent) = ExactInput.element(node, object.raw);
        // No trace leads through a label that is none of the classes: whoever committed to one has not computed it.
        bool isClass = node.attributes[5] == 0 || value < node.attributes[5];
        if (isClass) {
            int256 mantissa = RoundRules.mantissaOf(round.position, claim, evidence, node, evidence.out);
            if (!RoundRules.isBorneOut(round.position, claim, node, mantissa, value, exponent)) {
                revert IDescentRules.NothingShown();
            }
        }
        NextRound.decide(round, Outcome.ProviderConvicted);
    }

    /// @dev The raw bytes are those of the object that the order puts into the row.
    function _requireObject(
        Round calldata round,
        Evidence calldata evidence,
        ObjectEvidence calldata object,
        Node memory node
    ) private pure {
        TrainingOrder memory order = TrainingOrders.decode(evidence.order, round.claim.trainingHash);
        (uint256 row, uint256 offset, uint256 width) = ExactInput.placeOf(node, evidence.out);
        uint256 microBatch = round.position.place / round.claim.nodeCounts[0];
        uint256 index = TrainingOrders.objectAt(order, round.position.firstStep, microBatch, row);
        if (!ObjectBytes.areAt(object, order, index, offset, width)) revert WrongObject(index);
    }
}

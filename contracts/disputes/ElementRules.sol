// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ElementMoves} from "./ElementMoves.sol";
import {ExactOps} from "./ExactOps.sol";
import {Evidence, Round} from "./interfaces/IDisputeRules.sol";
import {Node} from "./NodeDescriptor.sol";
import {OperandRules} from "./OperandRules.sol";
import {Opcodes} from "./Opcodes.sol";
import {Tensor} from "./TensorLeaves.sol";
import {TrainingOrders} from "./TrainingOrders.sol";

/// @title Moves that open an element of an opcode without sums
contract ElementRules is ElementMoves {
    function _element(
        Round calldata round,
        Evidence calldata evidence,
        Node memory node
    ) internal pure override returns (int256, int256) {
        if (ExactOps.products(node, round.claim.logMicroBatches) != 0) revert OtherRules(node.opcode);
        Tensor[] memory tensors = OperandRules.operandsOf(round, evidence, node, 0, 0);
        uint256 rate = 0;
        if (node.opcode == Opcodes.SGD_WEIGHT) {
            rate = TrainingOrders.learningRateAt(
                TrainingOrders.decode(evidence.order, round.claim.trainingHash),
                round.position.firstStep
            );
        }
        return ExactOps.plain(node, tensors, evidence.out, rate);
    }
}

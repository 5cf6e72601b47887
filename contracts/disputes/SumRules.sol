// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ElementMoves} from "./ElementMoves.sol";
import {ExactOps, StepContext} from "./ExactOps.sol";
import {Evidence, IDescentRules, ISumRules, Outcome, Round} from "./interfaces/IDisputeRules.sol";
import {NextRound} from "./NextRound.sol";
import {Node} from "./NodeDescriptor.sol";
import {OperandRules} from "./OperandRules.sol";
import {RoundRules} from "./RoundRules.sol";
import {SumRanges} from "./SumRanges.sol";
import {Tensor} from "./TensorLeaves.sol";

/// @title Moves that open an element of an opcode with sums, or one of its sums
contract SumRules is ElementMoves, ISumRules {
    /// @inheritdoc ISumRules
    function ruleSum(
        Round calldata round,
        Evidence calldata evidence,
        bytes calldata sums,
        uint256 number
    ) external pure {
        SumRanges.requireSums(round, sums);
        Node memory node = RoundRules.nodeOf(round, evidence.descriptor);
        (uint256 from, uint256 to) = SumRanges.rangeOf(round.position, number);
        Tensor[] memory tensors = OperandRules.operandsOf(round, evidence, node, from, to);
        int256[] memory shown = _sumsOf(node, tensors, round.position.out, from, to);
        if (shown[0] == SumRanges.sumAt(sums, number)) revert IDescentRules.NothingShown();
        NextRound.decide(round, Outcome.ProviderConvicted);
    }

    function _element(
        Round calldata round,
        Evidence calldata evidence,
        Node memory node
    ) internal pure override returns (int256, int256) {
        uint256 products = ExactOps.products(node, round.claim.logMicroBatches);
        if (products == 0) revert OtherRules(node.opcode);
        // Zero, from the round: the compiler makes a copy of all arithmetic for a literal.
        uint256 from = round.position.from;
        Tensor[] memory tensors = OperandRules.operandsOf(round, evidence, node, from, products);
        int256[] memory sums = _sumsOf(node, tensors, evidence.out, from, products);
        StepContext memory context = StepContext(0, round.claim.logMicroBatches);
        return ExactOps.fromSums(node, tensors, evidence.out, sums, context);
    }

    /// @dev The sums of the products [from, to) behind an element, one for each candidate.
    function _sumsOf(
        Node memory node,
        Tensor[] memory tensors,
        uint256 out,
        uint256 from,
        uint256 to
    ) private pure returns (int256[] memory sums) {
        sums = new int256[](ExactOps.candidates(node));
        for (uint256 i = 0; i < sums.length; ++i) {
            sums[i] = ExactOps.partialSum(node, tensors, out, i, from, to);
        }
    }
}

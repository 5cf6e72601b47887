// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ExactOps, StepContext} from "./ExactOps.sol";
import {Evidence, IDescentRules, IRangeRules, Outcome, Round, Stage} from "./interfaces/IDisputeRules.sol";
import {NextRound} from "./NextRound.sol";
import {Node, NodeDescriptor} from "./NodeDescriptor.sol";
import {OperandRules} from "./OperandRules.sol";
import {Claims, Position} from "./Position.sol";
import {RoundRules} from "./RoundRules.sol";
import {SumRanges} from "./SumRanges.sol";
import {Tensor} from "./TensorLeaves.sol";

/// @title Moves that narrow the sum behind an element
contract RangeRules is IRangeRules {
    /// @inheritdoc IRangeRules
    function askSums(Round calldata round, bytes calldata descriptor, uint256 out) external pure {
        Position memory p = NextRound.copy(round);
        p.claim = RoundRules.claimOf(round);
        _setSums(round, p, descriptor, out);
        NextRound.goOn(p, Stage.Sums);
    }

    /// @inheritdoc IRangeRules
    function postSums(Round calldata round, bytes calldata sums) external pure {
        if (round.stage != Stage.Sums) revert IDescentRules.WrongStage(round.stage);
        Position memory p = NextRound.copy(round);
        // What was posted before binds what is posted now.
        bool isNested = p.sums != bytes32(0);
        if (isNested && SumRanges.totalOf(sums) != p.total) revert WrongSums();
        _post(p, sums);
    }

    /// @inheritdoc IRangeRules
    function answerWitnessSums(
        Round calldata round,
        bytes calldata descriptor,
        uint256 out,
        bytes calldata sums
    ) external pure {
        if (round.stage != Stage.Witness) revert IDescentRules.WrongStage(round.stage);
        Position memory p = NextRound.copy(round);
        _setSums(round, p, descriptor, out);
        _post(p, sums);
    }

    /// @inheritdoc IRangeRules
    function narrowSum(Round calldata round, bytes calldata sums, uint256 number) external pure {
        SumRanges.requireSums(round, sums);
        Position memory p = NextRound.copy(round);
        (p.from, p.to) = SumRanges.rangeOf(round.position, number);
        if (p.to - p.from < 2) revert WrongSums();
        p.total = SumRanges.sumAt(sums, number);
        NextRound.goOn(p, Stage.Sums);
    }

    /// @inheritdoc IRangeRules
    function ruleTotal(Round calldata round, Evidence calldata evidence, bytes calldata sums) external pure {
        SumRanges.requireSums(round, sums);
        Position calldata p = round.position;
        Node memory node = RoundRules.nodeOf(round, evidence.descriptor);
        uint256 products = ExactOps.products(node, round.claim.logMicroBatches);
        // The first sums alone stand for the whole element.
        if (p.to - p.from != products) revert WrongSums();
        bool isBorne = _isBorneByTotal(round, evidence, node, SumRanges.totalOf(sums));
        // The claim is the challenger's, but for a witness.
        if (isBorne == (p.claim == Claims.WITNESS)) revert IDescentRules.NothingShown();
        NextRound.decide(round, Outcome.ProviderConvicted);
    }

    /// @dev The claim of the position, held against the element that its sum gives.
    function _isBorneByTotal(
        Round calldata round,
        Evidence calldata evidence,
        Node memory node,
        int256 total
    ) private pure returns (bool) {
        Position calldata p = round.position;
        Tensor[] memory tensors = OperandRules.operandsOf(round, evidence, node, p.from, p.from);
        int256[] memory sums = new int256[](1);
        sums[0] = total;
        StepContext memory context = StepContext(0, round.claim.logMicroBatches);
        (int256 sum, int256 exponent) = ExactOps.fromSums(node, tensors, p.out, sums, context);
        int256 mantissa = RoundRules.mantissaOf(p, p.claim, evidence, node, p.out);
        return RoundRules.isBorneOut(p, p.claim, node, mantissa, sum, exponent);
    }

    /// @dev Names the element whose sum is to be narrowed.
    function _setSums(
        Round calldata round,
        Position memory p,
        bytes calldata descriptor,
        uint256 out
    ) private pure {
        Node memory node = RoundRules.nodeOf(round, descriptor);
        uint256 products = ExactOps.products(node, round.claim.logMicroBatches);
        // A maximum of sums opens at once.
        bool isSum = products != 0 && ExactOps.candidates(node) == 1;
        if (!isSum || out >= NodeDescriptor.elements(node.output)) revert WrongSums();
        (p.out, p.from, p.to) = (out, 0, products);
    }

    function _post(Position memory p, bytes calldata sums) private pure {
        if (!SumRanges.areSums(sums, p.to - p.from)) revert WrongSums();
        p.sums = keccak256(sums);
        NextRound.goOn(p, Stage.Sum);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ElementMoves} from "./ElementMoves.sol";
import {ExactOps, StepContext} from "./ExactOps.sol";
import {Evidence, IDescentRules, ISumRules, Outcome, Round, Stage} from "./interfaces/IDisputeRules.sol";
import {Node, NodeDescriptor} from "./NodeDescriptor.sol";
import {Claims, Position} from "./Position.sol";
import {RoundRules} from "./RoundRules.sol";
import {Tensor} from "./TensorLeaves.sol";

/// @title Moves that open an element of an opcode with sums, or narrow its sum
contract SumRules is ElementMoves, ISumRules {
    /// @dev Sums that are posted at once, and the bytes of one.
    uint256 private constant RANGES = 64;
    uint256 private constant SUM_BYTES = 8;

    /// @inheritdoc ISumRules
    function askSums(
        Round calldata round,
        bytes calldata descriptor,
        uint256 out
    ) external pure returns (Outcome, Round memory r) {
        r = round;
        r.position.claim = _claimOf(round);
        _setSums(round, r.position, descriptor, out);
        r.stage = Stage.Sums;
        return (Outcome.Continued, r);
    }

    /// @inheritdoc ISumRules
    function postSums(
        Round calldata round,
        bytes calldata sums
    ) external pure returns (Outcome, Round memory r) {
        if (round.stage != Stage.Sums) revert IDescentRules.WrongStage(round.stage);
        r = round;
        // What was posted before binds what is posted now.
        bool isNested = r.position.sums != bytes32(0);
        if (isNested && _totalOf(sums) != r.position.total) revert WrongSums();
        return _post(r, sums);
    }

    /// @inheritdoc ISumRules
    function answerWitnessSums(
        Round calldata round,
        bytes calldata descriptor,
        uint256 out,
        bytes calldata sums
    ) external pure returns (Outcome, Round memory r) {
        if (round.stage != Stage.Witness) revert IDescentRules.WrongStage(round.stage);
        r = round;
        _setSums(round, r.position, descriptor, out);
        return _post(r, sums);
    }

    /// @inheritdoc ISumRules
    function ruleTotal(
        Round calldata round,
        Evidence calldata evidence,
        bytes calldata sums
    ) external pure returns (Outcome, Round memory) {
        Position calldata p = round.position;
        Node memory node = _beginSum(round, evidence, sums);
        uint256 products = ExactOps.products(node, round.claim.logMicroBatches);
        // The first sums alone stand for the whole element.
        if (p.to - p.from != products) revert WrongSums();
        bool isBorne = _isBorneByTotal(round, evidence, node, _totalOf(sums));
        // The claim is the challenger's, but for a witness.
        if (isBorne == (p.claim == Claims.WITNESS)) revert IDescentRules.NothingShown();
        return (Outcome.ProviderConvicted, round);
    }

    /// @inheritdoc ISumRules
    function ruleSum(
        Round calldata round,
        Evidence calldata evidence,
        bytes calldata sums,
        uint256 number
    ) external pure returns (Outcome, Round memory) {
        Node memory node = _beginSum(round, evidence, sums);
        (uint256 from, uint256 to) = _rangeOf(round.position, number);
        Tensor[] memory tensors = _operandsOf(round, evidence, node, from, to);
        int256 sum = ExactOps.partialSum(node, tensors, round.position.out, 0, from, to);
        if (sum == _sumAt(sums, number)) revert IDescentRules.NothingShown();
        return (Outcome.ProviderConvicted, round);
    }

    /// @inheritdoc ISumRules
    function narrowSum(
        Round calldata round,
        bytes calldata sums,
        uint256 number
    ) external pure returns (Outcome, Round memory r) {
        _requireSums(round, sums);
        r = round;
        (r.position.from, r.position.to) = _rangeOf(round.position, number);
        if (r.position.to - r.position.from < 2) revert WrongSums();
        r.position.total = _sumAt(sums, number);
        r.stage = Stage.Sums;
        return (Outcome.Continued, r);
    }

    function _element(
        Round calldata round,
        Evidence calldata evidence,
        Node memory node
    ) internal pure override returns (int256, int256) {
        uint256 products = ExactOps.products(node, round.claim.logMicroBatches);
        if (products == 0) revert OtherRules(node.opcode);
        Tensor[] memory tensors = _operandsOf(round, evidence, node, 0, products);
        int256[] memory sums = new int256[](ExactOps.candidates(node));
        for (uint256 i = 0; i < sums.length; ++i) {
            sums[i] = ExactOps.partialSum(node, tensors, evidence.out, i, 0, products);
        }
        StepContext memory context = StepContext(0, round.claim.logMicroBatches);
        return ExactOps.fromSums(node, tensors, evidence.out, sums, context);
    }

    /// @dev The claim of the position, held against the element that its sum gives.
    function _isBorneByTotal(
        Round calldata round,
        Evidence calldata evidence,
        Node memory node,
        int256 total
    ) private pure returns (bool) {
        Position calldata p = round.position;
        Tensor[] memory tensors = _operandsOf(round, evidence, node, 0, 0);
        int256[] memory sums = new int256[](1);
        sums[0] = total;
        StepContext memory context = StepContext(0, round.claim.logMicroBatches);
        (int256 sum, int256 exponent) = ExactOps.fromSums(node, tensors, p.out, sums, context);
        int256 mantissa = RoundRules.mantissaOf(p, p.claim, evidence, node, p.out);
        return RoundRules.isBorneOut(p, p.claim, node, mantissa, sum, exponent);
    }

    function _beginSum(
        Round calldata round,
        Evidence calldata evidence,
        bytes calldata sums
    ) private pure returns (Node memory) {
        _requireSums(round, sums);
        return RoundRules.nodeOf(round, evidence.descriptor);
    }

    function _requireSums(Round calldata round, bytes calldata sums) private pure {
        if (round.stage != Stage.Sum) revert IDescentRules.WrongStage(round.stage);
        if (keccak256(sums) != round.position.sums) revert WrongSums();
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

    function _post(Round memory r, bytes calldata sums) private pure returns (Outcome, Round memory) {
        (uint256 count, ) = _rangesOf(r.position.to - r.position.from);
        if (sums.length != count * SUM_BYTES) revert WrongSums();
        r.position.sums = keccak256(sums);
        r.stage = Stage.Sum;
        return (Outcome.Continued, r);
    }

    function _rangesOf(uint256 products) private pure returns (uint256 count, uint256 width) {
        width = (products + RANGES - 1) / RANGES;
        count = (products + width - 1) / width;
    }

    function _rangeOf(Position calldata p, uint256 number) private pure returns (uint256 from, uint256 to) {
        (uint256 count, uint256 width) = _rangesOf(p.to - p.from);
        if (number >= count) revert WrongSums();
        from = p.from + number * width;
        to = from + width < p.to ? from + width : p.to;
    }

    function _sumAt(bytes calldata sums, uint256 number) private pure returns (int256) {
        return int64(uint64(bytes8(sums[number * SUM_BYTES:(number + 1) * SUM_BYTES])));
    }

    function _totalOf(bytes calldata sums) private pure returns (int256 total) {
        for (uint256 i = 0; i < sums.length / SUM_BYTES; ++i) total += _sumAt(sums, i);
    }
}

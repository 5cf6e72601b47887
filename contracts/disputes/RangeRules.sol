// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ExactOps} from "./ExactOps.sol";
import {IDescentRules, IRangeRules, Outcome, Round, Stage} from "./interfaces/IDisputeRules.sol";
import {Node, NodeDescriptor} from "./NodeDescriptor.sol";
import {Position} from "./Position.sol";
import {RoundRules} from "./RoundRules.sol";
import {SumRanges} from "./SumRanges.sol";

/// @title Moves that narrow the sum behind an element
contract RangeRules is IRangeRules {
    /// @inheritdoc IRangeRules
    function askSums(
        Round calldata round,
        bytes calldata descriptor,
        uint256 out
    ) external pure returns (Outcome, Round memory r) {
        r = round;
        r.position.claim = RoundRules.claimOf(round);
        _setSums(round, r.position, descriptor, out);
        r.stage = Stage.Sums;
        return (Outcome.Continued, r);
    }

    /// @inheritdoc IRangeRules
    function postSums(
        Round calldata round,
        bytes calldata sums
    ) external pure returns (Outcome, Round memory r) {
        if (round.stage != Stage.Sums) revert IDescentRules.WrongStage(round.stage);
        r = round;
        // What was posted before binds what is posted now.
        bool isNested = r.position.sums != bytes32(0);
        if (isNested && SumRanges.totalOf(sums) != r.position.total) revert WrongSums();
        return _post(r, sums);
    }

    /// @inheritdoc IRangeRules
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

    /// @inheritdoc IRangeRules
    function narrowSum(
        Round calldata round,
        bytes calldata sums,
        uint256 number
    ) external pure returns (Outcome, Round memory r) {
        SumRanges.requireSums(round, sums);
        r = round;
        (r.position.from, r.position.to) = SumRanges.rangeOf(round.position, number);
        if (r.position.to - r.position.from < 2) revert WrongSums();
        r.position.total = SumRanges.sumAt(sums, number);
        r.stage = Stage.Sums;
        return (Outcome.Continued, r);
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
        if (!SumRanges.areSums(sums, r.position.to - r.position.from)) revert WrongSums();
        r.position.sums = keccak256(sums);
        r.stage = Stage.Sum;
        return (Outcome.Continued, r);
    }
}

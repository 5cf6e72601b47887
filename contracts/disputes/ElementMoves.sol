// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Evidence, IDescentRules, IElementRules, Outcome, Round, Stage} from "./interfaces/IDisputeRules.sol";
import {NextRound} from "./NextRound.sol";
import {Node} from "./NodeDescriptor.sol";
import {Claims} from "./Position.sol";
import {RoundRules} from "./RoundRules.sol";

/// @title Moves that open one element, whatever computes it
/// @notice Everything that is not opened as it was committed to reverts, so that a verdict is always one on committed
/// values.
abstract contract ElementMoves is IElementRules {
    /// @inheritdoc IElementRules
    function ruleElement(Round calldata round, Evidence calldata evidence) external pure {
        if (!_bears(round, RoundRules.claimOf(round), evidence)) revert IDescentRules.NothingShown();
        NextRound.decide(round, Outcome.ProviderConvicted);
    }

    /// @inheritdoc IElementRules
    function answerWitness(Round calldata round, Evidence calldata evidence) external pure {
        if (round.stage != Stage.Witness) revert IDescentRules.WrongStage(round.stage);
        if (!_bears(round, Claims.WITNESS, evidence)) revert IDescentRules.NothingShown();
        NextRound.decide(round, Outcome.ChallengeLost);
    }

    /// @dev The accumulator of an element and its exponent, from opened operands.
    function _element(
        Round calldata round,
        Evidence calldata evidence,
        Node memory node
    ) internal pure virtual returns (int256 accumulator, int256 exponent);

    function _bears(
        Round calldata round,
        uint256 claim,
        Evidence calldata evidence
    ) private pure returns (bool) {
        Node memory node = RoundRules.nodeOf(round, evidence.descriptor);
        (int256 accumulator, int256 exponent) = _element(round, evidence, node);
        int256 mantissa = RoundRules.mantissaOf(round.position, claim, evidence, node, evidence.out);
        return RoundRules.isBorneOut(round.position, claim, node, mantissa, accumulator, exponent);
    }
}

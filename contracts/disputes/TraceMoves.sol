// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {TrainingClaim} from "./interfaces/IDisputedClaims.sol";
import {IDescentRules, Round, Stage, TraceLeaf} from "./interfaces/IDisputeRules.sol";
import {NextRound} from "./NextRound.sol";
import {Position} from "./Position.sol";
import {TraceLeaves} from "./TraceLeaves.sol";

/// @title Moves that bring a dispute to an interval
/// @dev In a search the position has the last leaf that the challenger agrees with (`from`), the first one that it does
/// not (`to`), and the leaf that is opened with the one before it (`index`). Every answer halves what lies between, so
/// that nobody can ask for ever.
abstract contract TraceMoves is IDescentRules {
    /// @inheritdoc IDescentRules
    function openLeaves(
        Round calldata round,
        TraceLeaf calldata before,
        TraceLeaf calldata next
    ) external pure {
        _requireStage(round, Stage.TraceLeaves);
        uint256 interval = round.position.index - 1;
        TrainingClaim calldata claim = round.claim;
        if (interval + 1 >= _leavesOf(claim)) revert WrongTraceLeaf(interval + 1);
        _requireLeaf(claim, interval, before);
        _requireLeaf(claim, interval + 1, next);
        Position memory p = NextRound.copy(round);
        p.index = 0;
        (p.stateBefore, p.stateAfter, p.witnesses) = (before.stateRoot, next.stateRoot, next.witnessHash);
        p.firstStep = interval * claim.interval;
        p.steps = _stepsOf(claim, interval);
        // A search: whether it has found its interval is for the challenger to say.
        if (round.interval == TraceLeaves.NO_INTERVAL) NextRound.goOn(p, Stage.TraceName);
        NextRound.setInterval(p, interval);
        NextRound.goOn(p, Stage.States);
    }

    /// @inheritdoc IDescentRules
    function nameHalf(Round calldata round, bool isLater) external pure {
        Position memory p = _begin(round, Stage.TraceName);
        uint256 before = TraceLeaves.middleOf(p.from, p.to) - 1;
        if (isLater) p.from = before + 1;
        else p.to = before;
        if (p.from >= p.to) revert WrongTraceLeaf(before);
        p.index = TraceLeaves.middleOf(p.from, p.to);
        (p.stateBefore, p.stateAfter, p.witnesses) = (bytes32(0), bytes32(0), bytes32(0));
        (p.firstStep, p.steps) = (0, 0);
        NextRound.goOn(p, Stage.TraceLeaves);
    }

    /// @inheritdoc IDescentRules
    function takeInterval(Round calldata round) external pure {
        Position memory p = _begin(round, Stage.TraceName);
        NextRound.setInterval(p, p.firstStep / round.claim.interval);
        (p.from, p.to) = (0, 0);
        NextRound.goOn(p, Stage.States);
    }

    function _begin(Round calldata round, Stage stage) internal pure returns (Position memory) {
        _requireStage(round, stage);
        return NextRound.copy(round);
    }

    function _requireStage(Round calldata round, Stage stage) internal pure {
        if (round.stage != stage) revert WrongStage(round.stage);
    }

    function _leavesOf(TrainingClaim calldata claim) private pure returns (uint256) {
        return TraceLeaves.countOf(claim.steps, claim.interval);
    }

    function _stepsOf(TrainingClaim calldata claim, uint256 interval) internal pure returns (uint256) {
        uint256 rest = claim.steps - interval * claim.interval;
        return rest < claim.interval ? rest : claim.interval;
    }

    function _requireLeaf(
        TrainingClaim calldata claim,
        uint256 index,
        TraceLeaf calldata opened
    ) private pure {
        if (!TraceLeaves.isUnder(opened, index, _leavesOf(claim), claim.traceRoot)) {
            revert WrongTraceLeaf(index);
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {TrainingClaim} from "./interfaces/IDisputedClaims.sol";
import {IDescentRules, Outcome, Round, Stage, TraceLeaf} from "./interfaces/IDisputeRules.sol";
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
    ) external pure returns (Outcome, Round memory r) {
        r = _begin(round, Stage.TraceLeaves);
        uint256 interval = round.position.index - 1;
        TrainingClaim calldata claim = round.claim;
        if (interval + 1 >= _leavesOf(claim)) revert WrongTraceLeaf(interval + 1);
        _requireLeaf(claim, interval, before);
        _requireLeaf(claim, interval + 1, next);
        delete r.position;
        Position memory p = r.position;
        (p.stateBefore, p.stateAfter, p.witnesses) = (before.stateRoot, next.stateRoot, next.witnessHash);
        p.firstStep = interval * claim.interval;
        p.steps = _stepsOf(claim, interval);
        if (round.interval == TraceLeaves.NO_INTERVAL) {
            // A search: whether it has found its interval is for the challenger to say.
            (p.from, p.to) = (round.position.from, round.position.to);
            return _next(r, Stage.TraceName);
        }
        r.interval = interval;
        return _next(r, Stage.States);
    }

    /// @inheritdoc IDescentRules
    function nameHalf(Round calldata round, bool isLater) external pure returns (Outcome, Round memory r) {
        r = _begin(round, Stage.TraceName);
        Position memory p = r.position;
        (uint256 from, uint256 to) = (p.from, p.to);
        uint256 before = TraceLeaves.middleOf(from, to) - 1;
        if (isLater) from = before + 1;
        else to = before;
        if (from >= to) revert WrongTraceLeaf(before);
        delete r.position;
        p = r.position;
        (p.from, p.to, p.index) = (from, to, TraceLeaves.middleOf(from, to));
        return _next(r, Stage.TraceLeaves);
    }

    /// @inheritdoc IDescentRules
    function takeInterval(Round calldata round) external pure returns (Outcome, Round memory r) {
        r = _begin(round, Stage.TraceName);
        Position memory p = r.position;
        r.interval = p.firstStep / round.claim.interval;
        (p.from, p.to) = (0, 0);
        return _next(r, Stage.States);
    }

    function _begin(Round calldata round, Stage stage) internal pure returns (Round memory) {
        if (round.stage != stage) revert WrongStage(round.stage);
        return round;
    }

    function _next(Round memory round, Stage stage) internal pure returns (Outcome, Round memory) {
        round.stage = stage;
        return (Outcome.Continued, round);
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

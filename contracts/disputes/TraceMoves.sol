// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AttestationMath} from "../attestation/AttestationMath.sol";
import {MerkleProofs} from "../libraries/MerkleProofs.sol";
import {TrainingClaim} from "./interfaces/IDisputedClaims.sol";
import {
    IDescentRules,
    NamedRoot,
    NamedStep,
    PostedStates,
    Round,
    Stage,
    TraceLeaf
} from "./interfaces/IDisputeRules.sol";
import {Narrowing} from "./Narrowing.sol";
import {NextRound} from "./NextRound.sol";
import {Position} from "./Position.sol";
import {TraceLeaves} from "./TraceLeaves.sol";

/// @title Moves that bring a dispute to a step
/// @dev In a search, which needs no leaf to be known, the position has the last leaf that the challenger agrees with
/// (`from`), the first one that it does not (`to`), and the state roots that were posted for them. What is posted is
/// not opened at once: of all posted roots the two that count are held against the trace when the search is over.
/// That is enough. Whoever posts binds itself: the challenger goes on between two neighbours of which it agrees with
/// the first and not with the second, so that the interval it arrives at is wrong as posted; a provider whose trace
/// holds other roots there, whether those that it posted were right, wrong or no hashes at all, cannot open it, and
/// whoever has no move loses. A provider whose trace is right posts what it can open, and arrives at one that is
/// right.
abstract contract TraceMoves is IDescentRules {
    /// @dev State roots inside an interval that are posted at once.
    uint256 private constant STATES = 32;

    /// @inheritdoc IDescentRules
    function openLeaves(
        Round calldata round,
        TraceLeaf calldata before,
        TraceLeaf calldata next
    ) external pure {
        Position memory p = _begin(round, Stage.None);
        uint256 interval = round.interval;
        if (interval + 1 >= _leavesOf(round.claim)) revert WrongTraceLeaf(interval + 1);
        _openInterval(p, round.claim, interval, before, next);
        NextRound.goOn(p, Stage.States);
    }

    /// @inheritdoc IDescentRules
    function postTrace(Round calldata round, bytes32[] calldata roots) external pure {
        Position memory p = _begin(round, Stage.TraceRoots);
        (uint256 count, ) = _askedBetween(p.from, p.to);
        if (roots.length != count) revert WrongStates(roots.length, count);
        p.node = Narrowing.fold(roots, 0, MerkleProofs.depthOf(count));
        NextRound.goOn(p, Stage.TraceName);
    }

    /// @inheritdoc IDescentRules
    function nameTrace(Round calldata round, NamedRoot calldata named) external pure {
        Position memory p = _begin(round, Stage.TraceName);
        uint256 number = named.number;
        (uint256 count, uint256 stride) = _askedBetween(p.from, p.to);
        uint256 depth = MerkleProofs.depthOf(count);
        // The ends are those that the search stood at before.
        if (number != 0) {
            Narrowing.requireChild(p.node, depth, count, number - 1, named.before, named.beforeSiblings);
            p.stateBefore = named.before;
        }
        if (number != count) {
            Narrowing.requireChild(p.node, depth, count, number, named.next, named.nextSiblings);
            (p.to, p.stateAfter) = (p.from + (number + 1) * stride, named.next);
        }
        p.from += number * stride;
        p.node = bytes32(0);
        NextRound.goOn(p, TraceLeaves.stageOf(p.from, p.to));
    }

    /// @inheritdoc IDescentRules
    function openInterval(
        Round calldata round,
        TraceLeaf calldata before,
        TraceLeaf calldata next,
        PostedStates calldata posted
    ) external pure {
        Position memory p = _begin(round, Stage.TraceLeaves);
        TrainingClaim calldata claim = round.claim;
        uint256 interval = p.from;
        // The order binds the first leaf, the commitment the last one. For all others a root was posted, be it zero.
        if (interval != 0 && before.stateRoot != p.stateBefore) revert WrongTraceLeaf(interval);
        bool isLast = interval + 2 == _leavesOf(claim);
        if (!isLast && next.stateRoot != p.stateAfter) revert WrongTraceLeaf(interval + 1);
        _openInterval(p, claim, interval, before, next);
        NextRound.setInterval(p, interval);
        (p.from, p.to) = (0, 0);
        _takeStates(p, claim, interval, posted);
        NextRound.goOn(p, Stage.Step);
    }

    /// @inheritdoc IDescentRules
    function postStates(Round calldata round, PostedStates calldata posted) external pure {
        Position memory p = _begin(round, Stage.States);
        _takeStates(p, round.claim, round.interval, posted);
        NextRound.goOn(p, Stage.Step);
    }

    /// @inheritdoc IDescentRules
    function openClaim(
        Round calldata round,
        TraceLeaf calldata before,
        TraceLeaf calldata next,
        bytes32[] calldata siblings,
        bytes32[] calldata witnesses,
        bytes32[] calldata roots
    ) external pure {
        Position memory p = _begin(round, Stage.MemberLeaves);
        _requireSigned(p, round.interval, siblings, witnesses);
        _openNeighbours(p, round.claim, round.interval, before, next);
        if (witnesses.length != p.steps) revert WrongWitnesses();
        // The digest binds the witnesses; h, which the provider's salt hides, has no part in it.
        p.witnesses = Narrowing.fold(witnesses, 0, MerkleProofs.depthOf(p.steps));
        _takeRoots(p, roots);
        NextRound.goOn(p, Stage.Step);
    }

    /// @inheritdoc IDescentRules
    function nameStep(Round calldata round, NamedStep calldata named) external pure {
        Position memory p = _begin(round, Stage.Step);
        uint256 number = named.number;
        (uint256 count, uint256 width) = _checkpointsOf(p.steps);
        uint256 depth = MerkleProofs.depthOf(count);
        Narrowing.requireChild(p.node, depth, count, number, named.next, named.nextSiblings);
        if (number == 0) {
            if (named.before != p.stateBefore) revert WrongStep(number);
        } else {
            Narrowing.requireChild(p.node, depth, count, number - 1, named.before, named.beforeSiblings);
        }
        (p.stateBefore, p.stateAfter, p.node) = (named.before, named.next, bytes32(0));
        p.firstStep += number * width;
        uint256 rest = p.steps - number * width;
        p.steps = rest < width ? rest : width;
        if (p.steps > 1) NextRound.goOn(p, Stage.States);
        p.witnesses = _witnessOf(round, p, named);
        NextRound.goOn(p, Stage.Tensors);
    }

    function _begin(Round calldata round, Stage stage) internal pure returns (Position memory) {
        _requireStage(round, stage);
        return NextRound.copy(round);
    }

    function _requireStage(Round calldata round, Stage stage) internal pure {
        if (round.stage != stage) revert WrongStage(round.stage);
    }

    /// @dev The member has signed these witnesses, where its position says; what says so is not needed any more.
    function _requireSigned(
        Position memory p,
        uint256 interval,
        bytes32[] calldata siblings,
        bytes32[] calldata witnesses
    ) private pure {
        bytes32 digest = AttestationMath.boundTo(p.commitment, keccak256(abi.encodePacked(witnesses)));
        bytes32 leaf = AttestationMath.leafOf(p.index, interval, digest);
        uint256 depth = MerkleProofs.depthOf(p.leaves);
        if (MerkleProofs.rootOf(leaf, p.place, siblings, depth) != p.tensors) revert WrongDigest(p.place);
        (p.tensors, p.commitment) = (bytes32(0), bytes32(0));
        (p.place, p.index, p.leaves) = (0, 0, 0);
    }

    /// @dev The dispute is over this interval, whose leaves stand under the root of the trace.
    function _openInterval(
        Position memory p,
        TrainingClaim calldata claim,
        uint256 interval,
        TraceLeaf calldata before,
        TraceLeaf calldata next
    ) private pure {
        _requireLeaf(claim, interval, before);
        _requireLeaf(claim, interval + 1, next);
        _enterInterval(p, claim, interval, before, next);
    }

    /// @dev As `_openInterval`, where the two leaves share their siblings.
    function _openNeighbours(
        Position memory p,
        TrainingClaim calldata claim,
        uint256 interval,
        TraceLeaf calldata before,
        TraceLeaf calldata next
    ) private pure {
        bool areThere = TraceLeaves.areUnder(before, next, interval, _leavesOf(claim), claim.traceRoot);
        if (!areThere) revert WrongTraceLeaf(interval);
        _enterInterval(p, claim, interval, before, next);
    }

    /// @dev The dispute is over the interval between these leaves.
    function _enterInterval(
        Position memory p,
        TrainingClaim calldata claim,
        uint256 interval,
        TraceLeaf calldata before,
        TraceLeaf calldata next
    ) private pure {
        (p.stateBefore, p.stateAfter, p.witnesses) = (before.stateRoot, next.stateRoot, next.witnessHash);
        p.firstStep = interval * claim.interval;
        p.steps = _stepsOf(claim, interval);
    }

    /// @dev Folds the state roots inside the steps in dispute, and once the witnesses behind h.
    function _takeStates(
        Position memory p,
        TrainingClaim calldata claim,
        uint256 interval,
        PostedStates calldata posted
    ) private pure {
        bytes32[] calldata witnesses = posted.witnesses;
        if (p.steps == _stepsOf(claim, interval)) {
            bool isWhole = witnesses.length == p.steps;
            bytes32 h = keccak256(abi.encodePacked(posted.salt, witnesses));
            if (!isWhole || h != p.witnesses) revert WrongWitnesses();
            p.witnesses = Narrowing.fold(witnesses, 0, MerkleProofs.depthOf(p.steps));
        } else if (witnesses.length != 0) {
            revert WrongWitnesses();
        }
        _takeRoots(p, posted.roots);
    }

    /// @dev Folds the state roots inside the steps in dispute, of which the last is known.
    function _takeRoots(Position memory p, bytes32[] calldata roots) private pure {
        (uint256 count, ) = _checkpointsOf(p.steps);
        if (roots.length != count || roots[count - 1] != p.stateAfter)
            revert WrongStates(roots.length, count);
        p.node = Narrowing.fold(roots, 0, MerkleProofs.depthOf(count));
    }

    /// @dev The witness of a step, as h binds it.
    function _witnessOf(
        Round calldata round,
        Position memory p,
        NamedStep calldata named
    ) private pure returns (bytes32 witness) {
        uint256 index = p.firstStep - round.interval * round.claim.interval;
        uint256 depth = MerkleProofs.depthOf(_stepsOf(round.claim, round.interval));
        witness = named.witness;
        if (MerkleProofs.rootOf(witness, index, named.witnessSiblings, depth) != p.witnesses) {
            revert WrongWitnesses();
        }
    }

    function _leavesOf(TrainingClaim calldata claim) private pure returns (uint256) {
        return TraceLeaves.countOf(claim.steps, claim.interval);
    }

    function _stepsOf(TrainingClaim calldata claim, uint256 interval) private pure returns (uint256) {
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

    /// @dev How many state roots are asked for between two leaves, and how many leaves apart.
    function _askedBetween(uint256 from, uint256 to) private pure returns (uint256 count, uint256 stride) {
        stride = TraceLeaves.strideOf(to - from);
        count = (to - from - 1) / stride;
    }

    /// @dev How many state roots stand for so many steps, and how many steps apart.
    function _checkpointsOf(uint256 steps) private pure returns (uint256 count, uint256 width) {
        width = (steps + STATES - 1) / STATES;
        count = (steps + width - 1) / width;
    }
}

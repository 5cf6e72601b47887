// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {MerkleProofs} from "../libraries/MerkleProofs.sol";
import {ExactFinish} from "./ExactFinish.sol";
import {TrainingClaim} from "./interfaces/IDisputedClaims.sol";
import {
    IDescentRules,
    LinkAnswer,
    NamedSlot,
    NamedTensor,
    Outcome,
    PostedTensors,
    Round,
    Stage
} from "./interfaces/IDisputeRules.sol";
import {Narrowing} from "./Narrowing.sol";
import {NextRound} from "./NextRound.sol";
import {Node, NodeDescriptor} from "./NodeDescriptor.sol";
import {Opcodes} from "./Opcodes.sol";
import {Claims, Position} from "./Position.sol";
import {RoundRules} from "./RoundRules.sol";
import {TensorLeaves} from "./TensorLeaves.sol";
import {Geometry, TensorGeometry} from "./TensorGeometry.sol";
import {TraceMoves} from "./TraceMoves.sol";

/// @title Moves from an interval down to a leaf of one tensor
contract DescentRules is TraceMoves {
    using TensorGeometry for Geometry;

    /// @inheritdoc IDescentRules
    function postTensors(Round calldata round, PostedTensors calldata posted) external pure {
        Position memory p = _begin(round, Stage.Tensors);
        p.leaves = RoundRules.tensorsOf(round.claim);
        p.level = MerkleProofs.depthOf(p.leaves);
        p.tensors = _rootOf(posted.nodes, p);
        p.node = p.tensors;
        _requireWitness(round.claim, p, posted);
        p.witnesses = bytes32(0);
        NextRound.goOn(p, Stage.Node);
    }

    /// @inheritdoc IDescentRules
    function postNodes(Round calldata round, bytes32[] calldata nodes) external pure {
        Position memory p = NextRound.copy(round);
        Narrowing.requireBelow(nodes, p.node, p.level, p.index, p.leaves);
        if (round.stage == Stage.TensorNodes) NextRound.goOn(p, Stage.Node);
        if (round.stage == Stage.HashNodes) NextRound.goOn(p, Stage.Leaf);
        if (round.stage == Stage.StateNodes) NextRound.goOn(p, Stage.StateName);
        revert WrongStage(round.stage);
    }

    /// @inheritdoc IDescentRules
    function nameChild(
        Round calldata round,
        uint256 number,
        bytes32 child,
        bytes32[] calldata siblings
    ) external pure {
        Position memory p = NextRound.copy(round);
        _descend(p, number, child, siblings);
        if (round.stage == Stage.Leaf) NextRound.goOn(p, p.level == 0 ? Stage.OpenLeaf : Stage.HashNodes);
        if (round.stage != Stage.Node && round.stage != Stage.StateName) revert WrongStage(round.stage);
        if (p.level == 0) revert WrongNode(p.index);
        NextRound.goOn(p, round.stage == Stage.Node ? Stage.TensorNodes : Stage.StateNodes);
    }

    /// @inheritdoc IDescentRules
    function nameTensor(Round calldata round, NamedTensor calldata named) external pure {
        Position memory p = _begin(round, Stage.Node);
        _descend(p, named.number, named.commitment, named.siblings);
        uint256 place = p.index;
        if (p.level != 0) revert WrongNode(place);
        Node memory node = NodeDescriptor.verifyHead(
            named.descriptor,
            named.descriptorSiblings,
            round.claim.programRoot,
            round.claim.nodeCounts
        );
        _requirePlace(round.claim, node, place);
        (p.place, p.commitment, p.descriptor) = (place, named.commitment, keccak256(named.descriptor));
        (p.node, p.index, p.leaves) = (bytes32(0), 0, TensorGeometry.geometryOf(node.output).leaves);
        // What a LOAD yields is no element's business.
        if (node.opcode == Opcodes.LOAD) NextRound.goOn(p, Stage.Link);
        (p.stateBefore, p.stateAfter) = (bytes32(0), bytes32(0));
        NextRound.goOn(p, Stage.Hashes);
    }

    /// @inheritdoc IDescentRules
    function answerLink(Round calldata round, LinkAnswer calldata answer) external pure {
        _requireStage(round, Stage.Link);
        _requireLink(round, answer);
        NextRound.decide(round, Outcome.ChallengeLost);
    }

    /// @inheritdoc IDescentRules
    function nameState(Round calldata round) external pure {
        Position memory p = _begin(round, Stage.Node);
        (p.node, p.index, p.leaves) = (p.stateAfter, 0, round.claim.slots);
        p.level = MerkleProofs.depthOf(p.leaves);
        NextRound.goOn(p, Stage.StateNodes);
    }

    /// @inheritdoc IDescentRules
    function ruleSlot(Round calldata round, NamedSlot calldata named) external pure {
        Position memory p = _begin(round, Stage.StateName);
        _descend(p, named.number, named.leaf, named.siblings);
        if (p.level != 0) revert WrongNode(p.index);
        TrainingClaim calldata claim = round.claim;
        Node memory store = _storeOf(claim, named.store, named.storeSiblings, 2, 0, int256(p.index));
        uint256 place = (claim.nodeCounts[0] << claim.logMicroBatches) + claim.nodeCounts[1] + store.index;
        _requireListed(round, named.commitment, place, named.listSiblings);
        bytes32 stored = keccak256(abi.encodePacked(bytes1(0), named.commitment));
        if (named.leaf == stored) revert NothingShown();
        NextRound.decide(round, Outcome.ProviderConvicted);
    }

    /// @inheritdoc IDescentRules
    function postHashes(Round calldata round, int256 exponent, bytes32[] calldata nodes) external pure {
        Position memory p = _begin(round, Stage.Hashes);
        p.level = MerkleProofs.depthOf(p.leaves);
        p.node = _rootOf(nodes, p);
        p.exponent = exponent;
        bool isExponent = exponent == int256(int32(exponent));
        if (!isExponent || TensorLeaves.commitmentOf(p.node, exponent) != p.commitment) revert WrongTensor();
        // What is not needed any more is zero: it costs less in every move that follows.
        p.commitment = bytes32(0);
        NextRound.goOn(p, Stage.Leaf);
    }

    /// @inheritdoc IDescentRules
    function postLeaf(Round calldata round, bytes calldata leaf) external pure {
        Position memory p = _begin(round, Stage.OpenLeaf);
        if (MerkleProofs.leafOf(leaf) != p.node) revert WrongPostedLeaf();
        NextRound.goOn(p, Stage.Element);
    }

    /// @inheritdoc IDescentRules
    function ruleLeaf(Round calldata round, bytes calldata descriptor, bytes calldata leaf) external pure {
        _requireStage(round, Stage.Element);
        Node memory node = RoundRules.nodeOf(round, descriptor);
        if (MerkleProofs.leafOf(leaf) != round.position.node) revert WrongPostedLeaf();
        Geometry memory g = TensorGeometry.geometryOf(node.output);
        uint256 start = g.startOf(round.position.index);
        bool isCanonical =
            leaf.length == g.startOf(round.position.index + 1) - start &&
                TensorLeaves.isCanonical(g, node.output.dtype, ExactFinish.lowestOf(node), start, leaf);
        if (isCanonical) revert NothingShown();
        NextRound.decide(round, Outcome.ProviderConvicted);
    }

    /// @inheritdoc IDescentRules
    function claimTooLarge(Round calldata round, bytes calldata descriptor) external pure {
        Position memory p = _begin(round, Stage.Leaf);
        (ExactFinish.Kind kind, ) = ExactFinish.kindOf(RoundRules.nodeOf(round, descriptor));
        // Other exponents are right or wrong by any element.
        if (kind != ExactFinish.Kind.Requantized) revert NothingShown();
        p.claim = Claims.WITNESS;
        NextRound.goOn(p, Stage.Witness);
    }

    /// @dev The tensor of the position is what its slot holds.
    function _requireLink(Round calldata round, LinkAnswer calldata answer) private pure {
        Position calldata p = round.position;
        TrainingClaim calldata claim = round.claim;
        Node memory node = RoundRules.nodeOf(round, answer.descriptor);
        if (node.attributes[0] == 0) {
            bytes32 leaf = keccak256(abi.encodePacked(bytes1(0), p.commitment));
            uint256 depth = MerkleProofs.depthOf(claim.slots);
            uint256 slot = uint256(node.attributes[1]);
            if (MerkleProofs.rootOf(leaf, slot, answer.siblings, depth) != p.stateBefore)
                revert NothingShown();
        } else {
            // A gradient of the step: what tape 1 stored.
            (int256 space, int256 slot) = (node.attributes[0], node.attributes[1]);
            Node memory from = _storeOf(claim, answer.store, answer.storeSiblings, 1, space, slot);
            uint256 place = (claim.nodeCounts[0] << claim.logMicroBatches) + from.index;
            _requireListed(round, p.commitment, place, answer.siblings);
        }
    }

    /// @dev The node of a tape that stores a slot.
    function _storeOf(
        TrainingClaim calldata claim,
        bytes calldata descriptor,
        bytes32[] calldata siblings,
        uint256 tape,
        int256 space,
        int256 slot
    ) private pure returns (Node memory node) {
        node = NodeDescriptor.verify(descriptor, siblings, claim.programRoot, claim.nodeCounts);
        bool isStore = node.tape == tape && node.opcode == Opcodes.STORE;
        if (!isStore || node.attributes[0] != space || node.attributes[1] != slot) revert NothingShown();
    }

    /// @dev The list of the step has this commitment at this place.
    function _requireListed(
        Round calldata round,
        bytes32 commitment,
        uint256 place,
        bytes32[] calldata siblings
    ) private pure {
        uint256 depth = MerkleProofs.depthOf(RoundRules.tensorsOf(round.claim));
        if (MerkleProofs.rootOf(commitment, place, siblings, depth) != round.position.tensors) {
            revert NothingShown();
        }
    }

    /// @dev The witness of the step stands in its list where the tape marks it.
    function _requireWitness(
        TrainingClaim calldata claim,
        Position memory p,
        PostedTensors calldata posted
    ) private pure {
        uint256 place = ((1 << claim.logMicroBatches) - 1) * claim.nodeCounts[0] + claim.witnessNode;
        uint256 level = p.level - Narrowing.levelsDown(p.level, p.leaves);
        bytes32 node = MerkleProofs.rootOf(p.witnesses, place, posted.siblings, level);
        if (node != posted.nodes[place >> level]) revert WrongWitnesses();
    }

    /// @dev One round down from the position's node.
    function _descend(
        Position memory q,
        uint256 number,
        bytes32 child,
        bytes32[] calldata siblings
    ) private pure {
        uint256 down = Narrowing.levelsDown(q.level, q.leaves);
        uint256 level = q.level - down;
        uint256 count = Narrowing.countBelow(q.leaves, level, q.index, down);
        Narrowing.requireChild(q.node, down, count, number, child, siblings);
        (q.node, q.level, q.index) = (child, level, (q.index << down) + number);
    }

    /// @dev Root of the tree whose upper nodes are posted first.
    function _rootOf(bytes32[] calldata nodes, Position memory q) private pure returns (bytes32) {
        uint256 down = Narrowing.levelsDown(q.level, q.leaves);
        uint256 expected = Narrowing.countBelow(q.leaves, q.level - down, 0, down);
        if (nodes.length != expected) revert Narrowing.WrongNodeCount(nodes.length, expected);
        return Narrowing.fold(nodes, q.level - down, down);
    }

    /// @dev The list of a step: tape 0 for each micro-batch, tape 1, tape 2.
    function _requirePlace(TrainingClaim calldata claim, Node memory node, uint256 place) private pure {
        uint256 first = claim.nodeCounts[0] << claim.logMicroBatches;
        bool isThere;
        if (place < first) {
            isThere = node.tape == 0 && place % claim.nodeCounts[0] == node.index;
        } else if (place < first + claim.nodeCounts[1]) {
            isThere = node.tape == 1 && place - first == node.index;
        } else {
            isThere = node.tape == 2 && place - first - claim.nodeCounts[1] == node.index;
        }
        if (!isThere) revert WrongNode(place);
    }
}

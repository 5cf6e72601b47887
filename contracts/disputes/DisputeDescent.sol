// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {MerkleProofs} from "../libraries/MerkleProofs.sol";
import {DisputeTable} from "./DisputeTable.sol";
import {IDisputedClaims, TrainingClaim} from "./interfaces/IDisputedClaims.sol";
import {
    IDisputeGame,
    LinkAnswer,
    NamedStep,
    NamedTensor,
    PostedTensors,
    Stage,
    TraceLeaf
} from "./interfaces/IDisputeGame.sol";
import {INodeJudge, NodeFacts} from "./interfaces/IDisputeJudges.sol";
import {Narrowing} from "./Narrowing.sol";
import {Opcodes} from "./Opcodes.sol";
import {Position} from "./Position.sol";
import {Refunds} from "./Refunds.sol";
import {TensorLeaves} from "./TensorLeaves.sol";

/// @title From an interval down to a leaf of one tensor
abstract contract DisputeDescent is DisputeTable {
    bytes32 private constant TRACE_TAG = keccak256("assay/trace/v1");
    /// @dev State roots that are posted at once.
    uint256 private constant STATES = 32;

    INodeJudge public immutable nodeJudge;

    constructor(IDisputedClaims claims_, INodeJudge nodeJudge_) DisputeTable(claims_) {
        nodeJudge = nodeJudge_;
    }

    /// @inheritdoc IDisputeGame
    function challenge(
        uint256 jobId,
        uint256 interval,
        TraceLeaf calldata before,
        TraceLeaf calldata next
    ) external payable returns (uint256 id) {
        Challenge storage c;
        Job storage job;
        TrainingClaim memory claim;
        if (interval >= NO_INTERVAL) revert WrongTraceLeaf(interval);
        (id, c, job, claim) = _newChallenge(jobId, interval);
        Position memory p = _atInterval(claim, interval, before, next);
        _end(id, c, job, p, Stage.States, 0);
    }

    /// @inheritdoc IDisputeGame
    function challengeTrace(uint256 jobId) external payable returns (uint256 id) {
        Challenge storage c;
        Job storage job;
        TrainingClaim memory claim;
        (id, c, job, claim) = _newChallenge(jobId, NO_INTERVAL);
        Position memory p;
        p.node = claim.traceRoot;
        p.leaves = _leavesOf(claim);
        p.level = MerkleProofs.depthOf(p.leaves);
        _end(id, c, job, p, Stage.TraceNodes, 0);
    }

    /// @inheritdoc IDisputeGame
    function postLeaves(
        uint256 id,
        Position calldata p,
        TraceLeaf calldata before,
        TraceLeaf calldata next
    ) external {
        (Challenge storage c, Job storage job) = _begin(id, p, Stage.TraceLeaves);
        uint256 interval = p.index - 1;
        Position memory q = _atInterval(claims.claimOf(c.jobId), interval, before, next);
        _setInterval(c, interval);
        _end(id, c, job, q, Stage.States, 0);
    }

    /// @inheritdoc IDisputeGame
    function postStates(
        uint256 id,
        Position calldata p,
        bytes32 salt,
        bytes32[] calldata witnesses,
        bytes32[] calldata roots
    ) external {
        (Challenge storage c, Job storage job) = _begin(id, p, Stage.States);
        Position memory q = p;
        if (p.steps == _stepsOf(claims.claimOf(c.jobId), c.interval)) {
            bool isWhole = witnesses.length == p.steps;
            if (!isWhole || keccak256(abi.encodePacked(salt, witnesses)) != p.witnesses) revert WrongWitnesses();
            q.witnesses = Narrowing.fold(witnesses, 0, MerkleProofs.depthOf(p.steps));
        } else if (witnesses.length != 0) {
            revert WrongWitnesses();
        }
        (uint256 count, ) = _checkpointsOf(p.steps);
        if (roots.length != count || roots[count - 1] != p.stateAfter) revert WrongStates(roots.length, count);
        q.node = Narrowing.fold(roots, 0, MerkleProofs.depthOf(count));
        emit StatesPosted(id, salt, witnesses, roots);
        _end(id, c, job, q, Stage.Step, 0);
    }

    /// @inheritdoc IDisputeGame
    function nameStep(uint256 id, Position calldata p, NamedStep calldata named) external {
        (Challenge storage c, Job storage job) = _begin(id, p, Stage.Step);
        Position memory q = p;
        uint256 number = named.number;
        (uint256 count, uint256 width) = _checkpointsOf(p.steps);
        uint256 depth = MerkleProofs.depthOf(count);
        Narrowing.requireChild(p.node, depth, count, number, named.next, named.nextSiblings);
        if (number == 0) {
            if (named.before != p.stateBefore) revert WrongStep(number);
        } else {
            Narrowing.requireChild(p.node, depth, count, number - 1, named.before, named.beforeSiblings);
        }
        (q.stateBefore, q.stateAfter, q.node) = (named.before, named.next, bytes32(0));
        q.firstStep = p.firstStep + number * width;
        uint256 rest = p.steps - number * width;
        q.steps = rest < width ? rest : width;
        _end(id, c, job, q, q.steps == 1 ? Stage.Tensors : Stage.States, Refunds.NAME);
    }

    /// @inheritdoc IDisputeGame
    function postTensors(uint256 id, Position calldata p, PostedTensors calldata posted) external {
        (Challenge storage c, Job storage job) = _begin(id, p, Stage.Tensors);
        TrainingClaim memory claim = claims.claimOf(c.jobId);
        Position memory q = p;
        q.leaves = _tensorsOf(claim);
        q.level = MerkleProofs.depthOf(q.leaves);
        q.tensors = _rootOf(posted.nodes, q);
        q.node = q.tensors;
        _requireWitness(claim, c.interval, q, posted);
        q.witnesses = bytes32(0);
        emit NodesPosted(id, posted.nodes);
        _end(id, c, job, q, Stage.Node, 0);
    }

    /// @inheritdoc IDisputeGame
    function postNodes(uint256 id, Position calldata p, bytes32[] calldata nodes) external {
        Stage stage = challenges[id].stage;
        Stage next =
            stage == Stage.TensorNodes
                ? Stage.Node
                : stage == Stage.HashNodes
                    ? Stage.Leaf
                    : Stage.TraceName;
        if (next == Stage.TraceName) stage = Stage.TraceNodes;
        (Challenge storage c, Job storage job) = _begin(id, p, stage);
        Narrowing.requireBelow(nodes, p.node, p.level, p.index, p.leaves);
        emit NodesPosted(id, nodes);
        _end(id, c, job, p, next, 0);
    }

    /// @inheritdoc IDisputeGame
    function nameChild(
        uint256 id,
        Position calldata p,
        uint256 number,
        bytes32 child,
        bytes32[] calldata siblings
    ) external {
        Stage stage = challenges[id].stage;
        if (stage != Stage.Node && stage != Stage.Leaf) stage = Stage.TraceName;
        (Challenge storage c, Job storage job) = _begin(id, p, stage);
        Position memory q = p;
        _descend(q, number, child, siblings);
        Stage next;
        if (stage == Stage.Node) {
            if (q.level == 0) revert WrongNode(q.index);
            next = Stage.TensorNodes;
        } else if (stage == Stage.Leaf) {
            next = q.level == 0 ? Stage.OpenLeaf : Stage.HashNodes;
        } else {
            // The first leaf is the order's.
            if (q.level == 0 && q.index == 0) revert WrongTraceLeaf(0);
            next = q.level == 0 ? Stage.TraceLeaves : Stage.TraceNodes;
        }
        _end(id, c, job, q, next, Refunds.NAME);
    }

    /// @inheritdoc IDisputeGame
    function nameTensor(uint256 id, Position calldata p, NamedTensor calldata named) external {
        (Challenge storage c, Job storage job) = _begin(id, p, Stage.Node);
        TrainingClaim memory claim = claims.claimOf(c.jobId);
        Position memory q = p;
        _descend(q, named.number, named.commitment, named.siblings);
        uint256 place = q.index;
        if (q.level != 0) revert WrongNode(place);
        NodeFacts memory node = nodeJudge.verified(named.descriptor, named.descriptorSiblings, _factsOf(claim));
        _requirePlace(claim, node, place);
        (q.place, q.commitment, q.descriptor) = (place, named.commitment, keccak256(named.descriptor));
        (q.node, q.index, q.leaves) = (bytes32(0), 0, node.leaves);
        if (named.isLink) {
            bool isStored = node.opcode == Opcodes.STORE && node.tape == 2;
            if (node.opcode != Opcodes.LOAD && !isStored) revert WrongNode(place);
            _end(id, c, job, q, Stage.Link, Refunds.NAME);
        } else {
            // What a LOAD yields is no element's business.
            if (node.opcode == Opcodes.LOAD) revert WrongNode(place);
            (q.stateBefore, q.stateAfter) = (bytes32(0), bytes32(0));
            _end(id, c, job, q, Stage.Hashes, Refunds.NAME);
        }
    }

    /// @inheritdoc IDisputeGame
    function answerLink(
        uint256 id,
        Position calldata p,
        LinkAnswer calldata answer
    ) external nonReentrant {
        (Challenge storage c, Job storage job) = _begin(id, p, Stage.Link);
        TrainingClaim memory claim = claims.claimOf(c.jobId);
        _requireLink(p, answer, claim);
        _loseChallenge(id, c, job);
    }

    /// @inheritdoc IDisputeGame
    function postHashes(uint256 id, Position calldata p, int256 exponent, bytes32[] calldata nodes) external {
        (Challenge storage c, Job storage job) = _begin(id, p, Stage.Hashes);
        Position memory q = p;
        q.level = MerkleProofs.depthOf(p.leaves);
        q.node = _rootOf(nodes, q);
        q.exponent = exponent;
        bool isExponent = exponent == int256(int32(exponent));
        if (!isExponent || TensorLeaves.commitmentOf(q.node, exponent) != p.commitment) revert WrongTensor();
        emit NodesPosted(id, nodes);
        _end(id, c, job, q, Stage.Leaf, 0);
    }

    /// @inheritdoc IDisputeGame
    function postLeaf(
        uint256 id,
        Position calldata p,
        bytes calldata descriptor,
        bytes calldata leaf
    ) external nonReentrant {
        (Challenge storage c, Job storage job) = _begin(id, p, Stage.OpenLeaf);
        if (keccak256(descriptor) != p.descriptor) revert WrongNode(p.place);
        if (MerkleProofs.leafOf(leaf) != p.node) revert WrongPostedLeaf();
        emit LeafPosted(id, leaf);
        if (nodeJudge.isCanonical(descriptor, p.index, leaf)) _end(id, c, job, p, Stage.Element, 0);
        else _convict(id, c, job);
    }

    /// @dev Facts of the node that a position names.
    function _named(
        Position calldata p,
        bytes calldata descriptor,
        TrainingClaim memory claim
    ) internal view returns (NodeFacts memory) {
        if (keccak256(descriptor) != p.descriptor) revert WrongNode(p.place);
        return nodeJudge.factsOf(descriptor, claim.logMicroBatches);
    }

    function _tensorsOf(TrainingClaim memory claim) internal pure returns (uint256) {
        return (claim.nodeCounts[0] << claim.logMicroBatches) + claim.nodeCounts[1] + claim.nodeCounts[2];
    }

    /// @dev The tensor of the position is what its slot holds.
    function _requireLink(
        Position calldata p,
        LinkAnswer calldata answer,
        TrainingClaim memory claim
    ) private view {
        NodeFacts memory node = _named(p, answer.descriptor, claim);
        if (node.space == 0) {
            bytes32 state = node.opcode == Opcodes.LOAD ? p.stateBefore : p.stateAfter;
            bytes32 leaf = keccak256(abi.encodePacked(bytes1(0), p.commitment));
            bytes32 root = MerkleProofs.rootOf(leaf, node.slot, answer.siblings, MerkleProofs.depthOf(claim.slots));
            if (root != state) revert NothingShown();
        } else {
            // A gradient of the step: what tape 1 stored.
            NodeFacts memory from = nodeJudge.verified(answer.store, answer.storeSiblings, _factsOf(claim));
            bool isStore = from.tape == 1 && from.opcode == Opcodes.STORE;
            if (!isStore || from.space != node.space || from.slot != node.slot) revert NothingShown();
            uint256 place = (claim.nodeCounts[0] << claim.logMicroBatches) + from.index;
            uint256 depth = MerkleProofs.depthOf(_tensorsOf(claim));
            if (MerkleProofs.rootOf(p.commitment, place, answer.siblings, depth) != p.tensors) revert NothingShown();
        }
    }

    /// @dev The witness of the step is the one that h binds, and stands where the tape marks it.
    function _requireWitness(
        TrainingClaim memory claim,
        uint256 interval,
        Position memory q,
        PostedTensors calldata posted
    ) private pure {
        uint256 index = q.firstStep - interval * claim.interval;
        uint256 depth = MerkleProofs.depthOf(_stepsOf(claim, interval));
        bytes32 root = MerkleProofs.rootOf(posted.witness, index, posted.witnessSiblings, depth);
        if (root != q.witnesses) revert WrongWitnesses();
        index = ((1 << claim.logMicroBatches) - 1) * claim.nodeCounts[0] + claim.witnessNode;
        root = MerkleProofs.rootOf(posted.witness, index, posted.listSiblings, q.level);
        if (root != q.tensors) revert WrongWitnesses();
    }

    /// @dev The beginning of a challenge of one interval.
    function _atInterval(
        TrainingClaim memory claim,
        uint256 interval,
        TraceLeaf calldata before,
        TraceLeaf calldata next
    ) private pure returns (Position memory p) {
        if (interval + 1 >= _leavesOf(claim)) revert WrongTraceLeaf(interval + 1);
        _requireLeaf(claim, interval, before);
        _requireLeaf(claim, interval + 1, next);
        (p.stateBefore, p.stateAfter, p.witnesses) = (before.stateRoot, next.stateRoot, next.witnessHash);
        p.firstStep = interval * claim.interval;
        p.steps = _stepsOf(claim, interval);
    }

    function _requireLeaf(TrainingClaim memory claim, uint256 index, TraceLeaf calldata opened) private pure {
        bytes32 leaf = keccak256(abi.encode(TRACE_TAG, opened.stateRoot, opened.witnessHash));
        bytes32 hash = keccak256(abi.encodePacked(bytes1(0), leaf));
        uint256 depth = MerkleProofs.depthOf(_leavesOf(claim));
        if (MerkleProofs.rootOf(hash, index, opened.siblings, depth) != claim.traceRoot) {
            revert WrongTraceLeaf(index);
        }
    }

    /// @dev One round down from the position's node.
    function _descend(
        Position memory q,
        uint256 number,
        bytes32 child,
        bytes32[] calldata siblings
    ) private pure {
        uint256 down = Narrowing.levelsDown(q.level);
        uint256 level = q.level - down;
        uint256 count = Narrowing.countBelow(q.leaves, level, q.index, down);
        Narrowing.requireChild(q.node, down, count, number, child, siblings);
        (q.node, q.level, q.index) = (child, level, (q.index << down) + number);
    }

    /// @dev Root of the tree whose upper nodes are posted first.
    function _rootOf(bytes32[] calldata nodes, Position memory q) private pure returns (bytes32) {
        uint256 down = Narrowing.levelsDown(q.level);
        uint256 expected = Narrowing.countBelow(q.leaves, q.level - down, 0, down);
        if (nodes.length != expected) revert Narrowing.WrongNodeCount(nodes.length, expected);
        return Narrowing.fold(nodes, q.level - down, down);
    }

    /// @dev The list of a step: tape 0 for each micro-batch, tape 1, tape 2.
    function _requirePlace(TrainingClaim memory claim, NodeFacts memory node, uint256 place) private pure {
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

    function _leavesOf(TrainingClaim memory claim) private pure returns (uint256) {
        return (claim.steps + claim.interval - 1) / claim.interval + 1;
    }

    function _stepsOf(TrainingClaim memory claim, uint256 interval) private pure returns (uint256) {
        uint256 rest = claim.steps - interval * claim.interval;
        return rest < claim.interval ? rest : claim.interval;
    }

    /// @dev How many state roots stand for so many steps, and how many steps apart.
    function _checkpointsOf(uint256 steps) private pure returns (uint256 count, uint256 width) {
        width = (steps + STATES - 1) / STATES;
        count = (steps + width - 1) / width;
    }
}

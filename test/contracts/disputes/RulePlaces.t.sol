// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {DescentRules} from "../../../contracts/disputes/DescentRules.sol";
import {ElementRules} from "../../../contracts/disputes/ElementRules.sol";
import {ExactOps} from "../../../contracts/disputes/ExactOps.sol";
import {InputRules} from "../../../contracts/disputes/InputRules.sol";
import {NextRound} from "../../../contracts/disputes/NextRound.sol";
import {Opcodes} from "../../../contracts/disputes/Opcodes.sol";
import {RangeRules} from "../../../contracts/disputes/RangeRules.sol";
import {TensorLeaves} from "../../../contracts/disputes/TensorLeaves.sol";
import {TrainingOrder, TrainingOrders} from "../../../contracts/disputes/TrainingOrders.sol";
import {
    Evidence,
    IDescentRules,
    IElementRules,
    IInputRules,
    IRangeRules,
    LinkAnswer,
    NamedRoot,
    NamedTensor,
    ObjectEvidence,
    Outcome,
    Round,
    Stage
} from "../../../contracts/disputes/interfaces/IDisputeRules.sol";
import {MerkleProofs} from "../../../contracts/libraries/MerkleProofs.sol";
import {MiniTest} from "../MiniTest.sol";

/// @notice Where things stand in the lists, trees and traces of a dispute, each told to the rule book itself.
/// @dev The program has three nodes on tape 0, two on tape 1 and one on tape 2; a step has two micro-batches, and so
/// nine tensors: six of tape 0, two of tape 1, one of tape 2.
contract RulePlacesTest is MiniTest {
    DescentRules private immutable descent = new DescentRules();
    ElementRules private immutable element = new ElementRules();
    InputRules private immutable input = new InputRules();
    RangeRules private immutable range = new RangeRules();

    function test_link_toAGradientOfTheStep_isAnsweredByWhatTapeOneStored() public view {
        bytes memory load = _node(2, 0, Opcodes.LOAD, "", hex"020000000100000005");
        bytes memory store = _node(1, 1, Opcodes.STORE, _operand(0), hex"020000000100000005");
        bytes32[] memory program = _program(load, 5);
        program[4] = _leaf(store);
        Round memory round = _round(Stage.Link, load, program);
        round.position.commitment = "gradient";
        LinkAnswer memory answer;
        (answer.descriptor, answer.store, answer.storeSiblings) = (load, store, _siblings(program, 4));
        for (uint256 place = 0; place < 9; ++place) {
            bytes32[] memory tensors = _tensors(place, "gradient");
            round.position.tensors = _root(tensors);
            answer.siblings = _siblings(tensors, place);
            bytes memory call = abi.encodeCall(IDescentRules.answerLink, (round, answer));
            // Behind all of tape 0 for each of the two micro-batches.
            _requireOutcome(address(descent), call, place == 7, Outcome.ChallengeLost);
        }
    }

    function test_tensor_ofATape_isNamedWithThatTapesNode() public {
        bytes[6] memory nodes;
        bytes32[] memory program = new bytes32[](6);
        for (uint256 i = 0; i < 6; ++i) {
            (uint256 tape, uint256 index) = i < 3
                ? (0, i)
                : i < 5
                    ? (1, i - 3)
                    : (2, 0);
            nodes[i] = _node(tape, index, Opcodes.RELU, _operand(0), hex"00");
            program[i] = _leaf(nodes[i]);
        }
        uint8[9] memory nodeAt = [0, 1, 2, 0, 1, 2, 3, 4, 5];
        for (uint256 place = 0; place < 9; ++place) {
            bytes32[] memory tensors = _tensors(place, "tensor");
            Round memory round = _round(Stage.Node, "", program);
            (round.position.node, round.position.level, round.position.leaves) = (_root(tensors), 4, 9);
            for (uint256 i = 0; i < 6; ++i) {
                NamedTensor memory named = NamedTensor(
                    place,
                    "tensor",
                    _siblings(tensors, place),
                    nodes[i],
                    _siblings(program, i)
                );
                bytes memory call = abi.encodeCall(IDescentRules.nameTensor, (round, named));
                _requireOutcome(address(descent), call, nodeAt[place] == i, Outcome.Continued);
                if (nodeAt[place] == i) continue;
                vm.expectRevert(abi.encodeWithSelector(IDescentRules.WrongNode.selector, place));
                descent.nameTensor(round, named);
            }
        }
    }

    function test_search_overManyLeaves_goesOnWithTheSpanThatIsNamed() public view {
        // 400 leaves go in two rounds: 30 state roots, 13 leaves apart.
        bytes32[] memory roots = new bytes32[](30);
        for (uint256 i = 0; i < 30; ++i) roots[i] = bytes32(i + 1);
        Round memory round;
        (round.stage, round.position.from, round.position.to) = (Stage.TraceRoots, 1_000, 1_400);
        Round memory next = _move(abi.encodeCall(IDescentRules.postTrace, (round, roots)));
        vm.assertEq(uint256(next.stage), uint256(Stage.TraceName), "named next");
        vm.assertEq(next.position.node, _root(roots), "posted roots");
        NamedRoot memory named;
        named.number = 2;
        (named.before, named.beforeSiblings) = (roots[1], _siblings(roots, 1));
        (named.next, named.nextSiblings) = (roots[2], _siblings(roots, 2));
        next = _move(abi.encodeCall(IDescentRules.nameTrace, (next, named)));
        vm.assertEq(abi.encode(next.position.from, next.position.to), abi.encode(1_026, 1_039), "span");
        vm.assertEq(uint256(next.stage), uint256(Stage.TraceRoots), "goes on");
    }

    function test_nodes_ofALevelAboveTheLeaves_areThoseBelowTheNode() public {
        // 300 leaves, nine levels: the first round posts the 19 nodes four levels above the leaves.
        bytes32[] memory leaves = new bytes32[](300);
        for (uint256 i = 0; i < 300; ++i) leaves[i] = keccak256(abi.encode(i));
        bytes32[] memory nodes = new bytes32[](19);
        for (uint256 i = 0; i < 19; ++i) {
            bytes32[] memory below = new bytes32[](16);
            for (uint256 k = 0; k < 16 && 16 * i + k < 300; ++k) below[k] = leaves[16 * i + k];
            nodes[i] = _root(below);
        }
        Round memory round;
        round.stage = Stage.TensorNodes;
        (round.position.node, round.position.level, round.position.leaves) = (_root(leaves), 9, 300);
        Round memory next = _move(abi.encodeCall(IDescentRules.postNodes, (round, nodes)));
        vm.assertEq(uint256(next.stage), uint256(Stage.Node), "goes on");
        (nodes[0], nodes[1]) = (nodes[1], nodes[0]);
        vm.expectPartialRevert(bytes4(keccak256("WrongNodes(bytes32,bytes32)")));
        descent.postNodes(round, nodes);
    }

    function test_attack_anElementThatIsNoWitness_freesNobody() public {
        Evidence memory evidence;
        evidence.descriptor = _node(0, 2, Opcodes.REQUANTIZE, _operand(1), hex"00");
        evidence.proofs = new bytes32[][](1);
        bytes memory row = new bytes(32);
        (row[0], row[3]) = (0x7f, 0x01);
        // Exponent 0, one span: one leaf from leaf 0 on.
        evidence.operands = bytes.concat(hex"0000000001000000000001", row);
        bytes32[] memory tensors = _tensors(1, TensorLeaves.commitmentOf(_leaf(row), 0));
        evidence.proofs[0] = _siblings(tensors, 1);
        Round memory round = _round(Stage.Witness, evidence.descriptor, new bytes32[](6));
        (round.position.place, round.position.tensors, round.position.exponent) = (2, _root(tensors), 1);
        // 0x7f00 fits 16 bits at exponent 0: nothing shows that exponent 1 is needed.
        vm.expectRevert(IDescentRules.NothingShown.selector);
        element.answerWitness(round, evidence);
        evidence.out = 1;
        vm.expectRevert(IDescentRules.NothingShown.selector);
        element.answerWitness(round, evidence);
        // Where the exponent is the smallest that there is, every element shows it.
        round.position.exponent = 0;
        _requireOutcome(
            address(element),
            abi.encodeCall(IElementRules.answerWitness, (round, evidence)),
            true,
            Outcome.ChallengeLost
        );
    }

    function test_operands_withAByteTooMany_areRefusedWithBothLengths() public {
        Evidence memory evidence;
        evidence.descriptor = _node(0, 2, Opcodes.RELU, _operand(1), hex"00");
        evidence.operands = new bytes(38);
        Round memory round = _round(Stage.Element, evidence.descriptor, new bytes32[](6));
        vm.expectRevert(abi.encodeWithSelector(ExactOps.WrongOperands.selector, 38, 37));
        element.ruleElement(round, evidence);
    }

    function test_sum_ofAnElementThatTheTensorDoesNotHave_isNotAskedFor() public {
        bytes memory matrix = bytes.concat(_operand(0), _operand(1));
        bytes memory product = _nodeOf(0, 2, Opcodes.MATMUL, 2, matrix, hex"0100000000");
        Round memory round = _round(Stage.Element, product, new bytes32[](6));
        _requireOutcome(
            address(range),
            abi.encodeCall(IRangeRules.askSums, (round, product, 7)),
            true,
            Outcome.Continued
        );
        vm.expectRevert(IRangeRules.WrongSums.selector);
        range.askSums(round, product, 8);
    }

    function test_label_thatNamesNoClass_convictsAndOthersDoNot() public view {
        // Offset 0, one unsigned byte, times 1, plus 0, exponent 0, ten classes.
        bytes memory labels = abi.encodePacked(uint8(6), int32(0), int32(0), int32(1), int32(0), int32(0));
        labels = bytes.concat(labels, abi.encodePacked(int32(10)));
        _requireLabel(labels, 10, true);
        _requireLabel(labels, 255, true);
        _requireLabel(labels, 9, false);
    }

    /// @dev Whether the label of the first object, which is claimed as it is stored, convicts in the one micro-batch that it is in.
    function _requireLabel(bytes memory attributes, uint8 label, bool isWrong) private view {
        for (uint256 microBatch = 0; microBatch < 2; ++microBatch) {
            (bytes memory call, bool isThere) = _labelCall(attributes, label, microBatch);
            _requireOutcome(address(input), call, isThere && isWrong, Outcome.ProviderConvicted);
        }
    }

    /// @dev Of a step on two objects, one in each of its micro-batches, the first object's label is shown.
    /// @return call the move
    /// @return isThere whether the micro-batch has that object
    function _labelCall(
        bytes memory attributes,
        uint8 label,
        uint256 microBatch
    ) private pure returns (bytes memory call, bool isThere) {
        TrainingOrder memory order;
        order.tag = keccak256("assay/training/v1");
        (order.objects, order.training, order.objectBytes, order.steps) = (2, 2, 1, 1);
        order.logMicroBatches = 1;
        ObjectEvidence memory object;
        object.objectProof = new bytes32[](1);
        object.objectProof[0] = keccak256("the other object");
        bytes32[] memory objects = new bytes32[](2);
        (objects[0], objects[1]) = (_leaf(abi.encodePacked(label)), object.objectProof[0]);
        order.objectRoot = MerkleProofs.rootOfAll(objects);
        isThere = TrainingOrders.objectAt(order, 0, microBatch, 0) == 0;
        bytes memory whole = abi.encode(order);
        Evidence memory evidence;
        // A list of values is encoded as a struct without the offset in front.
        evidence.order = new bytes(whole.length - 32);
        for (uint256 i = 32; i < whole.length; ++i) evidence.order[i - 32] = whole[i];
        bytes memory form = abi.encodePacked(uint8(Opcodes.I16), uint8(2), uint8(1), uint32(1), uint32(1));
        bytes memory head = abi.encodePacked(uint8(0), uint32(0), uint8(Opcodes.INPUT), uint8(16), uint8(0));
        evidence.descriptor = bytes.concat(head, form, hex"00", attributes);
        Round memory round = _round(Stage.Element, evidence.descriptor, new bytes32[](6));
        round.claim.trainingHash = keccak256(evidence.order);
        evidence.leaf = new bytes(32);
        evidence.leaf[1] = bytes1(label);
        round.position.node = _leaf(evidence.leaf);
        round.position.place = microBatch * round.claim.nodeCounts[0];
        object.raw = abi.encodePacked(label);
        object.chunks = new bytes[](1);
        object.chunks[0] = object.raw;
        object.chunkProofs = new bytes32[][](1);
        call = abi.encodeCall(IInputRules.ruleInput, (round, evidence, object));
    }

    function _move(bytes memory call) private view returns (Round memory next) {
        (bool ok, bytes memory result) = address(descent).staticcall(call);
        vm.assertTrue(ok, "taken");
        Outcome outcome;
        (outcome, next) = abi.decode(result, (Outcome, Round));
        vm.assertEq(uint256(outcome), uint256(Outcome.Continued), "goes on");
    }

    function _requireOutcome(address book, bytes memory call, bool isTaken, Outcome expected) private view {
        (bool ok, bytes memory result) = book.staticcall(call);
        vm.assertEq(ok, isTaken, "taken");
        if (!ok) return;
        vm.assertEq(result.length, 32 + NextRound.LENGTH, "length");
        vm.assertEq(uint256(abi.decode(result, (Outcome))), uint256(expected), "outcome");
    }

    function _round(
        Stage stage,
        bytes memory descriptor,
        bytes32[] memory program
    ) private pure returns (Round memory round) {
        round.stage = stage;
        round.position.descriptor = keccak256(descriptor);
        round.claim.nodeCounts = [uint256(3), 2, 1];
        round.claim.logMicroBatches = 1;
        round.claim.programRoot = _root(program);
    }

    /// @dev Leaves of a program of six nodes, one of which is known.
    function _program(bytes memory node, uint256 at) private pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](6);
        leaves[at] = _leaf(node);
    }

    /// @dev The nine tensors of a step, one of which is known.
    function _tensors(uint256 place, bytes32 commitment) private pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](9);
        for (uint256 i = 0; i < 9; ++i) leaves[i] = i == place ? commitment : keccak256(abi.encode(i));
    }

    function _leaf(bytes memory data) private pure returns (bytes32) {
        return keccak256(bytes.concat(hex"00", data));
    }

    /// @dev The tree over leaves, absent ones being zero, level by level.
    function _root(bytes32[] memory leaves) private pure returns (bytes32) {
        bytes32[] memory level = _padded(leaves);
        while (level.length > 1) level = _above(level);
        return level[0];
    }

    function _siblings(bytes32[] memory leaves, uint256 index) private pure returns (bytes32[] memory path) {
        bytes32[] memory level = _padded(leaves);
        uint256 depth = 0;
        while (1 << depth < level.length) ++depth;
        path = new bytes32[](depth);
        for (uint256 i = 0; i < depth; ++i) {
            path[i] = level[index ^ 1];
            (level, index) = (_above(level), index / 2);
        }
    }

    function _padded(bytes32[] memory leaves) private pure returns (bytes32[] memory level) {
        uint256 width = 1;
        while (width < leaves.length) width *= 2;
        level = new bytes32[](width);
        for (uint256 i = 0; i < leaves.length; ++i) level[i] = leaves[i];
    }

    function _above(bytes32[] memory level) private pure returns (bytes32[] memory above) {
        above = new bytes32[](level.length / 2);
        for (uint256 i = 0; i < above.length; ++i) {
            above[i] = keccak256(bytes.concat(hex"01", level[2 * i], level[2 * i + 1]));
        }
    }

    /// @dev A node with one operand, or none: I16, one row of eight.
    function _node(
        uint256 tape,
        uint256 index,
        uint256 opcode,
        bytes memory operand,
        bytes memory attributes
    ) private pure returns (bytes memory) {
        return _nodeOf(tape, index, opcode, operand.length == 0 ? 0 : 1, operand, attributes);
    }

    function _nodeOf(
        uint256 tape,
        uint256 index,
        uint256 opcode,
        uint8 inputs,
        bytes memory operands,
        bytes memory attributes
    ) private pure returns (bytes memory) {
        bytes memory head = abi.encodePacked(uint8(tape), uint32(index), uint8(opcode), uint8(16), uint8(0));
        return bytes.concat(head, _layout(), bytes1(inputs), operands, attributes);
    }

    function _operand(uint32 index) private pure returns (bytes memory) {
        return bytes.concat(abi.encodePacked(index), _layout());
    }

    function _layout() private pure returns (bytes memory) {
        return abi.encodePacked(uint8(Opcodes.I16), uint8(2), uint8(1), uint32(1), uint32(8));
    }
}

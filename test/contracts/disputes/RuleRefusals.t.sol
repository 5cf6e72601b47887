// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {DescentRules} from "../../../contracts/disputes/DescentRules.sol";
import {ElementRules} from "../../../contracts/disputes/ElementRules.sol";
import {ExactFinish} from "../../../contracts/disputes/ExactFinish.sol";
import {ExactInput} from "../../../contracts/disputes/ExactInput.sol";
import {ExactLoss} from "../../../contracts/disputes/ExactLoss.sol";
import {ExactOps, StepContext} from "../../../contracts/disputes/ExactOps.sol";
import {InputRules} from "../../../contracts/disputes/InputRules.sol";
import {Narrowing} from "../../../contracts/disputes/Narrowing.sol";
import {Node} from "../../../contracts/disputes/NodeDescriptor.sol";
import {Opcodes} from "../../../contracts/disputes/Opcodes.sol";
import {Claims, Position} from "../../../contracts/disputes/Position.sol";
import {RangeRules} from "../../../contracts/disputes/RangeRules.sol";
import {RoundRules} from "../../../contracts/disputes/RoundRules.sol";
import {SampleOrder} from "../../../contracts/disputes/SampleOrder.sol";
import {SumRules} from "../../../contracts/disputes/SumRules.sol";
import {Tensor} from "../../../contracts/disputes/TensorLeaves.sol";
import {TrainingOrder} from "../../../contracts/disputes/TrainingOrders.sol";
import {
    Evidence,
    IDescentRules,
    IElementRules,
    IInputRules,
    IRangeRules,
    NamedStep,
    ObjectEvidence,
    PostedStates,
    Round,
    Stage
} from "../../../contracts/disputes/interfaces/IDisputeRules.sol";
import {MiniTest} from "../MiniTest.sol";

/// @notice Moves that are not what was committed to, each told to the rule book itself: its stage, and one thing wrong.
contract RuleRefusalsTest is MiniTest {
    DescentRules private immutable descent = new DescentRules();
    ElementRules private immutable element = new ElementRules();
    SumRules private immutable sum = new SumRules();
    RangeRules private immutable range = new RangeRules();
    InputRules private immutable input = new InputRules();

    function test_postStates_ofAnotherNumber_isRefused() public {
        Round memory round = _round(Stage.States);
        (round.claim.steps, round.claim.interval, round.position.steps) = (100, 10, 4);
        PostedStates memory posted;
        vm.expectRevert(abi.encodeWithSelector(IDescentRules.WrongStates.selector, 0, 4));
        descent.postStates(round, posted);
    }

    function test_nameStep_fromAnotherState_isRefused() public {
        Round memory round = _round(Stage.Step);
        (round.position.steps, round.position.node, round.position.stateBefore) = (1, "next", "before");
        NamedStep memory named;
        (named.next, named.before) = ("next", "another");
        vm.expectRevert(abi.encodeWithSelector(IDescentRules.WrongStep.selector, 0));
        descent.nameStep(round, named);
    }

    function test_nameChild_ofALeafWhereATensorIsToBeNamed_isRefused() public {
        Round memory round = _round(Stage.Node);
        (round.position.node, round.position.leaves) = ("leaf", 1);
        vm.expectRevert(abi.encodeWithSelector(IDescentRules.WrongNode.selector, 0));
        descent.nameChild(round, 0, "leaf", new bytes32[](0));
    }

    function test_postNodes_tooFewOrOthers_isRefused() public {
        Round memory round = _round(Stage.TensorNodes);
        (round.position.node, round.position.leaves) = ("node", 1);
        vm.expectRevert(abi.encodeWithSelector(Narrowing.WrongNodeCount.selector, 0, 1));
        descent.postNodes(round, new bytes32[](0));
        vm.expectRevert(abi.encodeWithSelector(Narrowing.WrongNodes.selector, bytes32(0), bytes32("node")));
        descent.postNodes(round, new bytes32[](1));
    }

    function test_postHashes_ofAnotherTensor_isRefused() public {
        Round memory round = _round(Stage.Hashes);
        round.position.leaves = 1;
        vm.expectRevert(abi.encodeWithSelector(Narrowing.WrongNodeCount.selector, 0, 1));
        descent.postHashes(round, 0, new bytes32[](0));
        vm.expectRevert(IDescentRules.WrongTensor.selector);
        descent.postHashes(round, 0, new bytes32[](1));
    }

    function test_postLeaf_ofAnotherHash_isRefused() public {
        bytes memory descriptor = _unary(Opcodes.RELU);
        Round memory round = _roundOf(Stage.OpenLeaf, descriptor);
        vm.expectRevert(IDescentRules.WrongPostedLeaf.selector);
        descent.postLeaf(round, hex"00");
    }

    function test_ruleElement_byTheOtherBook_isRefused() public {
        Evidence memory evidence;
        evidence.descriptor = _unary(Opcodes.ROW_SUM);
        Round memory round = _roundOf(Stage.Element, evidence.descriptor);
        vm.expectRevert(abi.encodeWithSelector(IElementRules.OtherRules.selector, Opcodes.ROW_SUM));
        element.ruleElement(round, evidence);
        evidence.descriptor = _unary(Opcodes.RELU);
        round = _roundOf(Stage.Element, evidence.descriptor);
        vm.expectRevert(abi.encodeWithSelector(IElementRules.OtherRules.selector, Opcodes.RELU));
        sum.ruleElement(round, evidence);
    }

    function test_ruleElement_withOtherProofsOrAnotherLeaf_isRefused() public {
        Evidence memory evidence;
        evidence.descriptor = _descriptor(Opcodes.INPUT, "", hex"0100000000");
        evidence.proofs = new bytes32[][](1);
        Round memory round = _roundOf(Stage.Element, evidence.descriptor);
        vm.expectRevert(abi.encodeWithSelector(IElementRules.WrongProofCount.selector, 1, 0));
        element.ruleElement(round, evidence);
        vm.expectRevert(abi.encodeWithSelector(IElementRules.WrongLeaf.selector, 5));
        this.mantissaOf(round.position, evidence, _inputNode());
    }

    function test_ruleElement_ofASumOverWhatIsNoStore_isRefused() public {
        Evidence memory evidence;
        evidence.descriptor = _descriptor(Opcodes.ACCUMULATE, "", hex"0100000000");
        // One gradient of which no leaf is opened: exponent, count, root.
        evidence.operands = new bytes(37);
        evidence.proofs = new bytes32[][](1);
        evidence.store = _unary(Opcodes.RELU);
        evidence.storeProof = new bytes32[](2);
        Round memory round = _roundOf(Stage.Element, evidence.descriptor);
        // The last of four nodes, beside three absent ones.
        bytes32 leaf = keccak256(bytes.concat(hex"00", evidence.store));
        bytes32 above = keccak256(bytes.concat(hex"01", bytes32(0), leaf));
        round.claim.programRoot = keccak256(bytes.concat(hex"01", bytes32(0), above));
        round.claim.nodeCounts = [uint256(4), 0, 0];
        vm.expectRevert(IElementRules.WrongStore.selector);
        sum.ruleElement(round, evidence);
    }

    function test_ruleInput_ofAnotherObject_isRefused() public {
        TrainingOrder memory order;
        order.tag = keccak256("assay/training/v1");
        (order.objects, order.training, order.objectBytes) = (4, 4, 8);
        bytes memory whole = abi.encode(order);
        Evidence memory evidence;
        // A list of values is encoded as a struct without the offset in front.
        evidence.order = new bytes(whole.length - 32);
        for (uint256 i = 32; i < whole.length; ++i) evidence.order[i - 32] = whole[i];
        evidence.descriptor = _descriptor(Opcodes.INPUT, "", hex"020000000000000000");
        Round memory round = _roundOf(Stage.Element, evidence.descriptor);
        round.claim.trainingHash = keccak256(evidence.order);
        ObjectEvidence memory object;
        vm.expectPartialRevert(IInputRules.WrongObject.selector);
        input.ruleInput(round, evidence, object);
    }

    function test_softmaxGradient_overASumThatNoExponentialsHave_isRefused() public {
        Node memory node;
        node.output.shape = [uint256(1), 8, 1, 1];
        node.attributes = new int256[](2);
        Tensor[] memory tensors = new Tensor[](3);
        // Bytes behind the end of calldata read as zero.
        for (uint256 i = 0; i < 3; ++i) {
            Tensor memory t = tensors[i];
            (t.dtype, t.width, t.elements, t.rowLength, t.rowBytes) = (Opcodes.I16, 2, 8, 8, 16);
            (t.to, t.origin) = (16, 1e6);
        }
        vm.expectRevert(abi.encodeWithSelector(ExactLoss.NoSum.selector, 0));
        this.softmaxGradient(node, tensors);
    }

    function test_ruleInput_ofAnotherNodeOrOrder_isRefused() public {
        Evidence memory evidence;
        ObjectEvidence memory object;
        evidence.descriptor = _unary(Opcodes.RELU);
        Round memory round = _roundOf(Stage.Element, evidence.descriptor);
        round.position.place = 3;
        vm.expectRevert(abi.encodeWithSelector(IDescentRules.WrongNode.selector, 3));
        input.ruleInput(round, evidence, object);
        evidence.descriptor = _descriptor(Opcodes.INPUT, "", hex"0100000000");
        round = _roundOf(Stage.Element, evidence.descriptor);
        vm.expectRevert(IElementRules.WrongOrder.selector);
        input.ruleInput(round, evidence, object);
    }

    function test_sums_otherThanThePostedOnes_areRefused() public {
        Round memory round = _round(Stage.Sums);
        (round.position.sums, round.position.total) = ("posted before", 1);
        vm.expectRevert(IRangeRules.WrongSums.selector);
        range.postSums(round, new bytes(8));
        round.stage = Stage.Sum;
        vm.expectRevert(IRangeRules.WrongSums.selector);
        range.narrowSum(round, new bytes(8), 0);
    }

    function test_exactArithmetic_ofNodesThatHaveNone_isRefused() public {
        Node memory node;
        Tensor[] memory tensors = new Tensor[](1);
        node.opcode = 0;
        node.output.shape = [uint256(1), 1, 1, 1];
        vm.expectRevert(abi.encodeWithSelector(ExactOps.NoOperation.selector, 0));
        this.complete(node, tensors);
        node.opcode = Opcodes.STORE;
        vm.expectRevert(abi.encodeWithSelector(ExactFinish.NotRequantized.selector, Opcodes.STORE));
        this.isWitness(node);
        vm.expectPartialRevert(ExactInput.WrongRawLength.selector);
        this.inputElement(_inputNode(), new bytes(3));
    }

    function test_samples_thatNoBatchHas_areRefused() public {
        SampleOrder.Order memory order = SampleOrder.Order("seed", 0, 100, 4, 8, 2);
        vm.expectRevert(abi.encodeWithSelector(SampleOrder.NoSuchRow.selector, 2, 0));
        this.objectAt(order, 2, 0);
        vm.expectRevert(abi.encodeWithSelector(SampleOrder.NoSuchRow.selector, 0, 8));
        this.objectAt(order, 0, 8);
        vm.expectRevert(abi.encodeWithSelector(SampleOrder.NoSteps.selector, 4, 16));
        this.objectAt(order, 0, 0);
    }

    function complete(Node memory node, Tensor[] memory tensors) external pure {
        StepContext memory context;
        ExactOps.complete(node, tensors, 0, new int256[](0), context);
    }

    function softmaxGradient(Node memory node, Tensor[] memory tensors) external pure {
        ExactLoss.softmaxGradient(node, tensors, 0);
    }

    function isWitness(Node memory node) external pure {
        ExactFinish.isWitness(node, 0, 0, 0);
    }

    function inputElement(Node memory node, bytes calldata raw) external pure {
        ExactInput.element(node, raw);
    }

    function mantissaOf(
        Position calldata position,
        Evidence calldata evidence,
        Node memory node
    ) external pure returns (int256) {
        return RoundRules.mantissaOf(position, Claims.MANTISSA, evidence, node, 5);
    }

    function objectAt(
        SampleOrder.Order memory order,
        uint256 microBatch,
        uint256 row
    ) external pure returns (uint256) {
        return SampleOrder.objectAt(order, 0, microBatch, row);
    }

    function _inputNode() private pure returns (Node memory node) {
        node.opcode = Opcodes.INPUT;
        node.output.shape = [uint256(1), 8, 1, 1];
        node.attributes = new int256[](4);
    }

    function _round(Stage stage) private pure returns (Round memory round) {
        round.stage = stage;
    }

    function _roundOf(Stage stage, bytes memory descriptor) private pure returns (Round memory round) {
        round.stage = stage;
        round.position.descriptor = keccak256(descriptor);
        round.claim.nodeCounts = [uint256(8), 1, 1];
    }

    /// @dev Node 3 of tape 0 with one operand like itself: I16, one row of eight.
    function _unary(uint256 opcode) private pure returns (bytes memory) {
        return _descriptor(opcode, bytes.concat(hex"00000002", _layout()), hex"00");
    }

    function _descriptor(
        uint256 opcode,
        bytes memory operand,
        bytes memory attributes
    ) private pure returns (bytes memory) {
        bytes memory head = abi.encodePacked(uint8(0), uint32(3), uint8(opcode), uint8(16), uint8(0));
        uint8 inputs = operand.length == 0 ? 0 : 1;
        return bytes.concat(head, _layout(), bytes1(inputs), operand, attributes);
    }

    function _layout() private pure returns (bytes memory) {
        return abi.encodePacked(uint8(Opcodes.I16), uint8(2), uint8(1), uint32(1), uint32(8));
    }
}

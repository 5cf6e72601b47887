// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {DescentRules} from "../../../contracts/disputes/DescentRules.sol";
import {ElementRules} from "../../../contracts/disputes/ElementRules.sol";
import {ExactFinish} from "../../../contracts/disputes/ExactFinish.sol";
import {Node} from "../../../contracts/disputes/NodeDescriptor.sol";
import {NextRound} from "../../../contracts/disputes/NextRound.sol";
import {ObjectBytes} from "../../../contracts/disputes/ObjectBytes.sol";
import {Opcodes} from "../../../contracts/disputes/Opcodes.sol";
import {Claims, Position} from "../../../contracts/disputes/Position.sol";
import {RangeRules} from "../../../contracts/disputes/RangeRules.sol";
import {RoundRules} from "../../../contracts/disputes/RoundRules.sol";
import {RuleBooks} from "../../../contracts/disputes/RuleBooks.sol";
import {SumRules} from "../../../contracts/disputes/SumRules.sol";
import {TrainingOrder} from "../../../contracts/disputes/TrainingOrders.sol";
import {
    Evidence,
    IDescentRules,
    IElementRules,
    IInputRules,
    IRangeRules,
    ISumRules,
    IVoidRules,
    NamedTensor,
    ObjectEvidence,
    Outcome,
    PostedStates,
    Round,
    Stage,
    TraceLeaf
} from "../../../contracts/disputes/interfaces/IDisputeRules.sol";
import {MiniTest} from "../MiniTest.sol";

/// @notice Whose turn it is at a stage, as every game asks.
contract Turns is RuleBooks {
    constructor()
        RuleBooks(
            IDescentRules(address(0)),
            IElementRules(address(0)),
            ISumRules(address(0)),
            IRangeRules(address(0)),
            IInputRules(address(0)),
            IVoidRules(address(0))
        )
    {}

    function isClaimants(Stage stage) external pure returns (bool) {
        return _isClaimants(stage);
    }
}

/// @notice The rule books at the edges of stages, trees, chunks and ranges, each asked directly.
contract RuleEdgesTest is MiniTest {
    DescentRules private immutable descent = new DescentRules();
    ElementRules private immutable element = new ElementRules();
    SumRules private immutable sum = new SumRules();
    RangeRules private immutable range = new RangeRules();

    function test_turns_areTheClaimantsWhereItPosts_andTheOthersWhereOneNames() public {
        Turns turns = new Turns();
        bool[20] memory claimants = [
            false, // None
            true, // States
            false, // Step
            true, // Tensors
            true, // TensorNodes
            false, // Node
            true, // Hashes
            true, // HashNodes
            false, // Leaf
            true, // OpenLeaf
            false, // Element
            true, // Sums
            false, // Sum
            true, // Witness
            true, // Link
            false, // TraceName
            true, // TraceLeaves
            true, // TraceRoots
            true, // StateNodes
            false // StateName
        ];
        for (uint256 i = 0; i < claimants.length; ++i)
            vm.assertEq(turns.isClaimants(Stage(i)), claimants[i], "turn");
        vm.assertTrue(turns.isClaimants(Stage.MemberLeaves), "a member posts");
        vm.assertFalse(turns.isClaimants(Stage.Closed), "nobody's");
    }

    function test_moves_giveBackTheOutcomeAndTheRoundAndNoByteMore() public view {
        Round memory round = _round(Stage.Node);
        (round.position.stateAfter, round.claim.slots) = ("after", 9);
        (bool ok, bytes memory result) = address(descent).staticcall(
            abi.encodeCall(IDescentRules.nameState, (round))
        );
        vm.assertTrue(ok, "taken");
        vm.assertEq(result.length, 32 + NextRound.LENGTH, "length");
        (Outcome outcome, Round memory next) = abi.decode(result, (Outcome, Round));
        vm.assertEq(uint256(outcome), uint256(Outcome.Continued), "goes on");
        vm.assertEq(uint256(next.stage), uint256(Stage.StateNodes), "stage");
        vm.assertEq(next.position.node, "after", "node");
        vm.assertEq(next.position.level, 4, "levels above nine slots");
    }

    function test_moves_ofAnotherStage_areRefused() public {
        Round memory round = _round(Stage.Element);
        Evidence memory evidence;
        bytes memory wrongStage = abi.encodeWithSelector(IDescentRules.WrongStage.selector, Stage.Element);
        vm.expectRevert(wrongStage);
        element.answerWitness(round, evidence);
        vm.expectRevert(wrongStage);
        range.postSums(round, new bytes(8));
        vm.expectRevert(wrongStage);
        range.answerWitnessSums(round, "", 0, "");
        vm.expectRevert(wrongStage);
        sum.ruleSum(round, evidence, new bytes(8), 0);
        round.stage = Stage.Sum;
        round.position.sums = "others";
        vm.expectRevert(IRangeRules.WrongSums.selector);
        sum.ruleSum(round, evidence, new bytes(8), 0);
    }

    function test_nameTensor_aboveTheLeavesOfALongList_isRefused() public {
        Round memory round = _round(Stage.Node);
        (round.position.level, round.position.leaves) = (9, 300);
        // Nine levels go in two rounds, of which the first has five.
        bytes32 node = "inner";
        for (uint256 i = 0; i < 5; ++i) node = keccak256(bytes.concat(hex"01", node, bytes32(0)));
        round.position.node = node;
        NamedTensor memory named;
        (named.commitment, named.siblings) = ("inner", new bytes32[](5));
        vm.expectRevert(abi.encodeWithSelector(IDescentRules.WrongNode.selector, 0));
        descent.nameTensor(round, named);
    }

    function test_openInterval_fromAnotherStateThanWasPosted_isRefused() public {
        Round memory round = _round(Stage.TraceLeaves);
        (round.claim.steps, round.claim.interval, round.position.from) = (100, 10, 3);
        (round.position.stateBefore, round.position.stateAfter) = ("before", "after");
        TraceLeaf memory before;
        TraceLeaf memory next;
        PostedStates memory posted;
        (before.stateRoot, next.stateRoot) = ("another", "after");
        vm.expectRevert(abi.encodeWithSelector(IDescentRules.WrongTraceLeaf.selector, 3));
        descent.openInterval(round, before, next, posted);
        (before.stateRoot, next.stateRoot) = ("before", "another");
        vm.expectRevert(abi.encodeWithSelector(IDescentRules.WrongTraceLeaf.selector, 4));
        descent.openInterval(round, before, next, posted);
    }

    function test_narrowSum_goesOnWithTheRangeThatIsNamed_unlessItIsOneProduct() public {
        bytes memory sums = new bytes(64 * 8);
        sums[15] = 0x07;
        Round memory round = _round(Stage.Sum);
        round.position.sums = keccak256(sums);
        (round.position.from, round.position.to) = (0, 128);
        (bool ok, bytes memory result) = address(range).staticcall(
            abi.encodeCall(IRangeRules.narrowSum, (round, sums, 1))
        );
        vm.assertTrue(ok, "taken");
        (, Round memory next) = abi.decode(result, (Outcome, Round));
        vm.assertEq(abi.encode(next.position.from, next.position.to), abi.encode(2, 4), "range");
        vm.assertEq(next.position.total, 7, "what was posted for it");
        round.position.to = 64;
        vm.expectRevert(IRangeRules.WrongSums.selector);
        range.narrowSum(round, sums, 1);
        vm.expectRevert(IRangeRules.WrongSums.selector);
        range.narrowSum(round, sums, 0);
    }

    function test_operands_thatAreNotInTheStepsList_areRefused() public {
        Evidence memory evidence;
        evidence.descriptor = _relu();
        // Exponent, number of leaves, data root.
        evidence.operands = new bytes(37);
        evidence.proofs = new bytes32[][](1);
        evidence.proofs[0] = new bytes32[](4);
        Round memory round = _round(Stage.Element);
        round.position.descriptor = keccak256(evidence.descriptor);
        (round.position.place, round.position.tensors) = (3, "others");
        round.claim.nodeCounts = [uint256(8), 1, 1];
        vm.expectRevert(abi.encodeWithSelector(IElementRules.WrongOperand.selector, 0));
        element.ruleElement(round, evidence);
    }

    function test_attack_aLeafThatNobodyPosted_convictsNobody() public {
        Round memory round = _round(Stage.Element);
        round.position.descriptor = keccak256(_relu());
        round.position.node = keccak256(bytes.concat(hex"00", new bytes(32)));
        vm.expectRevert(IDescentRules.WrongPostedLeaf.selector);
        descent.ruleLeaf(round, _relu(), new bytes(31));
        vm.expectRevert(IDescentRules.NothingShown.selector);
        descent.ruleLeaf(round, _relu(), new bytes(32));
    }

    function test_sums_ofNodesThatHaveNone_areNotAskedFor() public {
        Round memory round = _round(Stage.Element);
        round.position.descriptor = keccak256(_relu());
        vm.expectRevert(IRangeRules.WrongSums.selector);
        range.askSums(round, _relu(), 0);
    }

    function test_lowestMantissa_ofEveryTypeAndOfWhatExceedsIt() public pure {
        Node memory node;
        int256[6] memory lowest = [int256(-127), -32_767, -(2 ** 31 - 1), -(2 ** 52 - 1), 0, 0];
        for (uint256 dtype = 0; dtype < 6; ++dtype) {
            node.output.dtype = dtype;
            vm.assertEq(ExactFinish.lowestOf(node), lowest[dtype], "type");
        }
        node.output.dtype = Opcodes.I16;
        node.opcode = Opcodes.INPUT;
        vm.assertEq(ExactFinish.lowestOf(node), -32_768, "an input is any raw value");
        node.opcode = Opcodes.RELAYOUT;
        vm.assertEq(ExactFinish.lowestOf(node), -32_768, "a copy is what it copies");
        node.opcode = Opcodes.SOFTMAX_GRAD;
        node.attributes = new int256[](1);
        // A flag that means nothing here.
        node.attributes[0] = int256(Opcodes.FIXED);
        vm.assertEq(ExactFinish.lowestOf(node), -32_768, "no probability for the label");
        (ExactFinish.Kind kind, ) = ExactFinish.kindOf(node);
        vm.assertEq(uint256(kind), uint256(ExactFinish.Kind.Exact), "exact");
        node.attributes[0] = int256(Opcodes.QUANTIZED);
        vm.assertEq(ExactFinish.lowestOf(node), -32_767, "rounded");
        (kind, ) = ExactFinish.kindOf(node);
        vm.assertEq(uint256(kind), uint256(ExactFinish.Kind.Requantized), "requantised");
    }

    function test_objectBytes_overTheEdgesOfChunks() public view {
        requireBytes(2_500);
        requireBytes(2_048);
        requireBytes(1_024);
        requireBytes(1_023);
    }

    function test_mantissa_thatThePostedLeafEndsWithin_isRefused() public {
        Evidence memory evidence;
        evidence.leaf = new bytes(15);
        Position memory position;
        position.node = keccak256(bytes.concat(hex"00", evidence.leaf));
        vm.assertEq(this.mantissaOf(position, evidence, 6), 0, "the last whole one");
        vm.expectRevert(abi.encodeWithSelector(IElementRules.WrongLeaf.selector, 7));
        this.mantissaOf(position, evidence, 7);
    }

    function areAt(
        ObjectEvidence calldata object,
        TrainingOrder memory order,
        uint256 offset,
        uint256 width
    ) external pure returns (bool) {
        return ObjectBytes.areAt(object, order, 0, offset, width);
    }

    function mantissaOf(
        Position calldata position,
        Evidence calldata evidence,
        uint256 out
    ) external pure returns (int256) {
        Node memory node;
        (node.output.dtype, node.output.rank, node.output.rowAxes) = (Opcodes.I16, 2, 1);
        node.output.shape = [uint256(1), 8, 1, 1];
        return RoundRules.mantissaOf(position, Claims.MANTISSA, evidence, node, out);
    }

    /// @dev Opens every place at which a value of seven bytes can stand around the edges of an object's chunks.
    function requireBytes(uint256 size) private view {
        bytes memory object = new bytes(size);
        for (uint256 i = 0; i < size; ++i) object[i] = bytes1(uint8(uint256(keccak256(abi.encode(i)))));
        uint256 count = (size + 1_023) / 1_024;
        bytes[] memory chunks = new bytes[](count);
        bytes32[4] memory level;
        for (uint256 i = 0; i < count; ++i) {
            uint256 end = (i + 1) * 1_024 < size ? (i + 1) * 1_024 : size;
            chunks[i] = _cut(object, i * 1_024, end);
            level[i] = keccak256(bytes.concat(hex"00", chunks[i]));
        }
        bytes32[2] memory above = [_pair(level[0], level[1]), _pair(level[2], level[3])];
        TrainingOrder memory order;
        (order.objects, order.objectBytes) = (1, size);
        order.objectRoot =
            count == 1
                ? level[0]
                : count == 2
                    ? above[0]
                    : _pair(above[0], above[1]);
        ObjectEvidence memory evidence;
        for (uint256 offset = 0; offset + 7 <= size; ++offset) {
            uint256 within = offset % 1_024;
            if (within > 2 && within < 1_015 && offset + 10 < size) continue;
            (uint256 first, uint256 last) = (offset / 1_024, (offset + 6) / 1_024);
            evidence.raw = _cut(object, offset, offset + 7);
            evidence.chunks = new bytes[](last - first + 1);
            evidence.chunkProofs = new bytes32[][](last - first + 1);
            for (uint256 i = first; i <= last; ++i) {
                evidence.chunks[i - first] = chunks[i];
                bytes32[] memory proof = new bytes32[](
                    count == 1
                        ? 0
                        : count == 2
                            ? 1
                            : 2
                );
                if (proof.length > 0) proof[0] = level[i ^ 1];
                if (proof.length > 1) proof[1] = above[1 - i / 2];
                evidence.chunkProofs[i - first] = proof;
            }
            vm.assertTrue(this.areAt(evidence, order, offset, 7), "there");
            evidence.raw[6] ^= 0x01;
            vm.assertFalse(this.areAt(evidence, order, offset, 7), "other bytes");
            evidence.raw[6] ^= 0x01;
            evidence.chunkProofs = new bytes32[][](evidence.chunks.length + 1);
            vm.assertFalse(this.areAt(evidence, order, offset, 7), "a proof too many");
        }
    }

    function _cut(bytes memory whole, uint256 from, uint256 to) private pure returns (bytes memory part) {
        part = new bytes(to - from);
        for (uint256 i = 0; i < part.length; ++i) part[i] = whole[from + i];
    }

    function _pair(bytes32 left, bytes32 right) private pure returns (bytes32) {
        return keccak256(bytes.concat(hex"01", left, right));
    }

    /// @dev Node 3 of tape 0: I16, one row of eight, of node 2, which is like it.
    function _relu() private pure returns (bytes memory) {
        bytes memory head = abi.encodePacked(uint8(0), uint32(3), uint8(Opcodes.RELU), uint8(16), uint8(0));
        bytes memory form = abi.encodePacked(uint8(Opcodes.I16), uint8(2), uint8(1), uint32(1), uint32(8));
        return bytes.concat(head, form, hex"0100000002", form, hex"00");
    }

    function _round(Stage stage) private pure returns (Round memory round) {
        round.stage = stage;
    }
}

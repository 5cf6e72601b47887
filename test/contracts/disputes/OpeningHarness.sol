// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ElementVerdict, ExactFinish} from "../../../contracts/disputes/ExactFinish.sol";
import {ExactLimits} from "../../../contracts/disputes/ExactLimits.sol";
import {NodeRules} from "../../../contracts/disputes/NodeRules.sol";
import {Layout, Node, NodeDescriptor} from "../../../contracts/disputes/NodeDescriptor.sol";
import {Tensor, TensorLeaves} from "../../../contracts/disputes/TensorLeaves.sol";
import {LeafJudge, LeafVerdict} from "./LeafJudge.sol";

/// @notice Descriptors, leaves and finish rules by themselves.
contract OpeningHarness {
    function verify(
        bytes calldata descriptor,
        bytes32[] calldata siblings,
        bytes32 root,
        uint256[3] calldata counts
    ) external pure returns (uint256, uint256) {
        Node memory node = NodeDescriptor.verify(descriptor, siblings, root, counts);
        return (node.tape, node.index);
    }

    function isWitness(
        bytes calldata descriptor,
        int256 accumulator,
        int256 from,
        int256 to
    ) external pure returns (bool) {
        return ExactFinish.isWitness(NodeDescriptor.decode(descriptor), accumulator, from, to);
    }

    function judge(
        bytes calldata descriptor,
        int256 accumulator,
        int256 from,
        int256 mantissa,
        int256 to
    ) external pure returns (ElementVerdict) {
        return ExactFinish.judge(NodeDescriptor.decode(descriptor), accumulator, from, mantissa, to);
    }

    /// @notice Judges a leaf of a node's output.
    function leaf(
        bytes calldata descriptor,
        bytes32 dataRoot,
        uint256 index,
        bytes calldata data,
        bytes32[] calldata siblings
    ) external pure returns (LeafVerdict) {
        Node memory node = NodeDescriptor.decode(descriptor);
        return LeafJudge.judge(node.output, ExactFinish.lowestOf(node), dataRoot, index, data, siblings);
    }

    /// @notice Mantissas of opened elements of a node's output.
    function read(
        bytes calldata descriptor,
        bytes calldata opening,
        uint256[] calldata wanted
    ) external pure returns (bytes32 commitment, int256[] memory mantissas) {
        Layout memory form = NodeDescriptor.decode(descriptor).output;
        uint256 cursor;
        assembly ("memory-safe") {
            cursor := opening.offset
        }
        (Tensor memory tensor, ) = TensorLeaves.open(form, cursor);
        commitment = TensorLeaves.commitmentOf(tensor.dataRoot, tensor.exponent);
        mantissas = new int256[](wanted.length);
        for (uint256 i = 0; i < wanted.length; ++i) mantissas[i] = TensorLeaves.read(tensor, wanted[i]);
    }

    function areVoid(
        bytes[] calldata descriptors,
        uint256 tape,
        uint256 index
    ) external pure returns (bool[] memory verdicts) {
        verdicts = new bool[](descriptors.length);
        for (uint256 i = 0; i < descriptors.length; ++i) {
            verdicts[i] = NodeRules.isVoid(descriptors[i], tape, index);
        }
    }

    /// @notice Limits that the keepers' checker has too.
    function limits() external pure returns (int256[18] memory) {
        return
            [
                int256(ExactLimits.MAX_ELEMENTS),
                int256(ExactLimits.MAX_NODES),
                int256(1 << ExactLimits.MAX_LOG_BATCH),
                int256(1 << ExactLimits.MAX_LOG_MICRO_BATCHES),
                int256(ExactLimits.MAX_AREA),
                int256(ExactLimits.MAX_STEP),
                int256(ExactLimits.MAX_PRODUCTS),
                int256(ExactLimits.MAX_INPUTS),
                ExactLimits.MIN_PROBABILITY_BITS,
                ExactLimits.MAX_PROBABILITY_BITS,
                ExactLimits.PROBABILITY_BITS_ABOVE_CLASSES,
                int256(ExactLimits.MAX_OPENING),
                ExactLimits.MAX_FACTOR,
                ExactLimits.MAX_FACTOR_SHIFT,
                int256(ExactLimits.ACCUMULATOR_BOUND),
                ExactLimits.LOWEST_EXPONENT,
                ExactLimits.MAX_SHIFT,
                ExactLimits.MAX_SPREAD
            ];
    }
}

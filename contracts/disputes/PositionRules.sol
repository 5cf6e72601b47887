// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {MerkleProofs} from "../libraries/MerkleProofs.sol";
import {ElementVerdict, ExactFinish} from "./ExactFinish.sol";
import {Evidence, IElementJudge} from "./interfaces/IDisputeJudges.sol";
import {Node, NodeDescriptor} from "./NodeDescriptor.sol";
import {Opcodes} from "./Opcodes.sol";
import {Claims, Position} from "./Position.sol";
import {Geometry, TensorGeometry} from "./TensorGeometry.sol";
import {TensorLeaves} from "./TensorLeaves.sol";

/// @title What a position says about one element
library PositionRules {
    using TensorGeometry for Geometry;

    /// @notice The claim of a position, held against an accumulator.
    function isBorneOut(
        Position calldata position,
        Evidence calldata evidence,
        Node memory node,
        uint256 out,
        int256 accumulator,
        int256 exponent
    ) internal pure returns (bool) {
        if (position.claim == Claims.WITNESS) {
            return ExactFinish.isWitness(node, accumulator, exponent, position.exponent);
        }
        int256 mantissa = position.claim == Claims.MANTISSA ? _mantissaOf(position, evidence, node, out) : int256(0);
        ElementVerdict verdict = ExactFinish.judge(node, accumulator, exponent, mantissa, position.exponent);
        if (position.claim == Claims.MANTISSA) return verdict != ElementVerdict.Right;
        return verdict == ElementVerdict.WrongExponent || verdict == ElementVerdict.ExponentTooSmall;
    }

    /// @dev The committed mantissa, from the posted leaf.
    function _mantissaOf(
        Position calldata position,
        Evidence calldata evidence,
        Node memory node,
        uint256 out
    ) private pure returns (int256) {
        bytes calldata leaf = evidence.leaf;
        if (MerkleProofs.leafOf(leaf) != position.node) revert IElementJudge.WrongLeaf(out);
        Geometry memory g = TensorGeometry.geometryOf(node.output);
        uint256 start = g.startOf(position.index);
        uint256 first = (out / g.rowLength) * g.rowBytes + (out % g.rowLength) * g.width;
        bool isElement = out < NodeDescriptor.elements(node.output);
        if (!isElement || first < start || first + g.width > start + leaf.length) revert IElementJudge.WrongLeaf(out);
        uint256 cursor;
        assembly ("memory-safe") {
            cursor := add(leaf.offset, sub(first, start))
        }
        return TensorLeaves.load(cursor, g.width, node.output.dtype < Opcodes.U8);
    }

    /// @notice The node that a position names.
    function nodeOf(
        Position calldata position,
        Evidence calldata evidence
    ) internal pure returns (Node memory node) {
        node = NodeDescriptor.decode(evidence.descriptor);
        if (keccak256(evidence.descriptor) != position.descriptor) {
            revert NodeDescriptor.WrongDescriptor(node.tape, node.index);
        }
    }
}

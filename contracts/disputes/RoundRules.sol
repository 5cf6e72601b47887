// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {MerkleProofs} from "../libraries/MerkleProofs.sol";
import {ElementVerdict, ExactFinish} from "./ExactFinish.sol";
import {TrainingClaim} from "./interfaces/IDisputedClaims.sol";
import {Evidence, IDescentRules, IElementRules, Round, Stage} from "./interfaces/IDisputeRules.sol";
import {Node, NodeDescriptor} from "./NodeDescriptor.sol";
import {Opcodes} from "./Opcodes.sol";
import {Claims, Position} from "./Position.sol";
import {Geometry, TensorGeometry} from "./TensorGeometry.sol";
import {TensorLeaves} from "./TensorLeaves.sol";

/// @title What a round says about its node and one element of it
library RoundRules {
    using TensorGeometry for Geometry;

    /// @notice The node that a round's position names.
    function nodeOf(
        Round calldata round,
        bytes calldata descriptor
    ) internal pure returns (Node memory node) {
        node = NodeDescriptor.decode(descriptor);
        if (keccak256(descriptor) != round.position.descriptor) {
            revert NodeDescriptor.WrongDescriptor(node.tape, node.index);
        }
    }

    /// @notice Tensors of a step: tape 0 for each micro-batch, tape 1, tape 2.
    function tensorsOf(TrainingClaim calldata claim) internal pure returns (uint256) {
        return (claim.nodeCounts[0] << claim.logMicroBatches) + claim.nodeCounts[1] + claim.nodeCounts[2];
    }

    /// @notice A challenger's claim on one element: on its mantissa once the leaf is posted, before that on
    /// the exponent.
    function claimOf(Round calldata round) internal pure returns (uint256) {
        if (round.stage == Stage.Element) return Claims.MANTISSA;
        if (round.stage != Stage.Leaf) revert IDescentRules.WrongStage(round.stage);
        return Claims.EXPONENT;
    }

    /// @notice Whether an accumulator bears a claim out.
    /// @param claim one of `Claims`
    function isBorneOut(
        Position calldata position,
        uint256 claim,
        Node memory node,
        int256 mantissa,
        int256 accumulator,
        int256 exponent
    ) internal pure returns (bool) {
        if (claim == Claims.WITNESS) {
            return ExactFinish.isWitness(node, accumulator, exponent, position.exponent);
        }
        ElementVerdict verdict = ExactFinish.judge(node, accumulator, exponent, mantissa, position.exponent);
        if (claim == Claims.MANTISSA) return verdict != ElementVerdict.Right;
        return verdict == ElementVerdict.WrongExponent || verdict == ElementVerdict.ExponentTooSmall;
    }

    /// @notice The committed mantissa, from the posted leaf; 0 where the claim is on the exponent alone.
    function mantissaOf(
        Position calldata position,
        uint256 claim,
        Evidence calldata evidence,
        Node memory node,
        uint256 out
    ) internal pure returns (int256) {
        if (claim != Claims.MANTISSA) return 0;
        bytes calldata leaf = evidence.leaf;
        if (MerkleProofs.leafOf(leaf) != position.node) revert IElementRules.WrongLeaf(out);
        Geometry memory g = TensorGeometry.geometryOf(node.output);
        uint256 start = g.startOf(position.index);
        uint256 first = (out / g.rowLength) * g.rowBytes + (out % g.rowLength) * g.width;
        bool isElement = out < NodeDescriptor.elements(node.output);
        if (!isElement || first < start || first + g.width > start + leaf.length) {
            revert IElementRules.WrongLeaf(out);
        }
        uint256 cursor;
        assembly ("memory-safe") {
            cursor := add(leaf.offset, sub(first, start))
        }
        return TensorLeaves.load(cursor, g.width, node.output.dtype < Opcodes.U8);
    }
}

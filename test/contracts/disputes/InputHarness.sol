// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ElementVerdict} from "../../../contracts/disputes/ExactFinish.sol";
import {ExactInput} from "../../../contracts/disputes/ExactInput.sol";
import {Node, NodeDescriptor} from "../../../contracts/disputes/NodeDescriptor.sol";
import {Batch, BatchJudge} from "./BatchJudge.sol";

/// @notice Calls the library that reads objects as a dispute does, and shows what it returns.
contract InputHarness is BatchJudge {
    /// @notice Accumulators and exponents of elements of an INPUT node, and the verdicts on mantissas.
    function inputs(
        bytes calldata descriptor,
        bytes[] calldata objects,
        Batch calldata batch
    ) external pure returns (int256[] memory accumulators, int256 from, ElementVerdict[] memory verdicts) {
        Node memory node = NodeDescriptor.decode(descriptor);
        accumulators = new int256[](batch.outs.length);
        for (uint256 i = 0; i < accumulators.length; ++i) {
            (uint256 row, uint256 offset, uint256 width) = ExactInput.placeOf(node, batch.outs[i]);
            (accumulators[i], from) = ExactInput.element(node, objects[row][offset:offset + width]);
        }
        verdicts = _judge(node, accumulators, from, batch);
    }
}

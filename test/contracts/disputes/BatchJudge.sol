// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ElementVerdict, ExactFinish} from "../../../contracts/disputes/ExactFinish.sol";
import {Node} from "../../../contracts/disputes/NodeDescriptor.sol";

/// @notice Elements of one node, and what a party claims they are.
struct Batch {
    uint256[] outs;
    int256[] mantissas;
    int256 exponent;
}

/// @notice Holds accumulators against what is claimed of them.
abstract contract BatchJudge {
    function _judge(
        Node memory node,
        int256[] memory accumulators,
        int256 from,
        Batch calldata batch
    ) internal pure returns (ElementVerdict[] memory verdicts) {
        verdicts = new ElementVerdict[](accumulators.length);
        for (uint256 i = 0; i < accumulators.length; ++i) {
            verdicts[i] = ExactFinish.judge(node, accumulators[i], from, batch.mantissas[i], batch.exponent);
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {TrainingClaim} from "./interfaces/IDisputedClaims.sol";
import {IVoidRules} from "./interfaces/IDisputeRules.sol";
import {NodeDescriptor} from "./NodeDescriptor.sol";
import {NodeRules} from "./NodeRules.sol";

/// @title Programs that are void
contract VoidRules is IVoidRules {
    /// @inheritdoc IVoidRules
    function isVoid(
        TrainingClaim calldata claim,
        uint256 tape,
        uint256 index,
        bytes calldata descriptor,
        bytes32[] calldata siblings
    ) external pure returns (bool) {
        NodeDescriptor.requireCommitted(
            descriptor,
            tape,
            index,
            siblings,
            claim.programRoot,
            claim.nodeCounts
        );
        return NodeRules.isVoid(descriptor, tape, index);
    }
}

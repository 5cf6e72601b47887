// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IRetrievalChallenges} from "../../../contracts/storage/interfaces/IRetrievalChallenges.sol";

/// @notice A challenger that refuses coins, burns gas, or calls back when it is paid.
contract Refuser {
    IRetrievalChallenges private immutable _retrieval;
    bool public greedy;
    bool public entered;

    error Refused();

    constructor(IRetrievalChallenges retrieval) {
        _retrieval = retrieval;
    }

    receive() external payable {
        if (!greedy) revert Refused();
        (entered, ) = address(_retrieval).call(
            abi.encodeCall(IRetrievalChallenges.withdraw, (payable(address(this))))
        );
    }

    function beGreedy() external {
        greedy = true;
    }

    function challenge(
        bytes32 bundleId,
        uint32 cell,
        bytes32 root,
        bytes32[] calldata proof
    ) external payable {
        _retrieval.challenge{value: msg.value}(bundleId, cell, root, proof);
    }

    function withdraw() external {
        _retrieval.withdraw(payable(address(this)));
    }

    function withdrawTo(address payable to) external {
        _retrieval.withdraw(to);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {LocalChain} from "../libraries/LocalChain.sol";

/// @title A timelock of two parties: one proposes, the other executes, both may cancel
/// @dev Nobody administers it but itself: parties are replaced as everything else is done, by both and after the delay.
contract TwoPartyTimelock is TimelockController {
    /// @notice Seconds that no change of the delay goes below: those of the deployment.
    uint256 public immutable leastDelay;

    /// @notice Thrown when a party is missing, or one account would be two of proposer, executor and deployer.
    error PartiesMustDiffer(address proposer, address executor, address deployer);

    /// @param delay seconds from a proposal until it can be executed
    /// @param proposer who proposes
    /// @param executor who executes; on public chains neither the proposer nor, like it, the deployer
    constructor(
        uint256 delay,
        address proposer,
        address executor
    ) TimelockController(delay, _only(proposer), _only(executor), address(0)) {
        bool differ = proposer != executor && proposer != msg.sender && executor != msg.sender;
        // The zero address among the executors would stand for everybody.
        bool areThere = proposer != address(0) && executor != address(0);
        if (!areThere || !(differ || LocalChain.isHere())) {
            revert PartiesMustDiffer(proposer, executor, msg.sender);
        }
        leastDelay = delay;
        _grantRole(CANCELLER_ROLE, executor);
    }

    /// @notice Seconds from a proposal until it can be executed.
    function getMinDelay() public view override returns (uint256) {
        uint256 delay = super.getMinDelay();
        return delay < leastDelay ? leastDelay : delay;
    }

    function _only(address account) private pure returns (address[] memory accounts) {
        accounts = new address[](1);
        accounts[0] = account;
    }
}

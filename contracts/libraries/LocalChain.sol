// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Chains that stand on one machine, where what is unsafe elsewhere is good enough
library LocalChain {
    /// @dev Of Hardhat and of the embedded network.
    uint256 private constant ID = 31337;

    /// @notice Whether this is one.
    function isHere() internal view returns (bool) {
        return block.chainid == ID;
    }
}

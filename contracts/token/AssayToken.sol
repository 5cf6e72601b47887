// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @title Stake and pay of the embedded network
/// @notice A plain ERC-20 with EIP-2612 permits and a fixed supply, minted once to `holder`. On public networks every
/// contract takes any well-behaved ERC-20 in its place.
contract AssayToken is ERC20, ERC20Permit {
    /// @param holder who receives the whole supply
    /// @param supply in units of 10^-18 tokens
    constructor(address holder, uint256 supply) ERC20("Assay", "ASSAY") ERC20Permit("Assay") {
        _mint(holder, supply);
    }
}

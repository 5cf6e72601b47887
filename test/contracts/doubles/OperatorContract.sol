// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {IStaking} from "../../../contracts/staking/interfaces/IStaking.sol";

/// @notice An operator that is a contract: it signs by approving digests (ERC-1271).
contract OperatorContract is IERC1271 {
    mapping(bytes32 digest => bool) public approved;

    function enlist(IStaking staking, IERC20 token, uint256 amount, address module) external {
        staking.register(uint8(1 << uint8(IStaking.Role.Storage)), hex"0024", "");
        token.approve(address(staking), amount);
        staking.stake(amount);
        staking.approve(module, amount);
    }

    function approve(bytes32 digest) external {
        approved[digest] = true;
    }

    function isValidSignature(bytes32 digest, bytes calldata) external view override returns (bytes4) {
        return approved[digest] ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }
}

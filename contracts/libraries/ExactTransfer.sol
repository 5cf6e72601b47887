// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

/// @title Deposits that arrive whole
/// @notice Books are kept in the amounts that users name, so a token that delivers less (a fee on transfer) or more
/// (a rebase in the middle) would make them wrong from the first deposit on.
library ExactTransfer {
    using SafeERC20 for IERC20;

    /// @notice Thrown when a deposit changed the balance by something other than its amount.
    error InexactTransfer(address token, uint256 received, uint256 expected);

    /// @notice Pulls `amount` from `from` into the calling contract.
    function pullExact(IERC20 token, address from, uint256 amount) internal {
        uint256 before = token.balanceOf(address(this));
        token.safeTransferFrom(from, address(this), amount);
        uint256 received = token.balanceOf(address(this)) - before;
        if (received != amount) revert InexactTransfer(address(token), received, amount);
    }
}

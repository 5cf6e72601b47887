// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Limits} from "../storage/Limits.sol";

/// @title Pull payments in one ERC-20 token
/// @notice Nobody is sent anything in the middle of someone else's call: amounts are credited, and each account
/// fetches its own. What is burnt is the credit of an account without a key.
abstract contract Credits {
    using SafeERC20 for IERC20;

    event BurnFlushed(uint256 amount);

    /// @notice Thrown when there is nothing to pay out.
    error NoCredit(address account);
    /// @notice Thrown when tokens are to be sent to nobody or to this contract.
    error InvalidRecipient(address to);

    /// @notice The token in which everything is paid.
    IERC20 public immutable token;

    mapping(address account => uint256) private _credits;

    constructor(IERC20 token_) {
        token = token_;
    }

    /// @dev Credits are backed by tokens that the contract holds already.
    function _credit(address account, uint256 amount) internal {
        if (amount != 0) _credits[account] += amount;
    }

    function _burn(uint256 amount) internal {
        _credit(Limits.BURN_SINK, amount);
    }

    function _payOut(address to) internal returns (uint256 amount) {
        if (to == address(0) || to == address(this)) revert InvalidRecipient(to);
        amount = _take(msg.sender);
        token.safeTransfer(to, amount);
    }

    function _flushBurn() internal returns (uint256 amount) {
        amount = _take(Limits.BURN_SINK);
        emit BurnFlushed(amount);
        token.safeTransfer(Limits.BURN_SINK, amount);
    }

    function _creditOf(address account) internal view returns (uint256) {
        return _credits[account];
    }

    function _take(address account) private returns (uint256 amount) {
        amount = _credits[account];
        if (amount == 0) revert NoCredit(account);
        delete _credits[account];
    }
}

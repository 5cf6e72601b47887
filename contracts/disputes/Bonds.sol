// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

/// @title Bonds in the chain's native coin
/// @notice Pull payments: nobody is sent anything in the middle of someone else's call. Half of every lost
/// bond is burnt, so that losing to oneself does not pay.
/// INV-1: Σ credits + Σ bonds of open challenges + Σ bonds and rewards of jobs == address(this).balance, coins forced
/// in aside; when nothing is open, Σ credits == address(this).balance.
abstract contract Bonds is ReentrancyGuardTransient {
    event CreditWithdrawn(address indexed account, address indexed to, uint256 amount);
    event BondBurnt(uint256 amount);

    /// @notice Thrown when a bond is not exactly what it must be.
    error WrongBond(uint256 sent, uint256 required);
    /// @notice Thrown when there is nothing to pay out.
    error NoCredit(address account);
    /// @notice Thrown when coins are to be sent to nobody or to this contract.
    error InvalidRecipient(address to);
    /// @notice Thrown when the recipient does not take the payment.
    error TransferFailed(address to, uint256 amount);

    /// @notice Where burnt coins go: an account without a key.
    address public constant BURN_SINK = 0x000000000000000000000000000000000000dEaD;

    mapping(address account => uint256) private _credits;

    /// @notice Pays the caller's credit out.
    function withdraw(address to) external nonReentrant returns (uint256 amount) {
        if (to == address(0) || to == address(this)) revert InvalidRecipient(to);
        amount = _take(msg.sender);
        emit CreditWithdrawn(msg.sender, to, amount);
        _send(to, amount);
    }

    /// @notice Sends what was burnt to where nobody can fetch it. Anyone may.
    function flushBurnt() external nonReentrant returns (uint256 amount) {
        amount = _take(BURN_SINK);
        emit BondBurnt(amount);
        _send(BURN_SINK, amount);
    }

    /// @notice What an account may withdraw.
    function creditOf(address account) public view returns (uint256) {
        return _credits[account];
    }

    function _credit(address account, uint256 amount) internal {
        if (amount != 0) _credits[account] += amount;
    }

    /// @dev Burns the larger half of a lost bond.
    /// @return rest what is left for the other side
    function _burnHalf(uint256 bond) internal returns (uint256 rest) {
        rest = bond / 2;
        _credit(BURN_SINK, bond - rest);
    }

    function _requireValue(uint256 required) internal view {
        if (msg.value != required) revert WrongBond(msg.value, required);
    }

    function _take(address account) private returns (uint256 amount) {
        amount = _credits[account];
        if (amount == 0) revert NoCredit(account);
        delete _credits[account];
    }

    function _send(address to, uint256 amount) private {
        (bool ok, ) = to.call{value: amount}("");
        if (!ok) revert TransferFailed(to, amount);
    }
}

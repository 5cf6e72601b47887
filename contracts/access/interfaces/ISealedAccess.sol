// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {TwoPartyTimelock} from "../TwoPartyTimelock.sol";

/// @title Who may call what, fixed for good when the contracts stand
interface ISealedAccess {
    event SealedBy(address indexed deployer, TwoPartyTimelock indexed administration);

    /// @notice Thrown when there is a seal already.
    error AlreadySealed();
    /// @notice Thrown when an administration would act after fewer seconds than people need to leave.
    error DelayTooShort(uint256 delay, uint256 least);
    /// @notice Thrown when it is fixed who holds a role, or who grants it.
    error RoleSealed(uint64 roleId);
    /// @notice Thrown when it is fixed which role a function belongs to.
    error FunctionSealed(address target, bytes4 selector);
    /// @notice Thrown when a contract is to be closed: that would be a pause of everything, without an end.
    error NeverClosed(address target);
    /// @notice Thrown when a contract is to obey somebody else.
    error AuthorityFixed(address target);

    /// @notice Hands over to an administration and fixes who may call what. Once, by the deployer, who keeps nothing.
    /// @dev Until then no role can be used, and the deployer can call nothing but what puts the contracts together:
    /// what strangers deposit before is out of its reach, too. From then on the guardians' role alone can be given
    /// and taken, by the administration.
    /// @param administration the administrator from now on; on public chains with a delay of at least `LEAST_DELAY`
    function seal(TwoPartyTimelock administration) external;

    /// @notice The one account that may do what no role may: the deployer, then the administration.
    function administrator() external view returns (address);

    /// @notice Whether everything is fixed.
    function isSealed() external view returns (bool);
}

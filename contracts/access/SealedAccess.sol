// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IOwnable} from "@chainlink/contracts/src/v0.8/shared/interfaces/IOwnable.sol";
import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {LocalChain} from "../libraries/LocalChain.sol";
import {IJobTable} from "../jobs/interfaces/IJobTable.sol";
import {IBundleRegistry} from "../storage/interfaces/IBundleRegistry.sol";
import {IVerifierRegistry} from "../zk/interfaces/IVerifierRegistry.sol";
import {TwoPartyTimelock} from "./TwoPartyTimelock.sol";
import {ISealedAccess} from "./interfaces/ISealedAccess.sol";

/// @title The AccessManager that every contract obeys
/// @dev Contracts that call each other do so by roles. Were roles the administrator's to give, it could make itself
/// the module that moves the escrow or slashes: so they are given while deploying and sealed.
contract SealedAccess is ISealedAccess, AccessManager {
    /// @notice The role of whoever may pause; the only one that the administration can give and take.
    uint64 public constant GUARDIAN_ROLE = 1;
    /// @notice Seconds between what the administration announces and its effect, on public chains: at least as many.
    uint256 public constant LEAST_DELAY = 7 days;

    /// @inheritdoc ISealedAccess
    address public override administrator;
    /// @inheritdoc ISealedAccess
    bool public override isSealed;

    constructor(address deployer) AccessManager(deployer) {}

    /// @inheritdoc ISealedAccess
    function seal(TwoPartyTimelock administration) external override {
        if (isSealed) revert AlreadySealed();
        if (msg.sender != administrator) revert AccessManagerUnauthorizedAccount(msg.sender, ADMIN_ROLE);
        uint256 delay = administration.getMinDelay();
        if (delay < LEAST_DELAY && !LocalChain.isHere()) revert DelayTooShort(delay, LEAST_DELAY);
        _revokeRole(ADMIN_ROLE, msg.sender);
        delete administrator;
        _grantRole(ADMIN_ROLE, address(administration), 0, 0);
        isSealed = true;
        emit SealedBy(msg.sender, administration);
    }

    /// @notice Reverts: contracts obey this one for good.
    function updateAuthority(address target, address) public pure override {
        revert AuthorityFixed(target);
    }

    /// @notice No: what is under way goes on.
    function isTargetClosed(address) public pure override returns (bool) {
        return false;
    }

    /// @notice As in AccessManager; of roles nothing before the seal, and never the authority of a contract.
    function canCall(
        address caller,
        address target,
        bytes4 selector
    ) public view override returns (bool immediate, uint32 delay) {
        bool isOpen = isSealed ? selector != IAccessManaged.setAuthority.selector : _wires(selector);
        return isOpen ? super.canCall(caller, target, selector) : (false, 0);
    }

    /// @dev There is one administrator: by the constructor, then by the seal.
    function _grantRole(
        uint64 roleId,
        address account,
        uint32 grantDelay,
        uint32 executionDelay
    ) internal override returns (bool) {
        if (roleId == ADMIN_ROLE) {
            if (administrator != address(0)) revert RoleSealed(roleId);
            administrator = account;
        } else {
            _requireOpen(roleId);
        }
        return super._grantRole(roleId, account, grantDelay, executionDelay);
    }

    function _revokeRole(uint64 roleId, address account) internal override returns (bool) {
        _requireOpen(roleId);
        return super._revokeRole(roleId, account);
    }

    /// @dev All roles are the administrator's: another admin of the guardians' would outlast the seal.
    function _setRoleAdmin(uint64 roleId, uint64) internal pure override {
        revert RoleSealed(roleId);
    }

    function _setTargetFunctionRole(address target, bytes4 selector, uint64 roleId) internal override {
        if (isSealed) revert FunctionSealed(target, selector);
        super._setTargetFunctionRole(target, selector, roleId);
    }

    function _setTargetClosed(address target, bool) internal pure override {
        revert NeverClosed(target);
    }

    function _requireOpen(uint64 roleId) private view {
        if (isSealed && roleId != GUARDIAN_ROLE) revert RoleSealed(roleId);
    }

    /// @dev What the deployer calls to put the contracts together.
    function _wires(bytes4 selector) private pure returns (bool) {
        return
            selector == IVerifierRegistry.register.selector ||
            selector == IBundleRegistry.setModules.selector ||
            selector == IJobTable.setModules.selector ||
            selector == IOwnable.acceptOwnership.selector;
    }
}

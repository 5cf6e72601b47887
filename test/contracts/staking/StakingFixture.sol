// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Staking} from "../../../contracts/staking/Staking.sol";
import {IStaking} from "../../../contracts/staking/interfaces/IStaking.sol";
import {MiniTest} from "../MiniTest.sol";
import {PlainToken} from "../token/HostileTokens.sol";

/// @notice A staking contract with its access manager, two modules and helpers that fund operators.
abstract contract StakingFixture is MiniTest {
    uint64 internal constant DELAY = 7 days;
    uint16 internal constant SHARE = 3_000;
    bytes32 internal constant REASON = "reason";
    uint8 internal constant STORAGE = uint8(1 << uint8(IStaking.Role.Storage));

    AccessManager internal access;
    Staking internal staking;
    PlainToken internal token;
    address internal moduleA = actor("module A");
    address internal moduleB = actor("module B");

    function deployStaking(IERC20 token_) internal returns (Staking deployed) {
        if (address(access) == address(0)) access = new AccessManager(address(this));
        deployed = new Staking(address(access), token_, DELAY, SHARE);
    }

    function setUpStaking() internal {
        vm.warp(1_800_000_000);
        token = new PlainToken();
        staking = deployStaking(token);
    }

    /// @dev Registers `operator` as a storage operator and stakes `amount` for it. No module is approved.
    function enlist(address operator, uint256 amount) internal {
        token.mint(operator, amount);
        vm.startPrank(operator);
        staking.register(STORAGE, hex"0024", "/dns4/example/tcp/1");
        token.approve(address(staking), amount);
        staking.stake(amount);
        vm.stopPrank();
    }

    function approveFor(address module, address operator, uint256 cap) internal {
        vm.prank(operator);
        staking.approve(module, cap);
    }

    /// @dev Locks with an approval for exactly that much more.
    function lockFor(address module, address operator, uint256 amount) internal {
        approveFor(module, operator, staking.lockedBy(operator, module) + amount);
        vm.prank(module);
        staking.lock(operator, amount);
    }

    function slashBy(
        address module,
        address operator,
        uint256 amount,
        address beneficiary
    ) internal returns (uint256 slashed, uint256 toBeneficiary) {
        vm.prank(module);
        return staking.slash(operator, amount, beneficiary, REASON);
    }

    function unbondBy(address operator, uint256 amount) internal returns (uint256 ticket) {
        vm.prank(operator);
        return staking.unbond(amount);
    }
}

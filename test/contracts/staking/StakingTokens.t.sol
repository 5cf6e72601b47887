// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Staking} from "../../../contracts/staking/Staking.sol";
import {IStaking} from "../../../contracts/staking/interfaces/IStaking.sol";
import {ExactTransfer} from "../../../contracts/libraries/ExactTransfer.sol";
import {BlacklistToken, FeeToken, HookToken, SilentToken} from "../token/HostileTokens.sol";
import {StakingFixture} from "./StakingFixture.sol";

/// @notice Staking with tokens that do not behave.
contract StakingTokensTest is StakingFixture {
    address internal operator = actor("operator");
    address internal reporter = actor("reporter");

    function _join(Staking target, address account, uint256 amount) private {
        vm.startPrank(account);
        target.register(STORAGE, hex"12", "b");
        IERC20(target.token()).approve(address(target), amount);
        target.stake(amount);
        target.approve(moduleA, amount);
        vm.stopPrank();
        vm.prank(moduleA);
        target.lock(account, amount);
    }

    function test_attack21_feeOnTransfer_isRefused() public {
        FeeToken fee = new FeeToken();
        Staking target = deployStaking(fee);
        fee.mint(operator, 1_000);
        vm.startPrank(operator);
        target.register(STORAGE, hex"12", "b");
        fee.approve(address(target), 1_000);
        vm.expectRevert(abi.encodeWithSelector(ExactTransfer.InexactTransfer.selector, fee, 990, 1_000));
        target.stake(1_000);
        vm.stopPrank();
    }

    function test_attack21_noReturnValue_works() public {
        SilentToken silent = new SilentToken();
        Staking target = deployStaking(IERC20(address(silent)));
        silent.mint(operator, 1_000);
        vm.startPrank(operator);
        target.register(STORAGE, hex"12", "b");
        silent.approve(address(target), 1_000);
        target.stake(1_000);
        uint256 ticket = target.unbond(1_000);
        skip(DELAY);
        target.withdraw(ticket, operator);
        vm.stopPrank();
        vm.assertEq(silent.balanceOf(operator), 1_000, "all back");
    }

    function test_attack21_reentrancyAtEveryExit_isRefused() public {
        HookToken hook = new HookToken();
        Staking target = deployStaking(hook);
        hook.mint(operator, 1_000);
        _join(target, operator, 1_000);
        // Any account that re-enters is as good as another: the hook token itself is given credit and tickets.
        hook.mint(address(hook), 1_000);
        vm.prank(moduleA);
        target.slash(operator, 100, address(hook), REASON);
        vm.prank(moduleA);
        target.slash(operator, 100, reporter, REASON);
        bytes memory payload = abi.encodeCall(IStaking.withdrawCredit, (reporter));

        hook.arm(address(target), payload);
        vm.prank(reporter);
        target.withdrawCredit(reporter);
        vm.assertFalse(hook.entered(), "during withdrawCredit");

        hook.arm(address(target), payload);
        target.flushBurn();
        vm.assertFalse(hook.entered(), "during flushBurn");

        hook.arm(address(target), payload);
        vm.prank(moduleA);
        target.slash(operator, 100, moduleA, REASON);
        vm.assertFalse(hook.entered(), "during slash");

        vm.prank(moduleA);
        target.unlock(operator, 100);
        vm.prank(operator);
        uint256 ticket = target.unbond(100);
        skip(DELAY);
        hook.arm(address(target), payload);
        vm.prank(operator);
        target.withdraw(ticket, operator);
        vm.assertFalse(hook.entered(), "during withdraw");

        hook.arm(address(target), payload);
        vm.startPrank(operator);
        hook.approve(address(target), 100);
        target.stake(100);
        vm.stopPrank();
        vm.assertFalse(hook.entered(), "during stake");

        // Outside of any call the very same payload gets through: the guard, not an empty credit, refused it.
        hook.arm(address(target), payload);
        vm.prank(moduleA);
        hook.transfer(reporter, 1);
        vm.assertTrue(hook.entered(), "after all");
    }

    function test_attack27_blacklistedReporterOrSink_cannotBlockASlash() public {
        BlacklistToken black = new BlacklistToken();
        Staking target = deployStaking(black);
        black.mint(operator, 1_000);
        _join(target, operator, 1_000);
        black.list(reporter);
        black.list(target.BURN_SINK());
        vm.prank(moduleA);
        (uint256 slashed, ) = target.slash(operator, 1_000, reporter, REASON);
        vm.assertEq(slashed, 1_000, "slashed");
        // The one who is refused may still name somebody else.
        vm.prank(reporter);
        vm.assertEq(target.withdrawCredit(operator), 300, "credit");
    }

    function test_donation_changesNothing() public {
        setUpStaking();
        enlist(operator, 1_000);
        token.mint(address(staking), 500);
        lockFor(moduleA, operator, 1_000);
        (uint256 slashed, ) = slashBy(moduleA, operator, 2_000, reporter);
        vm.assertEq(slashed, 1_000, "only the operator's own");
    }
}

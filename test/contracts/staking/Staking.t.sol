// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {AssayToken} from "../../../contracts/token/AssayToken.sol";
import {Staking} from "../../../contracts/staking/Staking.sol";
import {IStaking} from "../../../contracts/staking/interfaces/IStaking.sol";
import {StakingFixture} from "./StakingFixture.sol";

contract StakingTest is StakingFixture {
    address internal operator = actor("operator");
    address internal reporter = actor("reporter");

    function setUp() public {
        setUpStaking();
        enlist(operator, 1_000);
    }

    // Registration

    function test_register_listsOnceAcrossRetirement() public {
        vm.startPrank(operator);
        staking.retire();
        staking.register(3, hex"12", "b");
        vm.stopPrank();
        vm.assertEq(staking.operatorCount(), 1, "listed twice");
        vm.assertEq(staking.operators(0, 10)[0], operator, "wrong operator");
        vm.assertEq(staking.operators(1, 10).length, 0, "page past the end");
        (bytes memory peerId, string memory endpoint) = staking.identityOf(operator);
        vm.assertEq(peerId, hex"12", "peer id");
        vm.assertEq(endpoint, "b", "endpoint");
    }

    function test_register_twice_reverts() public {
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(IStaking.AlreadyRegistered.selector, operator));
        staking.register(1, hex"12", "b");
    }

    function test_register_badRolesOrIdentity_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IStaking.InvalidRoles.selector, 0));
        staking.register(0, hex"12", "b");
        vm.expectRevert(abi.encodeWithSelector(IStaking.InvalidRoles.selector, 16));
        staking.register(16, hex"12", "b");
        vm.expectRevert(abi.encodeWithSelector(IStaking.InvalidIdentity.selector, 0, 1));
        staking.register(1, "", "b");
        vm.expectRevert(abi.encodeWithSelector(IStaking.InvalidIdentity.selector, 65, 1));
        staking.register(1, new bytes(65), "b");
        vm.expectRevert(abi.encodeWithSelector(IStaking.InvalidIdentity.selector, 64, 257));
        staking.register(1, new bytes(64), string(new bytes(257)));
    }

    function test_retired_cannotBeLockedButCanLeave() public {
        lockFor(moduleA, operator, 400);
        vm.prank(operator);
        staking.retire();
        vm.prank(moduleA);
        vm.expectRevert(abi.encodeWithSelector(IStaking.OperatorInactive.selector, operator));
        staking.lock(operator, 1);
        vm.prank(moduleA);
        staking.unlock(operator, 400);
        uint256 ticket = unbondBy(operator, 1_000);
        skip(DELAY);
        vm.prank(operator);
        vm.assertEq(staking.withdraw(ticket, operator), 1_000, "not all left");
    }

    function test_stake_ofStranger_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IStaking.OperatorInactive.selector, address(this)));
        staking.stake(1);
    }

    function test_stakeOrUnbond_nothing_reverts() public {
        vm.startPrank(operator);
        vm.expectRevert(IStaking.ZeroAmount.selector);
        staking.stake(0);
        vm.expectRevert(IStaking.ZeroAmount.selector);
        staking.unbond(0);
        vm.stopPrank();
    }

    function test_isEligible_needsRoleActivityAndFreeStake() public {
        lockFor(moduleA, operator, 400);
        vm.assertTrue(staking.isEligible(operator, IStaking.Role.Storage, 600), "600 are free");
        vm.assertFalse(staking.isEligible(operator, IStaking.Role.Storage, 601), "601 are not free");
        vm.assertFalse(staking.isEligible(operator, IStaking.Role.Validator, 0), "not a validator");
        vm.prank(operator);
        staking.retire();
        vm.assertFalse(staking.isEligible(operator, IStaking.Role.Storage, 0), "retired");
    }

    // Permit

    function test_stakeWithPermit_andFrontRunPermit() public {
        AssayToken permitToken = new AssayToken(operator, 1_000);
        Staking other = deployStaking(permitToken);
        (uint8 v, bytes32 r, bytes32 s) = _permit(permitToken, address(other), 700);
        // Whoever sees the transaction first may use the permit up.
        permitToken.permit(operator, address(other), 700, block.timestamp, v, r, s);
        vm.startPrank(operator);
        other.register(1, hex"12", "b");
        other.stakeWithPermit(700, block.timestamp, v, r, s);
        vm.stopPrank();
        vm.assertEq(other.operatorOf(operator).stake, 700, "stake");
    }

    function test_stakeWithPermit_wrongSigner_reverts() public {
        AssayToken permitToken = new AssayToken(operator, 1_000);
        Staking other = deployStaking(permitToken);
        vm.startPrank(operator);
        other.register(1, hex"12", "b");
        vm.expectRevert();
        other.stakeWithPermit(700, block.timestamp, 27, bytes32(uint256(1)), bytes32(uint256(1)));
        vm.stopPrank();
    }

    // Locks

    function test_lock_moreThanUnlocked_reverts() public {
        lockFor(moduleA, operator, 900);
        vm.prank(moduleB);
        vm.expectRevert(abi.encodeWithSelector(IStaking.InsufficientUnlocked.selector, operator, 101, 100));
        staking.lock(operator, 101);
    }

    function test_unlock_ofAnotherModulesLock_reverts() public {
        lockFor(moduleA, operator, 900);
        vm.prank(moduleB);
        vm.expectRevert(abi.encodeWithSelector(IStaking.InsufficientLock.selector, operator, moduleB, 1, 0));
        staking.unlock(operator, 1);
    }

    function test_modules_mustBeAuthorised() public {
        bytes memory refused = abi.encodeWithSelector(
            IAccessManaged.AccessManagedUnauthorized.selector,
            reporter
        );
        vm.startPrank(reporter);
        vm.expectRevert(refused);
        staking.lock(operator, 1);
        vm.expectRevert(abi.encodeWithSelector(IStaking.InsufficientLock.selector, operator, reporter, 1, 0));
        staking.unlock(operator, 1);
        vm.expectRevert(refused);
        staking.slash(operator, 1, reporter, REASON);
        vm.expectRevert(refused);
        staking.setParameters(DELAY, SHARE);
        vm.expectRevert(refused);
        staking.pause();
        vm.expectRevert(refused);
        staking.unpause();
        vm.stopPrank();
    }

    function test_revokedModule_canStillUnlockButNotSlash() public {
        lockFor(moduleA, operator, 900);
        access.revokeRole(MODULE_ROLE, moduleA);
        vm.startPrank(moduleA);
        staking.unlock(operator, 900);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, moduleA));
        staking.slash(operator, 1, reporter, REASON);
        vm.stopPrank();
        vm.assertEq(staking.operatorOf(operator).locked, 0, "nothing is trapped");
    }

    // Unbonding

    function test_withdraw_atOneSecondBeforeAtAndAfter() public {
        uint256 ticket = unbondBy(operator, 300);
        uint64 ripe = uint64(block.timestamp) + DELAY;
        vm.warp(ripe - 1);
        vm.startPrank(operator);
        vm.expectRevert(abi.encodeWithSelector(IStaking.TicketNotRipe.selector, ticket, ripe));
        staking.withdraw(ticket, operator);
        vm.warp(ripe);
        vm.assertEq(staking.withdraw(ticket, operator), 300, "at its time");
        vm.expectRevert(abi.encodeWithSelector(IStaking.UnknownTicket.selector, ticket, operator));
        staking.withdraw(ticket, operator);
        vm.stopPrank();
    }

    function test_withdraw_ofAnothersTicket_reverts() public {
        uint256 ticket = unbondBy(operator, 300);
        skip(DELAY);
        vm.prank(reporter);
        vm.expectRevert(abi.encodeWithSelector(IStaking.UnknownTicket.selector, ticket, reporter));
        staking.withdraw(ticket, reporter);
    }

    function test_withdraw_toNobodyOrHere_reverts() public {
        uint256 ticket = unbondBy(operator, 300);
        skip(DELAY);
        vm.startPrank(operator);
        vm.expectRevert(abi.encodeWithSelector(IStaking.InvalidRecipient.selector, address(0)));
        staking.withdraw(ticket, address(0));
        vm.expectRevert(abi.encodeWithSelector(IStaking.InvalidRecipient.selector, address(staking)));
        staking.withdraw(ticket, address(staking));
        vm.stopPrank();
    }

    function test_unbond_ofLockedStake_reverts() public {
        lockFor(moduleA, operator, 900);
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(IStaking.InsufficientUnlocked.selector, operator, 101, 100));
        staking.unbond(101);
    }

    function test_unbond_ticketsAreBounded() public {
        vm.startPrank(operator);
        for (uint256 i = 0; i < staking.MAX_TICKETS(); ++i) staking.unbond(1);
        vm.expectRevert(abi.encodeWithSelector(IStaking.TooManyTickets.selector, 16));
        staking.unbond(1);
        vm.stopPrank();
        (uint256 slashed, ) = slashBy(moduleA, operator, 2_000, reporter);
        vm.assertEq(slashed, 1_000, "a slash walks through all tickets");
        vm.assertEq(staking.ticketsOf(operator).length, 0, "emptied tickets are closed");
    }

    function test_parameterChange_leavesOpenTicketsAlone() public {
        uint256 ticket = unbondBy(operator, 300);
        staking.setParameters(30 days, 0);
        skip(DELAY);
        vm.prank(operator);
        vm.assertEq(staking.withdraw(ticket, operator), 300, "old delay");
    }

    // Slashing

    function test_attack24_unstakeJustBeforeTheSlash_isStillReached() public {
        uint256 ticket = unbondBy(operator, 1_000);
        (uint256 slashed, uint256 paid) = slashBy(moduleA, operator, 600, reporter);
        vm.assertEq(slashed, 600, "slashed");
        vm.assertEq(paid, 180, "30 %");
        skip(DELAY);
        vm.prank(operator);
        vm.assertEq(staking.withdraw(ticket, operator), 400, "what the slash left");
    }

    function test_attack24_slashDuringUnbonding_oneSecondBeforeRipeReachesItAtRipeNot() public {
        unbondBy(operator, 1_000);
        uint256 ripe = block.timestamp + DELAY;
        vm.warp(ripe - 1);
        (uint256 slashed, ) = slashBy(moduleA, operator, 1, reporter);
        vm.assertEq(slashed, 1, "within reach");
        vm.warp(ripe);
        (slashed, ) = slashBy(moduleA, operator, 1, reporter);
        vm.assertEq(slashed, 0, "out of reach");
    }

    function test_attack24_secondSlashForOneFault_takesNothingFromOtherModulesLocks() public {
        lockFor(moduleA, operator, 300);
        lockFor(moduleB, operator, 700);
        (uint256 first, ) = slashBy(moduleA, operator, 300, reporter);
        (uint256 second, ) = slashBy(moduleA, operator, 300, reporter);
        vm.assertEq(first, 300, "own lock");
        vm.assertEq(second, 0, "nothing left for this module");
        vm.assertEq(staking.lockedBy(operator, moduleB), 700, "other lock untouched");
    }

    function test_slash_order_lockThenUnlockedThenUnbonding() public {
        lockFor(moduleA, operator, 100);
        lockFor(moduleB, operator, 200);
        unbondBy(operator, 300);
        (uint256 slashed, ) = slashBy(moduleA, operator, 50, reporter);
        IStaking.Operator memory account = staking.operatorOf(operator);
        vm.assertEq(account.locked, 250, "lock first");
        vm.assertEq(account.stake, 650, "stake");
        (slashed, ) = slashBy(moduleA, operator, 100, reporter);
        account = staking.operatorOf(operator);
        vm.assertEq(account.locked, 200, "own lock gone");
        vm.assertEq(account.stake, 550, "then unlocked stake");
        (slashed, ) = slashBy(moduleA, operator, 10_000, reporter);
        vm.assertEq(slashed, 350 + 300, "then unbonding stake");
        account = staking.operatorOf(operator);
        vm.assertEq(account.stake, 200, "only the other lock is left");
        vm.assertEq(account.unbonding, 0, "unbonding");
    }

    function test_slash_toNobody_burnsAll() public {
        (uint256 slashed, uint256 paid) = slashBy(moduleA, operator, 100, address(0));
        vm.assertEq(slashed, 100, "slashed");
        vm.assertEq(paid, 0, "paid");
        vm.assertEq(staking.flushBurn(), 100, "burnt");
        vm.assertEq(token.balanceOf(staking.BURN_SINK()), 100, "sink");
    }

    function test_slash_toTheModuleItself_paysAtOnce() public {
        (, uint256 paid) = slashBy(moduleA, operator, 100, moduleA);
        vm.assertEq(paid, 30, "share");
        vm.assertEq(token.balanceOf(moduleA), 30, "received");
        vm.assertEq(staking.creditOf(moduleA), 0, "no credit on top");
    }

    function test_slash_creditIsPulledOnce() public {
        slashBy(moduleA, operator, 100, reporter);
        vm.startPrank(reporter);
        vm.assertEq(staking.withdrawCredit(reporter), 30, "credit");
        vm.expectRevert(IStaking.ZeroAmount.selector);
        staking.withdrawCredit(reporter);
        vm.stopPrank();
        vm.assertEq(token.balanceOf(reporter), 30, "received");
    }

    function testFuzz_attack22_splitRoundsAgainstTheReporter(uint256 amount, uint16 share) public {
        amount = bound(amount, 0, 1_000);
        share = uint16(bound(share, 0, staking.MAX_REPORTER_SHARE()));
        staking.setParameters(DELAY, share);
        (uint256 slashed, uint256 paid) = slashBy(moduleA, operator, amount, reporter);
        vm.assertEq(slashed, amount, "slashed");
        vm.assertLe(paid * 10_000, slashed * share, "never more than the share");
        vm.assertLt(slashed * share, (paid + 1) * 10_000, "never a unit less than needed");
        vm.assertEq(staking.creditOf(staking.BURN_SINK()), slashed - paid, "the rest is burnt");
    }

    // Parameters, pause, history

    function test_parameters_haveHardBounds() public {
        vm.expectRevert(abi.encodeWithSelector(IStaking.OutOfBounds.selector, 59, 60, 90 days));
        staking.setParameters(59, 0);
        vm.expectRevert(abi.encodeWithSelector(IStaking.OutOfBounds.selector, 90 days + 1, 60, 90 days));
        staking.setParameters(90 days + 1, 0);
        vm.expectRevert(abi.encodeWithSelector(IStaking.OutOfBounds.selector, 5_001, 0, 5_000));
        staking.setParameters(1 days, 5_001);
    }

    function test_pause_stopsNewWorkOnly() public {
        lockFor(moduleA, operator, 500);
        uint256 ticket = unbondBy(operator, 100);
        staking.pause();

        vm.prank(moduleA);
        vm.expectRevert(Pausable.EnforcedPause.selector);
        staking.lock(operator, 1);
        vm.prank(operator);
        vm.expectRevert(Pausable.EnforcedPause.selector);
        staking.stake(1);
        vm.prank(reporter);
        vm.expectRevert(Pausable.EnforcedPause.selector);
        staking.register(1, hex"12", "b");

        slashBy(moduleA, operator, 100, reporter);
        vm.prank(moduleA);
        staking.unlock(operator, 400);
        unbondBy(operator, 100);
        vm.prank(reporter);
        staking.withdrawCredit(reporter);
        staking.flushBurn();
        skip(DELAY);
        vm.prank(operator);
        staking.withdraw(ticket, operator);
        staking.unpause();
        lockFor(moduleA, operator, 1);
    }

    function test_attack18_stakeAt_seesOnlyThePast() public {
        uint64 present = uint64(block.timestamp);
        vm.expectRevert(abi.encodeWithSelector(IStaking.FutureLookup.selector, present, present));
        staking.stakeAt(operator, present);
        skip(10);
        unbondBy(operator, 400);
        skip(10);
        vm.assertEq(staking.stakeAt(operator, present - 1), 0, "before the stake");
        vm.assertEq(staking.stakeAt(operator, present), 1_000, "after the stake");
        vm.assertEq(staking.stakeAt(operator, present + 9), 1_000, "before the unbonding");
        vm.assertEq(staking.stakeAt(operator, present + 10), 600, "after the unbonding");
        vm.assertEq(staking.totalStakeAt(present + 9), 1_000, "total before");
        vm.assertEq(staking.totalStakeAt(present + 10), 600, "total after");
    }

    function _permit(
        AssayToken permitToken,
        address spender,
        uint256 amount
    ) private view returns (uint8 v, bytes32 r, bytes32 s) {
        bytes32 typeHash = keccak256(
            "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
        );
        bytes32 hash = keccak256(abi.encode(typeHash, operator, spender, amount, 0, block.timestamp));
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", permitToken.DOMAIN_SEPARATOR(), hash));
        return vm.sign(keyOf("operator"), digest);
    }
}

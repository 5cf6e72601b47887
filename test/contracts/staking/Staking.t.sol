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

    function test_lock_beyondTheOperatorsCap_reverts() public {
        vm.prank(moduleA);
        vm.expectRevert(abi.encodeWithSelector(IStaking.CapExceeded.selector, operator, moduleA, 1, 0));
        staking.lock(operator, 1);
        approveFor(moduleA, operator, 500);
        vm.startPrank(moduleA);
        staking.lock(operator, 300);
        vm.expectRevert(abi.encodeWithSelector(IStaking.CapExceeded.selector, operator, moduleA, 201, 200));
        staking.lock(operator, 201);
        staking.unlock(operator, 300);
        staking.lock(operator, 500);
        vm.stopPrank();
        vm.assertEq(staking.capOf(operator, moduleA), 500, "cap");
        vm.assertEq(staking.capOf(operator, moduleB), 0, "the other module's");
    }

    function test_approve_lowersACapDownToWhatIsLockedAndNoFurther() public {
        approveFor(moduleA, operator, type(uint256).max);
        vm.assertEq(staking.capOf(operator, moduleA), type(uint128).max, "as much as can be staked");
        vm.prank(moduleA);
        staking.lock(operator, 300);
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(IStaking.CapBelowLock.selector, moduleA, 299, 300));
        staking.approve(moduleA, 299);
        approveFor(moduleA, operator, 300);
        vm.startPrank(moduleA);
        staking.unlock(operator, 100);
        // What became free may be locked again, until the operator lowers the cap once more.
        staking.lock(operator, 100);
        staking.unlock(operator, 300);
        vm.stopPrank();
        approveFor(moduleA, operator, 0);
        vm.prank(moduleA);
        vm.expectRevert(abi.encodeWithSelector(IStaking.CapExceeded.selector, operator, moduleA, 1, 0));
        staking.lock(operator, 1);
    }

    function test_lockable_isTheLeastOfCapAndUnlockedStake() public {
        vm.assertEq(staking.lockable(operator, moduleA), 0, "nothing approved");
        approveFor(moduleA, operator, 700);
        vm.assertEq(staking.lockable(operator, moduleA), 700, "cap");
        lockFor(moduleB, operator, 600);
        vm.assertEq(staking.lockable(operator, moduleA), 400, "what is unlocked");
        vm.prank(moduleA);
        staking.lock(operator, 400);
        vm.assertEq(staking.lockable(operator, moduleA), 0, "nothing is left");
        vm.prank(moduleA);
        staking.unlock(operator, 400);
        vm.prank(operator);
        staking.retire();
        vm.assertEq(staking.lockable(operator, moduleA), 0, "retired");
    }

    function test_multicall_registersApprovesAndStakesAtOnce() public {
        AssayToken permitToken = new AssayToken(operator, 1_000);
        Staking other = deployStaking(permitToken);
        (uint8 v, bytes32 r, bytes32 s) = _permit(permitToken, address(other), 700);
        bytes[] memory calls = new bytes[](4);
        calls[0] = abi.encodeCall(IStaking.register, (1, hex"12", "b"));
        calls[1] = abi.encodeCall(IStaking.stakeWithPermit, (700, block.timestamp, v, r, s));
        calls[2] = abi.encodeCall(IStaking.approve, (moduleA, 700));
        calls[3] = abi.encodeCall(IStaking.approve, (moduleB, 100));
        vm.prank(operator);
        other.multicall(calls);
        vm.assertEq(other.operatorOf(operator).stake, 700, "stake");
        vm.assertEq(other.lockable(operator, moduleA), 700, "first module");
        vm.assertEq(other.lockable(operator, moduleB), 100, "second module");
    }

    function test_attackC10_nobodysGrantReachesAnybodysStake() public {
        // The administrator holds every role there is, and names itself wherever one can be named.
        lockFor(moduleA, operator, 400);
        unbondBy(operator, 300);
        bytes4[] memory selectors = new bytes4[](3);
        selectors[0] = IStaking.lock.selector;
        selectors[1] = IStaking.slash.selector;
        selectors[2] = IStaking.unlock.selector;
        access.setTargetFunctionRole(address(staking), selectors, 1);
        access.grantRole(1, address(this), 0);
        vm.expectRevert(abi.encodeWithSelector(IStaking.CapExceeded.selector, operator, address(this), 1, 0));
        staking.lock(operator, 1);
        vm.recordLogs();
        (uint256 slashed, uint256 paid) = staking.slash(operator, 1_000, address(this), REASON);
        vm.assertEq(slashed + paid, 0, "slashed");
        vm.assertEq(vm.getRecordedLogs().length, 0, "nor is anything said of it");
        vm.expectRevert(
            abi.encodeWithSelector(IStaking.InsufficientLock.selector, operator, address(this), 1, 0)
        );
        staking.unlock(operator, 1);
        vm.assertEq(staking.operatorOf(operator).stake, 700, "stake");
        vm.assertEq(staking.operatorOf(operator).unbonding, 300, "unbonding");
    }

    function test_attackC10_aModuleSlashesItsOwnLockAndNothingElse() public {
        lockFor(moduleA, operator, 100);
        lockFor(moduleB, operator, 200);
        unbondBy(operator, 300);
        approveFor(moduleA, operator, type(uint256).max);
        (uint256 slashed, ) = slashBy(moduleA, operator, 10_000, reporter);
        IStaking.Operator memory account = staking.operatorOf(operator);
        vm.assertEq(slashed, 100, "its lock");
        vm.assertEq(account.stake, 600, "unlocked stake is untouched, whatever the cap");
        vm.assertEq(account.locked, 200, "the other module's lock is untouched");
        vm.assertEq(account.unbonding, 300, "unbonding stake is untouched");
    }

    function test_parameters_areTheAccessManagersAlone() public {
        bytes memory refused = abi.encodeWithSelector(
            IAccessManaged.AccessManagedUnauthorized.selector,
            reporter
        );
        vm.startPrank(reporter);
        vm.expectRevert(refused);
        staking.setParameters(DELAY, SHARE);
        vm.expectRevert(refused);
        staking.pause();
        vm.expectRevert(refused);
        staking.unpause();
        vm.stopPrank();
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
    }

    function test_parameterChange_leavesOpenTicketsAlone() public {
        uint256 ticket = unbondBy(operator, 300);
        staking.setParameters(30 days, 0);
        skip(DELAY);
        vm.prank(operator);
        vm.assertEq(staking.withdraw(ticket, operator), 300, "old delay");
    }

    // Slashing

    function test_attack24_unstakeJustBeforeTheSlash_cannotTakeOutWhatIsLocked() public {
        lockFor(moduleA, operator, 600);
        unbondBy(operator, 400);
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(IStaking.InsufficientUnlocked.selector, operator, 1, 0));
        staking.unbond(1);
        vm.prank(operator);
        staking.retire();
        (uint256 slashed, uint256 paid) = slashBy(moduleA, operator, 600, reporter);
        vm.assertEq(slashed, 600, "slashed");
        vm.assertEq(paid, 180, "30 %");
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

    function test_slash_toNobody_burnsAll() public {
        lockFor(moduleA, operator, 100);
        (uint256 slashed, uint256 paid) = slashBy(moduleA, operator, 100, address(0));
        vm.assertEq(slashed, 100, "slashed");
        vm.assertEq(paid, 0, "paid");
        vm.assertEq(staking.flushBurn(), 100, "burnt");
        vm.assertEq(token.balanceOf(staking.BURN_SINK()), 100, "sink");
    }

    function test_slash_toTheModuleItself_paysAtOnce() public {
        lockFor(moduleA, operator, 100);
        (, uint256 paid) = slashBy(moduleA, operator, 100, moduleA);
        vm.assertEq(paid, 30, "share");
        vm.assertEq(token.balanceOf(moduleA), 30, "received");
        vm.assertEq(staking.creditOf(moduleA), 0, "no credit on top");
    }

    function test_slash_creditIsPulledOnce() public {
        lockFor(moduleA, operator, 100);
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
        lockFor(moduleA, operator, 1_000);
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

        vm.prank(reporter);
        vm.expectRevert(Pausable.EnforcedPause.selector);
        staking.register(1, hex"12", "b");

        // Whoever has a duty stakes and locks for it, and is slashed as ever.
        token.mint(operator, 50);
        vm.startPrank(operator);
        token.approve(address(staking), 50);
        staking.stake(50);
        vm.stopPrank();
        lockFor(moduleA, operator, 50);
        slashBy(moduleA, operator, 100, reporter);
        vm.prank(moduleA);
        staking.unlock(operator, 450);
        unbondBy(operator, 100);
        vm.prank(reporter);
        staking.withdrawCredit(reporter);
        staking.flushBurn();
        skip(DELAY);
        vm.prank(operator);
        staking.withdraw(ticket, operator);
        // It has lapsed meanwhile.
        vm.prank(reporter);
        staking.register(1, hex"12", "b");
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

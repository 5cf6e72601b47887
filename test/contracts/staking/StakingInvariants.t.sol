// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Staking} from "../../../contracts/staking/Staking.sol";
import {IStaking} from "../../../contracts/staking/interfaces/IStaking.sol";
import {MiniTest} from "../MiniTest.sol";
import {PlainToken} from "../token/HostileTokens.sol";
import {StakingFixture} from "./StakingFixture.sol";

/// @notice Random walks over every call, by three operators, two modules and one reporter.
contract StakingHandler is MiniTest {
    Staking public immutable staking;
    PlainToken public immutable token;
    address[] public operators;
    address[] public modules;
    address public immutable reporter = actor("reporter");

    /// What slashes have taken beyond the module's own lock.
    uint256 public excess;
    uint256 public slashed;
    uint256 public paidOut;
    uint256 public burnt;

    constructor(Staking staking_, PlainToken token_, address[] memory operators_, address[] memory modules_) {
        staking = staking_;
        token = token_;
        operators = operators_;
        modules = modules_;
    }

    function stake(uint256 who, uint256 amount) external {
        address operator = _operator(who);
        amount = bound(amount, 1, 1e24);
        token.mint(operator, amount);
        vm.startPrank(operator);
        token.approve(address(staking), amount);
        staking.stake(amount);
        vm.stopPrank();
    }

    function unbond(uint256 who, uint256 amount) external {
        address operator = _operator(who);
        IStaking.Operator memory account = staking.operatorOf(operator);
        uint256 free = account.stake - account.locked;
        if (free == 0 || staking.ticketsOf(operator).length == staking.MAX_TICKETS()) return;
        vm.prank(operator);
        staking.unbond(bound(amount, 1, free));
    }

    function withdraw(uint256 who, uint256 which) external {
        address operator = _operator(who);
        uint256[] memory open = staking.ticketsOf(operator);
        if (open.length == 0) return;
        uint256 ticket = open[which % open.length];
        if (staking.ticketOf(ticket).availableAt > block.timestamp) return;
        vm.prank(operator);
        staking.withdraw(ticket, operator);
    }

    function approve(uint256 who, uint256 which, uint256 cap) external {
        address operator = _operator(who);
        address module = _module(which);
        vm.prank(operator);
        staking.approve(module, bound(cap, staking.lockedBy(operator, module), 2e24));
    }

    function lock(uint256 who, uint256 which, uint256 amount) external {
        address operator = _operator(who);
        address module = _module(which);
        amount = bound(amount, 0, staking.lockable(operator, module));
        vm.prank(module);
        staking.lock(operator, amount);
    }

    function unlock(uint256 who, uint256 which, uint256 amount) external {
        address operator = _operator(who);
        address module = _module(which);
        uint256 held = staking.lockedBy(operator, module);
        vm.prank(module);
        staking.unlock(operator, bound(amount, 0, held));
    }

    function slash(uint256 who, uint256 which, uint256 amount, uint256 to) external {
        address operator = _operator(who);
        address module = _module(which);
        address beneficiary = [address(0), reporter, module, operator][to % 4];
        uint256 held = staking.lockedBy(operator, module);
        vm.prank(module);
        (uint256 taken, uint256 share) = staking.slash(operator, bound(amount, 0, 2e24), beneficiary, "walk");
        if (taken > held) excess += taken - held;
        slashed += taken;
        paidOut += share;
        burnt += taken - share;
    }

    function withdrawCredit() external {
        if (staking.creditOf(reporter) == 0) return;
        vm.prank(reporter);
        staking.withdrawCredit(reporter);
    }

    function flushBurn() external {
        if (staking.creditOf(staking.BURN_SINK()) != 0) staking.flushBurn();
    }

    function wait(uint256 duration) external {
        skip(bound(duration, 1, 5 days));
    }

    function _operator(uint256 who) private view returns (address) {
        return operators[who % operators.length];
    }

    function _module(uint256 which) private view returns (address) {
        return modules[which % modules.length];
    }
}

contract StakingInvariants is StakingFixture {
    StakingHandler internal handler;
    address[] internal operators;

    function setUp() public {
        setUpStaking();
        operators = [actor("one"), actor("two"), actor("three")];
        for (uint256 i = 0; i < operators.length; ++i) enlist(operators[i], 1e21);
        address[] memory modules = new address[](2);
        (modules[0], modules[1]) = (moduleA, moduleB);
        handler = new StakingHandler(staking, token, operators, modules);
        targetContract(address(handler));
    }

    function invariant_INV1_liabilitiesEqualTheBalance() public view {
        uint256 sum = staking.creditOf(handler.reporter()) + staking.creditOf(staking.BURN_SINK());
        uint256 stakes;
        for (uint256 i = 0; i < operators.length; ++i) {
            IStaking.Operator memory account = staking.operatorOf(operators[i]);
            stakes += account.stake;
            sum += account.unbonding + staking.creditOf(operators[i]);
            uint256 tickets;
            uint256[] memory open = staking.ticketsOf(operators[i]);
            for (uint256 j = 0; j < open.length; ++j) tickets += staking.ticketOf(open[j]).amount;
            vm.assertEq(tickets, account.unbonding, "tickets add up to unbonding");
        }
        vm.assertEq(sum + stakes, token.balanceOf(address(staking)), "solvency");
    }

    function invariant_INV2_locksNeverExceedTheStake() public view {
        for (uint256 i = 0; i < operators.length; ++i) {
            IStaking.Operator memory account = staking.operatorOf(operators[i]);
            uint256 locks = staking.lockedBy(operators[i], moduleA) + staking.lockedBy(operators[i], moduleB);
            vm.assertEq(locks, account.locked, "locks add up");
            vm.assertLe(locks, account.stake, "locks within stake");
        }
    }

    function invariant_INV4_locksStayWithinCapsAndSlashesWithinLocks() public view {
        for (uint256 i = 0; i < operators.length; ++i) {
            address operator = operators[i];
            vm.assertLe(staking.lockedBy(operator, moduleA), staking.capOf(operator, moduleA), "cap of A");
            vm.assertLe(staking.lockedBy(operator, moduleB), staking.capOf(operator, moduleB), "cap of B");
        }
        vm.assertEq(handler.excess(), 0, "a slash took more than its module had locked");
    }

    function invariant_INV3_burntAndPaidEqualSlashed() public view {
        vm.assertEq(handler.burnt() + handler.paidOut(), handler.slashed(), "split");
        vm.assertEq(
            token.balanceOf(staking.BURN_SINK()) + staking.creditOf(staking.BURN_SINK()),
            handler.burnt(),
            "burnt"
        );
    }
}

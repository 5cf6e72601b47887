// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IStaking} from "../../../contracts/staking/interfaces/IStaking.sol";
import {StakingFixture} from "./StakingFixture.sol";

/// @notice What the staking contract writes down: histories, tickets, lists and credits.
contract StakingBooksTest is StakingFixture {
    address internal operator = actor("operator");
    address internal reporter = actor("reporter");

    function setUp() public {
        setUpStaking();
        enlist(operator, 1_000);
    }

    function test_register_writesDownWhen() public {
        vm.assertEq(uint256(staking.operatorOf(operator).registeredAt), block.timestamp, "registered");
    }

    function test_slash_leavesBothHistories() public {
        enlist(actor("other"), 500);
        lockFor(moduleA, operator, 400);
        vm.warp(block.timestamp + 100);
        slashBy(moduleA, operator, 300, reporter);
        uint64 at = uint64(block.timestamp);
        vm.warp(at + 1);
        vm.assertEq(staking.stakeAt(operator, at), 700, "the operator's stake");
        vm.assertEq(staking.totalStakeAt(at), 1_200, "all stake");
        vm.assertEq(staking.stakeAt(operator, at - 1), 1_000, "the operator's stake before");
        vm.assertEq(staking.totalStakeAt(at - 1), 1_500, "all stake before");
    }

    function test_slash_saysWhatIsBurnt() public {
        lockFor(moduleA, operator, 400);
        vm.expectEmit();
        emit IStaking.Slashed(operator, moduleA, reporter, 400, 280, REASON);
        slashBy(moduleA, operator, 400, reporter);
    }

    function test_unbond_givesEachTicketANumberOfItsOwn() public {
        uint256 first = unbondBy(operator, 100);
        uint256 second = unbondBy(operator, 200);
        uint256 third = unbondBy(operator, 300);
        vm.assertEq(first, 1, "the first ticket");
        vm.assertEq(second, 2, "the second ticket");
        vm.assertEq(third, 3, "the third ticket");
        vm.assertEq(staking.ticketOf(first).amount, 100, "the first amount");
        vm.assertEq(staking.ticketOf(second).amount, 200, "the second amount");
        vm.assertEq(staking.operatorOf(operator).unbonding, 600, "all that leaves");
    }

    function test_withdraw_closesItsTicketAndLeavesTheOthersOpen() public {
        uint256 first = unbondBy(operator, 100);
        uint256 second = unbondBy(operator, 200);
        uint256 third = unbondBy(operator, 300);
        vm.warp(block.timestamp + DELAY);
        vm.startPrank(operator);
        staking.withdraw(second, reporter);
        uint256[] memory open = staking.ticketsOf(operator);
        vm.assertEq(open.length, 2, "open tickets");
        vm.assertEq(open[0], first, "the first stays");
        vm.assertEq(open[1], third, "the last takes the free place");
        vm.assertEq(staking.operatorOf(operator).unbonding, 400, "what still leaves");
        staking.withdraw(first, reporter);
        staking.withdraw(third, reporter);
        vm.stopPrank();
        vm.assertEq(staking.ticketsOf(operator).length, 0, "all closed");
        vm.assertEq(staking.operatorOf(operator).unbonding, 0, "nothing leaves");
        vm.assertEq(staking.ticketOf(third).operator, address(0), "nothing of the ticket is left");
        vm.assertEq(token.balanceOf(reporter), 600, "all is paid");
    }

    function test_withdrawCredit_toNobodyOrHere_reverts() public {
        lockFor(moduleA, operator, 400);
        slashBy(moduleA, operator, 400, reporter);
        vm.startPrank(reporter);
        vm.expectRevert(abi.encodeWithSelector(IStaking.InvalidRecipient.selector, address(0)));
        staking.withdrawCredit(address(0));
        vm.expectRevert(abi.encodeWithSelector(IStaking.InvalidRecipient.selector, address(staking)));
        staking.withdrawCredit(address(staking));
        vm.stopPrank();
        vm.assertEq(staking.creditOf(reporter), 120, "the credit stays");
    }

    function test_operators_pagesThroughAllOfThem() public {
        address[] memory all = new address[](5);
        all[0] = operator;
        for (uint160 i = 1; i < 5; ++i) {
            all[i] = address(0xabc0 + i);
            enlist(all[i], 1);
        }
        for (uint256 i = 0; i < 5; i += 2) {
            address[] memory page = staking.operators(i, 2);
            vm.assertEq(page.length, i == 4 ? 1 : 2, "length of the page");
            for (uint256 j = 0; j < page.length; ++j) vm.assertEq(page[j], all[i + j], "operator");
        }
    }

    function test_unpause_letsOperatorsRegisterAgain() public {
        staking.pause();
        staking.unpause();
        enlist(actor("other"), 1);
        vm.assertEq(staking.operatorCount(), 2, "registered");
    }
}

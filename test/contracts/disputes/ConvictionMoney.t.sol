// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Refunds} from "../../../contracts/disputes/Refunds.sol";
import {IJobRegistry} from "../../../contracts/jobs/interfaces/IJobRegistry.sol";
import {JobsFixture} from "../jobs/JobsFixture.sol";

/// @notice What challengers have of a convicted provider's bond, when it is enough for all their moves and when not.
contract ConvictionMoneyTest is JobsFixture {
    /// @dev The highest price that the bond of 1 ether allows, to the gwei.
    uint64 private constant HIGH = 75 gwei;

    function setUp() public {
        setUpJobs();
    }

    function test_conviction_refundsEveryMove_andKeepsTheRestForTheReward() public {
        (uint256 id, uint256 rest, uint256 due) = convicted(3, HIGH);
        (, , , , uint96 bond, , , , , uint64 paidPrice, ) = game.jobs(id);
        vm.assertEq(paidPrice, HIGH, "the whole price");
        vm.assertEq(bond, rest - due * HIGH, "reward");
        vm.assertEq(game.creditOf(challenger), 3 ether + due * HIGH, "bonds and refunds");
    }

    function test_conviction_withMoreMovesThanTheBondRefunds_paysAllOfThemAlike() public {
        (uint256 id, uint256 rest, uint256 due) = convicted(30, HIGH);
        vm.assertTrue(due * HIGH > rest, "the bond is enough");
        (, , , , uint96 bond, , , , , uint64 paidPrice, ) = game.jobs(id);
        vm.assertEq(paidPrice, rest / due, "a part of the price");
        vm.assertEq(bond, rest - due * paidPrice, "what no division gives out");
        vm.assertEq(game.creditOf(challenger), 30 ether + due * paidPrice, "bonds and refunds");
    }

    /// @return id a job whose provider said nothing to one of `count` challenges, all of which are settled
    /// @return rest what is left of its bond when half is burnt
    /// @return due gas units of all moves, the ruling among them
    function convicted(uint256 count, uint64 price) private returns (uint256 id, uint256 rest, uint256 due) {
        IJobRegistry.Parameters memory next = parameters();
        next.dispute.refundPrice = price;
        jobs.setParameters(next);
        id = committedJob();
        uint256 first = challenge(id, 1);
        uint256[] memory others = new uint256[](count - 1);
        for (uint256 i = 0; i < others.length; ++i) others[i] = challenge(id, i % 3);
        vm.warp(game.deadlineOf(first) + 1);
        game.callTimeout(first);
        vm.warp(game.deadlineOf(first) + 1);
        game.executeTimeout(first);
        for (uint256 i = 0; i < others.length; ++i) game.settle(others[i]);
        return (id, 0.5 ether, count * Refunds.CHALLENGE + Refunds.RULE);
    }
}

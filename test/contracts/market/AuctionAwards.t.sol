// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IJobRegistry} from "../../../contracts/jobs/interfaces/IJobRegistry.sol";
import {Bid, Order} from "../../../contracts/jobs/interfaces/Orders.sol";
import {IMarket} from "../../../contracts/market/interfaces/IMarket.sol";
import {AuctionsFixture} from "./AuctionsFixture.sol";

/// @notice Auctions from the award on: who wins, and who follows a winner that does not lock.
contract AuctionAwardsTest is AuctionsFixture {
    function setUp() public {
        setUpMarket();
    }

    function test_ofEqualBids_theEarlierAndTheOneWithMoreStakeStay() public {
        Order memory order = orderOf(consumer);
        address rich = vm.addr(2_000);
        enlist(rich, 9_000);
        for (uint256 i = 0; i < 33; ++i) enlist(vm.addr(1_000 + i), 2_000);
        skip(1);
        uint256 jobId = openAuction(order);
        Bid[] memory bids = new Bid[](34);
        for (uint256 i = 0; i < 34; ++i) {
            bids[i] = bidOf(i == 33 ? rich : vm.addr(1_000 + i), order, 700);
            commitBid(jobId, bids[i]);
        }
        toReveal(jobId);
        for (uint256 i = 0; i < 34; ++i) revealBid(jobId, bids[i]);
        vm.assertEq(market.creditOf(bids[31].provider), BOND, "the last of equals");
        vm.assertEq(market.creditOf(bids[32].provider), BOND, "later than all others");
        toAward(jobId);
        market.award(jobId);
        vm.assertEq(registry.jobOf(jobId).provider, rich, "more stake");
    }

    function test_award_ranksByPrice_thenStakeAtTheOpening_thenCommitment() public {
        address rich = actor("rich");
        enlist(rich, 30_000);
        vm.warp(time() + 1);
        Order memory order = orderOf(consumer);
        uint256 jobId = openAuction(order);
        Bid[4] memory bids = [
            bidOf(one, order, 800),
            bidOf(two, order, 800),
            bidOf(three, order, 801),
            bidOf(rich, order, 800)
        ];
        for (uint256 i = 0; i < 4; ++i) commitBid(jobId, bids[i]);
        vm.warp(time() + 1);
        // Stake that comes after the opening ranks nobody higher.
        token.mint(two, 90_000);
        vm.startPrank(two);
        token.approve(address(staking), 90_000);
        staking.stake(90_000);
        vm.stopPrank();
        toReveal(jobId);
        for (uint256 i = 4; i > 0; --i) revealBid(jobId, bids[i - 1]);
        toAward(jobId);
        address[4] memory expected = [rich, one, two, three];
        for (uint256 i = 0; i < 4; ++i) {
            market.award(jobId);
            vm.assertEq(registry.jobOf(jobId).provider, expected[i], "rank");
            endLock(jobId);
        }
        vm.expectRevert(abi.encodeWithSelector(IMarket.NoBid.selector, jobId));
        market.award(jobId);
    }

    function testFuzz_award_isTheBestOfAllOpenBids(
        uint256[6] memory prices,
        uint256[6] memory stakes
    ) public {
        address[6] memory providers;
        for (uint256 i = 0; i < 6; ++i) {
            providers[i] = vm.addr(2_000 + i);
            stakes[i] = bound(stakes[i], 50, 60) * 100;
            enlist(providers[i], stakes[i]);
        }
        vm.warp(time() + 1);
        Order memory order = orderOf(consumer);
        uint256 jobId = openAuction(order);
        Bid[6] memory bids;
        for (uint256 i = 0; i < 6; ++i) {
            prices[i] = bound(prices[i], 1, 3);
            bids[i] = bidOf(providers[i], order, uint128(prices[i]));
            commitBid(jobId, bids[i]);
        }
        toReveal(jobId);
        for (uint256 i = 0; i < 6; ++i) revealBid(jobId, bids[i]);
        toAward(jobId);
        market.award(jobId);
        // One number for each: the greatest is the best.
        uint256 best;
        for (uint256 i = 0; i < 6; ++i) {
            uint256 score = ((10 - prices[i]) << 64) | (stakes[i] << 32) | (10 - i);
            if (score > best) best = score;
        }
        vm.assertEq(registry.jobOf(jobId).provider, providers[10 - (best & 0xff)], "best");
    }

    function test_award_edges() public {
        Order memory order = orderOf(consumer);
        order.expiry = uint64(START + COMMIT + REVEAL + 10);
        (uint256 jobId, ) = twoOpen(order);
        vm.warp(START + COMMIT + REVEAL);
        vm.expectRevert(abi.encodeWithSelector(IMarket.WrongPhase.selector, jobId));
        market.award(jobId);
        vm.warp(START + COMMIT + REVEAL + 1);
        uint256 state = vm.snapshotState();
        market.award(jobId);
        vm.revertToState(state);
        vm.warp(order.expiry);
        state = vm.snapshotState();
        market.award(jobId);
        vm.revertToState(state);
        vm.warp(order.expiry + 1);
        vm.expectRevert(abi.encodeWithSelector(IMarket.Expired.selector, order.expiry));
        market.award(jobId);
    }

    function test_award_waitsForTheLock_thenGoesToTheNext() public {
        (uint256 jobId, ) = twoOpen(orderOf(consumer));
        toAward(jobId);
        market.award(jobId);
        vm.assertEq(registry.jobOf(jobId).provider, one, "the lowest");
        uint256 deadline = registry.jobOf(jobId).deadline;
        vm.warp(deadline);
        vm.expectRevert(abi.encodeWithSelector(IJobRegistry.TooEarly.selector, jobId, deadline + 1));
        market.award(jobId);
        endLock(jobId);
        market.award(jobId);
        vm.assertEq(registry.jobOf(jobId).provider, two, "the next");
        vm.assertEq(market.creditOf(consumer), 0, "nobody gains");
        vm.assertEq(staking.operatorOf(one).stake, 9_900, "the performance bond is burnt");
        lock(jobId, two);
        vm.expectRevert(
            abi.encodeWithSelector(IJobRegistry.WrongStatus.selector, jobId, IJobRegistry.Status.Training)
        );
        market.award(jobId);
    }

    function test_stakeTakenOutAfterTheReveal_losesTheBond_andTheNextWins() public {
        (uint256 jobId, ) = twoOpen(orderOf(consumer));
        vm.prank(one);
        staking.unbond(9_000);
        toAward(jobId);
        market.award(jobId);
        vm.assertEq(registry.jobOf(jobId).provider, two, "the next");
        vm.assertEq(market.creditOf(consumer), 0, "nobody gains");
        IMarket.SealedBid memory bid = bidsOf(jobId)[0];
        vm.assertTrue(bid.isOut && bid.isSettled, "out");
        vm.assertEq(registry.badMatches(), 0, "nobody without stake");
    }

    function test_stakeSlashedBelowTheNeed_isPassedOver() public {
        (uint256 jobId, ) = twoOpen(orderOf(consumer));
        // Whichever module the fault was against.
        vm.prank(one);
        staking.approve(address(this), 9_000);
        staking.lock(one, 9_000);
        staking.slash(one, 9_000, address(0), "fault");
        toAward(jobId);
        market.award(jobId);
        vm.assertEq(registry.jobOf(jobId).provider, two, "the next");
    }

    function test_parameterChange_whileAnAuctionIsOpen_letsItGoOn() public {
        (uint256 jobId, ) = twoOpen(orderOf(consumer));
        market.pause();
        toAward(jobId);
        market.award(jobId);
        lock(jobId, one);
        market.settleBid(jobId, one);
        vm.prank(one);
        vm.assertEq(market.withdraw(one), BOND, "bond");
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IJobRegistry} from "../../../contracts/jobs/interfaces/IJobRegistry.sol";
import {Bid, Order} from "../../../contracts/jobs/interfaces/Orders.sol";
import {Credits} from "../../../contracts/libraries/Credits.sol";
import {IMarket} from "../../../contracts/market/interfaces/IMarket.sol";
import {MarketFixture} from "./MarketFixture.sol";

/// @notice What becomes of bonds, and how auctions end, whoever vanishes.
contract AuctionBondsTest is MarketFixture {
    address internal constant SINK = 0x000000000000000000000000000000000000dEaD;

    Order internal order;
    uint256 internal jobId;
    uint256 internal revealUntil;

    /// @dev One bids 700, two 800, three hides its bid.
    function setUp() public {
        setUpMarket();
        order = orderOf(consumer);
        jobId = openAuction(order);
        revealUntil = market.auctionOf(jobId).revealUntil;
        Bid memory first = bidOf(one, order, 700);
        Bid memory second = bidOf(two, order, 800);
        commitBid(jobId, first);
        commitBid(jobId, second);
        vm.prank(three);
        market.commitBid(jobId, "hidden");
        vm.warp(START + COMMIT + 1);
        revealBid(jobId, first);
        revealBid(jobId, second);
    }

    function test_hiddenBid_losesItsBond_afterWindowCallAndGraceOnly() public {
        vm.warp(revealUntil);
        _expectNothing(three);
        vm.warp(revealUntil + 1);
        _expectNothing(three);
        market.callTimeout(jobId);
        vm.warp(revealUntil + 1 + GRACE);
        _expectNothing(three);
        vm.warp(revealUntil + 2 + GRACE);
        vm.expectEmit(address(market));
        emit IMarket.BondLost(jobId, three, BOND, "hidden");
        market.settleBid(jobId, three);
        vm.assertEq(market.creditOf(three), 0, "lost");
        vm.assertEq(market.creditOf(consumer), 0, "whoever gained could have hidden it");
        vm.assertEq(market.creditOf(SINK), BOND, "burns whole");
        _expectNothing(three);
        vm.assertEq(market.flushBurn(), BOND, "burnt");
        vm.assertEq(token.balanceOf(SINK), BOND, "in the sink");
    }

    function test_revealedBids_stayBondedUntilThereIsAWinner() public {
        endReveals(jobId);
        _expectNothing(one);
        vm.prank(two);
        vm.expectRevert(abi.encodeWithSelector(IMarket.NothingToSettle.selector, jobId, two));
        market.settleBid(jobId, two);
        _expectNothing(stranger);
    }

    function test_loser_takesItsBondBackAtOnce_andIsNoCandidateAnyMore() public {
        _award();
        // The winner cannot push the next one out, and leaves itself by no back door.
        vm.startPrank(one);
        vm.expectRevert(abi.encodeWithSelector(IMarket.NothingToSettle.selector, jobId, two));
        market.settleBid(jobId, two);
        vm.expectRevert(abi.encodeWithSelector(IMarket.NothingToSettle.selector, jobId, one));
        market.settleBid(jobId, one);
        vm.stopPrank();
        vm.prank(two);
        market.settleBid(jobId, two);
        vm.assertEq(market.creditOf(two), BOND, "back");
        endLock(jobId);
        vm.expectRevert(abi.encodeWithSelector(IMarket.NoBid.selector, jobId));
        market.award(jobId);
        market.closeAuction(jobId);
        requireStatus(jobId, IJobRegistry.Status.Cancelled);
        vm.assertEq(token.balanceOf(consumer), 100_000, "deposit");
        vm.assertEq(market.creditOf(one), 0, "the winner's bond is lost");
        vm.assertEq(market.creditOf(SINK), BOND, "burnt");
    }

    function test_winnerThatLocks_getsItsBond_andSoDoLosers_whateverBecomesOfTheJob() public {
        IJobRegistry.Status[3] memory ends = [
            IJobRegistry.Status.Finalised,
            IJobRegistry.Status.Failed,
            IJobRegistry.Status.Void
        ];
        _award();
        lock(jobId, one);
        uint256 state = vm.snapshotState();
        for (uint256 i = 0; i < 4; ++i) {
            if (i < 3) registry.end(jobId, ends[i]);
            market.settleBid(jobId, one);
            market.settleBid(jobId, two);
            vm.assertEq(market.creditOf(one), BOND, "winner");
            vm.assertEq(market.creditOf(two), BOND, "loser");
            _expectNothing(one);
            vm.revertToState(state);
            state = vm.snapshotState();
        }
    }

    function test_winnerThatDoesNotLock_losesItsBond_alsoWhenTheJobExpires() public {
        _award();
        endLock(jobId);
        vm.warp(order.expiry + 1);
        registry.expire(jobId);
        vm.expectEmit(address(market));
        emit IMarket.BondLost(jobId, one, BOND, "unlocked");
        market.settleBid(jobId, one);
        market.settleBid(jobId, two);
        vm.assertEq(market.creditOf(one), 0, "lost");
        vm.assertEq(market.creditOf(two), BOND, "back");
        market.closeAuction(jobId);
        vm.assertTrue(market.auctionOf(jobId).isOver, "over");
        _expectWrongPhase();
    }

    function test_walkFromADatasetThatIsOver_costsNothing() public {
        _award();
        datasets.end(DATASET);
        _walk();
        vm.assertEq(market.creditOf(one), BOND, "back");
        endLock(jobId);
        vm.warp(order.expiry + 2 hours);
        registry.expire(jobId);
        market.settleBid(jobId, two);
        vm.assertEq(market.creditOf(two), BOND, "back");
        // Who hid its bid did not walk.
        market.settleBid(jobId, three);
        vm.assertEq(market.creditOf(three), 0, "lost");
    }

    function test_nobodyAwards_andEverythingComesBack() public {
        vm.warp(order.expiry + 1);
        _expectWrongPhase();
        market.callTimeout(jobId);
        vm.warp(order.expiry + 2 + GRACE);
        market.closeAuction(jobId);
        requireStatus(jobId, IJobRegistry.Status.Cancelled);
        market.settleBid(jobId, one);
        market.settleBid(jobId, two);
        market.settleBid(jobId, three);
        vm.assertEq(market.creditOf(one) + market.creditOf(two), 2 * BOND, "back");
        vm.assertEq(token.balanceOf(consumer), 100_000, "deposit");
    }

    function test_jobThatExpiresInTheGrace_leavesHiddenBidsTheirTime() public {
        vm.warp(order.expiry);
        market.callTimeout(jobId);
        vm.warp(order.expiry + 1);
        registry.expire(jobId);
        _expectWrongPhase();
        _expectNothing(three);
        vm.warp(order.expiry + GRACE + 1);
        market.closeAuction(jobId);
        market.settleBid(jobId, one);
        market.settleBid(jobId, two);
        market.settleBid(jobId, three);
        vm.assertEq(market.creditOf(one) + market.creditOf(two), 2 * BOND, "back");
        vm.assertEq(market.creditOf(SINK), BOND, "the hidden one's");
    }

    function test_winnerVanishesAtTheEnd_closesOnlyAfterItsLockWindow() public {
        endReveals(jobId);
        vm.warp(order.expiry);
        market.award(jobId);
        vm.warp(order.expiry + 1);
        uint256 deadline = registry.jobOf(jobId).deadline;
        vm.expectRevert(abi.encodeWithSelector(IJobRegistry.TooEarly.selector, jobId, deadline + 1));
        market.closeAuction(jobId);
        endLock(jobId);
        market.closeAuction(jobId);
        requireStatus(jobId, IJobRegistry.Status.Cancelled);
        market.settleBid(jobId, two);
        vm.assertEq(market.creditOf(one), 0, "lost");
        vm.assertEq(market.creditOf(two), BOND, "back");
        _expectNothing(one);
    }

    // Closing

    function test_close_whileSomebodyCanWin_reverts() public {
        _expectWrongPhase();
        vm.warp(revealUntil);
        _expectWrongPhase();
        endReveals(jobId);
        _expectWrongPhase();
        vm.prank(consumer);
        vm.expectRevert(abi.encodeWithSelector(IMarket.WrongPhase.selector, jobId));
        market.closeAuction(jobId);
        market.award(jobId);
        endLock(jobId);
        // The next one can.
        _expectWrongPhase();
        vm.assertEq(market.auctionOf(jobId).winner, 1, "rolled back");
        vm.assertEq(market.creditOf(SINK), 0, "rolled back");
    }

    function test_close_beforeAnyBid_byTheConsumer_thenByAnyone() public {
        Order memory other = orderOf(consumer);
        uint256 id = openAuction(other);
        uint256 commitUntil = market.auctionOf(id).commitUntil;
        vm.warp(commitUntil);
        vm.expectRevert(abi.encodeWithSelector(IMarket.NotConsumer.selector, id, address(this)));
        market.closeAuction(id);
        uint256 state = vm.snapshotState();
        vm.prank(consumer);
        market.closeAuction(id);
        requireStatus(id, IJobRegistry.Status.Cancelled);
        vm.revertToState(state);
        vm.warp(commitUntil + 1);
        market.closeAuction(id);
        requireStatus(id, IJobRegistry.Status.Cancelled);
        vm.assertEq(token.balanceOf(consumer), 100_000 - DEPOSIT, "deposit");
        vm.prank(one);
        vm.expectRevert(abi.encodeWithSelector(IMarket.WrongPhase.selector, id));
        market.commitBid(id, "seal");
    }

    function test_close_onceABidIsIn_isNotTheConsumersAnyMore() public {
        uint256 id = openAuction(orderOf(consumer));
        vm.prank(one);
        market.commitBid(id, "seal");
        vm.prank(consumer);
        vm.expectRevert(abi.encodeWithSelector(IMarket.WrongPhase.selector, id));
        market.closeAuction(id);
    }

    function test_close_whenAllBidsStayedHidden() public {
        uint256 id = openAuction(orderOf(consumer));
        vm.prank(one);
        market.commitBid(id, "seal");
        vm.warp(market.auctionOf(id).revealUntil + 1);
        vm.expectRevert(abi.encodeWithSelector(IMarket.WrongPhase.selector, id));
        market.closeAuction(id);
        endReveals(id);
        vm.expectRevert(abi.encodeWithSelector(IMarket.NoBid.selector, id));
        market.award(id);
        market.closeAuction(id);
        requireStatus(id, IJobRegistry.Status.Cancelled);
        market.settleBid(id, one);
        vm.assertEq(market.creditOf(SINK), BOND, "burnt");
    }

    function test_close_whenNoBidderHasTheStakeAnyMore() public {
        vm.prank(one);
        staking.retire();
        vm.prank(two);
        staking.unbond(10_000);
        endReveals(jobId);
        vm.expectRevert(abi.encodeWithSelector(IMarket.NoBid.selector, jobId));
        market.award(jobId);
        market.closeAuction(jobId);
        vm.assertEq(market.creditOf(SINK), 2 * BOND, "both lost");
    }

    function test_close_aJobThatTrains_endsTheAuctionOnly() public {
        _award();
        lock(jobId, one);
        market.closeAuction(jobId);
        requireStatus(jobId, IJobRegistry.Status.Training);
        vm.assertTrue(market.auctionOf(jobId).isOver, "over");
        market.settleBid(jobId, two);
        market.settleBid(jobId, one);
        vm.assertEq(market.creditOf(one) + market.creditOf(two), 2 * BOND, "back");
    }

    // Exits

    function test_withdraw_paysOnce_andNeverNobodyOrTheMarket() public {
        _award();
        vm.startPrank(two);
        market.settleBid(jobId, two);
        vm.expectRevert(abi.encodeWithSelector(Credits.InvalidRecipient.selector, address(0)));
        market.withdraw(address(0));
        vm.expectRevert(abi.encodeWithSelector(Credits.InvalidRecipient.selector, address(market)));
        market.withdraw(address(market));
        vm.assertEq(market.withdraw(stranger), BOND, "paid");
        vm.assertEq(token.balanceOf(stranger), BOND, "to whom it was meant");
        vm.expectRevert(abi.encodeWithSelector(Credits.NoCredit.selector, two));
        market.withdraw(stranger);
        vm.stopPrank();
    }

    function _award() private {
        endReveals(jobId);
        market.award(jobId);
    }

    /// @dev The winner lets its time to lock pass, and the next one gets its turn.
    function _walk() private {
        endLock(jobId);
        market.award(jobId);
    }

    function _expectNothing(address provider) private {
        vm.expectRevert(abi.encodeWithSelector(IMarket.NothingToSettle.selector, jobId, provider));
        market.settleBid(jobId, provider);
    }

    function _expectWrongPhase() private {
        vm.expectRevert(abi.encodeWithSelector(IMarket.WrongPhase.selector, jobId));
        market.closeAuction(jobId);
    }
}

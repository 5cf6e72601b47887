// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {MockV3Aggregator} from "@chainlink/contracts/src/v0.8/shared/mocks/MockV3Aggregator.sol";
import {IJobRegistry} from "../../../contracts/jobs/interfaces/IJobRegistry.sol";
import {Bid, Order} from "../../../contracts/jobs/interfaces/Orders.sol";
import {Credits} from "../../../contracts/libraries/Credits.sol";
import {FeedBounds, IMarket} from "../../../contracts/market/interfaces/IMarket.sol";
import {MarketFixture} from "./MarketFixture.sol";

/// @notice What keepers read of orders and auctions: every event, in order, and no others.
contract MarketEventsTest is MarketFixture {
    function setUp() public {
        setUpMarket();
        vm.recordLogs();
    }

    function test_events_ofAnAuction() public {
        Order memory order = orderOf(consumer);
        uint256 jobId = openAuction(order);
        Bid memory first = bidOf(one, order, 700);
        Bid memory second = bidOf(two, order, 800);
        commitBid(jobId, first);
        commitBid(jobId, second);
        vm.prank(three);
        market.commitBid(jobId, "hidden");
        vm.warp(START + COMMIT + 1);
        revealBid(jobId, first);
        revealBid(jobId, second);
        vm.warp(START + COMMIT + REVEAL + 2);
        market.callTimeout(jobId);
        vm.warp(market.auctionOf(jobId).graceEnds + 1);
        market.award(jobId);
        lock(jobId, one);
        market.settleBid(jobId, one);
        vm.prank(two);
        market.settleBid(jobId, two);
        market.settleBid(jobId, three);
        registry.end(jobId, IJobRegistry.Status.Finalised);
        vm.prank(one);
        market.withdraw(one);
        market.flushBurn();
        requireEvents(vm.getRecordedLogs(), address(market), bytes.concat(_bids(), _bonds()));
    }

    function test_events_ofAnAuctionThatNobodyJoins() public {
        uint256 jobId = openAuction(orderOf(consumer));
        vm.prank(consumer);
        market.closeAuction(jobId);
        requireEvents(
            vm.getRecordedLogs(),
            address(market),
            bytes.concat(
                IMarket.OrderPosted.selector,
                IMarket.AuctionOpened.selector,
                IMarket.AuctionClosed.selector
            )
        );
    }

    function test_events_ofADirectAcceptance_ofACancelledNonce_andOfAFeed() public {
        Order memory order = orderOf(consumer);
        Bid memory bid = bidOf(one, order, 700);
        post(order);
        market.accept(order, TRAINING, signOrder(order), bid, signBid(bid, "one"));
        vm.prank(consumer);
        market.cancelNonce(1_000);
        market.setFeed(address(new MockV3Aggregator(8, 1e8)), FeedBounds(1 hours, 1e8, 10e8));
        requireEvents(
            vm.getRecordedLogs(),
            address(market),
            bytes.concat(
                IMarket.OrderPosted.selector,
                IMarket.BidAccepted.selector,
                IMarket.Matched.selector,
                IMarket.NonceCancelled.selector,
                IMarket.FeedSet.selector
            )
        );
    }

    function _bids() private pure returns (bytes memory) {
        return
            bytes.concat(
                IMarket.OrderPosted.selector,
                IMarket.AuctionOpened.selector,
                IMarket.BidCommitted.selector,
                IMarket.BidCommitted.selector,
                IMarket.BidCommitted.selector,
                IMarket.BidRevealed.selector,
                IMarket.BidRevealed.selector,
                IMarket.RevealTimeoutCalled.selector,
                IMarket.AuctionAwarded.selector,
                IMarket.Matched.selector
            );
    }

    function _bonds() private pure returns (bytes memory) {
        return
            bytes.concat(
                IMarket.BondReturned.selector,
                IMarket.BondReturned.selector,
                IMarket.BondLost.selector,
                IMarket.Withdrawn.selector,
                Credits.BurnFlushed.selector
            );
    }
}

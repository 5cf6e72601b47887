// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {BaseSequencerUptimeFeed} from "@chainlink/contracts/src/v0.8/l2ep/base/BaseSequencerUptimeFeed.sol";
import {MockV3Aggregator} from "@chainlink/contracts/src/v0.8/shared/mocks/MockV3Aggregator.sol";
import {Bid, Order} from "../../../contracts/jobs/interfaces/Orders.sol";
import {FeedBounds, IMarket} from "../../../contracts/market/interfaces/IMarket.sol";
import {MarketFixture} from "./MarketFixture.sol";

/// @notice Chainlink's own uptime feed, but for the messenger of a rollup that tells it what it sees.
contract UptimeFeed is BaseSequencerUptimeFeed {
    string public constant override typeAndVersion = "UptimeFeed 1.0.0";

    constructor(bool isDown) BaseSequencerUptimeFeed(address(0), isDown) {
        // As on the networks: contracts may read it.
        checkEnabled = false;
    }

    function _validateSender(address) internal pure override {}
}

/// @notice Prices of feeds on a rollup whose sequencer may be down.
contract SequencerFeedTest is MarketFixture {
    int256 private constant ANSWER = 2e8;

    UptimeFeed private _uptime;
    MockV3Aggregator private _feed;

    function setUp() public {
        vm.warp(START);
        _uptime = new UptimeFeed(false);
        sequencerFeed = address(_uptime);
        setUpMarket();
        // Listed with the greatest age, so that its answers are never stale here.
        _feed = new MockV3Aggregator(8, ANSWER);
        market.setFeed(address(_feed), FeedBounds(2 days, 1e8, 10e8));
        give(consumer, 1_000e18);
    }

    function test_attack_answerFromBeforeAHalt_isNotBelievedUntilAnHourAfterIt() public {
        (Order memory order, Bid memory bid) = _pair();
        vm.warp(START + 3 hours);
        uint256 up = vm.snapshotState();
        _accept(order, bid);
        vm.revertToState(up);
        uint256 downAt = time();
        _uptime.updateStatus(true, uint64(downAt));
        _expectDown(order, bid, 1, downAt);
        vm.warp(downAt + 10 hours);
        _expectDown(order, bid, 1, downAt);
        uint256 upAt = time();
        _uptime.updateStatus(false, uint64(upAt));
        _expectDown(order, bid, 0, upAt);
        vm.warp(upAt + market.SEQUENCER_REST());
        _expectDown(order, bid, 0, upAt);
        vm.warp(upAt + market.SEQUENCER_REST() + 1);
        _accept(order, bid);
    }

    function test_sameStatusAgain_beginsNoNewRest() public {
        (Order memory order, Bid memory bid) = _pair();
        vm.warp(START + 2 hours);
        _uptime.updateStatus(false, uint64(START + 2 hours));
        _accept(order, bid);
    }

    function test_auction_isNotOpenedWhileTheSequencerIsDown() public {
        (Order memory order, ) = _pair();
        vm.warp(START + 2 hours);
        _uptime.updateStatus(true, uint64(START + 2 hours));
        vm.prank(consumer);
        vm.expectRevert(abi.encodeWithSelector(IMarket.BadFeed.selector, sequencerFeed, 1, START + 2 hours));
        market.openAuction(order, TRAINING, PACKAGE, termsOf(1e18));
    }

    function test_feedThatHasSaidNothingYet_isNotBelieved() public {
        MockV3Aggregator silent = new MockV3Aggregator(0, 0);
        silent.updateRoundData(0, 0, 0, 0);
        sequencerFeed = address(silent);
        setUpMarket();
        market.setFeed(address(_feed), FeedBounds(2 days, 1e8, 10e8));
        give(consumer, 1_000e18);
        (Order memory order, Bid memory bid) = _pair();
        _expectDown(order, bid, 0, 0);
    }

    function test_pricesInTokens_needNoSequencer() public {
        Order memory order = orderOf(consumer);
        post(order);
        Bid memory bid = bidOf(one, order, 500);
        _uptime.updateStatus(true, uint64(START));
        _accept(order, bid);
    }

    function _pair() private returns (Order memory order, Bid memory bid) {
        order = orderOf(consumer);
        order.conditions.priceFeed = address(_feed);
        order.conditions.maximumPrice = 1_000;
        order.conditions.deposit = DEPOSIT;
        // Nothing: so that the stake of the fixture's providers suffices.
        bid = bidOf(one, order, 0);
        order.expiry = uint64(START + 30 days);
        bid.order = market.hashOrder(order);
        bid.expiry = order.expiry;
        post(order);
    }

    function _accept(Order memory order, Bid memory bid) private {
        market.accept(order, TRAINING, signOrder(order), bid, signBid(bid, "one"));
    }

    function _expectDown(Order memory order, Bid memory bid, int256 answer, uint256 since) private {
        bytes memory orderSignature = signOrder(order);
        bytes memory bidSignature = signBid(bid, "one");
        vm.expectRevert(abi.encodeWithSelector(IMarket.BadFeed.selector, sequencerFeed, answer, since));
        market.accept(order, TRAINING, orderSignature, bid, bidSignature);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {MockV3Aggregator} from "@chainlink/contracts/src/v0.8/shared/mocks/MockV3Aggregator.sol";
import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {IJobRegistry} from "../../../contracts/jobs/interfaces/IJobRegistry.sol";
import {Bid, Order} from "../../../contracts/jobs/interfaces/Orders.sol";
import {FeedBounds, IMarket} from "../../../contracts/market/interfaces/IMarket.sol";
import {MarketFixture} from "./MarketFixture.sol";

/// @notice Prices in a feed's unit: one whole token is 10^18 units and costs 2.5 at first, with 8 decimals.
contract PriceFeedsTest is MarketFixture {
    int256 internal constant ANSWER = 2.5e8;
    uint32 internal constant AGE = 1 hours;

    MockV3Aggregator internal feed;

    function setUp() public {
        setUpMarket();
        feed = new MockV3Aggregator(8, ANSWER);
        market.setFeed(address(feed), FeedBounds(AGE, 1e8, 10e8));
        give(consumer, 1_000e18);
        _enlistRich(one);
        _enlistRich(two);
    }

    function test_price_isConvertedAtTheMatch_roundedDown() public {
        // 10 / 2.5 = 4 tokens; 10 / 3 = 3.33… tokens
        vm.assertEq(_acceptAt(ANSWER, 10e8), 4e18, "exact");
        vm.assertEq(_acceptAt(3e8, 10e8), 3_333_333_333_333_333_333, "down");
        vm.assertEq(_acceptAt(10e8, 0), 0, "nothing");
    }

    function testFuzz_price_isNeverMoreThanTheBidIsWorth_norLessByAUnit(
        uint256 answer,
        uint256 price
    ) public {
        answer = bound(answer, 1e8, 10e8);
        price = bound(price, 0, 20e8);
        uint256 paid = _acceptAt(int256(answer), uint128(price));
        vm.assertLe(paid * answer, price * 1e18, "against the provider");
        vm.assertGt((paid + 1) * answer, price * 1e18, "by less than a unit");
    }

    function test_priceAboveTheDeposit_becauseTheTokenFell_isRefused() public {
        Order memory order = _order();
        order.conditions.deposit = 4e18;
        Bid memory bid = bidOf(one, order, 10e8);
        uint256 state = vm.snapshotState();
        post(order);
        market.accept(order, TRAINING, signOrder(order), bid, signBid(bid, "one"));
        vm.revertToState(state);
        feed.updateAnswer(ANSWER - 1);
        _expectAccept(order, bid, abi.encodeWithSelector(IMarket.UnmetCondition.selector, bytes32("price")));
    }

    function test_maximumPrice_isInTheFeedsUnit() public {
        Order memory order = _order();
        Bid memory bid = bidOf(one, order, 20e8 + 1);
        _expectAccept(order, bid, abi.encodeWithSelector(IMarket.UnmetCondition.selector, bytes32("price")));
    }

    function test_staleAnswer_atTheLastSecondAndAfter() public {
        Order memory order = _order();
        Bid memory bid = bidOf(one, order, 10e8);
        uint256 updatedAt = time();
        vm.warp(updatedAt + AGE + 1);
        _expectBad(order, bid, ANSWER, updatedAt);
        vm.warp(updatedAt + AGE);
        post(order);
        market.accept(order, TRAINING, signOrder(order), bid, signBid(bid, "one"));
    }

    function test_answersFromTheFuture_zeroNegativeOrOutOfBounds_areRefused() public {
        Order memory order = _order();
        Bid memory bid = bidOf(one, order, 10e8);
        feed.updateRoundData(2, ANSWER, time() + 1, time());
        _expectBad(order, bid, ANSWER, time() + 1);
        feed.updateRoundData(3, ANSWER, 0, 0);
        _expectBad(order, bid, ANSWER, 0);
        int256[5] memory answers = [int256(0), -1, 1e8 - 1, 10e8 + 1, type(int256).min];
        for (uint256 i = 0; i < 5; ++i) {
            feed.updateAnswer(answers[i]);
            _expectBad(order, bid, answers[i], time());
        }
    }

    function test_aFeedOfTheConsumersOwnMaking_isRefused() public {
        Order memory order = _order();
        MockV3Aggregator own = new MockV3Aggregator(8, ANSWER);
        order.conditions.priceFeed = address(own);
        Bid memory bid = bidOf(one, order, 10e8);
        _expectAccept(order, bid, abi.encodeWithSelector(IMarket.BadFeed.selector, address(own), 0, 0));
        order.conditions.priceFeed = stranger;
        bid.order = market.hashOrder(order);
        _expectAccept(order, bid, abi.encodeWithSelector(IMarket.BadFeed.selector, stranger, 0, 0));
        market.setFeed(address(feed), FeedBounds(0, 0, 0));
        order = _order();
        bid = bidOf(one, order, 10e8);
        _expectAccept(order, bid, abi.encodeWithSelector(IMarket.BadFeed.selector, address(feed), 0, 0));
    }

    function test_auction_keepsTheAnswerOfItsOpening_whenTheFeedDiesOrIsTakenOff() public {
        Order memory order = _order();
        uint128 bond = 1e18;
        vm.prank(consumer);
        uint256 jobId = market.openAuction(order, TRAINING, PACKAGE, termsOf(bond));
        Bid memory first = bidOf(one, order, 15e8);
        Bid memory second = bidOf(two, order, 10e8);
        commitBid(jobId, first);
        commitBid(jobId, second);
        vm.assertEq(market.rateOf(jobId), uint256(ANSWER), "on record");
        feed.updateAnswer(-1);
        market.setFeed(address(feed), FeedBounds(0, 0, 0));
        vm.warp(START + COMMIT + 1);
        revealBid(jobId, first);
        revealBid(jobId, second);
        vm.warp(START + COMMIT + REVEAL + 1);
        market.award(jobId);
        IJobRegistry.Job memory job = registry.jobOf(jobId);
        vm.assertEq(job.provider, two, "the lower");
        vm.assertEq(job.price, 4e18, "at the opening's answer");
    }

    function test_auction_isNotOpenedOnABadAnswer() public {
        Order memory order = _order();
        feed.updateAnswer(0);
        vm.prank(consumer);
        vm.expectRevert(abi.encodeWithSelector(IMarket.BadFeed.selector, address(feed), 0, block.timestamp));
        market.openAuction(order, TRAINING, PACKAGE, termsOf(1e18));
    }

    function test_setFeed_isRestricted_andBounded() public {
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, stranger));
        market.setFeed(address(feed), FeedBounds(AGE, 1, 2));
        _expectOut(FeedBounds(1 minutes - 1, 1, 2), "age", 1 minutes - 1, 1 minutes, 2 days);
        _expectOut(FeedBounds(2 days + 1, 1, 2), "age", 2 days + 1, 1 minutes, 2 days);
        uint256 most = uint256(type(uint128).max) / 10_000;
        _expectOut(FeedBounds(AGE, 0, 2), "least", 0, 1, most);
        _expectOut(FeedBounds(AGE, uint128(most + 1), type(uint128).max), "least", most + 1, 1, most);
        _expectOut(FeedBounds(AGE, 3, 2), "most", 2, 3, 30_000);
        _expectOut(FeedBounds(AGE, 3, 30_001), "most", 30_001, 3, 30_000);
        market.setFeed(stranger, FeedBounds(AGE, 3, 30_000));
        vm.assertEq(market.feedOf(stranger).most, 30_000, "set");
        market.setFeed(stranger, FeedBounds(0, 3, 4));
        vm.assertEq(market.feedOf(stranger).most, 0, "taken off");
    }

    function _order() private returns (Order memory order) {
        order = orderOf(consumer);
        order.conditions.priceFeed = address(feed);
        order.conditions.maximumPrice = 20e8;
        order.conditions.deposit = 10e18;
    }

    function _acceptAt(int256 answer, uint128 price) private returns (uint256) {
        feed.updateAnswer(answer);
        Order memory order = _order();
        order.conditions.deposit = 20e18;
        Bid memory bid = bidOf(one, order, price);
        post(order);
        uint256 jobId = market.accept(order, TRAINING, signOrder(order), bid, signBid(bid, "one"));
        return registry.jobOf(jobId).price;
    }

    function _expectAccept(Order memory order, Bid memory bid, bytes memory reason) private {
        bytes memory orderSignature = signOrder(order);
        bytes memory bidSignature = signBid(bid, "one");
        vm.expectRevert(reason);
        market.accept(order, TRAINING, orderSignature, bid, bidSignature);
    }

    function _expectBad(Order memory order, Bid memory bid, int256 answer, uint256 updatedAt) private {
        bytes memory reason = abi.encodeWithSelector(
            IMarket.BadFeed.selector,
            address(feed),
            answer,
            updatedAt
        );
        _expectAccept(order, bid, reason);
    }

    function _expectOut(
        FeedBounds memory bounds,
        bytes32 name,
        uint256 value,
        uint256 low,
        uint256 high
    ) private {
        vm.expectRevert(abi.encodeWithSelector(IMarket.OutOfBounds.selector, name, value, low, high));
        market.setFeed(address(feed), bounds);
    }

    function _enlistRich(address account) private {
        token.mint(account, 1_010e18);
        vm.startPrank(account);
        token.approve(address(staking), 1_000e18);
        staking.stake(1_000e18);
        vm.stopPrank();
    }
}

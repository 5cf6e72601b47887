// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {IJobRegistry} from "../../../contracts/jobs/interfaces/IJobRegistry.sol";
import {Bid, Order} from "../../../contracts/jobs/interfaces/Orders.sol";
import {AuctionTerms, IMarket} from "../../../contracts/market/interfaces/IMarket.sol";
import {Required} from "../../../contracts/market/Requirements.sol";
import {MarketFixture} from "./MarketFixture.sol";

/// @notice Matches without an auction: what an order asks, what a bid meets.
contract MarketTest is MarketFixture {
    function setUp() public {
        setUpMarket();
    }

    function test_accept_byAnyone_withBothSignatures() public {
        (Order memory order, Bid memory bid) = _pair();
        uint256 jobId = _relay(order, bid);
        IJobRegistry.Job memory job = registry.jobOf(jobId);
        vm.assertEq(job.consumer, consumer, "consumer");
        vm.assertEq(job.provider, one, "provider");
        vm.assertEq(job.price, 800, "price");
        vm.assertEq(job.orderHash, market.hashOrder(order), "hash");
        requireStatus(jobId, IJobRegistry.Status.Matched);
        vm.assertEq(token.balanceOf(address(escrow)), DEPOSIT, "deposit");
        vm.assertEq(token.balanceOf(address(market)), 0, "the market holds nothing");
        vm.assertTrue(market.isNonceUsed(consumer, order.nonce), "order's nonce");
        vm.assertTrue(market.isNonceUsed(one, bid.nonce), "bid's nonce");
    }

    function test_accept_whoCallsNeedNotSign() public {
        (Order memory order, Bid memory bid) = _pair();
        bytes memory signature = signBid(bid, "one");
        vm.prank(consumer);
        market.accept(order, TRAINING, NOBODY, bid, signature);
        (order, bid) = _pair();
        signature = signOrder(order);
        vm.prank(one);
        market.accept(order, TRAINING, signature, bid, NOBODY);
        vm.assertEq(registry.count(), 2, "both");
    }

    function test_accept_withoutOneOfTheSignatures_reverts() public {
        (Order memory order, Bid memory bid) = _pair();
        bytes memory orderSignature = signOrder(order);
        bytes memory bidSignature = signBid(bid, "one");
        vm.expectRevert(abi.encodeWithSelector(IMarket.WrongSignature.selector, consumer));
        market.accept(order, TRAINING, NOBODY, bid, bidSignature);
        vm.expectRevert(abi.encodeWithSelector(IMarket.WrongSignature.selector, one));
        market.accept(order, TRAINING, orderSignature, bid, NOBODY);
        vm.expectRevert(abi.encodeWithSelector(IMarket.WrongSignature.selector, consumer));
        market.accept(order, TRAINING, bidSignature, bid, bidSignature);
        vm.prank(consumer);
        vm.expectRevert(abi.encodeWithSelector(IMarket.WrongSignature.selector, one));
        market.accept(order, TRAINING, NOBODY, bid, orderSignature);
    }

    function test_accept_replayed_reverts() public {
        (Order memory order, Bid memory bid) = _pair();
        _relay(order, bid);
        bytes memory orderSignature = signOrder(order);
        bytes memory bidSignature = signBid(bid, "one");
        vm.expectRevert(abi.encodeWithSelector(IMarket.NonceUsed.selector, consumer, order.nonce));
        market.accept(order, TRAINING, orderSignature, bid, bidSignature);
        // Another order, the same number of the provider's.
        Order memory other = orderOf(consumer);
        bid.order = market.hashOrder(other);
        orderSignature = signOrder(other);
        bidSignature = signBid(bid, "one");
        vm.expectRevert(abi.encodeWithSelector(IMarket.NonceUsed.selector, one, bid.nonce));
        market.accept(other, TRAINING, orderSignature, bid, bidSignature);
    }

    function test_cancelledNonces_takeNothing() public {
        (Order memory order, Bid memory bid) = _pair();
        vm.prank(consumer);
        market.cancelNonce(order.nonce);
        _expectRelay(order, bid, abi.encodeWithSelector(IMarket.NonceUsed.selector, consumer, order.nonce));
        vm.prank(consumer);
        vm.expectRevert(abi.encodeWithSelector(IMarket.NonceUsed.selector, consumer, order.nonce));
        market.cancelNonce(order.nonce);

        (order, bid) = _pair();
        vm.prank(one);
        market.cancelNonce(bid.nonce);
        _expectRelay(order, bid, abi.encodeWithSelector(IMarket.NonceUsed.selector, one, bid.nonce));
        // Nobody cancels for someone else.
        bid.nonce += 1_000;
        market.cancelNonce(bid.nonce);
        _relay(order, bid);
    }

    function test_accept_expiry_atTheLastSecondAndAfter() public {
        (Order memory order, Bid memory bid) = _pair();
        vm.warp(order.expiry - 1);
        uint256 state = vm.snapshotState();
        _relay(order, bid);
        vm.revertToState(state);
        vm.warp(order.expiry);
        state = vm.snapshotState();
        _relay(order, bid);
        vm.revertToState(state);
        vm.warp(order.expiry + 1);
        _expectRelay(order, bid, abi.encodeWithSelector(IMarket.Expired.selector, order.expiry));
        bid.expiry = order.expiry + 1;
        _expectRelay(order, bid, abi.encodeWithSelector(IMarket.Expired.selector, order.expiry));
    }

    function test_accept_expiredBid_reverts() public {
        (Order memory order, Bid memory bid) = _pair();
        bid.expiry = uint64(time());
        vm.warp(bid.expiry + 1);
        _expectRelay(order, bid, abi.encodeWithSelector(IMarket.Expired.selector, bid.expiry));
        vm.warp(bid.expiry);
        _relay(order, bid);
    }

    function test_accept_bidForAnotherOrder_reverts() public {
        (Order memory order, Bid memory bid) = _pair();
        bid.order = "another";
        bytes32 orderHash = market.hashOrder(order);
        _expectRelay(order, bid, abi.encodeWithSelector(IMarket.WrongOrder.selector, bid.order, orderHash));
    }

    function test_accept_orderAlteredAfterItWasSigned_reverts() public {
        (Order memory order, Bid memory bid) = _pair();
        bytes memory signature = signOrder(order);
        order.conditions.deposit += 1;
        bid.order = market.hashOrder(order);
        bytes memory bidSignature = signBid(bid, "one");
        vm.expectRevert(abi.encodeWithSelector(IMarket.WrongSignature.selector, consumer));
        market.accept(order, TRAINING, signature, bid, bidSignature);
    }

    function test_eachConditionThatIsNotMet_reverts() public {
        (Order memory order, Bid memory bid) = _pair();
        bid.price = 901;
        _expectUnmet(order, bid, "price");
        (bid.price, bid.compute) = (900, 49);
        _expectUnmet(order, bid, "compute");
        (bid.compute, bid.region) = (50, 0x1);
        _expectUnmet(order, bid, "region");
        bid.region = 0;
        _expectUnmet(order, bid, "region");
        // In two places at once.
        bid.region = 0x6;
        _expectUnmet(order, bid, "region");
        (bid.region, bid.regulations) = (0x2, 0x4);
        _expectUnmet(order, bid, "regulations");
        (bid.regulations, bid.privacyTier) = (0x5, 1);
        _expectUnmet(order, bid, "privacy");
        (bid.privacyTier, bid.provider) = (3, stranger);
        _expectUnmet(order, bid, "role");
        bid.provider = one;
        _relay(order, bid);
    }

    function test_anOrderWithoutRegions_takesAnyPlace() public {
        Order memory order = orderOf(consumer);
        order.conditions.regions = 0;
        post(order);
        Bid memory bid = bidOf(one, order, 800);
        bid.region = 0;
        _relay(order, bid);
    }

    function test_priceAboveTheDeposit_reverts() public {
        Order memory order = orderOf(consumer);
        order.conditions.maximumPrice = 2_000;
        post(order);
        _expectUnmet(order, bidOf(one, order, DEPOSIT + 1), "price");
        _relay(order, bidOf(one, order, DEPOSIT));
    }

    function test_capacityIsBoundedByFreeStake() public {
        address small = actor("small");
        // Twice the price, and a tenth of the deposit until the commitment.
        enlist(small, 1_700);
        Order memory order = orderOf(consumer);
        Bid memory bid = bidOf(small, order, 801);
        _expectUnmetBy("small", order, bid, "stake");
        bid.price = 800;
        post(order);
        uint256 jobId = market.accept(order, TRAINING, signOrder(order), bid, signBid(bid, "small"));
        lock(jobId, small);
        order = orderOf(consumer);
        bid = bidOf(small, order, 0);
        _expectUnmetBy("small", order, bid, "stake");
        vm.prank(small);
        staking.retire();
        _expectUnmetBy("small", order, bid, "role");
    }

    function testFuzz_INV3_aMatchMeetsEveryCondition(
        Required memory asked,
        Bid memory bid,
        uint256 stake
    ) public {
        Order memory order = orderOf(consumer);
        order.conditions.maximumPrice = uint128(bound(asked.maximumPrice, 0, 1_200));
        order.conditions.minimumCompute = uint32(bound(asked.minimumCompute, 0, 3));
        order.conditions.regions = asked.regions & 0x7;
        order.conditions.regulations = asked.regulations & 0x3;
        order.conditions.privacyTier = asked.privacyTier & 0x1;
        address fuzzed = actor("fuzzed");
        stake = bound(stake, 1, 3_000);
        enlist(fuzzed, stake);
        bid.provider = fuzzed;
        bid.order = market.hashOrder(order);
        bid.price = uint128(bound(bid.price, 0, 1_200));
        bid.compute = uint32(bound(bid.compute, 0, 3));
        bid.region = uint64(1) << uint64(bound(bid.region, 0, 3));
        bid.regulations &= 0x7;
        bid.privacyTier &= 0x3;
        bid.expiry = order.expiry;
        bool meets =
            bid.price <= order.conditions.maximumPrice &&
                bid.price <= DEPOSIT &&
                bid.compute >= order.conditions.minimumCompute &&
                (order.conditions.regions == 0 || order.conditions.regions & bid.region != 0) &&
                ~bid.regulations & order.conditions.regulations == 0 &&
                bid.privacyTier >= order.conditions.privacyTier &&
                stake >= registry.stakeFor(fuzzed, bid.price) + registry.performanceFor(DEPOSIT);
        post(order);
        bytes memory call = abi.encodeCall(
            IMarket.accept,
            (order, TRAINING, signOrder(order), bid, signBid(bid, "fuzzed"))
        );
        (bool ok, ) = address(market).call(call);
        vm.assertEq(ok, meets, "matched although it does not fit, or refused although it does");
        vm.assertEq(registry.badMatches(), 0, "stake");
    }

    // Posting

    function test_post_showsAnOrderOnce_andMovesNothing() public {
        Order memory order = orderOf(consumer);
        bytes memory signature = signOrder(order);
        bytes32 orderHash = market.hashOrder(order);
        vm.expectEmit(address(market));
        emit IMarket.OrderPosted(orderHash, consumer, order, TRAINING, PACKAGE, signature);
        vm.assertEq(market.post(order, TRAINING, PACKAGE, signature), orderHash, "hash");
        vm.assertEq(token.balanceOf(consumer), 100_000, "nothing moves");
        vm.assertFalse(market.isNonceUsed(consumer, order.nonce), "still of use");
        vm.prank(consumer);
        market.post(order, TRAINING, PACKAGE, NOBODY);
    }

    function test_post_ofWhatNobodySaid_orOfWhatIsOver_reverts() public {
        Order memory order = orderOf(consumer);
        bytes memory signature = signOrder(order);
        vm.expectRevert(abi.encodeWithSelector(IMarket.WrongSignature.selector, consumer));
        market.post(order, TRAINING, PACKAGE, NOBODY);
        vm.warp(order.expiry + 1);
        vm.expectRevert(abi.encodeWithSelector(IMarket.Expired.selector, order.expiry));
        market.post(order, TRAINING, PACKAGE, signature);
        vm.warp(order.expiry);
        vm.prank(consumer);
        market.cancelNonce(order.nonce);
        vm.expectRevert(abi.encodeWithSelector(IMarket.NonceUsed.selector, consumer, order.nonce));
        market.post(order, TRAINING, PACKAGE, signature);
    }

    function test_post_boundsWhatItPublishes() public {
        Order memory order = orderOf(consumer);
        order.problem.trainingHash = keccak256(new bytes(8_192));
        bytes memory signature = signOrder(order);
        market.post(order, new bytes(8_192), PACKAGE, signature);
        vm.expectRevert(abi.encodeWithSelector(IMarket.TooLong.selector, 8_193, 8_192));
        market.post(order, new bytes(8_193), PACKAGE, signature);
        vm.expectRevert(abi.encodeWithSelector(IMarket.TooLong.selector, 4_097, 4_096));
        market.post(order, TRAINING, PACKAGE, new bytes(4_097));
        order.problem.trainingHash = keccak256(TRAINING);
        bytes memory package = new bytes(16_385);
        order.problem.programDigest = sha256(package);
        signature = signOrder(order);
        vm.expectRevert(abi.encodeWithSelector(IMarket.TooLong.selector, 16_385, 16_384));
        market.post(order, TRAINING, package, signature);
    }

    function test_post_ofAnotherPackageThanTheOrderNames_reverts() public {
        Order memory order = orderOf(consumer);
        bytes memory signature = signOrder(order);
        bytes memory other = "{ }";
        bytes memory wrong = abi.encodeWithSelector(
            IMarket.WrongPackage.selector,
            sha256(other),
            sha256(PACKAGE)
        );
        vm.expectRevert(wrong);
        market.post(order, TRAINING, other, signature);
        AuctionTerms memory terms = termsOf(BOND);
        vm.expectRevert(wrong);
        vm.prank(consumer);
        market.openAuction(order, TRAINING, other, terms);
    }

    function test_attack_ofAnotherTrainingThanTheOrderNames_reverts() public {
        Order memory order = orderOf(consumer);
        bytes memory signature = signOrder(order);
        bytes memory wrong = abi.encodeWithSelector(
            IMarket.WrongTraining.selector,
            keccak256("another"),
            keccak256(TRAINING)
        );
        vm.expectRevert(wrong);
        market.post(order, "another", PACKAGE, signature);
        AuctionTerms memory terms = termsOf(BOND);
        vm.expectRevert(wrong);
        vm.prank(consumer);
        market.openAuction(order, "another", PACKAGE, terms);
    }

    function test_attack_anOrderThatWasNeverPosted_isNotMatched() public {
        Order memory order = orderOf(consumer);
        Bid memory bid = bidOf(one, order, 800);
        bytes memory orderSignature = signOrder(order);
        bytes memory bidSignature = signBid(bid, "one");
        bytes memory unposted = abi.encodeWithSelector(IMarket.NotPosted.selector, market.hashOrder(order));
        vm.expectRevert(unposted);
        market.accept(order, TRAINING, orderSignature, bid, bidSignature);
        vm.prank(consumer);
        vm.expectRevert(unposted);
        market.acceptWithPermit(order, TRAINING, bid, bidSignature, 0, 0, 0, 0, 0);
        // By anybody who has the consumer's word.
        vm.prank(one);
        market.post(order, TRAINING, PACKAGE, orderSignature);
        market.accept(order, TRAINING, orderSignature, bid, bidSignature);
    }

    // A provider that does not lock

    function test_takeBack_onceTheProviderIsLate() public {
        (Order memory order, Bid memory bid) = _pair();
        uint256 jobId = _relay(order, bid);
        uint256 deadline = registry.jobOf(jobId).deadline;
        for (uint256 t = deadline - 1; t <= deadline; ++t) {
            vm.warp(t);
            vm.prank(consumer);
            vm.expectRevert(abi.encodeWithSelector(IJobRegistry.TooEarly.selector, jobId, deadline + 1));
            market.takeBack(jobId);
        }
        endLock(jobId);
        // Whoever calls: a consumer that is gone keeps nobody's stake.
        market.takeBack(jobId);
        requireStatus(jobId, IJobRegistry.Status.Cancelled);
        vm.assertEq(token.balanceOf(consumer), 100_000, "all back");
    }

    function test_takeBack_ofALockedOrAuctionedJob_reverts() public {
        (Order memory order, Bid memory bid) = _pair();
        uint256 jobId = _relay(order, bid);
        lock(jobId, one);
        vm.warp(time() + 2 hours);
        vm.prank(consumer);
        vm.expectRevert(
            abi.encodeWithSelector(IJobRegistry.WrongStatus.selector, jobId, IJobRegistry.Status.Training)
        );
        market.takeBack(jobId);
        uint256 auctioned = openAuction(orderOf(consumer));
        vm.prank(consumer);
        vm.expectRevert(abi.encodeWithSelector(IMarket.WrongPhase.selector, auctioned));
        market.takeBack(auctioned);
    }

    // Pausing

    function test_pause_stopsNewWorkOnly_andIsRestricted() public {
        uint256 jobId = openAuction(orderOf(consumer));
        (Order memory order, Bid memory bid) = _pair();
        bytes memory orderSignature = signOrder(order);
        bytes memory bidSignature = signBid(bid, "one");
        vm.startPrank(stranger);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, stranger));
        market.pause();
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, stranger));
        market.unpause();
        vm.stopPrank();
        market.pause();
        vm.expectRevert(Pausable.EnforcedPause.selector);
        market.accept(order, TRAINING, orderSignature, bid, bidSignature);
        vm.expectRevert(Pausable.EnforcedPause.selector);
        market.post(order, TRAINING, PACKAGE, orderSignature);
        vm.startPrank(consumer);
        vm.expectRevert(Pausable.EnforcedPause.selector);
        market.acceptWithPermit(order, TRAINING, bid, bidSignature, 0, 0, 0, 0, 0);
        vm.expectRevert(Pausable.EnforcedPause.selector);
        market.openAuction(order, TRAINING, PACKAGE, termsOf(BOND));
        vm.stopPrank();
        // Of who bids first whoever pauses would make the winner.
        vm.prank(one);
        market.commitBid(jobId, bytes32(uint256(1)));
        market.unpause();
        market.accept(order, TRAINING, orderSignature, bid, bidSignature);
    }

    function _pair() private returns (Order memory order, Bid memory bid) {
        order = orderOf(consumer);
        post(order);
        bid = bidOf(one, order, 800);
    }

    function _relay(Order memory order, Bid memory bid) private returns (uint256) {
        return market.accept(order, TRAINING, signOrder(order), bid, signBid(bid, "one"));
    }

    function _expectRelay(Order memory order, Bid memory bid, bytes memory reason) private {
        bytes memory orderSignature = signOrder(order);
        bytes memory bidSignature = signBid(bid, "one");
        vm.expectRevert(reason);
        market.accept(order, TRAINING, orderSignature, bid, bidSignature);
    }

    function _expectUnmet(Order memory order, Bid memory bid, bytes32 condition) private {
        _expectUnmetBy(bid.provider == stranger ? "stranger" : "one", order, bid, condition);
    }

    function _expectUnmetBy(
        string memory name,
        Order memory order,
        Bid memory bid,
        bytes32 condition
    ) private {
        bytes memory orderSignature = signOrder(order);
        bytes memory bidSignature = signBid(bid, name);
        expectUnmet(condition);
        market.accept(order, TRAINING, orderSignature, bid, bidSignature);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IJobRegistry} from "../../../contracts/jobs/interfaces/IJobRegistry.sol";
import {Bid, Order} from "../../../contracts/jobs/interfaces/Orders.sol";
import {AuctionTerms, IMarket} from "../../../contracts/market/interfaces/IMarket.sol";
import {MarketFixture} from "./MarketFixture.sol";

/// @notice Auctions from the opening to the award.
contract SealedAuctionsTest is MarketFixture {
    function setUp() public {
        setUpMarket();
    }

    // Opening

    function test_open_pullsTheDepositNow_andUsesTheOrderUp() public {
        Order memory order = orderOf(consumer);
        uint256 jobId = openAuction(order);
        vm.assertEq(token.balanceOf(address(escrow)), DEPOSIT, "deposit");
        IMarket.Auction memory auction = market.auctionOf(jobId);
        vm.assertEq(auction.jobId, jobId, "job");
        vm.assertEq(auction.commitUntil, START + COMMIT, "commit");
        vm.assertEq(auction.revealUntil, START + COMMIT + REVEAL, "reveal");
        vm.assertEq(auction.bond, BOND, "bond");
        Bid memory bid = bidOf(one, order, 800);
        bytes memory signature = signBid(bid, "one");
        vm.prank(consumer);
        vm.expectRevert(abi.encodeWithSelector(IMarket.NonceUsed.selector, consumer, order.nonce));
        market.accept(order, TRAINING, NOBODY, bid, signature);
    }

    function test_open_byAnyoneButTheConsumer_reverts() public {
        Order memory order = orderOf(consumer);
        vm.expectRevert(abi.encodeWithSelector(IMarket.WrongSignature.selector, consumer));
        market.openAuction(order, TRAINING, PACKAGE, termsOf(BOND));
    }

    function test_open_withTermsOutOfBounds_reverts() public {
        Order memory order = orderOf(consumer);
        order.expiry = uint64(time() + 20 days);
        _expectUnfit(order, AuctionTerms(10 minutes - 1, REVEAL, BOND));
        _expectUnfit(order, AuctionTerms(COMMIT, 10 minutes - 1, BOND));
        _expectUnfit(order, AuctionTerms(7 days + 1, REVEAL, BOND));
        _expectUnfit(order, AuctionTerms(COMMIT, 7 days + 1, BOND));
        // A tenth, rounded up.
        order.conditions.deposit = 1_001;
        _expectUnfit(order, AuctionTerms(COMMIT, REVEAL, 100));
        // Somebody must be able to win.
        order.expiry = uint64(time() + COMMIT + REVEAL);
        _expectUnfit(order, AuctionTerms(COMMIT, REVEAL, 101));
        order.expiry += 1;
        vm.startPrank(consumer);
        market.openAuction(order, TRAINING, PACKAGE, AuctionTerms(COMMIT, REVEAL, 101));
        order.nonce += 1_000;
        order.expiry = uint64(time() - 1);
        vm.expectRevert(abi.encodeWithSelector(IMarket.Expired.selector, order.expiry));
        market.openAuction(order, TRAINING, PACKAGE, AuctionTerms(COMMIT, REVEAL, 101));
        vm.stopPrank();
    }

    // Sealing

    function test_commit_takesTheBond_onceForEachProvider() public {
        uint256 jobId = openAuction(orderOf(consumer));
        uint256 before = token.balanceOf(one);
        vm.startPrank(one);
        market.commitBid(jobId, "seal");
        vm.assertEq(before - token.balanceOf(one), BOND, "bond");
        vm.expectRevert(abi.encodeWithSelector(IMarket.AlreadyBid.selector, jobId, one));
        market.commitBid(jobId, "another seal");
        vm.stopPrank();
        vm.assertEq(bidsOf(jobId).length, 1, "one bid");
    }

    function test_commit_atTheLastSecondAndAfter() public {
        uint256 jobId = openAuction(orderOf(consumer));
        vm.warp(START + COMMIT - 1);
        vm.prank(one);
        market.commitBid(jobId, "seal");
        vm.warp(START + COMMIT);
        vm.prank(two);
        market.commitBid(jobId, "seal");
        vm.warp(START + COMMIT + 1);
        vm.prank(three);
        vm.expectRevert(abi.encodeWithSelector(IMarket.WrongPhase.selector, jobId));
        market.commitBid(jobId, "seal");
        vm.prank(three);
        vm.expectRevert(abi.encodeWithSelector(IMarket.WrongPhase.selector, jobId + 1));
        market.commitBid(jobId + 1, "seal");
    }

    function test_commit_isForProvidersWithStake() public {
        uint256 jobId = openAuction(orderOf(consumer));
        vm.prank(stranger);
        expectUnmet("role");
        market.commitBid(jobId, "seal");
        enlist(stranger, 99);
        vm.prank(stranger);
        expectUnmet("stake");
        market.commitBid(jobId, "seal");
    }

    function test_attack_slotsAreNotSquatted_theBest32OfAllBidsCanWin() public {
        Order memory order = orderOf(consumer);
        uint256 jobId = openAuction(order);
        Bid[] memory bids = new Bid[](34);
        // One party was there first, 33 times, at the greatest price; the last bid is an honest one.
        for (uint256 i = 0; i < 34; ++i) {
            address provider = vm.addr(1_000 + i);
            enlist(provider, 2_000);
            bids[i] = bidOf(provider, order, i == 33 ? 700 : uint128(900 - i));
            commitBid(jobId, bids[i]);
        }
        _toReveal(jobId);
        uint256 state = vm.snapshotState();
        for (uint256 i = 0; i < 34; ++i) revealBid(jobId, bids[i]);
        // The two worst have made way, and have their bonds already.
        for (uint256 i = 0; i < 34; ++i) {
            vm.assertEq(market.creditOf(bids[i].provider), i < 2 ? BOND : 0, "the worst make way");
        }
        _expectBest(jobId);
        // In whatever order bids are revealed, the same ones stay.
        vm.revertToState(state);
        for (uint256 i = 34; i != 0; --i) revealBid(jobId, bids[i - 1]);
        for (uint256 i = 0; i < 34; ++i) {
            vm.assertEq(market.creditOf(bids[i].provider), i < 2 ? BOND : 0, "the worst make way");
        }
        _expectBest(jobId);
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
        _toReveal(jobId);
        for (uint256 i = 0; i < 34; ++i) revealBid(jobId, bids[i]);
        vm.assertEq(market.creditOf(bids[31].provider), BOND, "the last of equals");
        vm.assertEq(market.creditOf(bids[32].provider), BOND, "later than all others");
        _toAward(jobId);
        market.award(jobId);
        vm.assertEq(registry.jobOf(jobId).provider, rich, "more stake");
    }

    function test_bids_areGivenPageByPage() public {
        uint256 jobId = openAuction(orderOf(consumer));
        vm.prank(one);
        market.commitBid(jobId, "seal");
        vm.prank(two);
        market.commitBid(jobId, "seal");
        vm.assertEq(market.bidsOf(jobId, 1, 5)[0].provider, two, "from the second on");
        vm.assertEq(market.bidsOf(jobId, 0, 1).length, 1, "one");
        vm.assertEq(market.bidsOf(jobId, 2, 1).length, 0, "behind the end");
    }

    // Revealing

    function test_reveal_windowEdges() public {
        Order memory order = orderOf(consumer);
        uint256 jobId = openAuction(order);
        Bid memory bid = bidOf(one, order, 800);
        Bid memory late = bidOf(two, order, 800);
        commitBid(jobId, bid);
        commitBid(jobId, late);
        _expectReveal(jobId, bid, abi.encodeWithSelector(IMarket.WrongPhase.selector, jobId));
        vm.warp(START + COMMIT);
        _expectReveal(jobId, bid, abi.encodeWithSelector(IMarket.WrongPhase.selector, jobId));
        vm.warp(START + COMMIT + 1);
        uint256 state = vm.snapshotState();
        revealBid(jobId, bid);
        vm.revertToState(state);
        vm.warp(START + COMMIT + REVEAL);
        revealBid(jobId, bid);
        vm.warp(START + COMMIT + REVEAL);
        vm.expectRevert(abi.encodeWithSelector(IMarket.WrongPhase.selector, jobId));
        market.callTimeout(jobId);
        // A sequencer was down: nobody's time is over before somebody says so, and an hour more.
        vm.warp(START + COMMIT + REVEAL + 5 hours);
        state = vm.snapshotState();
        revealBid(jobId, late);
        vm.revertToState(state);
        vm.expectEmit(address(market));
        emit IMarket.RevealTimeoutCalled(jobId, time() + GRACE);
        market.callTimeout(jobId);
        vm.expectRevert(abi.encodeWithSelector(IMarket.WrongPhase.selector, jobId));
        market.callTimeout(jobId);
        vm.warp(time() + GRACE);
        vm.expectRevert(abi.encodeWithSelector(IMarket.WrongPhase.selector, jobId));
        market.award(jobId);
        state = vm.snapshotState();
        revealBid(jobId, late);
        market.award(jobId);
        vm.revertToState(state);
        vm.warp(time() + 1);
        _expectReveal(jobId, late, abi.encodeWithSelector(IMarket.WrongPhase.selector, jobId));
        market.award(jobId);
    }

    function test_callTimeout_withoutAHiddenBid_reverts() public {
        (uint256 jobId, ) = _twoOpen(orderOf(consumer));
        _toAward(jobId);
        vm.expectRevert(abi.encodeWithSelector(IMarket.WrongPhase.selector, jobId));
        market.callTimeout(jobId);
        vm.expectRevert(abi.encodeWithSelector(IMarket.WrongPhase.selector, jobId + 1));
        market.callTimeout(jobId + 1);
        market.award(jobId);
    }

    function test_copiedBid_cannotBeRevealedByTheCopier() public {
        Order memory order = orderOf(consumer);
        uint256 jobId = openAuction(order);
        Bid memory bid = bidOf(one, order, 700);
        commitBid(jobId, bid);
        // The copier takes the seal, and later the opened bid, as they are.
        bytes32 copied = bidsOf(jobId)[0].commitment;
        vm.prank(two);
        market.commitBid(jobId, copied);
        _toReveal(jobId);
        revealBid(jobId, bid);
        vm.startPrank(two);
        vm.expectRevert(abi.encodeWithSelector(IMarket.WrongSignature.selector, one));
        market.revealBid(jobId, bid, "salt");
        bid.provider = two;
        vm.expectRevert(abi.encodeWithSelector(IMarket.WrongReveal.selector, jobId, two));
        market.revealBid(jobId, bid, "salt");
        vm.stopPrank();
    }

    function test_snipedBid_cannotBeReplacedOnceOthersAreOpen() public {
        Order memory order = orderOf(consumer);
        uint256 jobId = openAuction(order);
        Bid memory honest = bidOf(one, order, 700);
        Bid memory sniper = bidOf(two, order, 800);
        commitBid(jobId, honest);
        commitBid(jobId, sniper);
        _toReveal(jobId);
        revealBid(jobId, honest);
        // It now knows what it takes to win.
        sniper.price = 699;
        _expectReveal(jobId, sniper, abi.encodeWithSelector(IMarket.WrongReveal.selector, jobId, two));
        vm.prank(two);
        vm.expectRevert(abi.encodeWithSelector(IMarket.WrongPhase.selector, jobId));
        market.commitBid(jobId, "a better seal");
    }

    function test_sealOfAnotherJobChainOrContract_isNotOpened() public {
        Order memory order = orderOf(consumer);
        uint256 jobId = openAuction(order);
        Bid memory bid = bidOf(one, order, 800);
        bytes32 bidHash = market.hashBid(bid);
        bytes32[3] memory seals = [
            keccak256(abi.encode(block.chainid, address(market), jobId + 1, one, bidHash, bytes32("salt"))),
            keccak256(abi.encode(block.chainid + 1, address(market), jobId, one, bidHash, bytes32("salt"))),
            keccak256(abi.encode(block.chainid, address(registry), jobId, one, bidHash, bytes32("salt")))
        ];
        uint256 state = vm.snapshotState();
        for (uint256 i = 0; i < 3; ++i) {
            vm.prank(one);
            market.commitBid(jobId, seals[i]);
            _toReveal(jobId);
            _expectReveal(jobId, bid, abi.encodeWithSelector(IMarket.WrongReveal.selector, jobId, one));
            vm.revertToState(state);
            state = vm.snapshotState();
        }
    }

    function test_reveal_ofNoBid_orAgain_reverts() public {
        Order memory order = orderOf(consumer);
        uint256 jobId = openAuction(order);
        Bid memory bid = bidOf(one, order, 800);
        Bid memory none = bidOf(two, order, 800);
        commitBid(jobId, bid);
        _toReveal(jobId);
        revealBid(jobId, bid);
        _expectReveal(jobId, bid, abi.encodeWithSelector(IMarket.NonceUsed.selector, one, bid.nonce));
        _expectReveal(jobId, none, abi.encodeWithSelector(IMarket.WrongReveal.selector, jobId, two));
    }

    function test_reveal_ofABidThatDoesNotFit_reverts() public {
        Order memory order = orderOf(consumer);
        order.conditions.maximumPrice = 2_000;
        Bid memory bid = bidOf(one, order, 800);
        bid.order = "another";
        bytes32 orderHash = market.hashOrder(order);
        _expectUnfitReveal(
            order,
            bid,
            abi.encodeWithSelector(IMarket.WrongOrder.selector, bid.order, orderHash)
        );
        bid = bidOf(one, order, 800);
        bid.expiry = order.expiry - 1;
        _expectUnfitReveal(order, bid, abi.encodeWithSelector(IMarket.Expired.selector, bid.expiry));
        bid = bidOf(one, order, DEPOSIT + 1);
        _expectUnfitReveal(order, bid, _unmet("price"));
        bid = bidOf(one, order, 2_001);
        _expectUnfitReveal(order, bid, _unmet("price"));
        bid = bidOf(one, order, 800);
        bid.compute = 49;
        _expectUnfitReveal(order, bid, _unmet("compute"));
        bid.compute = 50;
        bid.region = 0x1;
        _expectUnfitReveal(order, bid, _unmet("region"));
        bid.region = 0x2;
        bid.regulations = 0x1;
        _expectUnfitReveal(order, bid, _unmet("regulations"));
        bid.regulations = 0x5;
        bid.privacyTier = 1;
        _expectUnfitReveal(order, bid, _unmet("privacy"));
    }

    function test_reveal_withACancelledNonce_reverts() public {
        Order memory order = orderOf(consumer);
        uint256 jobId = openAuction(order);
        Bid memory bid = bidOf(one, order, 800);
        commitBid(jobId, bid);
        vm.prank(one);
        market.cancelNonce(bid.nonce);
        _toReveal(jobId);
        _expectReveal(jobId, bid, abi.encodeWithSelector(IMarket.NonceUsed.selector, one, bid.nonce));
    }

    // Award

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
        _toReveal(jobId);
        for (uint256 i = 4; i > 0; --i) revealBid(jobId, bids[i - 1]);
        _toAward(jobId);
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
        _toReveal(jobId);
        for (uint256 i = 0; i < 6; ++i) revealBid(jobId, bids[i]);
        _toAward(jobId);
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
        (uint256 jobId, ) = _twoOpen(order);
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
        (uint256 jobId, ) = _twoOpen(orderOf(consumer));
        _toAward(jobId);
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
        (uint256 jobId, ) = _twoOpen(orderOf(consumer));
        vm.prank(one);
        staking.unbond(9_000);
        _toAward(jobId);
        market.award(jobId);
        vm.assertEq(registry.jobOf(jobId).provider, two, "the next");
        vm.assertEq(market.creditOf(consumer), 0, "nobody gains");
        IMarket.SealedBid memory bid = bidsOf(jobId)[0];
        vm.assertTrue(bid.isOut && bid.isSettled, "out");
        vm.assertEq(registry.badMatches(), 0, "nobody without stake");
    }

    function test_stakeSlashedBelowTheNeed_isPassedOver() public {
        (uint256 jobId, ) = _twoOpen(orderOf(consumer));
        // Whichever module the fault was against.
        vm.prank(one);
        staking.approve(address(this), 9_000);
        staking.lock(one, 9_000);
        staking.slash(one, 9_000, address(0), "fault");
        _toAward(jobId);
        market.award(jobId);
        vm.assertEq(registry.jobOf(jobId).provider, two, "the next");
    }

    function test_parameterChange_whileAnAuctionIsOpen_letsItGoOn() public {
        (uint256 jobId, ) = _twoOpen(orderOf(consumer));
        market.pause();
        _toAward(jobId);
        market.award(jobId);
        lock(jobId, one);
        market.settleBid(jobId, one);
        vm.prank(one);
        vm.assertEq(market.withdraw(one), BOND, "bond");
    }

    function _twoOpen(Order memory order) private returns (uint256 jobId, Bid[2] memory bids) {
        jobId = openAuction(order);
        bids = [bidOf(one, order, 700), bidOf(two, order, 800)];
        commitBid(jobId, bids[0]);
        commitBid(jobId, bids[1]);
        _toReveal(jobId);
        revealBid(jobId, bids[0]);
        revealBid(jobId, bids[1]);
    }

    function _expectBest(uint256 jobId) private {
        _toAward(jobId);
        market.award(jobId);
        vm.assertEq(registry.jobOf(jobId).price, 700, "lowest");
    }

    function _toReveal(uint256 jobId) private {
        vm.warp(market.auctionOf(jobId).commitUntil + 1);
    }

    function _toAward(uint256 jobId) private {
        vm.warp(market.auctionOf(jobId).revealUntil + 1);
    }

    function _expectReveal(uint256 jobId, Bid memory bid, bytes memory reason) private {
        vm.prank(bid.provider);
        vm.expectRevert(reason);
        market.revealBid(jobId, bid, "salt");
    }

    function _expectUnfitReveal(Order memory order, Bid memory bid, bytes memory reason) private {
        uint256 state = vm.snapshotState();
        uint256 jobId = openAuction(order);
        commitBid(jobId, bid);
        _toReveal(jobId);
        _expectReveal(jobId, bid, reason);
        vm.revertToState(state);
    }

    function _expectUnfit(Order memory order, AuctionTerms memory terms) private {
        vm.prank(consumer);
        vm.expectRevert(IMarket.UnfitAuction.selector);
        market.openAuction(order, TRAINING, PACKAGE, terms);
    }

    function _unmet(bytes32 condition) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IMarket.UnmetCondition.selector, condition);
    }
}

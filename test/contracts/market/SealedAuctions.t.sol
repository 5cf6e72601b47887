// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Bid, Order} from "../../../contracts/jobs/interfaces/Orders.sol";
import {AuctionTerms, IMarket} from "../../../contracts/market/interfaces/IMarket.sol";
import {AuctionsFixture} from "./AuctionsFixture.sol";

/// @notice Auctions from the opening to the award.
contract SealedAuctionsTest is AuctionsFixture {
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
        expectUnfit(order, AuctionTerms(10 minutes - 1, REVEAL, BOND));
        expectUnfit(order, AuctionTerms(COMMIT, 10 minutes - 1, BOND));
        expectUnfit(order, AuctionTerms(7 days + 1, REVEAL, BOND));
        expectUnfit(order, AuctionTerms(COMMIT, 7 days + 1, BOND));
        // A tenth, rounded up.
        order.conditions.deposit = 1_001;
        expectUnfit(order, AuctionTerms(COMMIT, REVEAL, 100));
        // Somebody must be able to win.
        order.expiry = uint64(time() + COMMIT + REVEAL);
        expectUnfit(order, AuctionTerms(COMMIT, REVEAL, 101));
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
        toReveal(jobId);
        uint256 state = vm.snapshotState();
        for (uint256 i = 0; i < 34; ++i) revealBid(jobId, bids[i]);
        // The two worst have made way, and have their bonds already.
        for (uint256 i = 0; i < 34; ++i) {
            vm.assertEq(market.creditOf(bids[i].provider), i < 2 ? BOND : 0, "the worst make way");
        }
        expectBest(jobId);
        // In whatever order bids are revealed, the same ones stay.
        vm.revertToState(state);
        for (uint256 i = 34; i != 0; --i) revealBid(jobId, bids[i - 1]);
        for (uint256 i = 0; i < 34; ++i) {
            vm.assertEq(market.creditOf(bids[i].provider), i < 2 ? BOND : 0, "the worst make way");
        }
        expectBest(jobId);
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
        expectReveal(jobId, bid, abi.encodeWithSelector(IMarket.WrongPhase.selector, jobId));
        vm.warp(START + COMMIT);
        expectReveal(jobId, bid, abi.encodeWithSelector(IMarket.WrongPhase.selector, jobId));
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
        expectReveal(jobId, late, abi.encodeWithSelector(IMarket.WrongPhase.selector, jobId));
        market.award(jobId);
    }

    function test_callTimeout_withoutAHiddenBid_reverts() public {
        (uint256 jobId, ) = twoOpen(orderOf(consumer));
        toAward(jobId);
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
        toReveal(jobId);
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
        toReveal(jobId);
        revealBid(jobId, honest);
        // It now knows what it takes to win.
        sniper.price = 699;
        expectReveal(jobId, sniper, abi.encodeWithSelector(IMarket.WrongReveal.selector, jobId, two));
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
            toReveal(jobId);
            expectReveal(jobId, bid, abi.encodeWithSelector(IMarket.WrongReveal.selector, jobId, one));
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
        toReveal(jobId);
        revealBid(jobId, bid);
        expectReveal(jobId, bid, abi.encodeWithSelector(IMarket.NonceUsed.selector, one, bid.nonce));
        expectReveal(jobId, none, abi.encodeWithSelector(IMarket.WrongReveal.selector, jobId, two));
    }

    function test_reveal_ofABidThatDoesNotFit_reverts() public {
        Order memory order = orderOf(consumer);
        order.conditions.maximumPrice = 2_000;
        Bid memory bid = bidOf(one, order, 800);
        bid.order = "another";
        bytes32 orderHash = market.hashOrder(order);
        expectUnfitReveal(
            order,
            bid,
            abi.encodeWithSelector(IMarket.WrongOrder.selector, bid.order, orderHash)
        );
        bid = bidOf(one, order, 800);
        bid.expiry = order.expiry - 1;
        expectUnfitReveal(order, bid, abi.encodeWithSelector(IMarket.Expired.selector, bid.expiry));
        bid = bidOf(one, order, DEPOSIT + 1);
        expectUnfitReveal(order, bid, unmet("price"));
        bid = bidOf(one, order, 2_001);
        expectUnfitReveal(order, bid, unmet("price"));
        bid = bidOf(one, order, 800);
        bid.compute = 49;
        expectUnfitReveal(order, bid, unmet("compute"));
        bid.compute = 50;
        bid.region = 0x1;
        expectUnfitReveal(order, bid, unmet("region"));
        bid.region = 0x2;
        bid.regulations = 0x1;
        expectUnfitReveal(order, bid, unmet("regulations"));
        bid.regulations = 0x5;
        bid.privacyTier = 1;
        expectUnfitReveal(order, bid, unmet("privacy"));
    }

    function test_reveal_withACancelledNonce_reverts() public {
        Order memory order = orderOf(consumer);
        uint256 jobId = openAuction(order);
        Bid memory bid = bidOf(one, order, 800);
        commitBid(jobId, bid);
        vm.prank(one);
        market.cancelNonce(bid.nonce);
        toReveal(jobId);
        expectReveal(jobId, bid, abi.encodeWithSelector(IMarket.NonceUsed.selector, one, bid.nonce));
    }
}

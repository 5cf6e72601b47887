// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Bid, Order} from "../../../contracts/jobs/interfaces/Orders.sol";
import {AuctionTerms, IMarket} from "../../../contracts/market/interfaces/IMarket.sol";
import {MarketFixture} from "./MarketFixture.sol";

/// @notice What tests of auctions do to get to a phase, and what they look for in it.
abstract contract AuctionsFixture is MarketFixture {
    function twoOpen(Order memory order) internal returns (uint256 jobId, Bid[2] memory bids) {
        jobId = openAuction(order);
        bids = [bidOf(one, order, 700), bidOf(two, order, 800)];
        commitBid(jobId, bids[0]);
        commitBid(jobId, bids[1]);
        toReveal(jobId);
        revealBid(jobId, bids[0]);
        revealBid(jobId, bids[1]);
    }

    function expectBest(uint256 jobId) internal {
        toAward(jobId);
        market.award(jobId);
        vm.assertEq(registry.jobOf(jobId).price, 700, "lowest");
    }

    function toReveal(uint256 jobId) internal {
        vm.warp(market.auctionOf(jobId).commitUntil + 1);
    }

    function toAward(uint256 jobId) internal {
        vm.warp(market.auctionOf(jobId).revealUntil + 1);
    }

    function expectReveal(uint256 jobId, Bid memory bid, bytes memory reason) internal {
        vm.prank(bid.provider);
        vm.expectRevert(reason);
        market.revealBid(jobId, bid, "salt");
    }

    function expectUnfitReveal(Order memory order, Bid memory bid, bytes memory reason) internal {
        uint256 state = vm.snapshotState();
        uint256 jobId = openAuction(order);
        commitBid(jobId, bid);
        toReveal(jobId);
        expectReveal(jobId, bid, reason);
        vm.revertToState(state);
    }

    function expectUnfit(Order memory order, AuctionTerms memory terms) internal {
        vm.prank(consumer);
        vm.expectRevert(IMarket.UnfitAuction.selector);
        market.openAuction(order, TRAINING, PACKAGE, terms);
    }

    function unmet(bytes32 condition) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IMarket.UnmetCondition.selector, condition);
    }
}

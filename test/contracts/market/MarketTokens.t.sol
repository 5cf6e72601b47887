// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IJobRegistry} from "../../../contracts/jobs/interfaces/IJobRegistry.sol";
import {Bid, Order} from "../../../contracts/jobs/interfaces/Orders.sol";
import {ExactTransfer} from "../../../contracts/libraries/ExactTransfer.sol";
import {Market} from "../../../contracts/market/Market.sol";
import {AuctionTimes, IMarket} from "../../../contracts/market/interfaces/IMarket.sol";
import {IDatasetRegistry} from "../../../contracts/storage/interfaces/IDatasetRegistry.sol";
import {BlacklistToken, FeeToken, HookToken, PlainToken, SilentToken} from "../token/HostileTokens.sol";
import {MarketFixture} from "./MarketFixture.sol";

/// @notice Returns nothing from transfers, and says how it is counted.
contract SilentDecimalsToken is SilentToken {
    function decimals() external pure returns (uint8) {
        return 6;
    }
}

/// @notice Bonds in tokens that misbehave within what ERC-20 allows.
contract MarketTokensTest is MarketFixture {
    function test_tokenWithHooks_cannotReenterAnExit() public {
        HookToken hook = _hooked();
        // The token itself has a credit, so that only the guard stands in its way.
        enlist(address(hook), 10_000);
        _bondBackTo(address(hook));
        _bondBackTo(one);
        hook.arm(address(market), abi.encodeCall(IMarket.withdraw, (stranger)));
        vm.prank(one);
        vm.assertEq(market.withdraw(one), BOND, "paid");
        vm.assertFalse(hook.entered(), "not entered by withdraw");
        hook.arm(address(market), abi.encodeCall(IMarket.withdraw, (stranger)));
        market.flushBurn();
        vm.assertFalse(hook.entered(), "not entered by flushBurn");
        vm.assertEq(market.creditOf(address(hook)), BOND, "still there");
    }

    function test_tokenWithHooks_cannotReenterABid_orAnOpening() public {
        HookToken hook = _hooked();
        uint256 old = openAuction(orderOf(consumer));
        vm.prank(three);
        market.commitBid(old, "hidden");
        endReveals(old);
        uint256 jobId = openAuction(orderOf(consumer));
        // From anywhere else this would go through.
        hook.arm(address(market), abi.encodeCall(IMarket.settleBid, (old, three)));
        vm.prank(one);
        market.commitBid(jobId, "seal");
        vm.assertFalse(hook.entered(), "not entered by a bid");
        openAuction(orderOf(consumer));
        vm.assertFalse(hook.entered(), "not entered by an opening");
        market.settleBid(old, three);
    }

    function test_tokenThatReturnsNothing_isTaken() public {
        token = PlainToken(address(new SilentDecimalsToken()));
        _setUpActors();
        _bondBackTo(one);
        vm.prank(one);
        vm.assertEq(market.withdraw(stranger), BOND, "paid");
        vm.assertEq(token.balanceOf(stranger), BOND, "arrived");
    }

    function test_tokenThatTakesAFee_isRefusedAsABond() public {
        setUpMarket();
        FeeToken fee = new FeeToken();
        Market other = new Market(
            address(access),
            fee,
            staking,
            IJobRegistry(address(registry)),
            address(escrow),
            IDatasetRegistry(address(datasets)),
            AuctionTimes(10 minutes, GRACE),
            address(0)
        );
        registry.setMarket(address(other));
        Order memory order = orderOf(consumer);
        vm.prank(consumer);
        uint256 jobId = other.openAuction(order, TRAINING, PACKAGE, termsOf(BOND));
        fee.mint(one, 1_000);
        vm.startPrank(one);
        fee.approve(address(other), 1_000);
        vm.expectRevert(
            abi.encodeWithSelector(ExactTransfer.InexactTransfer.selector, address(fee), BOND - 1, BOND)
        );
        other.commitBid(jobId, "seal");
        vm.stopPrank();
    }

    function test_listedAccounts_blockNobodyElse() public {
        BlacklistToken black = new BlacklistToken();
        token = PlainToken(address(black));
        _setUpActors();
        Order memory order = orderOf(consumer);
        uint256 jobId = openAuction(order);
        Bid memory first = bidOf(one, order, 700);
        Bid memory second = bidOf(two, order, 800);
        commitBid(jobId, first);
        commitBid(jobId, second);
        vm.warp(START + COMMIT + 1);
        revealBid(jobId, first);
        revealBid(jobId, second);
        black.list(one);
        vm.warp(START + COMMIT + REVEAL + 1);
        market.award(jobId);
        endLock(jobId);
        market.award(jobId);
        lock(jobId, two);
        market.settleBid(jobId, two);
        // Who is listed can name another account.
        black.list(two);
        vm.startPrank(two);
        vm.expectRevert(abi.encodeWithSelector(BlacklistToken.Listed.selector, two));
        market.withdraw(two);
        vm.assertEq(market.withdraw(stranger), BOND, "elsewhere");
        vm.stopPrank();
    }

    function _hooked() private returns (HookToken hook) {
        hook = new HookToken();
        token = PlainToken(address(hook));
        _setUpActors();
    }

    function _setUpActors() private {
        vm.warp(START);
        setUpMarketWith(IERC20(address(token)));
        enlist(one, 10_000);
        enlist(two, 10_000);
        enlist(three, 10_000);
        give(consumer, 10_000);
    }

    /// @dev Leaves its bond to `bidder`, as a credit, and another one to the burn sink.
    function _bondBackTo(address bidder) private {
        Order memory order = orderOf(consumer);
        uint256 jobId = openAuction(order);
        Bid memory bid = bidOf(bidder, order, 700);
        commitBid(jobId, bid);
        vm.prank(three);
        market.commitBid(jobId, "seal");
        vm.warp(market.auctionOf(jobId).commitUntil + 1);
        revealBid(jobId, bid);
        endReveals(jobId);
        vm.warp(order.expiry + 1);
        market.closeAuction(jobId);
        market.settleBid(jobId, bidder);
        market.settleBid(jobId, three);
    }
}

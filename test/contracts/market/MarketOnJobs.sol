// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {IJobRegistry} from "../../../contracts/jobs/interfaces/IJobRegistry.sol";
import {Bid, Order, Scheme} from "../../../contracts/jobs/interfaces/Orders.sol";
import {Market} from "../../../contracts/market/Market.sol";
import {AuctionTerms, AuctionTimes} from "../../../contracts/market/interfaces/IMarket.sol";
import {IDatasetRegistry} from "../../../contracts/storage/interfaces/IDatasetRegistry.sol";
import {JobsFixture} from "../jobs/JobsFixture.sol";

/// @notice The real market on the real registry of jobs, escrow, staking and game: what a delay costs its author.
abstract contract MarketOnJobs is JobsFixture {
    uint128 internal constant WHOLE = 10_000 ether;
    uint32 internal constant HALF = 1 hours;
    bytes internal constant PACKAGE = "{}";

    Market internal market;
    uint256 private _nonce;

    function setUpMarketOnJobs() internal {
        setUpJobs();
        market = new Market(
            address(access),
            IERC20Metadata(address(token)),
            staking,
            jobs,
            address(escrow),
            IDatasetRegistry(address(datasets)),
            AuctionTimes(10 minutes, 1 hours),
            address(0)
        );
        access.grantRole(MARKET, address(market), 0);
        _fund(provider);
    }

    /// @dev An order for a job of `WHOLE` tokens.
    function wholeOrder() internal returns (Order memory order, bytes memory training) {
        training = encode(trainingOrder());
        order = orderOf(training, Scheme.Optimistic, 0, 0);
        order.problem.programDigest = sha256(PACKAGE);
        (order.conditions.maximumPrice, order.conditions.deposit) = (WHOLE, WHOLE);
        order.nonce = ++_nonce;
    }

    function bidFor(address bidder, Order memory order, uint128 price) internal returns (Bid memory bid) {
        bid.provider = bidder;
        bid.order = market.hashOrder(order);
        bid.price = price;
        bid.nonce = ++_nonce;
        bid.expiry = order.expiry;
    }

    /// @dev An auction that `bidder` alone has bid in, at this price, and has won.
    function wonBy(address bidder, uint128 price) internal returns (uint256 jobId) {
        (Order memory order, bytes memory training) = wholeOrder();
        vm.prank(consumer);
        jobId = market.openAuction(order, training, PACKAGE, AuctionTerms(HALF, HALF, WHOLE / 10));
        Bid memory bid = bidFor(bidder, order, price);
        bytes32 seal = keccak256(
            abi.encode(block.chainid, address(market), jobId, bidder, market.hashBid(bid), bytes32("salt"))
        );
        vm.prank(bidder);
        market.commitBid(jobId, seal);
        pass(HALF + 1);
        vm.prank(bidder);
        market.revealBid(jobId, bid, "salt");
        pass(HALF + 1);
        market.award(jobId);
    }

    /// @dev A direct match at this price.
    function takenBy(address bidder, uint128 price) internal returns (uint256 jobId) {
        (Order memory order, bytes memory training) = wholeOrder();
        Bid memory bid = bidFor(bidder, order, price);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyOf("provider"), _digestOf(market.hashBid(bid)));
        vm.startPrank(consumer);
        market.post(order, training, PACKAGE, "");
        jobId = market.accept(order, training, "", bid, abi.encodePacked(r, s, v));
        vm.stopPrank();
    }

    /// @dev All tokens of an account, wherever they are.
    function wealthOf(address account) internal view returns (uint256) {
        return
            token.balanceOf(account) +
            staking.operatorOf(account).stake +
            staking.creditOf(account) +
            market.creditOf(account) +
            escrow.creditOf(account);
    }

    function _fund(address bidder) private {
        token.mint(bidder, 10_000 ether);
        vm.prank(bidder);
        token.approve(address(market), type(uint256).max);
    }

    function _digestOf(bytes32 structHash) private view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256(
                    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
                ),
                keccak256("Assay Market"),
                keccak256("1"),
                block.chainid,
                address(market)
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }
}

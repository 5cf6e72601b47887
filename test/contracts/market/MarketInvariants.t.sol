// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IJobRegistry} from "../../../contracts/jobs/interfaces/IJobRegistry.sol";
import {Bid, Order} from "../../../contracts/jobs/interfaces/Orders.sol";
import {IMarket} from "../../../contracts/market/interfaces/IMarket.sol";
import {MiniTest} from "../MiniTest.sol";
import {MarketFixture} from "./MarketFixture.sol";

/// @notice Random walks over every call, by one consumer and three providers; numbers are chosen so that they collide.
contract MarketWalk is MarketFixture {
    address internal constant SINK = 0x000000000000000000000000000000000000dEaD;

    string[3] private _names = ["one", "two", "three"];
    Order[] private _orders;
    mapping(uint256 jobId => mapping(address provider => Bid)) private _bids;
    mapping(address author => mapping(uint256 nonce => uint256)) private _uses;

    uint256 public nonceUsedTwice;
    uint256 public unfitMatches;
    uint256 public matches;

    constructor() {
        setUpMarket();
        // Job 0 is none.
        _orders.push();
    }

    function open(uint256 seed) external {
        Order memory order = _order(seed);
        vm.prank(consumer);
        try market.openAuction(order, TRAINING, PACKAGE, termsOf(BOND)) {
            _orders.push(order);
            _use(consumer, order.nonce);
        } catch {}
    }

    function accept(uint256 seed) external {
        Order memory order = _order(seed);
        uint256 who = (seed >> 64) % 3;
        Bid memory bid = _bid(actor(_names[who]), order, seed);
        bytes memory orderSignature = signOrder(order);
        bytes memory bidSignature = signBid(bid, _names[who]);
        bool isPosted = false;
        if (seed % 8 != 0) {
            try market.post(order, TRAINING, PACKAGE, orderSignature) {
                isPosted = true;
            } catch {}
        }
        try market.accept(order, TRAINING, orderSignature, bid, bidSignature) returns (uint256 jobId) {
            vm.assertTrue(isPosted, "matched without having been posted");
            _orders.push(order);
            _bids[jobId][bid.provider] = bid;
            _use(consumer, order.nonce);
            _use(bid.provider, bid.nonce);
            _checkMatch(jobId);
        } catch {}
    }

    function commit(uint256 seed) external {
        uint256 jobId = _job(seed);
        address provider = _provider(seed);
        if (market.auctionOf(jobId).jobId == 0) return;
        Bid memory bid = _bid(provider, _orders[jobId], seed);
        bytes32 commitment = sealOf(jobId, bid, "salt");
        vm.prank(provider);
        try market.commitBid(jobId, commitment) {
            _bids[jobId][provider] = bid;
        } catch {}
    }

    function reveal(uint256 seed) external {
        uint256 jobId = _job(seed);
        address provider = _provider(seed);
        Bid memory bid = _bids[jobId][provider];
        vm.prank(provider);
        try market.revealBid(jobId, bid, "salt") {
            _use(provider, bid.nonce);
        } catch {}
    }

    function award(uint256 seed) external {
        uint256 jobId = _job(seed);
        try market.award(jobId) {
            _checkMatch(jobId);
        } catch {}
    }

    function lock(uint256 seed) external {
        uint256 jobId = _job(seed);
        address provider = registry.jobOf(jobId).provider;
        vm.prank(provider);
        try registry.lock(jobId) {} catch {}
    }

    function end(uint256 seed) external {
        uint8 status = uint8(bound(seed >> 64, 6, 10));
        if (status == 7 || status == 8) return;
        try registry.end(_job(seed), IJobRegistry.Status(status)) {} catch {}
    }

    function expire(uint256 seed) external {
        try registry.expire(_job(seed)) {} catch {}
    }

    function close(uint256 seed) external {
        if (seed & 1 == 0) vm.prank(consumer);
        try market.closeAuction(_job(seed >> 1)) {} catch {}
    }

    function takeBack(uint256 seed) external {
        vm.prank(consumer);
        try market.takeBack(_job(seed)) {} catch {}
    }

    function settle(uint256 seed) external {
        address provider = _provider(seed);
        if (seed & 1 == 0) vm.prank(provider);
        try market.settleBid(_job(seed >> 1), provider) {} catch {}
    }

    function cancelNonce(uint256 seed) external {
        address author = seed & 1 == 0 ? consumer : _provider(seed);
        uint256 nonce = (seed >> 8) % 24;
        vm.prank(author);
        try market.cancelNonce(nonce) {
            _use(author, nonce);
        } catch {}
    }

    function unbond(uint256 seed) external {
        vm.prank(_provider(seed));
        try staking.unbond(bound(seed >> 64, 1, 3_000)) {} catch {}
    }

    function withdraw(uint256 seed) external {
        address account = seed & 1 == 0 ? consumer : _provider(seed);
        vm.prank(account);
        try market.withdraw(account) {} catch {}
    }

    function flushBurn() external {
        try market.flushBurn() {} catch {}
    }

    function callTimeout(uint256 seed) external {
        try market.callTimeout(_job(seed)) {} catch {}
    }

    function callLockTimeout(uint256 seed) external {
        try registry.callTimeout(_job(seed)) {} catch {}
    }

    function endDataset(uint256 seed) external {
        // Rarely, since it lasts.
        if (seed % 64 == 0) datasets.end(DATASET);
    }

    function wait(uint256 seed) external {
        skip(bound(seed, 1, 90 minutes));
    }

    /// @notice Ends and settles all there is; returns what the market still holds.
    function unwind() external returns (uint256 left) {
        for (uint256 jobId = 1; jobId < _orders.length; ++jobId) {
            if (statusOf(jobId) == IJobRegistry.Status.Training)
                registry.end(jobId, IJobRegistry.Status.Failed);
        }
        skip(30 days);
        for (uint256 jobId = 1; jobId < _orders.length; ++jobId) {
            try market.callTimeout(jobId) {} catch {}
            try registry.callTimeout(jobId) {} catch {}
        }
        skip(GRACE + 1);
        for (uint256 jobId = 1; jobId < _orders.length; ++jobId) {
            IMarket.Auction memory auction = market.auctionOf(jobId);
            if (auction.jobId == 0) {
                if (statusOf(jobId) != IJobRegistry.Status.Matched) continue;
                vm.prank(consumer);
                market.takeBack(jobId);
                continue;
            }
            if (!auction.isOver) market.closeAuction(jobId);
            IMarket.SealedBid[] memory bids = bidsOf(jobId);
            for (uint256 i = 0; i < bids.length; ++i) {
                // A winner that is late was settled when the auction was closed.
                if (!bidsOf(jobId)[i].isSettled) market.settleBid(jobId, bids[i].provider);
            }
        }
        _withdrawAll();
        return token.balanceOf(address(market));
    }

    /// @notice Bonds of live bids and credits, one by one.
    function liabilities() external view returns (uint256 sum) {
        for (uint256 jobId = 1; jobId < _orders.length; ++jobId) {
            IMarket.SealedBid[] memory bids = bidsOf(jobId);
            for (uint256 i = 0; i < bids.length; ++i) if (!bids[i].isSettled) sum += BOND;
        }
        sum += market.creditOf(consumer) + market.creditOf(SINK);
        for (uint256 i = 0; i < 3; ++i) sum += market.creditOf(actor(_names[i]));
    }

    function held() external view returns (uint256) {
        return token.balanceOf(address(market));
    }

    function badMatches() external view returns (uint256) {
        return registry.badMatches() + unfitMatches;
    }

    function _withdrawAll() private {
        address[4] memory accounts = [consumer, one, two, three];
        for (uint256 i = 0; i < 4; ++i) {
            if (market.creditOf(accounts[i]) == 0) continue;
            vm.prank(accounts[i]);
            market.withdraw(accounts[i]);
        }
        if (market.creditOf(SINK) != 0) market.flushBurn();
    }

    function _use(address author, uint256 nonce) private {
        if (++_uses[author][nonce] > 1) ++nonceUsedTwice;
    }

    /// @dev What the market should have looked at, said once more.
    function _checkMatch(uint256 jobId) private {
        ++matches;
        Order memory order = _orders[jobId];
        IJobRegistry.Job memory job = registry.jobOf(jobId);
        Bid memory bid = _bids[jobId][job.provider];
        bool fits =
            bid.price == job.price &&
                bid.price <= order.conditions.maximumPrice &&
                bid.price <= order.conditions.deposit &&
                bid.compute >= order.conditions.minimumCompute &&
                bid.region & order.conditions.regions != 0 &&
                bid.regulations | order.conditions.regulations == bid.regulations &&
                bid.privacyTier >= order.conditions.privacyTier &&
                time() <= order.expiry &&
                time() <= bid.expiry &&
                bid.order == job.orderHash;
        if (!fits) ++unfitMatches;
    }

    function _order(uint256 seed) private returns (Order memory order) {
        order = orderOf(consumer);
        order.nonce = (seed >> 32) % 24;
        order.conditions.maximumPrice = uint128(bound(seed >> 96, 600, 1_100));
        order.expiry = uint64(time() + bound(seed >> 128, 1 hours, 8 hours));
    }

    function _bid(address provider, Order memory order, uint256 seed) private returns (Bid memory bid) {
        bid = bidOf(provider, order, uint128(bound(seed >> 160, 500, 1_100)));
        bid.nonce = (seed >> 48) % 24;
        // One condition in eight bids is not met.
        uint256 flaw = (seed >> 200) % 32;
        if (flaw == 0) bid.compute = 49;
        if (flaw == 1) bid.region = 0x1;
        if (flaw == 2) bid.regulations = 0x2;
        if (flaw == 3) bid.privacyTier = 1;
        bid.expiry = order.expiry + 1;
    }

    function _job(uint256 seed) private view returns (uint256) {
        return seed % _orders.length;
    }

    function _provider(uint256 seed) private view returns (address) {
        return actor(_names[(seed >> 16) % 3]);
    }
}

contract MarketInvariants is MiniTest {
    MarketWalk internal walk;

    function setUp() public {
        walk = new MarketWalk();
        targetContract(address(walk));
    }

    function invariant_INV1_bondsAndCreditsEqualTheBalance() public view {
        vm.assertEq(walk.liabilities(), walk.held(), "solvency");
    }

    function invariant_INV2_aNonceIsUsedOnce() public view {
        vm.assertEq(walk.nonceUsedTwice(), 0, "used twice");
    }

    function invariant_INV3_matchesMeetEveryCondition() public view {
        vm.assertEq(walk.badMatches(), 0, "unfit match");
    }

    /// @dev Every counterparty vanishes at some step of some walk.
    function testFuzz_randomWalk_leavesNothingStuck(uint256 seed) public {
        for (uint256 i = 0; i < 80; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            _step(seed % 30, seed >> 8);
        }
        vm.assertEq(walk.liabilities(), walk.held(), "solvency");
        vm.assertEq(walk.nonceUsedTwice() + walk.badMatches(), 0, "rules");
        vm.assertEq(walk.unwind(), 0, "stuck");
    }

    /// @dev Steps that lead on are taken more often.
    function _step(uint256 which, uint256 seed) private {
        if (which < 2) walk.open(seed);
        else if (which < 8) walk.commit(seed);
        else if (which < 12) walk.reveal(seed);
        else if (which < 14) walk.award(seed);
        else if (which < 16) walk.lock(seed);
        else if (which < 18) walk.wait(seed);
        else _sideStep(which, seed);
    }

    function _sideStep(uint256 which, uint256 seed) private {
        if (which == 18) walk.accept(seed);
        else if (which == 19) walk.end(seed);
        else if (which == 20) walk.close(seed);
        else if (which == 21) walk.settle(seed);
        else if (which == 22) walk.cancelNonce(seed);
        else if (which == 23) walk.withdraw(seed);
        else if (which == 24) walk.takeBack(seed);
        else if (which == 25) walk.unbond(seed);
        else if (which == 26) walk.callTimeout(seed);
        else if (which == 27) walk.callLockTimeout(seed);
        else if (which == 28) walk.endDataset(seed);
        else walk.expire(seed);
    }
}

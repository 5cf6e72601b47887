// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IJobRegistry} from "../../../contracts/jobs/interfaces/IJobRegistry.sol";
import {Bid, Order, Scheme} from "../../../contracts/jobs/interfaces/Orders.sol";
import {Market} from "../../../contracts/market/Market.sol";
import {AuctionTerms, AuctionTimes, IMarket} from "../../../contracts/market/interfaces/IMarket.sol";
import {Staking} from "../../../contracts/staking/Staking.sol";
import {IStaking} from "../../../contracts/staking/interfaces/IStaking.sol";
import {IDatasetRegistry} from "../../../contracts/storage/interfaces/IDatasetRegistry.sol";
import {MiniTest} from "../MiniTest.sol";
import {PlainToken} from "../token/HostileTokens.sol";
import {DatasetsDouble, EscrowDouble, RegistryDouble} from "./MarketDoubles.sol";

/// @notice A market on a real staking contract, with a small registry and escrow, a consumer and three providers.
abstract contract MarketFixture is MiniTest {
    using SafeERC20 for IERC20;

    uint128 internal constant DEPOSIT = 1_000;
    uint128 internal constant BOND = 101;
    uint32 internal constant COMMIT = 1 hours;
    uint32 internal constant REVEAL = 2 hours;
    uint32 internal constant GRACE = 1 hours;
    uint256 internal constant START = 1_800_000_000;
    bytes32 internal constant DATASET = "dataset";
    bytes internal constant TRAINING = hex"c0ffee";
    bytes internal constant PACKAGE = "{}";
    bytes internal constant NOBODY = "";

    AccessManager internal access;
    PlainToken internal token;
    Staking internal staking;
    EscrowDouble internal escrow;
    RegistryDouble internal registry;
    DatasetsDouble internal datasets;
    Market internal market;

    address internal consumer = actor("consumer");
    address internal one = actor("one");
    address internal two = actor("two");
    address internal three = actor("three");
    address internal stranger = actor("stranger");

    /// @dev Set before the market is deployed; none otherwise.
    address internal sequencerFeed;

    uint256 private _nonce;

    function setUpMarket() internal {
        vm.warp(START);
        token = new PlainToken();
        setUpMarketWith(token);
        enlist(one, 10_000);
        enlist(two, 10_000);
        enlist(three, 10_000);
        give(consumer, 100_000);
    }

    /// @dev As `setUpMarket`, with another token and without anyone in it.
    function setUpMarketWith(IERC20 token_) internal {
        access = new AccessManager(address(this));
        staking = new Staking(address(access), token_, 7 days, 0);
        escrow = new EscrowDouble(token_);
        registry = new RegistryDouble(escrow, staking);
        datasets = new DatasetsDouble();
        market = new Market(
            address(access),
            IERC20Metadata(address(token_)),
            staking,
            IJobRegistry(address(registry)),
            address(escrow),
            IDatasetRegistry(address(datasets)),
            AuctionTimes(10 minutes, GRACE),
            sequencerFeed
        );
        registry.setMarket(address(market));
    }

    /// @dev Makes `account` a provider with `stake`, and gives it tokens for bonds.
    function enlist(address account, uint256 stake) internal {
        token.mint(account, stake + 10_000);
        vm.startPrank(account);
        staking.register(uint8(1 << uint8(IStaking.Role.Provider)), hex"0024", "/dns4/example/tcp/1");
        IERC20(token).forceApprove(address(staking), stake);
        staking.stake(stake);
        staking.approve(address(registry), type(uint256).max);
        IERC20(token).forceApprove(address(market), type(uint256).max);
        vm.stopPrank();
    }

    function give(address account, uint256 amount) internal {
        token.mint(account, amount);
        vm.prank(account);
        IERC20(token).forceApprove(address(escrow), type(uint256).max);
    }

    function orderOf(address account) internal returns (Order memory order) {
        order.consumer = account;
        order.problem.datasetId = DATASET;
        order.problem.trainingHash = keccak256(TRAINING);
        order.problem.programRoot = "program";
        order.problem.nodeCounts = [uint32(3), 2, 1];
        order.problem.slots = 4;
        order.problem.programDigest = sha256(PACKAGE);
        order.conditions.maximumPrice = 900;
        order.conditions.deposit = DEPOSIT;
        order.conditions.trainingTime = 1 days;
        order.conditions.minimumCompute = 50;
        order.conditions.regions = 0x6;
        order.conditions.regulations = 0x5;
        order.conditions.privacyTier = 2;
        order.conditions.scheme = Scheme.Optimistic;
        order.nonce = ++_nonce;
        order.expiry = uint64(time() + 1 days);
    }

    /// @dev The present time, read through a call: via-IR may move `block.timestamp` across a warp.
    function time() internal view returns (uint256) {
        return this.blockTime();
    }

    function blockTime() external view returns (uint256) {
        return block.timestamp;
    }

    /// @dev A bid that meets the order of `orderOf`.
    function bidOf(address provider, Order memory order, uint128 price) internal returns (Bid memory bid) {
        bid.provider = provider;
        bid.order = market.hashOrder(order);
        bid.price = price;
        bid.compute = 50;
        bid.region = 0x4;
        bid.regulations = 0x7;
        bid.privacyTier = 2;
        bid.nonce = ++_nonce;
        bid.expiry = order.expiry;
    }

    function signOrder(Order memory order) internal view returns (bytes memory) {
        return signed(market.hashOrder(order), keyOf("consumer"));
    }

    /// @dev Has the consumer post an order.
    function post(Order memory order) internal {
        vm.prank(order.consumer);
        market.post(order, TRAINING, PACKAGE, NOBODY);
    }

    function signBid(Bid memory bid, string memory name) internal view returns (bytes memory) {
        return signed(market.hashBid(bid), keyOf(name));
    }

    function signed(bytes32 structHash, uint256 key) internal view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digestOf(structHash));
        return abi.encodePacked(r, s, v);
    }

    function digestOf(bytes32 structHash) internal view returns (bytes32) {
        return digestIn(block.chainid, address(market), "Assay Market", structHash);
    }

    function digestIn(
        uint256 chainId,
        address verifier,
        string memory name,
        bytes32 structHash
    ) internal pure returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256(
                    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
                ),
                keccak256(bytes(name)),
                keccak256("1"),
                chainId,
                verifier
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }

    function termsOf(uint128 bond) internal pure returns (AuctionTerms memory) {
        return AuctionTerms(COMMIT, REVEAL, bond);
    }

    function openAuction(Order memory order) internal returns (uint256 jobId) {
        vm.prank(order.consumer);
        return market.openAuction(order, TRAINING, PACKAGE, termsOf(BOND));
    }

    function sealOf(uint256 jobId, Bid memory bid, bytes32 salt) internal view returns (bytes32) {
        bytes32 bidHash = market.hashBid(bid);
        return keccak256(abi.encode(block.chainid, address(market), jobId, bid.provider, bidHash, salt));
    }

    function bidsOf(uint256 jobId) internal view returns (IMarket.SealedBid[] memory) {
        return market.bidsOf(jobId, 0, type(uint256).max);
    }

    function commitBid(uint256 jobId, Bid memory bid) internal {
        bytes32 commitment = sealOf(jobId, bid, "salt");
        vm.prank(bid.provider);
        market.commitBid(jobId, commitment);
    }

    function revealBid(uint256 jobId, Bid memory bid) internal {
        vm.prank(bid.provider);
        market.revealBid(jobId, bid, "salt");
    }

    /// @dev To when the bids that are still hidden are given up.
    function endReveals(uint256 jobId) internal {
        vm.warp(market.auctionOf(jobId).revealUntil + 1);
        market.callTimeout(jobId);
        vm.warp(market.auctionOf(jobId).graceEnds + 1);
    }

    /// @dev To when a provider that did not lock has had its time and the grace after it.
    function endLock(uint256 jobId) internal {
        vm.warp(registry.jobOf(jobId).deadline + 1);
        registry.callTimeout(jobId);
        vm.warp(registry.jobOf(jobId).graceEnds + 1);
    }

    function lock(uint256 jobId, address provider) internal {
        vm.prank(provider);
        registry.lock(jobId);
    }

    function statusOf(uint256 jobId) internal view returns (IJobRegistry.Status) {
        return registry.jobOf(jobId).status;
    }

    function requireStatus(uint256 jobId, IJobRegistry.Status status) internal view {
        vm.assertEq(uint256(statusOf(jobId)), uint256(status), "status");
    }

    function expectUnmet(bytes32 condition) internal {
        vm.expectRevert(abi.encodeWithSelector(IMarket.UnmetCondition.selector, condition));
    }
}

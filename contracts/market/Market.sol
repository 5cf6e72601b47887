// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {IJobRegistry} from "../jobs/interfaces/IJobRegistry.sol";
import {Bid, Order} from "../jobs/interfaces/Orders.sol";
import {Credits} from "../libraries/Credits.sol";
import {IStaking} from "../staking/interfaces/IStaking.sol";
import {IDatasetRegistry} from "../storage/interfaces/IDatasetRegistry.sol";
import {AuctionTimes, IMarket} from "./interfaces/IMarket.sol";
import {OrderHashing} from "./OrderHashing.sol";
import {PriceFeeds} from "./PriceFeeds.sol";
import {Required, Requirements} from "./Requirements.sol";
import {SealedAuctions} from "./SealedAuctions.sol";

/// @title Where orders meet bids, directly or by auction
/// @dev The deposits are none of its money: the registry has the escrow pull them. What it holds are bonds of bids.
contract Market is SealedAuctions {
    using OrderHashing for Bid;
    using OrderHashing for Order;
    using Requirements for Required;

    /// @notice What consumers approve: it pulls the deposits.
    address public immutable escrow;

    constructor(
        address authority,
        IERC20Metadata token_,
        IStaking staking_,
        IJobRegistry registry_,
        address escrow_,
        IDatasetRegistry datasets_,
        AuctionTimes memory times,
        address sequencerFeed_
    )
        AccessManaged(authority)
        Credits(token_)
        PriceFeeds(token_, sequencerFeed_)
        SealedAuctions(staking_, registry_, datasets_, times)
    {
        escrow = escrow_;
    }

    /// @inheritdoc IMarket
    function post(
        Order calldata order,
        bytes calldata training,
        bytes calldata package,
        bytes calldata signature
    ) external override whenNotPaused returns (bytes32 orderHash) {
        orderHash = order.hash();
        _post(order, orderHash, training, package, signature);
        _requireAuthor(order.consumer, orderHash, signature);
        _requireLive(order.expiry);
        _requireUnused(order.consumer, order.nonce);
    }

    /// @inheritdoc IMarket
    function accept(
        Order calldata order,
        bytes calldata training,
        bytes calldata orderSignature,
        Bid calldata bid,
        bytes calldata bidSignature
    ) external override nonReentrant whenNotPaused returns (uint256 jobId) {
        bytes32 orderHash = order.hash();
        _requireAuthor(order.consumer, orderHash, orderSignature);
        return _match(order, orderHash, training, bid, bidSignature);
    }

    /// @inheritdoc IMarket
    function acceptWithPermit(
        Order calldata order,
        bytes calldata training,
        Bid calldata bid,
        bytes calldata bidSignature,
        uint256 value,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external override nonReentrant whenNotPaused returns (uint256 jobId) {
        if (order.consumer != msg.sender) revert WrongSignature(order.consumer);
        // A permit that somebody else has already submitted has done its work; the transfer tells whether it has.
        // solhint-disable-next-line no-empty-blocks
        try IERC20Permit(address(token)).permit(msg.sender, escrow, value, deadline, v, r, s) {} catch {}
        return _match(order, order.hash(), training, bid, bidSignature);
    }

    /// @inheritdoc IMarket
    function takeBack(uint256 jobId) external override nonReentrant {
        if (_isAuctioned(jobId)) revert WrongPhase(jobId);
        registry.unmatch(jobId);
        registry.cancel(jobId);
    }

    /// @inheritdoc IMarket
    function withdraw(address to) external override nonReentrant returns (uint256 amount) {
        amount = _payOut(to);
        emit Withdrawn(msg.sender, to, amount);
    }

    /// @inheritdoc IMarket
    function flushBurn() external override nonReentrant returns (uint256) {
        return _flushBurn();
    }

    /// @inheritdoc IMarket
    function pause() external override restricted {
        _pause();
    }

    /// @inheritdoc IMarket
    function unpause() external override restricted {
        _unpause();
    }

    /// @inheritdoc IMarket
    function creditOf(address account) external view override returns (uint256) {
        return _creditOf(account);
    }

    /// @dev Whoever relays both signatures pays for the gas and decides nothing else.
    function _match(
        Order calldata order,
        bytes32 orderHash,
        bytes calldata training,
        Bid calldata bid,
        bytes calldata bidSignature
    ) private returns (uint256 jobId) {
        if (bid.order != orderHash) revert WrongOrder(bid.order, orderHash);
        _requireAuthor(bid.provider, bid.hash(), bidSignature);
        uint256 price = _requireFit(order, bid);
        _useNonce(order.consumer, order.nonce);
        _useNonce(bid.provider, bid.nonce);
        _requirePosted(orderHash);

        jobId = registry.open(order, orderHash, training);
        emit BidAccepted(jobId, bid.provider, bid);
        emit Matched(jobId, orderHash, bid.provider, price);
        registry.matchJob(jobId, bid.provider, price);
    }

    /// @return price in tokens
    function _requireFit(Order calldata order, Bid calldata bid) private view returns (uint256 price) {
        _requireLive(order.expiry);
        _requireLive(bid.expiry);
        Requirements.requiredBy(order.conditions).requireMetBy(bid);
        price = _toTokens(bid.price, _rateOf(order.conditions.priceFeed));
        // A provider is not made to take less than it asked for because the token fell.
        if (price > order.conditions.deposit) revert UnmetCondition("price");
        _requireProvider(bid.provider, price, order.conditions.deposit);
    }
}

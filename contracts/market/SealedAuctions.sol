// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Clock} from "../libraries/Clock.sol";
import {IJobRegistry} from "../jobs/interfaces/IJobRegistry.sol";
import {Bid, Order} from "../jobs/interfaces/Orders.sol";
import {Credits} from "../libraries/Credits.sol";
import {ExactTransfer} from "../libraries/ExactTransfer.sol";
import {LapsingPause} from "../libraries/LapsingPause.sol";
import {IStaking} from "../staking/interfaces/IStaking.sol";
import {IDatasetRegistry} from "../storage/interfaces/IDatasetRegistry.sol";
import {AuctionTerms, AuctionTimes, IMarket} from "./interfaces/IMarket.sol";
import {OrderHashing} from "./OrderHashing.sol";
import {PriceFeeds} from "./PriceFeeds.sol";
import {Required, Requirements} from "./Requirements.sol";
import {SignedOrders} from "./SignedOrders.sol";

/// @title Sealed bids
/// @dev A bond stays while its bid can still be called upon: until the job is locked or over, or until a loser gives up
/// its candidacy. What the bids are worth in tokens is fixed at the opening.
abstract contract SealedAuctions is
    SignedOrders,
    PriceFeeds,
    Credits,
    LapsingPause,
    ReentrancyGuardTransient
{
    using ExactTransfer for IERC20;
    using OrderHashing for Bid;
    using OrderHashing for Order;
    using Requirements for Required;

    /// @notice Bids that can win: the best of those revealed. Bounds the search for the best one.
    uint256 public constant MAX_CANDIDATES = 32;
    uint32 public constant MAX_WINDOW = 7 days;
    /// @notice Hard bounds of `leastWindow` and `grace`: the lower one suits an embedded network only.
    uint32 public constant MIN_LEAST_WINDOW = 10 seconds;
    uint32 public constant MAX_LEAST_WINDOW = 1 days;
    /// @notice Part of the deposit that a bond is at least.
    uint256 public constant BOND_DIVISOR = 10;

    bytes32 private constant HIDDEN = "hidden";
    bytes32 private constant UNLOCKED = "unlocked";

    /// @dev What an auction needs to know of its order.
    struct Lot {
        Required required;
        uint128 deposit;
        /// Price of one whole token in units of the order's feed; 0: prices are in tokens.
        uint128 rate;
        uint64 expiry;
        uint64 openedAt;
        bytes32 orderHash;
        bytes32 datasetId;
    }

    IStaking public immutable staking;
    IJobRegistry public immutable registry;
    IDatasetRegistry public immutable datasets;
    /// @notice As in `AuctionTimes`.
    uint32 public immutable leastWindow;
    uint32 public immutable grace;

    mapping(uint256 jobId => Auction) private _auctions;
    mapping(uint256 jobId => Lot) private _lots;
    mapping(uint256 jobId => SealedBid[]) private _bids;
    /// @dev Indices of the best bids that were revealed, plus 1, in no order.
    mapping(uint256 jobId => uint32[]) private _candidates;
    /// @dev Index of a provider's bid, plus 1.
    mapping(uint256 jobId => mapping(address provider => uint256)) private _bidOf;

    constructor(
        IStaking staking_,
        IJobRegistry registry_,
        IDatasetRegistry datasets_,
        AuctionTimes memory times
    ) {
        _requireBounds("leastWindow", times.leastWindow, MIN_LEAST_WINDOW, MAX_LEAST_WINDOW);
        _requireBounds("grace", times.grace, MIN_LEAST_WINDOW, MAX_LEAST_WINDOW);
        staking = staking_;
        registry = registry_;
        datasets = datasets_;
        leastWindow = times.leastWindow;
        grace = times.grace;
    }

    /// @inheritdoc IMarket
    function openAuction(
        Order calldata order,
        bytes calldata training,
        bytes calldata package,
        AuctionTerms calldata terms
    ) external override nonReentrant whenNotPaused returns (uint256 jobId) {
        if (order.consumer != msg.sender) revert WrongSignature(order.consumer);
        _requireLive(order.expiry);
        _requireFit(order, terms);
        _useNonce(msg.sender, order.nonce);
        uint128 rate = _rateOf(order.conditions.priceFeed);
        bytes32 orderHash = order.hash();
        _publish(order, orderHash, training, package, msg.data[0:0]);

        jobId = registry.open(order, orderHash, training);
        Lot storage lot = _lots[jobId];
        lot.required = Requirements.requiredBy(order.conditions);
        lot.deposit = order.conditions.deposit;
        lot.rate = rate;
        lot.expiry = order.expiry;
        lot.openedAt = uint64(block.timestamp);
        lot.orderHash = orderHash;
        lot.datasetId = order.problem.datasetId;
        Auction storage auction = _auctions[jobId];
        auction.jobId = jobId;
        auction.commitUntil = uint48(block.timestamp + terms.commitWindow);
        auction.revealUntil = auction.commitUntil + terms.revealWindow;
        auction.bond = terms.bond;
        emit AuctionOpened(jobId, orderHash, terms, auction.commitUntil, auction.revealUntil);
    }

    /// @inheritdoc IMarket
    function commitBid(uint256 jobId, bytes32 commitment) external override nonReentrant {
        Auction storage auction = _openAuction(jobId);
        if (block.timestamp > auction.commitUntil) revert WrongPhase(jobId);
        SealedBid[] storage bids = _bids[jobId];
        if (_bidOf[jobId][msg.sender] != 0) revert AlreadyBid(jobId, msg.sender);
        _requireProvider(msg.sender, 0, _lots[jobId].deposit);

        SealedBid storage bid = bids.push();
        bid.provider = msg.sender;
        bid.committedAt = uint48(block.timestamp);
        bid.commitment = commitment;
        _bidOf[jobId][msg.sender] = bids.length;
        ++auction.hidden;
        emit BidCommitted(jobId, msg.sender, commitment);
        token.pullExact(msg.sender, auction.bond);
    }

    /// @inheritdoc IMarket
    function revealBid(uint256 jobId, Bid calldata bid, bytes32 salt) external override {
        Auction storage auction = _openAuction(jobId);
        bool isTime =
            block.timestamp > auction.commitUntil && Clock.mayMove(block.timestamp, auction.graceEnds);
        if (!isTime) revert WrongPhase(jobId);
        if (bid.provider != msg.sender) revert WrongSignature(bid.provider);
        uint256 number = _bidOf[jobId][msg.sender];
        if (number == 0) revert WrongReveal(jobId, msg.sender);
        SealedBid storage sealedBid = _bids[jobId][number - 1];
        bytes32 opened = keccak256(
            abi.encode(block.chainid, address(this), jobId, msg.sender, bid.hash(), salt)
        );
        if (opened != sealedBid.commitment) revert WrongReveal(jobId, msg.sender);
        Lot storage lot = _lots[jobId];
        if (bid.order != lot.orderHash) revert WrongOrder(bid.order, lot.orderHash);
        if (bid.expiry < lot.expiry) revert Expired(bid.expiry);
        lot.required.requireMetBy(bid);
        if (_toTokens(bid.price, lot.rate) > lot.deposit) revert UnmetCondition("price");

        _useNonce(msg.sender, bid.nonce);
        --auction.hidden;
        sealedBid.isRevealed = true;
        sealedBid.price = bid.price;
        sealedBid.stake = staking.stakeAt(msg.sender, lot.openedAt);
        emit BidRevealed(jobId, msg.sender, bid);
        _rank(jobId, number);
    }

    /// @inheritdoc IMarket
    function callTimeout(uint256 jobId) external override {
        Auction storage auction = _auctions[jobId];
        bool isAwaited = auction.hidden != 0 && auction.graceEnds == 0;
        if (!isAwaited || !Clock.isLate(block.timestamp, auction.revealUntil)) revert WrongPhase(jobId);
        auction.graceEnds = uint48(block.timestamp + grace);
        emit RevealTimeoutCalled(jobId, auction.graceEnds);
    }

    /// @inheritdoc IMarket
    function award(uint256 jobId) external override nonReentrant {
        Auction storage auction = _openAuction(jobId);
        Lot storage lot = _lots[jobId];
        if (!_isRevealed(auction)) revert WrongPhase(jobId);
        _requireLive(lot.expiry);
        if (auction.winner != 0) _dropWinner(jobId, auction);
        (uint256 number, uint256 price) = _nextBid(jobId);
        if (number == 0) revert NoBid(jobId);

        auction.winner = uint32(number);
        address provider = _bids[jobId][number - 1].provider;
        emit AuctionAwarded(jobId, provider, price);
        emit Matched(jobId, lot.orderHash, provider, price);
        registry.matchJob(jobId, provider, price);
    }

    /// @inheritdoc IMarket
    function closeAuction(uint256 jobId) external override nonReentrant {
        Auction storage auction = _openAuction(jobId);
        IJobRegistry.Job memory job = registry.jobOf(jobId);
        if (_isAwaited(job.status)) {
            _exhaust(jobId, auction, job.consumer);
            registry.cancel(jobId);
        } else if (!_isRevealed(auction)) {
            revert WrongPhase(jobId);
        }
        auction.isOver = true;
        emit AuctionClosed(jobId);
    }

    /// @inheritdoc IMarket
    function settleBid(uint256 jobId, address provider) external override nonReentrant {
        uint256 number = _bidOf[jobId][provider];
        if (number == 0 || _bids[jobId][number - 1].isSettled) revert NothingToSettle(jobId, provider);
        SealedBid storage bid = _bids[jobId][number - 1];
        Auction storage auction = _auctions[jobId];
        IJobRegistry.Status status = registry.jobOf(jobId).status;
        if (!bid.isRevealed) {
            if (!_isRevealed(auction)) revert NothingToSettle(jobId, provider);
            _lose(jobId, bid, HIDDEN);
        } else if (bid.isOut || (auction.winner == number && status == IJobRegistry.Status.Expired)) {
            // Expired means that the winner, if there was one, never locked.
            _settleWalk(jobId, bid);
        } else if (!_isAwaited(status)) {
            _return(jobId, bid);
        } else {
            bool hasLost = auction.winner != 0 && auction.winner != number;
            if (!hasLost || provider != msg.sender) revert NothingToSettle(jobId, provider);
            _return(jobId, bid);
        }
    }

    /// @inheritdoc IMarket
    function auctionOf(uint256 jobId) external view override returns (Auction memory) {
        return _auctions[jobId];
    }

    /// @inheritdoc IMarket
    function bidsOf(
        uint256 jobId,
        uint256 offset,
        uint256 limit
    ) external view override returns (SealedBid[] memory page) {
        SealedBid[] storage bids = _bids[jobId];
        uint256 start = Math.min(offset, bids.length);
        page = new SealedBid[](Math.min(limit, bids.length - start));
        for (uint256 i = 0; i < page.length; ++i) page[i] = bids[start + i];
    }

    /// @inheritdoc IMarket
    function rateOf(uint256 jobId) external view override returns (uint256) {
        return _lots[jobId].rate;
    }

    function _isAuctioned(uint256 jobId) internal view returns (bool) {
        return _auctions[jobId].revealUntil != 0;
    }

    /// @dev The account must be able to lock, now, what a job at this price and with this deposit locks.
    function _requireProvider(address provider, uint256 price, uint256 deposit) internal view {
        if (!staking.isEligible(provider, IStaking.Role.Provider, 0)) revert UnmetCondition("role");
        if (!_canLock(provider, registry.stakeFor(provider, price), deposit)) revert UnmetCondition("stake");
    }

    /// @dev Makes sure that nobody can win any more; the job is open afterwards.
    function _exhaust(uint256 jobId, Auction storage auction, address consumer) private {
        if (_bids[jobId].length == 0) {
            bool mayComeIn = block.timestamp <= auction.commitUntil;
            if (mayComeIn && msg.sender != consumer) revert NotConsumer(jobId, msg.sender);
            return;
        }
        if (!_isRevealed(auction)) revert WrongPhase(jobId);
        if (auction.winner != 0) _dropWinner(jobId, auction);
        if (block.timestamp > _lots[jobId].expiry) return;
        (uint256 number, ) = _nextBid(jobId);
        if (number != 0) revert WrongPhase(jobId);
    }

    /// @dev The registry refuses while the winner may still lock.
    function _dropWinner(uint256 jobId, Auction storage auction) private {
        SealedBid storage bid = _bids[jobId][auction.winner - 1];
        auction.winner = 0;
        bid.isOut = true;
        _settleWalk(jobId, bid);
        registry.unmatch(jobId);
    }

    /// @dev Best bid that can be taken, plus 1, and its price in tokens. Each turn settles one of the candidates.
    function _nextBid(uint256 jobId) private returns (uint256 number, uint256 price) {
        (uint256 rate, uint256 deposit) = (_lots[jobId].rate, _lots[jobId].deposit);
        for (number = _bestBid(jobId); number != 0; number = _bestBid(jobId)) {
            SealedBid storage bid = _bids[jobId][number - 1];
            price = _toTokens(bid.price, rate);
            uint256 stake = registry.stakeForJob(jobId, bid.provider, price);
            if (_canLock(bid.provider, stake, deposit)) return (number, price);
            bid.isOut = true;
            _settleWalk(jobId, bid);
        }
    }

    function _bestBid(uint256 jobId) private view returns (uint256 number) {
        SealedBid[] storage bids = _bids[jobId];
        uint32[] storage candidates = _candidates[jobId];
        uint256 count = candidates.length;
        for (uint256 i = 0; i < count; ++i) {
            uint256 each = candidates[i];
            SealedBid storage bid = bids[each - 1];
            if (bid.isSettled || bid.isOut) continue;
            if (number == 0 || _isBetter(bids, each, number)) number = each;
        }
    }

    /// @dev Makes a bid that was revealed a candidate. Whoever bids early, or often, shuts nobody out: a full list lets
    /// the worst one go.
    function _rank(uint256 jobId, uint256 number) private {
        SealedBid[] storage bids = _bids[jobId];
        uint32[] storage candidates = _candidates[jobId];
        if (candidates.length < MAX_CANDIDATES) {
            candidates.push(uint32(number));
            return;
        }
        uint256 worst = 0;
        for (uint256 i = 1; i < MAX_CANDIDATES; ++i) {
            if (_isBetter(bids, candidates[worst], candidates[i])) worst = i;
        }
        uint256 dropped = candidates[worst];
        if (_isBetter(bids, number, dropped)) candidates[worst] = uint32(number);
        else dropped = number;
        _return(jobId, bids[dropped - 1]);
    }

    /// @dev Bids are numbered in the order of their commitments: the earlier of two equals is ahead.
    function _isBetter(SealedBid[] storage bids, uint256 one, uint256 other) private view returns (bool) {
        (SealedBid storage a, SealedBid storage b) = (bids[one - 1], bids[other - 1]);
        if (a.price != b.price) return a.price < b.price;
        if (a.stake != b.stake) return a.stake > b.stake;
        return one < other;
    }

    /// @dev Nobody is made to train on data that is known to be bad, or that nobody need serve any more. Who bids holds
    /// the data already: a holder that refuses it is no excuse, because it could be the bidder's friend.
    function _settleWalk(uint256 jobId, SealedBid storage bid) private {
        if (datasets.isOver(_lots[jobId].datasetId)) _return(jobId, bid);
        else _lose(jobId, bid, UNLOCKED);
    }

    function _return(uint256 jobId, SealedBid storage bid) private {
        uint256 bond = _auctions[jobId].bond;
        bid.isSettled = true;
        _credit(bid.provider, bond);
        emit BondReturned(jobId, bid.provider, bond);
    }

    /// @dev Nobody gains by it: whoever did could be the one who made it happen.
    function _lose(uint256 jobId, SealedBid storage bid, bytes32 reason) private {
        uint256 bond = _auctions[jobId].bond;
        bid.isSettled = true;
        _burn(bond);
        emit BondLost(jobId, bid.provider, bond, reason);
    }

    function _openAuction(uint256 jobId) private view returns (Auction storage auction) {
        auction = _auctions[jobId];
        if (auction.revealUntil == 0 || auction.isOver) revert WrongPhase(jobId);
    }

    /// @dev No bid is hidden any more, or those that are had their time and its grace.
    function _isRevealed(Auction storage auction) private view returns (bool) {
        if (block.timestamp <= auction.revealUntil) return false;
        return auction.hidden == 0 || !Clock.mayMove(block.timestamp, auction.graceEnds);
    }

    /// @dev The stake, and the performance bond beside it: unlocked, and approved for the registry.
    function _canLock(address provider, uint256 stake, uint256 deposit) private view returns (bool) {
        return staking.lockable(provider, address(registry)) >= stake + registry.performanceFor(deposit);
    }

    function _requireFit(Order calldata order, AuctionTerms calldata terms) private view {
        uint256 decided = block.timestamp + terms.commitWindow + terms.revealWindow;
        bool fits =
            _isWindow(terms.commitWindow) &&
                _isWindow(terms.revealWindow) &&
                terms.bond >= Math.ceilDiv(order.conditions.deposit, BOND_DIVISOR) &&
                order.expiry > decided;
        if (!fits) revert UnfitAuction();
    }

    function _isWindow(uint256 window) private view returns (bool) {
        return window >= leastWindow && window <= MAX_WINDOW;
    }

    /// @dev Whether a job waits for a provider, or for the lock of one.
    function _isAwaited(IJobRegistry.Status status) private pure returns (bool) {
        return status == IJobRegistry.Status.Open || status == IJobRegistry.Status.Matched;
    }
}

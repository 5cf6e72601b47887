// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AggregatorV3Interface} from "@chainlink/contracts/src/v0.8/shared/interfaces/AggregatorV3Interface.sol";
import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {FeedBounds, IMarket} from "./interfaces/IMarket.sol";

/// @title Prices in another unit than the token
/// @notice Orders name feeds, and whoever writes an order could name one of its own making: only listed ones count.
abstract contract PriceFeeds is IMarket, AccessManaged {
    uint32 public constant MIN_AGE = 1 minutes;
    uint32 public constant MAX_AGE = 2 days;
    /// @notice How far apart the bounds of an answer may lie, so that a listing cannot switch them off.
    uint256 public constant MAX_SPREAD = 10_000;
    /// @notice Seconds after which feeds are believed again when the sequencer is back: by then they have been updated,
    /// and transactions that waited are in.
    uint256 public constant SEQUENCER_REST = 1 hours;

    /// @inheritdoc IMarket
    address public immutable override sequencerFeed;

    /// @dev Smallest units of one whole token.
    uint256 private immutable _wholeToken;

    mapping(address feed => FeedBounds) private _feeds;

    constructor(IERC20Metadata token_, address sequencerFeed_) {
        sequencerFeed = sequencerFeed_;
        _wholeToken = 10 ** token_.decimals();
    }

    /// @inheritdoc IMarket
    function setFeed(address feed, FeedBounds calldata bounds) external override restricted {
        if (bounds.maximumAge == 0) {
            delete _feeds[feed];
        } else {
            _requireBounds("age", bounds.maximumAge, MIN_AGE, MAX_AGE);
            _requireBounds("least", bounds.least, 1, type(uint128).max / MAX_SPREAD);
            _requireBounds("most", bounds.most, bounds.least, bounds.least * MAX_SPREAD);
            _feeds[feed] = bounds;
        }
        emit FeedSet(feed, _feeds[feed]);
    }

    /// @inheritdoc IMarket
    function feedOf(address feed) external view override returns (FeedBounds memory) {
        return _feeds[feed];
    }

    /// @return rate price of one whole token in units of the feed; 0 without a feed
    function _rateOf(address feed) internal view returns (uint128 rate) {
        if (feed == address(0)) return 0;
        FeedBounds memory bounds = _feeds[feed];
        if (bounds.maximumAge == 0) revert BadFeed(feed, 0, 0);
        _requireSequencer();
        (, int256 answer, , uint256 updatedAt, ) = AggregatorV3Interface(feed).latestRoundData();
        bool isFresh = updatedAt <= block.timestamp && block.timestamp - updatedAt <= bounds.maximumAge;
        bool isWithin = answer >= int256(uint256(bounds.least)) && answer <= int256(uint256(bounds.most));
        if (!isFresh || !isWithin) revert BadFeed(feed, answer, updatedAt);
        return uint128(uint256(answer));
    }

    /// @dev Rounds down: against the provider, who is paid.
    function _toTokens(uint256 price, uint256 rate) internal view returns (uint256) {
        return rate == 0 ? price : Math.mulDiv(price, _wholeToken, rate);
    }

    /// @dev What a feed said before or during a halt may be old news to those who could act first afterwards.
    /// Chainlink's uptime feed answers 0 while the sequencer is up and 1 while it is down, since `startedAt`; 0 there
    /// means that it has not said anything yet.
    function _requireSequencer() private view {
        if (sequencerFeed == address(0)) return;
        (, int256 answer, uint256 startedAt, , ) = AggregatorV3Interface(sequencerFeed).latestRoundData();
        bool isUp = answer == 0 && startedAt != 0 && startedAt + SEQUENCER_REST < block.timestamp;
        if (!isUp) revert BadFeed(sequencerFeed, answer, startedAt);
    }

    function _requireBounds(bytes32 name, uint256 value, uint256 low, uint256 high) internal pure {
        if (value < low || value > high) revert OutOfBounds(name, value, low, high);
    }
}

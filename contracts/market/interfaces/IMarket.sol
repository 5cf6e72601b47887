// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Bid, Order} from "../../jobs/interfaces/Orders.sol";

/// @notice Times and bond of a sealed-bid auction.
struct AuctionTerms {
    /// Seconds in which bids are committed to, then revealed.
    uint32 commitWindow;
    uint32 revealWindow;
    /// Tokens that each bid puts up: at least a tenth of the order's deposit.
    uint128 bond;
}

/// @notice What all auctions of a market keep to, in seconds.
struct AuctionTimes {
    /// Shortest window of an auction.
    uint32 leastWindow;
    /// In which a bid may still be revealed after a timeout was called.
    uint32 grace;
}

/// @notice What a Chainlink feed must answer to be believed. An answer is the price of one whole token.
struct FeedBounds {
    /// Greatest age of an answer in seconds; 0: the feed is not listed.
    uint32 maximumAge;
    /// Least and greatest answer, in units of the feed.
    uint128 least;
    uint128 most;
}

/// @title Where orders meet bids
/// @notice Orders and bids are EIP-712 messages, signed by accounts or ERC-1271 wallets, or sent by their author.
/// Every match is checked against the order's conditions. In an auction the contract picks the bid: lowest price, then
/// highest stake when the auction began, then earliest commitment.
/// Prices of an order with a feed are in units of that feed's answers. They become tokens, rounded down, at the answer
/// of the match, or of the auction's opening: a feed that falls silent or jumps later takes no bond.
/// INV-1: Σ bonds of live bids + Σ credits == token.balanceOf(this), tokens sent here unasked aside
/// INV-2: a nonce of an account is used or cancelled once; nothing signed with it is taken afterwards
/// INV-3: a match meets every condition of its order
/// INV-4: whatever is matched was published whole: anybody can compile it, and challenge its result
interface IMarket {
    struct Auction {
        uint256 jobId;
        uint48 commitUntil;
        uint48 revealUntil;
        uint128 bond;
        /// Index of the bid that has won, plus 1; 0 before the award.
        uint32 winner;
        bool isOver;
        /// Last second of the grace, 0 as long as no timeout was called.
        uint48 graceEnds;
        /// Bids that nobody has revealed.
        uint32 hidden;
    }

    struct SealedBid {
        address provider;
        uint48 committedAt;
        bool isRevealed;
        /// The bond was returned or lost.
        bool isSettled;
        /// It has won and did not lock, or could not: it cannot win again.
        bool isOut;
        bytes32 commitment;
        uint128 price;
        uint256 stake;
    }

    /// @notice Thrown when a message is not signed by its author, or by an author who did not send it.
    error WrongSignature(address author);
    /// @notice Thrown when a nonce was used or cancelled.
    error NonceUsed(address author, uint256 nonce);
    /// @notice Thrown when an order or a bid has expired.
    error Expired(uint256 expiry);
    /// @notice Thrown when a bid is for another order.
    error WrongOrder(bytes32 bidFor, bytes32 order);
    /// @notice Thrown when a bid does not meet a condition: "price", "compute", "region", "regulations", "privacy",
    /// "role" or "stake".
    error UnmetCondition(bytes32 condition);
    /// @notice Thrown when a feed's answer is stale, not positive, or outside the market's bounds; with `sequencerFeed`
    /// and since when it says so, when the chain's sequencer is down or came back less than `SEQUENCER_REST` ago.
    error BadFeed(address feed, int256 answer, uint256 updatedAt);
    /// @notice Thrown when an auction's windows or bond are outside their bounds.
    error UnfitAuction();
    /// @notice Thrown when an auction is not in the phase that a call needs.
    error WrongPhase(uint256 jobId);
    /// @notice Thrown when a provider bids twice.
    error AlreadyBid(uint256 jobId, address provider);
    /// @notice Thrown when what is revealed was not committed to.
    error WrongReveal(uint256 jobId, address provider);
    /// @notice Thrown when no bid is left that could win.
    error NoBid(uint256 jobId);
    /// @notice Thrown when nothing is to be settled.
    error NothingToSettle(uint256 jobId, address provider);
    /// @notice Thrown when someone else than the consumer cancels.
    error NotConsumer(uint256 jobId, address caller);
    /// @notice Thrown when an order that was never posted is to be accepted.
    error NotPosted(bytes32 orderHash);
    /// @notice Thrown when a training is not the one whose hash the order names.
    error WrongTraining(bytes32 hash, bytes32 expected);
    /// @notice Thrown when a package is not the one whose digest the order names.
    error WrongPackage(bytes32 digest, bytes32 expected);
    /// @notice Thrown when bytes to be published are longer than allowed.
    error TooLong(uint256 length, uint256 limit);
    /// @notice Thrown when a parameter is outside its hard bounds.
    error OutOfBounds(bytes32 parameter, uint256 value, uint256 low, uint256 high);

    /// @notice An order for everyone to see, with all that a provider needs to compile its program. Nothing is owed
    /// yet.
    event OrderPosted(
        bytes32 indexed orderHash,
        address indexed consumer,
        Order order,
        bytes training,
        bytes package,
        bytes signature
    );
    event NonceCancelled(address indexed author, uint256 nonce);
    /// @notice A job was given to a provider.
    /// @param price in tokens
    event Matched(uint256 indexed jobId, bytes32 indexed orderHash, address indexed provider, uint256 price);
    /// @notice The bid behind a match without an auction.
    event BidAccepted(uint256 indexed jobId, address indexed provider, Bid bid);
    event AuctionOpened(
        uint256 indexed jobId,
        bytes32 indexed orderHash,
        AuctionTerms terms,
        uint256 commitUntil,
        uint256 revealUntil
    );
    event BidCommitted(uint256 indexed jobId, address indexed provider, bytes32 commitment);
    event BidRevealed(uint256 indexed jobId, address indexed provider, Bid bid);
    event RevealTimeoutCalled(uint256 indexed jobId, uint256 graceEnds);
    /// @param price in tokens
    event AuctionAwarded(uint256 indexed jobId, address indexed provider, uint256 price);
    event BondReturned(uint256 indexed jobId, address indexed provider, uint256 amount);
    /// @param amount burnt whole
    /// @param reason "hidden" or "unlocked"
    event BondLost(uint256 indexed jobId, address indexed provider, uint256 amount, bytes32 reason);
    event AuctionClosed(uint256 indexed jobId);
    event Withdrawn(address indexed account, address indexed to, uint256 amount);
    event FeedSet(address indexed feed, FeedBounds bounds);

    /// @notice Shows an order to all providers. Its signature is checked; funds move when it is matched.
    /// @param training at most 8 KiB, with the order's `trainingHash`
    /// @param package what any provider compiles the program from, at most 16 KiB, with the order's `programDigest`
    /// @param signature at most 4 KiB; empty when the consumer calls
    function post(
        Order calldata order,
        bytes calldata training,
        bytes calldata package,
        bytes calldata signature
    ) external returns (bytes32 orderHash);

    /// @notice Makes a nonce of the caller unusable.
    function cancelNonce(uint256 nonce) external;

    /// @notice Matches a signed order with a signed bid. The order must have been posted, so that anybody can compile
    /// and challenge it. Either signature may be empty when its author calls. The escrow must be allowed to pull the
    /// deposit and the committee's fees.
    function accept(
        Order calldata order,
        bytes calldata training,
        bytes calldata orderSignature,
        Bid calldata bid,
        bytes calldata bidSignature
    ) external returns (uint256 jobId);

    /// @notice As `accept`, by the consumer of an order that was posted, with an EIP-2612 permit for the escrow.
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
    ) external returns (uint256 jobId);

    /// @notice Opens an auction for an order; funds are pulled now. An order signed off chain must be sent by its
    /// consumer, because it does not say the terms. It must not expire before the bids are revealed; should it expire
    /// in the grace of a bid that stays hidden, nobody wins.
    /// @param package as for `post`
    function openAuction(
        Order calldata order,
        bytes calldata training,
        bytes calldata package,
        AuctionTerms calldata terms
    ) external returns (uint256 jobId);

    /// @notice Seals a bid: keccak256(abi.encode(chain id, this contract, job, provider, bid struct hash, salt)). Pulls
    /// the bond. The caller must be a provider with the least stake that any job locks.
    function commitBid(uint256 jobId, bytes32 commitment) external;

    /// @notice Opens the caller's bid, when bids are no longer taken, until the grace after a called timeout is over;
    /// it must meet every condition, and not expire before the order. Role and stake are looked at when it is to be
    /// awarded, since both can change until then. The best 32 can win; the bond of every other one comes back at once.
    function revealBid(uint256 jobId, Bid calldata bid, bytes32 salt) external;

    /// @notice Says that bids are still hidden after the time to reveal them: the grace begins, so that a sequencer
    /// that was down or censored costs nobody its bond. Anyone.
    function callTimeout(uint256 jobId) external;

    /// @notice Gives the job to the best revealed bid; again, to the next one, when the winner did not lock in time and
    /// has had its grace (`IJobRegistry.callTimeout`). A bid whose provider could not lock stake and performance bond
    /// now is passed over and loses its bond like one that does not.
    /// Anyone, when all bids are revealed, or the grace of the others is over.
    function award(uint256 jobId) external;

    /// @notice Ends an auction that nobody can win any more, or that its consumer takes back before any bid.
    function closeAuction(uint256 jobId) external;

    /// @notice Ends a job that was matched without an auction and whose provider did not lock in time, after its grace.
    /// Anyone: nobody else can have the job, and the provider's stake is bound until then.
    function takeBack(uint256 jobId) external;

    /// @notice Returns a bond, or takes it from a bid that was hidden or did not lock. Anyone; but while the winner may
    /// still fail to lock, only a losing provider itself takes its bond back, which ends its candidacy. A lost
    /// bond is burnt. Who does not lock keeps the bond when the dataset is over (encoding fraud ends it).
    function settleBid(uint256 jobId, address provider) external;

    /// @notice Pays the caller's credit out.
    function withdraw(address to) external returns (uint256 amount);

    /// @notice Sends what was burnt to the burn sink. Anyone may call it.
    function flushBurn() external returns (uint256 amount);

    /// @notice Lists a feed, changes its bounds, or (all zeros) takes it off. Only AccessManager.
    function setFeed(address feed, FeedBounds calldata bounds) external;

    /// @notice Stops new orders, matches without auction, auctions and bids; nothing else. Only AccessManager.
    function pause() external;

    /// @notice Ends `pause`. Only AccessManager.
    function unpause() external;

    /// @notice EIP-712 hash of an order's struct: its identity.
    function hashOrder(Order calldata order) external pure returns (bytes32);

    /// @notice EIP-712 hash of a bid's struct.
    function hashBid(Bid calldata bid) external pure returns (bytes32);

    function auctionOf(uint256 jobId) external view returns (Auction memory);

    /// @notice A page of an auction's bids, in the order of their commitments: anybody may add to them.
    function bidsOf(uint256 jobId, uint256 offset, uint256 limit) external view returns (SealedBid[] memory);

    /// @notice Price of one whole token, in units of the order's feed, at which an auction's bids become tokens.
    /// 0: bids are in tokens.
    function rateOf(uint256 jobId) external view returns (uint256);

    function isNonceUsed(address author, uint256 nonce) external view returns (bool);

    function feedOf(address feed) external view returns (FeedBounds memory);

    /// @notice Chainlink's uptime feed of the chain's sequencer; 0 where there is none.
    function sequencerFeed() external view returns (address);

    function creditOf(address account) external view returns (uint256);
}

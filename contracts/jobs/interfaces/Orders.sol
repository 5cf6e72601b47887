// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice Who vouches for a result. Other schemes are refused until there is something behind them.
enum Scheme {
    /// Anyone may dispute it for a while.
    Optimistic,
    /// A committee re-executes samples of it; disputes stay open as long as the committee works.
    Committee,
    /// Both.
    Both
}

/// @notice What is to be computed. Everything that decides the bits is behind `trainingHash`.
struct Problem {
    /// The anchored dataset.
    bytes32 datasetId;
    /// Hash of the training order (docs/exact-ops.md section 7): hyper-parameters, seeds, steps, initial state.
    bytes32 trainingHash;
    /// Merkle root over the node descriptors of the three tapes, and how many nodes each has.
    bytes32 programRoot;
    uint32[3] nodeCounts;
    /// Node of tape 0 whose tensor is the witness of a step.
    uint32 witnessNode;
    /// Tensors of the state.
    uint32 slots;
    /// SHA-256 of the program's file; its CIDv1 (raw) follows from it.
    bytes32 programDigest;
}

/// @notice What a bid must meet, and what happens after it was taken.
struct Conditions {
    /// In tokens, or in units of the feed's quote when there is one.
    uint128 maximumPrice;
    /// Most tokens that leave the consumer's account for the price.
    uint128 deposit;
    /// Chainlink feed with the price of one whole token; zero: prices are in tokens.
    address priceFeed;
    /// Seconds from the provider's lock to its commitment.
    uint32 trainingTime;
    /// What a bid declares at least; its unit is the market's affair.
    uint32 minimumCompute;
    /// Mask of regions of which the provider's is to be one; 0: any.
    uint64 regions;
    /// Mask of regulations that the provider is to fulfil, all of them.
    uint64 regulations;
    /// Least tier of privacy.
    uint8 privacyTier;
    Scheme scheme;
    /// Members drawn, and how many of them must agree; both 0 for an optimistic job.
    uint8 committeeSize;
    uint8 threshold;
    /// Tokens for each interval that a member checks.
    uint128 checkFee;
    /// Equal parts in which the price may be paid, all but the last for verified checkpoints; 0 or 1: at the end alone.
    uint8 instalments;
}

/// @notice What a consumer signs.
struct Order {
    address consumer;
    Problem problem;
    Conditions conditions;
    /// Used once, in any order.
    uint256 nonce;
    /// Last second in which it can be matched.
    uint64 expiry;
}

/// @notice What a provider signs, or reveals.
struct Bid {
    address provider;
    /// EIP-712 hash of the order's struct.
    bytes32 order;
    /// As `Conditions.maximumPrice`.
    uint128 price;
    uint32 compute;
    /// One bit: where it computes.
    uint64 region;
    uint64 regulations;
    uint8 privacyTier;
    uint256 nonce;
    /// Last second in which it can be matched.
    uint64 expiry;
}

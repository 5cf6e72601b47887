// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Hard bounds of the storage contracts, in one place
library Limits {
    /// @notice Bytes of a cell: 16 field elements of 31 bytes.
    uint256 internal constant CELL_BYTES = 496;
    /// @notice Leaves of a possession tree, 4^7: the most cells a bundle can have.
    uint256 internal constant MAX_CELLS = 16_384;
    /// @notice Plain bytes of an object's Merkle leaf.
    uint256 internal constant CHUNK_BYTES = 1_024;
    /// @notice Bytes that Poly1305 adds to an encrypted object.
    uint256 internal constant TAG_BYTES = 16;
    /// @notice Bytes of an object hash.
    uint256 internal constant HASH_BYTES = 32;

    /// @notice A codeword proof opens k + 1 cells of at most 1,600 bytes each (496 bytes padded to 512, up to 14
    /// siblings in the bundle, up to 10 in the dataset, roots and ABI heads): 37 of them fit 60 kB of calldata.
    uint256 internal constant MAX_K = 36;
    /// @notice An anchor carries 64 bytes per bundle: 900 of them fit 60 kB of calldata.
    uint256 internal constant MAX_BUNDLES = 900;
    /// @notice Epochs from the first to the last paid one: 64 words of answered bits, so that a claim is bounded.
    uint256 internal constant MAX_TERM = 16_384;
    /// @notice Amounts of tokens: ten million tokens of 18 decimals; 900 of them still fit 96 bits.
    uint96 internal constant MAX_AMOUNT = 1e25;

    /// @notice Bundles of one cover: the leaves of its three 4-ary levels.
    uint256 internal constant COVER_BUNDLES = 64;
    /// @notice Covers a bundle can move through while one operator holds it, so that a claim is bounded.
    uint256 internal constant MAX_COVERS = 32;
    /// @notice Epochs for which nobody but an owner's standbys takes a bundle over: one seed of two may fail to come.
    uint32 internal constant STANDBY_EPOCHS = 2;
    /// @notice Operators that an owner may name: what one transaction writes.
    uint256 internal constant MAX_STANDBYS = 64;
    /// @notice How far ahead a receipt may expire. An operator that gave a bundle up cannot be bound by a receipt
    /// that it signed before, because those expire earlier than this much after the vacancy.
    uint64 internal constant RECEIPT_VALIDITY = 1 days;
    /// @notice Of the unburnt part of a penalty, what goes to whoever called the timeout; the rest is the bounty.
    uint256 internal constant REPORTER_SHARE = 1_000;
    uint256 internal constant BASIS_POINTS = 10_000;

    uint32 internal constant MIN_EPOCH = 10 seconds;
    uint32 internal constant MAX_EPOCH = 30 days;
    uint64 internal constant MAX_CLOSE_DELAY = 90 days;
    /// @notice The shortest window, seed delay or grace at deployment; networks of more than one machine use hours.
    uint32 internal constant MIN_WINDOW = 5 seconds;

    /// @notice Where burnt tokens go: an account without a key, since an ERC-20 need not have `burn`.
    address internal constant BURN_SINK = 0x000000000000000000000000000000000000dEaD;
}

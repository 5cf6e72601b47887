// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Numbers and bounds of docs/exact-ops.md, in one place
/// @dev The checker of the keepers has the same table (keepers/src/core/exact/limits.ts); a test compares the two.
library ExactLimits {
    /// @notice Exponents of weights, of momenta and gradients, of logits, and of exponentials.
    int256 internal constant EW = -28;
    int256 internal constant EV = -26;
    int256 internal constant EZ = -16;
    int256 internal constant EXPONENTIAL = -30;
    /// @notice Extra bits before a division by n.
    uint256 internal constant GUARD = 8;
    /// @notice The lowest exponent that requantising may leave.
    int256 internal constant LOWEST_EXPONENT = -512;
    /// @notice Shifts beyond this many bits are clamped.
    int256 internal constant MAX_SHIFT = 62;
    /// @notice Most bits by which an aligned term is shifted left.
    int256 internal constant MAX_SPREAD = 20;
    /// @notice Saturated and 32-bit mantissas.
    int256 internal constant MAX_I32 = 2 ** 31 - 1;
    /// @notice Mantissas of 64-bit tensors.
    int256 internal constant MAX_I64 = 2 ** 52 - 1;

    /// @notice Every accumulator is below this in magnitude.
    uint256 internal constant ACCUMULATOR_BOUND = 2 ** 52;
    /// @notice log2 of the samples of a micro-batch.
    uint256 internal constant MAX_LOG_BATCH = 20;
    /// @notice Elements of a tensor.
    uint256 internal constant MAX_ELEMENTS = 2 ** 31;
    /// @notice Nodes of a tape.
    uint256 internal constant MAX_NODES = 65_536;
    /// @notice Products of a contraction.
    uint256 internal constant MAX_PRODUCTS = 2 ** 24;
    /// @notice Positions of a convolution kernel or a pooling window.
    uint256 internal constant MAX_AREA = 255;
    /// @notice Strides and pads of convolutions and pools.
    uint256 internal constant MAX_STEP = 65_535;
    /// @notice Inputs of a node.
    uint256 internal constant MAX_INPUTS = 5;
    /// @notice log2 of the micro-batches of a step.
    uint256 internal constant MAX_LOG_MICRO_BATCHES = 20;
    /// @notice Fraction bits of a probability.
    int256 internal constant MIN_PROBABILITY_BITS = 15;
    int256 internal constant MAX_PROBABILITY_BITS = 22;
    /// @notice Bits by which P exceeds ⌈log2 classes⌉ at least.
    int256 internal constant PROBABILITY_BITS_ABOVE_CLASSES = 11;
    /// @notice Momentum and weight decay, and how far their products are shifted.
    int256 internal constant MAX_FACTOR = 65_535;
    int256 internal constant MAX_FACTOR_SHIFT = 32;
    /// @notice Bytes of leaves that one element, or one partial sum, may need.
    uint256 internal constant MAX_OPENING = 6_144;

    /// @notice Rows shorter than this share a leaf.
    uint256 internal constant SHARED_LEAF = 256;
    /// @notice Bytes of the longest leaf.
    uint256 internal constant MAX_LEAF = 1_024;
}

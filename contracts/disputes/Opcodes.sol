// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Codes of docs/exact-ops.md: element types, operations, flags
library Opcodes {
    uint256 internal constant I8 = 0;
    uint256 internal constant I16 = 1;
    uint256 internal constant I32 = 2;
    uint256 internal constant I64 = 3;
    uint256 internal constant U8 = 4;
    uint256 internal constant U32 = 5;

    uint256 internal constant INPUT = 1;
    uint256 internal constant LOAD = 2;
    uint256 internal constant STORE = 3;
    uint256 internal constant RELAYOUT = 4;
    uint256 internal constant REQUANTIZE = 5;
    uint256 internal constant SHIFT = 6;
    uint256 internal constant MATMUL = 7;
    uint256 internal constant CONV = 8;
    uint256 internal constant CONV_POOL_INDEX = 9;
    uint256 internal constant CONV_INPUT_GRAD = 10;
    uint256 internal constant CONV_WEIGHT_GRAD = 11;
    uint256 internal constant ROW_SUM = 12;
    uint256 internal constant ROW_MAX = 13;
    uint256 internal constant ADD = 14;
    uint256 internal constant RELU = 15;
    uint256 internal constant GATE = 16;
    uint256 internal constant MAX_POOL = 17;
    uint256 internal constant MAX_POOL_INDEX = 18;
    uint256 internal constant MAX_POOL_GRAD = 19;
    uint256 internal constant AVERAGE_POOL = 20;
    uint256 internal constant AVERAGE_POOL_GRAD = 21;
    uint256 internal constant EXP = 22;
    uint256 internal constant SOFTMAX_GRAD = 23;
    uint256 internal constant MSE_GRAD = 24;
    uint256 internal constant ACCUMULATE = 25;
    uint256 internal constant SGD_MOMENTUM = 26;
    uint256 internal constant SGD_WEIGHT = 27;

    /// @notice Bits of the `flags` attribute.
    uint256 internal constant BIAS = 1;
    uint256 internal constant GATED = 2;
    uint256 internal constant RECTIFIED = 4;
    uint256 internal constant FIXED = 8;
    uint256 internal constant QUANTIZED = 16;
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Bid, Order} from "../jobs/interfaces/Orders.sol";

/// @title EIP-712 hashes of orders and bids
/// @dev A struct of static members only is ABI-encoded in place, one word per member: behind its type hash that is
/// EIP-712's encodeData. Arrays and nested structs enter as hashes.
library OrderHashing {
    bytes32 private constant CONDITIONS_TYPEHASH = keccak256(
        "Conditions(uint128 maximumPrice,uint128 deposit,address priceFeed,uint32 trainingTime,"
        "uint32 minimumCompute,uint64 regions,uint64 regulations,uint8 privacyTier,uint8 scheme,"
        "uint8 committeeSize,uint8 threshold,uint128 checkFee,uint8 instalments)"
    );
    bytes32 private constant PROBLEM_TYPEHASH = keccak256(
        "Problem(bytes32 datasetId,bytes32 trainingHash,bytes32 programRoot,uint32[3] nodeCounts,"
        "uint32 witnessNode,uint32 slots,bytes32 programDigest)"
    );
    /// @dev Referenced types follow in alphabetical order.
    bytes32 private constant ORDER_TYPEHASH = keccak256(
        "Order(address consumer,Problem problem,Conditions conditions,uint256 nonce,uint64 expiry)"
        "Conditions(uint128 maximumPrice,uint128 deposit,address priceFeed,uint32 trainingTime,"
        "uint32 minimumCompute,uint64 regions,uint64 regulations,uint8 privacyTier,uint8 scheme,"
        "uint8 committeeSize,uint8 threshold,uint128 checkFee,uint8 instalments)"
        "Problem(bytes32 datasetId,bytes32 trainingHash,bytes32 programRoot,uint32[3] nodeCounts,"
        "uint32 witnessNode,uint32 slots,bytes32 programDigest)"
    );
    bytes32 private constant BID_TYPEHASH = keccak256(
        "Bid(address provider,bytes32 order,uint128 price,uint32 compute,uint64 region,uint64 regulations,"
        "uint8 privacyTier,uint256 nonce,uint64 expiry)"
    );

    function hash(Order calldata order) internal pure returns (bytes32) {
        bytes32 problem = keccak256(
            abi.encode(
                PROBLEM_TYPEHASH,
                order.problem.datasetId,
                order.problem.trainingHash,
                order.problem.programRoot,
                keccak256(abi.encode(order.problem.nodeCounts)),
                order.problem.witnessNode,
                order.problem.slots,
                order.problem.programDigest
            )
        );
        bytes32 conditions = keccak256(abi.encode(CONDITIONS_TYPEHASH, order.conditions));
        return
            keccak256(
                abi.encode(ORDER_TYPEHASH, order.consumer, problem, conditions, order.nonce, order.expiry)
            );
    }

    function hash(Bid calldata bid) internal pure returns (bytes32) {
        return keccak256(abi.encode(BID_TYPEHASH, bid));
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title What every beacon turns its randomness into
/// @notice Seeds differ between requests, beacons and chains even when the randomness behind them is the same.
abstract contract SeedDomain {
    /// @notice keccak256(abi.encode("assay/beacon", chainId, address(this))).
    bytes32 public immutable domain = keccak256(abi.encode("assay/beacon", block.chainid, address(this)));

    function _seed(uint256 requestId, bytes32 raw) internal view returns (bytes32) {
        return keccak256(abi.encode(domain, requestId, raw));
    }
}

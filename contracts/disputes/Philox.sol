// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Philox4x32-10, a counter-based random generator
/// @notice Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011; constants of Random123.
library Philox {
    /// @notice What a key is drawn for (docs/exact-ops.md section 3).
    uint256 internal constant INITIALIZE = 1;
    uint256 internal constant SHUFFLE = 2;
    uint256 internal constant SPLIT = 3;
    uint256 internal constant NOISE = 4;

    bytes32 private constant TAG = keccak256("assay/random/v1");

    /// @notice Key of a seed's domain: two words of 32 bits, the first in the upper half.
    function keyOf(bytes32 seed, uint256 domain) internal pure returns (uint64) {
        return uint64(bytes8(keccak256(abi.encode(TAG, seed, domain))));
    }

    /// @notice The random words of a counter; all inputs are below 2^32.
    /// @return r0 first word
    /// @return r1 second word
    function draw(
        uint64 key,
        uint256 c0,
        uint256 c1,
        uint256 c2,
        uint256 c3
    ) internal pure returns (uint256 r0, uint256 r1) {
        (r0, r1, , ) = block4(key, c0, c1, c2, c3);
    }

    /// @notice All four random words of a counter; all inputs are below 2^32.
    function block4(
        uint64 key,
        uint256 c0,
        uint256 c1,
        uint256 c2,
        uint256 c3
    ) internal pure returns (uint256, uint256, uint256, uint256) {
        assembly ("memory-safe") {
            let k0 := shr(32, key)
            let k1 := and(key, 0xffffffff)
            for {
                let round := 0
            } lt(round, 10) {
                round := add(round, 1)
            } {
                let p0 := mul(0xd2511f53, c0)
                let p1 := mul(0xcd9e8d57, c2)
                c0 := xor(xor(shr(32, p1), c1), k0)
                c1 := and(p1, 0xffffffff)
                c2 := xor(xor(shr(32, p0), c3), k1)
                c3 := and(p0, 0xffffffff)
                k0 := and(add(k0, 0x9e3779b9), 0xffffffff)
                k1 := and(add(k1, 0xbb67ae85), 0xffffffff)
            }
        }
        return (c0, c1, c2, c3);
    }
}

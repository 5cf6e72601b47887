// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Philox} from "./Philox.sol";

/// @title A keyed permutation that is evaluated at one point
/// @notice A Feistel network over a·b ≥ N with cycle walking (docs/exact-ops.md section 3; Black and Rogaway, "Ciphers
/// with arbitrary finite domains", CT-RSA 2002).
library KeyedPermutation {
    /// @notice Thrown when a point is not in [0, size), or size is not within 1 to 2^32.
    error OutsidePermutation(uint256 x, uint256 size);

    uint256 private constant ROUNDS = 8;

    /// @notice π(seed, domain, round, size)(x).
    function imageOf(
        bytes32 seed,
        uint256 domain,
        uint256 round,
        uint256 size,
        uint256 x
    ) internal pure returns (uint256) {
        if (x >= size || size > 2 ** 32) revert OutsidePermutation(x, size);
        uint64 key = Philox.keyOf(seed, domain);
        uint256 a = Math.sqrt(size, Math.Rounding.Ceil);
        uint256 b = Math.ceilDiv(size, a);
        do {
            uint256 left = x % a;
            uint256 right = x / a;
            for (uint256 j = 0; j < ROUNDS; j += 2) {
                left = (left + _below(key, right, j, round, a)) % a;
                right = (right + _below(key, left, j + 1, round, b)) % b;
            }
            x = left + a * right;
        } while (x >= size);
        return x;
    }

    function _below(
        uint64 key,
        uint256 y,
        uint256 j,
        uint256 round,
        uint256 range
    ) private pure returns (uint256) {
        (uint256 word, ) = Philox.draw(key, y, j, round, 0);
        return (word * range) >> 32;
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {BN254} from "./BN254.sol";
import {HashToCurve} from "./HashToCurve.sol";

/// @title BLS signatures on BN254: signatures in G1, keys in G2
/// @notice Compatible with drand's `bls-bn254-unchained-on-g1` when used with its domain.
library BLS {
    /// @notice Whether `signature` is the key's signature of `message`: e(σ, −g2)·e(H(m), key) = 1.
    /// @dev False for points that are malformed, off the curve or outside the subgroup, and for the point at infinity.
    /// @param key `[x1, x0, y1, y0]`, must have passed `isKey` once
    /// @param signature `[x, y]`
    function verify(
        uint256[4] memory key,
        bytes memory domain,
        bytes memory message,
        uint256[2] memory signature
    ) internal view returns (bool) {
        if (signature[0] | signature[1] == 0) return false;
        uint256[2] memory point = HashToCurve.hashToPoint(domain, message);
        uint256[] memory words = new uint256[](12);
        (words[0], words[1]) = (signature[0], signature[1]);
        (words[2], words[3]) = (BN254.NEG_G2_X1, BN254.NEG_G2_X0);
        (words[4], words[5]) = (BN254.NEG_G2_Y1, BN254.NEG_G2_Y0);
        (words[6], words[7]) = (point[0], point[1]);
        (words[8], words[9], words[10], words[11]) = (key[0], key[1], key[2], key[3]);
        return BN254.pairingIsOne(words);
    }

    /// @notice Whether the words are a point of G2, in the subgroup and not at infinity.
    /// @dev The pairing precompile checks the subgroup even when the other point is at infinity.
    function isKey(uint256[4] memory key) internal view returns (bool) {
        if (key[0] | key[1] | key[2] | key[3] == 0) return false;
        uint256[] memory words = new uint256[](6);
        (words[2], words[3], words[4], words[5]) = (key[0], key[1], key[2], key[3]);
        return BN254.pairingIsOne(words);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {BN254} from "../libraries/BN254.sol";
import {HashToCurve} from "../libraries/HashToCurve.sol";

/// @title BLS signatures under keys that are registered in both groups
/// @notice The contract sums keys in G1, which is cheap; whoever submits gives their sum in G2; one pairing checks the
/// signature and that both sums have the same secret (Boneh, Drijvers, Neven: "Compact Multi-Signatures for Smaller
/// Blockchains", ASIACRYPT 2018, for the aggregation; keys need a proof of possession).
library AggregateBLS {
    uint256 private constant G1_X = 1;
    uint256 private constant G1_Y = 2;

    /// @notice Whether e(σ + γ·key1, −g2)·e(H(m) + γ·g1, key2) = 1 with γ = keccak256(m, σ, key1, key2) mod r.
    /// @dev False for points that are malformed, off the curve, outside the subgroup or at infinity. `key1` has to be
    /// a sum of keys whose possession was proven, or a key whose possession this very call proves.
    /// @param domain separation tag of RFC 9380
    /// @param key2 `[x1, x0, y1, y0]`
    function verify(
        bytes memory domain,
        bytes32 message,
        uint256[2] memory signature,
        uint256[2] memory key1,
        uint256[4] memory key2
    ) internal view returns (bool) {
        if (signature[0] | signature[1] == 0 || key1[0] | key1[1] == 0) return false;
        if (key2[0] | key2[1] | key2[2] | key2[3] == 0) return false;
        uint256 gamma = uint256(keccak256(abi.encode(message, signature, key1, key2))) % BN254.R;
        (bool isLeft, uint256[2] memory left) = _addMultiple(signature, key1, gamma);
        uint256[2] memory point = HashToCurve.hashToPoint(domain, abi.encodePacked(message));
        (bool isRight, uint256[2] memory right) = _addMultiple(point, [G1_X, G1_Y], gamma);
        if (!isLeft || !isRight) return false;
        uint256[] memory words = new uint256[](12);
        (words[0], words[1]) = (left[0], left[1]);
        (words[2], words[3]) = (BN254.NEG_G2_X1, BN254.NEG_G2_X0);
        (words[4], words[5]) = (BN254.NEG_G2_Y1, BN254.NEG_G2_Y0);
        (words[6], words[7]) = (right[0], right[1]);
        (words[8], words[9], words[10], words[11]) = (key2[0], key2[1], key2[2], key2[3]);
        return BN254.pairingIsOne(words);
    }

    /// @dev base + factor·point
    function _addMultiple(
        uint256[2] memory base,
        uint256[2] memory point,
        uint256 factor
    ) private view returns (bool ok, uint256[2] memory sum) {
        uint256[2] memory multiple;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mcopy(free, point, 0x40)
            mstore(add(free, 0x40), factor)
            ok := and(eq(returndatasize(), 0x40), staticcall(gas(), 0x07, free, 0x60, multiple, 0x40))
        }
        if (ok) (ok, sum) = BN254.add(base, multiple);
    }
}

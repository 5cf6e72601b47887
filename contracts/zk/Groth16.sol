// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {BN254} from "../libraries/BN254.sol";

/// @title Groth16 verification (Groth 2016, section 3.2) with keys kept as contract code
/// @dev e(−A, B)·e(alpha, beta)·e(L, gamma)·e(C, delta) = 1 with L = IC_0 + Σ x_i·IC_i. The key's layout is that of
/// docs/storage-protocol.md, section 7.
library Groth16 {
    /// @notice Bytes of a key before its IC points.
    uint256 internal constant HEAD = 0x1c0;

    /// @notice Whether the proof is valid. Never reverts for what callers choose; lack of gas gives false or a revert.
    /// @param data contract whose code is STOP followed by the key
    /// @param proof 8 words: A, B, C
    /// @param inputs as many as the key has IC points, less one
    function verify(
        address data,
        uint256[8] memory proof,
        uint256[] calldata inputs
    ) internal view returns (bool result) {
        // The precompiles take (0, 0) for infinity, and y = p would pass as −0.
        if (proof[0] | proof[1] == 0 || proof[6] | proof[7] == 0 || proof[1] >= BN254.P) return false;
        if (proof[2] | proof[3] | proof[4] | proof[5] == 0) return false;
        (bool combined, uint256 head) = _combine(data, inputs);
        if (!combined) return false;
        uint256 p = BN254.P;
        assembly ("memory-safe") {
            let pairs := mload(0x40)
            // −A, B
            mcopy(pairs, proof, 0xc0)
            mstore(add(pairs, 0x20), sub(p, mload(add(proof, 0x20))))
            // alpha, beta
            mcopy(add(pairs, 0xc0), head, 0xc0)
            // L, gamma
            mcopy(add(pairs, 0x180), add(head, HEAD), 0x40)
            mcopy(add(pairs, 0x1c0), add(head, 0xc0), 0x80)
            // C, delta
            mcopy(add(pairs, 0x240), add(proof, 0xc0), 0x40)
            mcopy(add(pairs, 0x280), add(head, 0x140), 0x80)
            // A precompile that fails writes nothing: the word must not hold a one from before.
            mstore(0x00, 0)
            let done := staticcall(gas(), 0x08, pairs, 0x300, 0x00, 0x20)
            result := and(done, eq(mload(0x00), 1))
        }
    }

    /// @dev Lays out the key's head (448 bytes) and, behind it, L (64 bytes) in memory of its own.
    function _combine(address data, uint256[] calldata inputs) private view returns (bool ok, uint256 head) {
        uint256 r = BN254.R;
        assembly ("memory-safe") {
            head := mload(0x40)
            // Behind the head: the sum so far (64), a point (64), a scalar (32).
            let sum := add(head, HEAD)
            let term := add(sum, 0x40)
            mstore(0x40, add(term, 0x60))
            // Head and IC_0 in one go: IC_0 is the first sum.
            extcodecopy(data, head, 1, add(HEAD, 0x40))
            ok := 1
            let source := add(HEAD, 0x41)
            let end := add(inputs.offset, mul(inputs.length, 0x20))
            for {
                let input := inputs.offset
            } lt(input, end) {
                input := add(input, 0x20)
            } {
                let scalar := calldataload(input)
                extcodecopy(data, term, source, 0x40)
                mstore(add(term, 0x40), scalar)
                ok := and(ok, lt(scalar, r))
                ok := and(ok, staticcall(gas(), 0x07, term, 0x60, term, 0x40))
                ok := and(ok, staticcall(gas(), 0x06, sum, 0x80, sum, 0x40))
                source := add(source, 0x40)
            }
        }
    }

    /// @notice Whether every point of a key is canonical, on its curve, in its subgroup and not at infinity.
    /// @param key well-formed in length
    function isKey(bytes calldata key) internal view returns (bool) {
        uint256 count = (key.length - HEAD) / 0x40;
        // A point of G2 is paired with infinity: the precompile checks its subgroup all the same.
        uint256[] memory pair = new uint256[](6);
        for (uint256 offset = 0x40; offset < HEAD; offset += 0x80) {
            if (!_isG2(key[offset:offset + 0x80], pair)) return false;
        }
        if (!_isG1(key[:0x40])) return false;
        for (uint256 i = 0; i < count; ++i) {
            if (!_isG1(key[HEAD + i * 0x40:HEAD + (i + 1) * 0x40])) return false;
        }
        return true;
    }

    function _isG1(bytes calldata point) private view returns (bool) {
        uint256[2] memory coordinates = abi.decode(point, (uint256[2]));
        if (coordinates[0] | coordinates[1] == 0) return false;
        uint256[2] memory infinity;
        (bool ok, ) = BN254.add(coordinates, infinity);
        return ok;
    }

    function _isG2(bytes calldata point, uint256[] memory pair) private view returns (bool) {
        (pair[2], pair[3], pair[4], pair[5]) = abi.decode(point, (uint256, uint256, uint256, uint256));
        return pair[2] | pair[3] | pair[4] | pair[5] != 0 && BN254.pairingIsOne(pair);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {BN254} from "./BN254.sol";

/// @title Hashing to BN254's G1 by RFC 9380: expand_message_xmd with keccak256, SvdW map, random oracle
/// @notice Gas is bounded whatever the message: at most three exponentiations a map, 1.75 on average.
library HashToCurve {
    uint256 private constant P = BN254.P;
    /// @dev Input block of keccak256 in bytes (RFC 9380, `s_in_bytes`).
    uint256 private constant BLOCK = 136;
    uint256 private constant HALF_WORD = 1 << 128;

    // Constants of the SvdW map for y² = x³ + 3 with Z = 1 (RFC 9380, section 6.6.1).
    uint256 private constant Z = 1;
    uint256 private constant C1 = 4;
    uint256 private constant C2 = 0x183227397098d014dc2822db40c0ac2ecbc0b548b438e5469e10460b6c3e7ea3;
    uint256 private constant C3 = 0x16789af3a83522eb353c98fc6b36d713d5d8d1cc5dffffffa;
    uint256 private constant C4 = 0x10216f7ba065e00de81ac1e7808072c9dd2b2385cd7b438469602eb24829a9bd;

    /// @notice Thrown when a domain separation tag is longer than RFC 9380 lets it be unhashed.
    error DomainTooLong(uint256 length);
    /// @notice Thrown when the addition precompile fails, for lack of gas.
    error PointAdditionFailed();

    /// @notice The point of `message` under domain separation tag `domain` (hash_to_curve).
    function hashToPoint(
        bytes memory domain,
        bytes memory message
    ) internal view returns (uint256[2] memory) {
        (uint256 u0, uint256 u1) = hashToField(domain, message);
        (bool ok, uint256[2] memory sum) = BN254.add(mapToPoint(u0), mapToPoint(u1));
        if (!ok) revert PointAdditionFailed();
        return sum;
    }

    /// @notice Two elements of Fp, each 48 uniform bytes reduced (hash_to_field, count = 2).
    function hashToField(
        bytes memory domain,
        bytes memory message
    ) internal pure returns (uint256 u0, uint256 u1) {
        uint256 length = bytes(domain).length;
        if (length > 255) revert DomainTooLong(length);
        bytes memory suffix = abi.encodePacked(domain, uint8(length));
        bytes32 b0 = keccak256(abi.encodePacked(new bytes(BLOCK), message, uint16(96), uint8(0), suffix));
        bytes32 b1 = keccak256(abi.encodePacked(b0, uint8(1), suffix));
        bytes32 b2 = keccak256(abi.encodePacked(b0 ^ b1, uint8(2), suffix));
        bytes32 b3 = keccak256(abi.encodePacked(b0 ^ b2, uint8(3), suffix));
        u0 = addmod(mulmod(uint256(b1), HALF_WORD, P), uint256(b2) >> 128, P);
        u1 = mulmod(mulmod(uint128(uint256(b2)), HALF_WORD, P), HALF_WORD, P);
        u1 = addmod(u1, uint256(b3), P);
    }

    /// @notice The SvdW map (map_to_curve). `u` is below p.
    /// @dev RFC 9380 inverts tv1·tv2 first. Here the inverses fall out of the exponentiations that take the roots: for
    /// w = t^((p − 3)/4), w² is 1/t when t is a square and −1/t when it is none. The points are the same.
    function mapToPoint(uint256 u) internal pure returns (uint256[2] memory point) {
        uint256 t = mulmod(C1, mulmod(u, u, P), P);
        uint256 tv1 = addmod(1, P - t, P);
        uint256 tv2 = addmod(1, t, P);
        (uint256 x, uint256 y) = _firstTwo(tv1 == 0 ? 0 : u, tv2);
        if (y == 0) (x, y) = _third(tv1, tv2);
        // The sign of y is that of u: sgn0 is the parity.
        point[0] = x;
        point[1] = (u ^ y) & 1 == 0 ? y : P - y;
    }

    /// @dev x1 = c2 − u·c3/tv2, else x2 = c2 + u·c3/tv2; y = 0 when neither is on the curve. tv2 is never 0, for −1 is
    /// no square. With x1 = n/d, g(x1) = (n³ + 3d³)/d³ = m/d³, and t = m·d³ has a root just when g(x1) has.
    function _firstTwo(uint256 u, uint256 d) private pure returns (uint256 x, uint256 y) {
        uint256 n = addmod(mulmod(C2, d, P), P - mulmod(u, C3, P), P);
        uint256 d2 = mulmod(d, d, P);
        uint256 d3 = mulmod(d2, d, P);
        uint256 m = addmod(mulmod(mulmod(n, n, P), n, P), mulmod(3, d3, P), P);
        uint256 t = mulmod(m, d3, P);
        uint256 w = BN254.rootPower(t);
        uint256 inverse = mulmod(w, w, P);
        bool square = mulmod(inverse, t, P) == 1;
        if (!square) inverse = P - inverse;
        // 1/d = m·d²/t.
        x = mulmod(n, mulmod(inverse, mulmod(m, d2, P), P), P);
        // √(m/d³) = m·w.
        if (square) return (x, mulmod(m, w, P));
        x = addmod(mulmod(2, C2, P), P - x, P);
        y = _rootOfCurve(x);
    }

    /// @dev x3 = Z + c4·(tv2/tv1)². With x3 = n/d, d = tv1², g(x3) = (n³ + 3d³)/d³ = m/tv1⁶. tv1 is not 0 here: x1
    /// would be c2, which is on the curve.
    function _third(uint256 tv1, uint256 tv2) private pure returns (uint256 x, uint256 y) {
        uint256 d = mulmod(tv1, tv1, P);
        uint256 n = addmod(mulmod(Z, d, P), mulmod(C4, mulmod(tv2, tv2, P), P), P);
        uint256 m = addmod(mulmod(mulmod(n, n, P), n, P), mulmod(3, mulmod(mulmod(d, d, P), d, P), P), P);
        // t = m·d is a square, since m is when the first two candidates are not on the curve.
        uint256 w = BN254.rootPower(mulmod(m, d, P));
        // 1/d = w²·m; √m/tv1³ = w·m·tv1/tv1³ = w·m/d.
        uint256 inverse = mulmod(mulmod(w, w, P), m, P);
        x = mulmod(n, inverse, P);
        y = mulmod(mulmod(w, m, P), inverse, P);
    }

    /// @dev A root of x³ + 3, 0 when there is none.
    function _rootOfCurve(uint256 x) private pure returns (uint256 y) {
        uint256 square = addmod(mulmod(mulmod(x, x, P), x, P), 3, P);
        y = mulmod(BN254.rootPower(square), square, P);
        if (mulmod(y, y, P) != square) y = 0;
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {BN254} from "../libraries/BN254.sol";

/// @title From 128-byte proofs back to 256 bytes (docs/storage-protocol.md, section 7)
/// @dev Words: `A.x | sign<<255`, `B.x1 | sign<<255 | hint<<254`, `B.x0`, `C.x | sign<<255`. A proof has one encoding:
/// whatever is not canonical is refused. Roots are taken by the modexp precompile, 32 bytes wide, which is cheaper here
/// than plain code and only this optional path needs it.
library ProofCompression {
    uint256 private constant P = BN254.P;
    uint256 private constant SIGN = 1 << 255;
    uint256 private constant HINT = 1 << 254;
    uint256 private constant HALF = (BN254.P + 1) / 2;

    /// @dev The twist's constant 3/(9 + u).
    uint256 private constant TWIST_0 = 0x2b149d40ceb8aaae81be18991be06ac3b5b4c5e559dbefa33267e6dc24a138e5;
    uint256 private constant TWIST_1 = 0x009713b03af0fed4cd2cafadeed8fdf4a74fa084e52d1852e4a2bd0685c315d2;

    /// @return ok false when there is no such proof, its encoding is not canonical, or the precompile fails
    /// @return proof A, B, C in 8 words; B is on the curve, its subgroup is for the pairing precompile to check
    function decompress(uint256[4] calldata words) internal view returns (bool ok, uint256[8] memory proof) {
        bool okA;
        bool okC;
        (okA, proof[0], proof[1]) = _g1(words[0]);
        (okC, proof[6], proof[7]) = _g1(words[3]);
        ok = _g2(words[1], words[2], proof) && okA && okC;
    }

    function _g1(uint256 word) private view returns (bool ok, uint256 x, uint256 y) {
        x = word & ~SIGN;
        uint256 square = addmod(mulmod(mulmod(x, x, P), x, P), 3, P);
        y = mulmod(_rootPower(square), square, P);
        ok = x < P && mulmod(y, y, P) == square;
        if (y & 1 != word >> 255) y = P - y;
    }

    function _g2(uint256 word, uint256 x0, uint256[8] memory proof) private view returns (bool) {
        uint256 x1 = word & ~(SIGN | HINT);
        if (x0 >= P || x1 >= P) return false;
        (uint256 a, uint256 b) = _g2RightSide(x0, x1);
        (uint256 y0, uint256 y1) = _rootInFp2(a, b, word & HINT != 0);
        // y0 = 0 stands for no root; a root that has it is refused, too: no such point of the subgroup is known.
        if (y0 == 0) return false;
        bool flip = y0 & 1 != word >> 255;
        (proof[2], proof[3]) = (x1, x0);
        proof[4] = flip && y1 != 0 ? P - y1 : y1;
        proof[5] = flip ? P - y0 : y0;
        return true;
    }

    /// @dev A root of a + b·u by the complex method; the hint picks the root of the norm.
    function _rootInFp2(uint256 a, uint256 b, bool hint) private view returns (uint256 y0, uint256 y1) {
        uint256 norm = addmod(mulmod(a, a, P), mulmod(b, b, P), P);
        uint256 d = mulmod(_rootPower(norm), norm, P);
        if (mulmod(d, d, P) != norm) return (0, 0);
        uint256 half = mulmod(addmod(a, hint ? P - d : d, P), HALF, P);
        uint256 w = _rootPower(half);
        y0 = mulmod(w, half, P);
        if (mulmod(y0, y0, P) != half) return (0, 0);
        // w = 1/y0, for y0·w = half^((p − 1)/2) = 1.
        y1 = mulmod(mulmod(b, HALF, P), w, P);
    }

    /// @dev x³ + 3/(9 + u), with x² = (x0² − x1²) + 2·x0·x1·u.
    function _g2RightSide(uint256 x0, uint256 x1) private pure returns (uint256 a, uint256 b) {
        uint256 s0 = mulmod(addmod(x0, x1, P), addmod(x0, P - x1, P), P);
        uint256 s1 = mulmod(addmod(x0, x0, P), x1, P);
        a = addmod(addmod(mulmod(s0, x0, P), P - mulmod(s1, x1, P), P), TWIST_0, P);
        b = addmod(addmod(mulmod(s0, x1, P), mulmod(s1, x0, P), P), TWIST_1, P);
    }

    /// @dev x^((p − 3)/4); 0 when the precompile fails, which every caller's check of the root refuses, since 0 is no
    /// right side of a curve without points of order two.
    function _rootPower(uint256 x) private view returns (uint256 result) {
        uint256 exponent = BN254.ROOT_EXPONENT;
        uint256 p = P;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, 0x20)
            mstore(add(free, 0x20), 0x20)
            mstore(add(free, 0x40), 0x20)
            mstore(add(free, 0x60), x)
            mstore(add(free, 0x80), exponent)
            mstore(add(free, 0xa0), p)
            mstore(0x00, 0)
            pop(staticcall(gas(), 0x05, free, 0xc0, 0x00, 0x20))
            result := mload(0x00)
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title The curve of the EVM's pairing precompiles (EIP-196, EIP-197)
/// @notice G1: y² = x³ + 3 over Fp, prime order r. G2 as `[x1, x0, y1, y0]`, imaginary part first, as EIP-197 has it.
library BN254 {
    /// @notice Order of the base field.
    uint256 internal constant P = 0x30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47;
    /// @notice Order of the groups: the scalar field of circuits.
    uint256 internal constant R = 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001;
    /// @dev (p − 3)/4, the exponent behind square roots and inverses, for p is 3 mod 4.
    uint256 internal constant ROOT_EXPONENT =
        0xc19139cb84c680a6e14116da060561765e05aa45a1c72a34f082305b61f3f51;

    uint256 internal constant NEG_G2_X1 = 0x198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2;
    uint256 internal constant NEG_G2_X0 = 0x1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed;
    uint256 internal constant NEG_G2_Y1 = 0x275dc4a288d1afb3cbb1ac09187524c7db36395df7be3b99e673b13a075a65ec;
    uint256 internal constant NEG_G2_Y0 = 0x1d9befcd05a5323e6da4d435f3b617cdb3af83285c2df711ef39c01571827f9d;

    /// @notice The sum of two points of G1.
    /// @return ok false when a point is not on the curve or the precompile fails
    function add(
        uint256[2] memory a,
        uint256[2] memory b
    ) internal view returns (bool ok, uint256[2] memory sum) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mcopy(free, a, 0x40)
            mcopy(add(free, 0x40), b, 0x40)
            ok := and(eq(returndatasize(), 0x40), staticcall(gas(), 0x06, free, 0x80, sum, 0x40))
        }
    }

    /// @notice Whether the product of pairings over `words` (192 bytes each: G1, G2) is one.
    /// @dev False, too, when a point is off its curve or subgroup, a coordinate is not canonical, or gas runs out.
    function pairingIsOne(uint256[] memory words) internal view returns (bool result) {
        assembly ("memory-safe") {
            let done := staticcall(gas(), 0x08, add(words, 0x20), mul(mload(words), 0x20), 0x00, 0x20)
            result := and(and(done, eq(returndatasize(), 0x20)), eq(mload(0x00), 1))
        }
    }

    /// @notice `x^((p − 3)/4)` mod p in plain EVM code; for a square x it is one over a root of x.
    /// @dev Windows of four bits, three to a turn. Modular exponentiation by precompile is dearer than this on some
    /// rollups, missing on others, and was repriced by EIP-7883.
    function rootPower(uint256 x) internal pure returns (uint256 result) {
        assembly ("memory-safe") {
            let p := P
            // Powers 0 to 15, one word each, behind the free pointer.
            let table := mload(0x40)
            mstore(table, 1)
            let power := 1
            for {
                let at := add(table, 0x20)
            } lt(at, add(table, 0x200)) {
                at := add(at, 0x20)
            } {
                power := mulmod(power, x, p)
                mstore(at, power)
            }
            // 63 windows, the highest first; each becomes an offset into the table.
            result := 1
            for {
                let rest := shl(4, ROOT_EXPONENT)
            } rest {
                rest := shl(12, rest)
            } {
                result := mulmod(result, result, p)
                result := mulmod(result, result, p)
                result := mulmod(result, result, p)
                result := mulmod(result, result, p)
                result := mulmod(result, mload(add(table, and(shr(247, rest), 0x1e0))), p)
                result := mulmod(result, result, p)
                result := mulmod(result, result, p)
                result := mulmod(result, result, p)
                result := mulmod(result, result, p)
                result := mulmod(result, mload(add(table, and(shr(243, rest), 0x1e0))), p)
                result := mulmod(result, result, p)
                result := mulmod(result, result, p)
                result := mulmod(result, result, p)
                result := mulmod(result, result, p)
                result := mulmod(result, mload(add(table, and(shr(239, rest), 0x1e0))), p)
            }
        }
    }
}

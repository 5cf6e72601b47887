// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title GF(2^8) modulo x^8 + x^4 + x^3 + x^2 + 1 (0x11D), and the test whether symbols belong to one codeword
library GF256 {
    /// @notice Thrown when two symbols claim the same position.
    error RepeatedPosition(uint256 position);

    /// @dev 2 generates the multiplicative group, of this order.
    uint256 private constant ORDER = 255;

    /// @notice Σ_p c_p · m_p / Π_{q≠p} (p XOR q) over k + 1 symbols: 0 exactly if they fit one codeword of the
    /// systematic Cauchy code (docs/storage-protocol.md section 1).
    /// @param positions k + 1 distinct shard numbers, each below n
    /// @param symbols the bytes that stand there
    function combination(
        uint256 k,
        uint256[] memory positions,
        uint256[] memory symbols
    ) internal pure returns (uint256 sum) {
        (bytes memory powers, bytes memory logs) = tables();
        uint256 count = positions.length;
        for (uint256 i = 0; i < count; ++i) {
            uint256 p = positions[i];
            uint256 above = _logOf(logs, symbols[i]);
            for (uint256 j = 0; j < k; ++j) if (j != p) above += _logOf(logs, p ^ j);
            uint256 below = 0;
            for (uint256 j = 0; j < count; ++j) {
                if (j == i) continue;
                if (positions[j] == p) revert RepeatedPosition(p);
                below += _logOf(logs, p ^ positions[j]);
            }
            // Logarithms live modulo the order; below ≤ 36 · 254, so that this stays positive.
            if (symbols[i] != 0) sum ^= uint8(powers[(above + ORDER * count - below) % ORDER]);
        }
    }

    /// @notice Powers of 2 by exponent (0 … 254) and exponents by power (the entry of 0 means nothing).
    function tables() internal pure returns (bytes memory powers, bytes memory logs) {
        powers = new bytes(256);
        logs = new bytes(256);
        assembly ("memory-safe") {
            let value := 1
            for {
                let i := 0
            } lt(i, 255) {
                i := add(i, 1)
            } {
                mstore8(add(add(powers, 32), i), value)
                mstore8(add(add(logs, 32), value), i)
                value := shl(1, value)
                if gt(value, 0xff) {
                    value := xor(value, 0x11d)
                }
            }
        }
    }

    function _logOf(bytes memory logs, uint256 value) private pure returns (uint256 exponent) {
        assembly ("memory-safe") {
            exponent := byte(0, mload(add(add(logs, 32), value)))
        }
    }
}

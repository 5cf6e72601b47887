// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Verifying keys under which anybody can forge proofs, known by what stands in them
/// @dev A Groth16 proof of any statement can be made with the discrete logarithm of a key's delta to the base of its
/// gamma (A = alpha, B = beta, C = −L / delta). So it is delta that tells, whatever circuit the key belongs to: those
/// that circuits/setup publishes, one for each label, and a delta that is plus or minus gamma, which is what a key has
/// that nobody has contributed to. Of delta the x coordinate is looked at, since −delta is as known as delta.
library DevelopmentKeys {
    uint256 private constant GAMMA = 0xc0;
    uint256 private constant DELTA = 0x140;
    uint256 private constant X_BYTES = 0x40;

    bytes32 private constant POSSESSION = 0x82528f8b2bfa3a88cdc2759dd30b4a0234c310645b6c053e718bba78b2b3df1d;
    bytes32 private constant COVERING = 0xa33c15c31368f57e7bd76a1a98d529277c9d435dd625a4897aad31396c2657ac;
    bytes32 private constant REGISTRATION =
        0x2885d2bf70d7db2399454e70f56da48816e94c552c0f9a6805a6a24a0420b439;
    bytes32 private constant TINY = 0x7d51eae9ae8f598c30006d98c57011b9abf5115eb913747c3105bb3a1eea1d16;
    bytes32 private constant SAMPLE = 0x19879ef444b5e0749e285423bc6339655fc7a69f7c1e4e9968d8260d26899a5c;

    /// @param key a whole verifying key (layout: docs/storage-protocol.md section 7)
    /// @return whether the logarithm of its delta is known to everybody
    function isKnown(bytes calldata key) internal pure returns (bool) {
        bytes32 delta = keccak256(key[DELTA:DELTA + X_BYTES]);
        return
            delta == keccak256(key[GAMMA:GAMMA + X_BYTES]) ||
            delta == POSSESSION ||
            delta == COVERING ||
            delta == REGISTRATION ||
            delta == TINY ||
            delta == SAMPLE;
    }
}

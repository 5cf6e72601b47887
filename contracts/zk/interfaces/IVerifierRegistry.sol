// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Groth16 verification on BN254 with verifying keys as on-chain data
/// @notice A key is stored once, as contract code, under `keyHash = keccak256(key)`; nothing can change or remove it.
/// Verification answers false, never true, for anything malformed: inputs ≥ r, coordinates ≥ p, points off the curve
/// or outside the subgroup, the point at infinity, a wrong number of inputs, a precompile that fails.
interface IVerifierRegistry {
    /// @notice Thrown when a key's length is not 448 + 64·(inputs + 1) bytes, or it has more than 64 inputs.
    error InvalidKeyLength(uint256 length);
    /// @notice Thrown when a point of a key is at infinity, off the curve, outside the subgroup or not canonical.
    error InvalidKeyPoint();
    /// @notice Thrown when a key is registered twice.
    error KeyExists(bytes32 keyHash);
    /// @notice Thrown when a key under which anybody can forge proofs is registered on a chain that others can see.
    error DevelopmentKeyOnPublicChain(uint256 chainId);

    event KeyRegistered(
        bytes32 indexed keyHash,
        bytes32 indexed circuit,
        bool development,
        uint256 inputs,
        address data
    );

    /// @notice Stores a verifying key (layout: docs/storage-protocol.md section 7). Only authorised accounts.
    /// Keys under which anybody can forge proofs, the repository's development keys and those that nobody has
    /// contributed to, are refused on every chain but the local one (31337). They are known by their own bytes.
    function register(bytes32 circuit, bytes calldata key) external returns (bytes32 keyHash);

    /// @notice Where a key is and what it is for; zeros when it is not registered. `development` says that anybody can
    /// forge proofs under it.
    function keyInfo(
        bytes32 keyHash
    ) external view returns (address data, bytes32 circuit, bool development, uint256 inputs);

    /// @notice Verifies a 256-byte proof. False, too, for a development key once the chain id is not the local one.
    function verify(
        bytes32 keyHash,
        uint256[8] calldata proof,
        uint256[] calldata inputs
    ) external view returns (bool);

    /// @notice Verifies a 128-byte proof (decompression costs modexp calls: optional entry point).
    function verifyCompressed(
        bytes32 keyHash,
        uint256[4] calldata proof,
        uint256[] calldata inputs
    ) external view returns (bool);
}

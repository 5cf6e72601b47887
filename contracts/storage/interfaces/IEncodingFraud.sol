// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Proofs that an anchored dataset is not what its anchor says, against the uploader's bond
/// @notice A correctly encoded dataset cannot be convicted by any of the three proofs.
interface IEncodingFraud {
    /// @dev A cell of a bundle, opened under its transport root and the dataset's bundlesRoot.
    struct OpenedCell {
        uint32 bundleIndex;
        bytes32 poseidonRoot;
        bytes32 transportRoot;
        bytes32[] bundleProof;
        bytes cell;
        bytes32[] cellProof;
    }

    /// @dev Cells of one bundle, opened under one transport root.
    struct OpenedCells {
        uint32 bundleIndex;
        bytes32 poseidonRoot;
        bytes32 transportRoot;
        bytes32[] bundleProof;
        bytes[] cells;
        bytes32[][] cellProofs;
    }

    struct OpenedChunk {
        uint64 objectIndex;
        uint32 chunkIndex;
        bytes chunk;
        /// Siblings from the chunk to the object hash, then from the object hash to objectRoot.
        bytes32[] chunkProof;
        bytes32[] objectProof;
    }

    event EncodingFraudProven(bytes32 indexed datasetId, address indexed claimant, bytes32 indexed kind);

    /// @notice k + 1 cells at one cell index in bundles of one segment are no codeword at byte `offset` of the cell.
    function proveCodeword(bytes32 datasetId, uint32 cellIndex, uint16 offset, OpenedCell[] calldata cells) external;

    /// @notice A possession proof of the bundle put out another evaluation than its transport cells give.
    /// `indices` is the packed word of the proof; the 16 cells are opened in its order.
    function proveMismatch(
        bytes32 datasetId,
        uint256 indices,
        uint256 rho,
        uint256 evaluation,
        uint256[8] calldata proof,
        OpenedCells calldata opened
    ) external;

    /// @notice A byte of a data bundle differs from the same byte of the object under objectRoot (plain datasets).
    /// `byteIndex` counts within the bundle.
    function proveObject(
        bytes32 datasetId,
        uint64 byteIndex,
        OpenedCell calldata cell,
        OpenedChunk calldata chunk
    ) external;
}

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

    /// @notice Thrown when a proof opens another number of cells than it must.
    error WrongCellCount(uint256 count, uint256 expected);
    /// @notice Thrown when opened cells belong to different segments.
    error SegmentsDiffer(uint256 segment, uint256 other);
    /// @notice Thrown when roots and path of an opened bundle do not lead to the dataset's bundlesRoot.
    error NotAnchored(uint32 bundleIndex);
    /// @notice Thrown when a cell is not 496 bytes long, or does not lie under the bundle's transport root.
    error WrongCell(uint32 bundleIndex, uint256 cellIndex);
    /// @notice Thrown when a chunk has the wrong length, or does not lie under the dataset's objectRoot.
    error WrongChunk(uint64 objectIndex, uint32 chunkIndex);
    /// @notice Thrown when an index is not below its limit.
    error OutOfRange(bytes32 what, uint256 index, uint256 limit);
    /// @notice Thrown when the opened chunk is of another place than the byte in question.
    error WrongPlace(uint256 objectIndex, uint256 chunkIndex);
    /// @notice Thrown when the possession proof does not verify.
    error WrongProof();
    /// @notice Thrown when object bytes of an encrypted dataset are compared: the anchor commits to plain ones.
    error Encrypted(bytes32 datasetId);
    /// @notice Thrown when what was opened is consistent: this is no fraud.
    error NoFraud();

    event EncodingFraudProven(bytes32 indexed datasetId, address indexed claimant, bytes32 indexed kind);

    /// @notice k + 1 cells at one cell index in bundles of one segment are no codeword at byte `offset` of the cell.
    function proveCodeword(
        bytes32 datasetId,
        uint32 cellIndex,
        uint16 offset,
        OpenedCell[] calldata cells
    ) external;

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
    /// `byteIndex` counts within the bundle. Where it lies in the hash list, the byte is compared with that of the
    /// object hash which the chunk (any chunk of that object) leads to.
    function proveObject(
        bytes32 datasetId,
        uint64 byteIndex,
        OpenedCell calldata cell,
        OpenedChunk calldata chunk
    ) external;
}

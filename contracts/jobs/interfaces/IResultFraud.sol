// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Proofs that a stored result is not the state that its provider committed to
/// @notice A result is a stream of bytes: the dataset's objects one after another. Its layout follows from the job
/// alone, whatever a manifest says (docs/exact-ops.md section 8). A directory has 64 bytes for each slot of the
/// state: data root (32), exponent (int128), offset of its tensor in the stream (uint128); the tensors follow,
/// packed as their leaves are, without gaps. One stored byte that is not what the state root, or the byte before
/// it, asks for convicts, as does one that the dataset has no room for.
///
/// Whoever shows it is the reporter of a conviction. What is stored as it was committed to cannot be convicted.
interface IResultFraud {
    /// @dev A cell of a data bundle, opened under its transport root and the dataset's bundlesRoot.
    struct StoredCell {
        uint32 bundleIndex;
        uint32 cellIndex;
        bytes32 poseidonRoot;
        bytes32 transportRoot;
        bytes32[] bundleProof;
        bytes cell;
        bytes32[] cellProof;
    }

    /// @dev A slot of the state, opened under the committed state root.
    struct OpenedSlot {
        uint256 slot;
        bytes32 dataRoot;
        int128 exponent;
        bytes32[] siblings;
    }

    /// @dev The node that stores a slot, opened under the program root: its output is the slot's layout.
    struct OpenedStore {
        bytes descriptor;
        bytes32[] siblings;
    }

    /// @dev A leaf of a tensor, opened under the data root of its slot.
    struct OpenedTensorLeaf {
        uint256 index;
        bytes data;
        bytes32[] siblings;
    }

    /// @notice Thrown when a claim has no result that is owed: nothing was committed to, or it is paid, or over.
    error NothingOwed(uint256 claimId);
    /// @notice Thrown when an index is not below its limit.
    error OutOfRange(bytes32 what, uint256 index, uint256 limit);
    /// @notice Thrown when an opened cell is not one of the result's dataset.
    error WrongCell(uint256 bundleIndex, uint256 cellIndex);
    /// @notice Thrown when a stored byte is needed that no opened cell holds.
    error NotOpened(uint256 position);
    /// @notice Thrown when what was opened of a slot does not lead to the committed state root.
    error WrongSlot(uint256 slot);
    /// @notice Thrown when the opened node does not store the slot.
    error WrongStore(uint256 slot);
    /// @notice Thrown when an opened leaf does not lead to the data root of its slot.
    error WrongTensorLeaf(uint256 index);
    /// @notice Thrown when what is stored is what was committed to.
    error NoFraud();

    /// @param kind "entry", "offset" or "tensor"
    event ResultFraudProven(
        uint256 indexed claimId,
        address indexed claimant,
        bytes32 indexed resultId,
        bytes32 kind
    );

    /// @notice A byte of a directory entry is not that of its slot's data root or exponent.
    /// @param byteIndex byte of the entry, below 48
    /// @param cells the cell that holds it; none where the dataset ends before it
    function proveEntry(
        uint256 claimId,
        OpenedSlot calldata opened,
        uint256 byteIndex,
        StoredCell[] calldata cells
    ) external;

    /// @notice The offset of a slot does not follow from the slot before it; that of slot 0 is the end of the
    /// directory.
    /// @param store of the slot before; not read for slot 0
    /// @param cells that hold both offsets; none where the dataset ends before them
    function proveOffset(
        uint256 claimId,
        uint256 slot,
        OpenedStore calldata store,
        StoredCell[] calldata cells
    ) external;

    /// @notice A byte of a packed tensor is not that of its leaf.
    /// @param byteIndex byte of the packed tensor, in the opened leaf
    /// @param cells that hold the slot's offset and the byte
    function proveTensor(
        uint256 claimId,
        OpenedSlot calldata opened,
        OpenedStore calldata store,
        OpenedTensorLeaf calldata leaf,
        uint256 byteIndex,
        StoredCell[] calldata cells
    ) external;
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IDisputedClaims, TrainingClaim} from "../disputes/interfaces/IDisputedClaims.sol";
import {Node, NodeDescriptor} from "../disputes/NodeDescriptor.sol";
import {Opcodes} from "../disputes/Opcodes.sol";
import {Geometry, TensorGeometry} from "../disputes/TensorGeometry.sol";
import {TensorLeaves} from "../disputes/TensorLeaves.sol";
import {MerkleProofs} from "../libraries/MerkleProofs.sol";
import {StorageMath} from "../libraries/StorageMath.sol";
import {IDatasetRegistry} from "../storage/interfaces/IDatasetRegistry.sol";
import {Limits} from "../storage/Limits.sol";
import {IInstalments} from "./interfaces/IInstalments.sol";
import {IJobRegistry} from "./interfaces/IJobRegistry.sol";
import {IJobTable} from "./interfaces/IJobTable.sol";
import {IResultFraud} from "./interfaces/IResultFraud.sol";
import {OwedResults} from "./OwedResults.sol";

/// @title Judge of stored results
/// @dev Each proof opens stored bytes, computes what a result would have there, and convicts only if they differ.
/// Depths, lengths and places come from the anchor and from the job.
contract ResultFraud is IResultFraud, OwedResults {
    using StorageMath for IDatasetRegistry.Shape;
    using TensorGeometry for Geometry;

    bytes32 private constant ENTRY = "entry";
    bytes32 private constant OFFSET = "offset";
    bytes32 private constant TENSOR = "tensor";

    /// @notice Bytes of a slot in the directory.
    uint256 public constant ENTRY_BYTES = 64;
    /// @dev Where an entry's offset begins, after data root and exponent.
    uint256 private constant OFFSET_AT = 48;
    uint256 private constant OFFSET_BYTES = 16;
    uint256 private constant OPTIMIZER = 2;
    int256 private constant STATE = 0;

    IDatasetRegistry public immutable datasets;

    /// @dev A result, as far as its dataset tells.
    struct Stored {
        IDatasetRegistry.Shape shape;
        bytes32 bundlesRoot;
        uint256 bundles;
        /// Bytes of all objects.
        uint256 length;
    }

    constructor(
        IJobRegistry registry_,
        IInstalments instalments_,
        IDatasetRegistry datasets_
    ) OwedResults(registry_, instalments_) {
        datasets = datasets_;
    }

    /// @inheritdoc IResultFraud
    function proveEntry(
        uint256 claimId,
        OpenedSlot calldata opened,
        uint256 byteIndex,
        StoredCell[] calldata cells
    ) external {
        (Owed memory owed, TrainingClaim memory claim, Stored memory stored) = _open(claimId, cells);
        _requireSlot(opened, owed.stateRoot, claim.slots);
        if (byteIndex >= OFFSET_AT) revert OutOfRange("byte", byteIndex, OFFSET_AT);
        bytes memory entry = abi.encodePacked(opened.dataRoot, opened.exponent);
        uint256 position = opened.slot * ENTRY_BYTES + byteIndex;
        if (position < stored.length && _byteAt(stored, cells, position) == entry[byteIndex])
            revert NoFraud();
        _convict(claimId, owed, ENTRY);
    }

    /// @inheritdoc IResultFraud
    function proveOffset(
        uint256 claimId,
        uint256 slot,
        OpenedStore calldata store,
        StoredCell[] calldata cells
    ) external {
        (Owed memory owed, TrainingClaim memory claim, Stored memory stored) = _open(claimId, cells);
        if (slot >= claim.slots) revert OutOfRange("slot", slot, claim.slots);
        if ((slot + 1) * ENTRY_BYTES <= stored.length) {
            uint256 expected = claim.slots * ENTRY_BYTES;
            if (slot != 0) {
                Geometry memory g = _geometryOf(store, slot - 1, claim);
                expected = _offsetOf(stored, cells, slot - 1) + g.rows * g.rowBytes;
            }
            if (_offsetOf(stored, cells, slot) == expected) revert NoFraud();
        }
        _convict(claimId, owed, OFFSET);
    }

    /// @inheritdoc IResultFraud
    function proveTensor(
        uint256 claimId,
        OpenedSlot calldata opened,
        OpenedStore calldata store,
        OpenedTensorLeaf calldata leaf,
        uint256 byteIndex,
        StoredCell[] calldata cells
    ) external {
        (Owed memory owed, TrainingClaim memory claim, Stored memory stored) = _open(claimId, cells);
        _requireSlot(opened, owed.stateRoot, claim.slots);
        bytes1 expected = _tensorByte(
            _geometryOf(store, opened.slot, claim),
            opened.dataRoot,
            leaf,
            byteIndex
        );
        uint256 position = _offsetOf(stored, cells, opened.slot) + byteIndex;
        if (position < stored.length && _byteAt(stored, cells, position) == expected) revert NoFraud();
        _convict(claimId, owed, TENSOR);
    }

    function _convict(uint256 claimId, Owed memory owed, bytes32 kind) private {
        emit ResultFraudProven(claimId, msg.sender, owed.resultId, kind);
        IJobTable.ResultFault fault = IJobTable.ResultFault.Misstored;
        IJobTable(address(registry)).onResultFault(owed.jobId, fault, msg.sender);
    }

    /// @dev What is judged, after checking that every opened cell is one of it.
    function _open(
        uint256 claimId,
        StoredCell[] calldata cells
    ) private view returns (Owed memory owed, TrainingClaim memory claim, Stored memory stored) {
        owed = _owedOf(claimId);
        if (owed.jobId == 0) revert NothingOwed(claimId);
        claim = IDisputedClaims(address(registry)).claimOf(claimId);
        IDatasetRegistry.Dataset memory dataset = datasets.datasetOf(owed.resultId);
        (stored.shape, stored.bundlesRoot, stored.bundles) = (
            dataset.shape,
            dataset.bundlesRoot,
            dataset.bundles
        );
        stored.length = uint256(dataset.shape.objectCount) * dataset.shape.objectSize;
        for (uint256 i = 0; i < cells.length; ++i) _requireCell(stored, cells[i]);
    }

    /// @dev Offset of a slot's tensor, as it is stored.
    function _offsetOf(
        Stored memory stored,
        StoredCell[] calldata cells,
        uint256 slot
    ) private pure returns (uint256 offset) {
        uint256 position = slot * ENTRY_BYTES + OFFSET_AT;
        for (uint256 i = 0; i < OFFSET_BYTES; ++i) {
            // A directory that ends within an offset is shown by `proveOffset`.
            if (position + i >= stored.length) revert OutOfRange("byte", position + i, stored.length);
            offset = (offset << 8) | uint8(_byteAt(stored, cells, position + i));
        }
    }

    /// @dev A stored byte: byte p of the stream is byte p mod objectSize of object ⌊p / objectSize⌋, which lies in
    /// data bundles as `EncodingFraud` says.
    function _byteAt(
        Stored memory stored,
        StoredCell[] calldata cells,
        uint256 position
    ) private pure returns (bytes1) {
        IDatasetRegistry.Shape memory shape = stored.shape;
        (uint256 object, uint256 within) = (position / shape.objectSize, position % shape.objectSize);
        uint256 length = shape.shardLength();
        uint256 bundle = (object / shape.segmentObjects) * shape.n + within / length;
        uint256 start = (object % shape.segmentObjects) * length + (within % length);
        uint256 cell = start / Limits.CELL_BYTES;
        for (uint256 i = 0; i < cells.length; ++i) {
            if (cells[i].bundleIndex == bundle && cells[i].cellIndex == cell) {
                return cells[i].cell[start % Limits.CELL_BYTES];
            }
        }
        revert NotOpened(position);
    }

    function _requireCell(Stored memory stored, StoredCell calldata opened) private pure {
        (uint256 bundle, uint256 cell) = (opened.bundleIndex, opened.cellIndex);
        if (bundle >= stored.bundles) revert OutOfRange("bundle", bundle, stored.bundles);
        uint256 cells = stored.shape.cells(bundle / stored.shape.n);
        if (cell >= cells) revert OutOfRange("cell", cell, cells);
        bytes32 leaf = MerkleProofs.bundleLeaf(opened.bundleIndex, opened.poseidonRoot, opened.transportRoot);
        uint256 depth = MerkleProofs.depthOf(stored.bundles);
        bool isWhole =
            opened.cell.length == Limits.CELL_BYTES &&
                MerkleProofs.rootOf(leaf, bundle, opened.bundleProof, depth) == stored.bundlesRoot;
        leaf = MerkleProofs.leafOf(opened.cell);
        depth = MerkleProofs.depthOf(cells);
        if (!isWhole || MerkleProofs.rootOf(leaf, cell, opened.cellProof, depth) != opened.transportRoot) {
            revert WrongCell(bundle, cell);
        }
    }

    function _requireSlot(OpenedSlot calldata opened, bytes32 stateRoot, uint256 slots) private pure {
        uint256 slot = opened.slot;
        if (slot >= slots) revert OutOfRange("slot", slot, slots);
        bytes32 commitment = TensorLeaves.commitmentOf(opened.dataRoot, opened.exponent);
        bytes32 leaf = keccak256(abi.encodePacked(bytes1(0), commitment));
        uint256 depth = MerkleProofs.depthOf(slots);
        if (MerkleProofs.rootOf(leaf, slot, opened.siblings, depth) != stateRoot) revert WrongSlot(slot);
    }

    /// @dev The byte that a slot's tensor has at `byteIndex`.
    function _tensorByte(
        Geometry memory g,
        bytes32 dataRoot,
        OpenedTensorLeaf calldata leaf,
        uint256 byteIndex
    ) private pure returns (bytes1) {
        uint256 index = leaf.index;
        if (index >= g.leaves) revert OutOfRange("leaf", index, g.leaves);
        bytes32 hash = MerkleProofs.leafOf(leaf.data);
        if (MerkleProofs.rootOf(hash, index, leaf.siblings, g.depth) != dataRoot) {
            revert WrongTensorLeaf(index);
        }
        uint256 start = g.startOf(index);
        uint256 end = start + leaf.data.length;
        if (byteIndex < start || byteIndex >= end) revert OutOfRange("byte", byteIndex, end);
        return leaf.data[byteIndex - start];
    }

    /// @dev How the tensor of a slot is packed. A valid program stores each slot of the state once.
    function _geometryOf(
        OpenedStore calldata store,
        uint256 slot,
        TrainingClaim memory claim
    ) private pure returns (Geometry memory) {
        Node memory node = NodeDescriptor.verify(
            store.descriptor,
            store.siblings,
            claim.programRoot,
            claim.nodeCounts
        );
        bool isStore = node.tape == OPTIMIZER && node.opcode == Opcodes.STORE && node.attributes.length == 2;
        if (!isStore || node.attributes[0] != STATE || node.attributes[1] != int256(slot)) {
            revert WrongStore(slot);
        }
        return TensorGeometry.geometryOf(node.output);
    }
}

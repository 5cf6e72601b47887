// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AuditMath} from "../libraries/AuditMath.sol";
import {BN254} from "../libraries/BN254.sol";
import {GF256} from "../libraries/GF256.sol";
import {MerkleProofs} from "../libraries/MerkleProofs.sol";
import {StorageMath} from "../libraries/StorageMath.sol";
import {IVerifierRegistry} from "../zk/interfaces/IVerifierRegistry.sol";
import {IDatasetRegistry} from "./interfaces/IDatasetRegistry.sol";
import {IEncodingFraud} from "./interfaces/IEncodingFraud.sol";
import {Limits} from "./Limits.sol";

/// @title Judge of encoding fraud
/// @dev Each proof opens committed bytes, computes what a correct encoding would have there, and convicts only if the
/// two differ. Depths, lengths and places come from the anchor.
contract EncodingFraud is IEncodingFraud {
    using StorageMath for IDatasetRegistry.Shape;

    bytes32 private constant CODEWORD = "codeword";
    bytes32 private constant MISMATCH = "mismatch";
    bytes32 private constant OBJECT = "object";

    /// @dev Bits of a cell index in the packed word of a possession proof.
    uint256 private constant INDEX_BITS = 14;
    uint256 private constant ELEMENT_BYTES = 31;

    /// @dev A byte of the encoded objects or of the hash list: where it lies and what surrounds it.
    struct Place {
        uint256 objectIndex;
        /// Byte of the object, or of its hash.
        uint256 offset;
        bool inHashList;
    }

    IDatasetRegistry public immutable datasets;
    IVerifierRegistry public immutable verifier;
    /// @notice Hash of the possession circuit's verifying key.
    bytes32 public immutable possessionKey;

    constructor(IDatasetRegistry datasets_, IVerifierRegistry verifier_, bytes32 possessionKey_) {
        datasets = datasets_;
        verifier = verifier_;
        possessionKey = possessionKey_;
    }

    /// @inheritdoc IEncodingFraud
    function proveCodeword(
        bytes32 datasetId,
        uint32 cellIndex,
        uint16 offset,
        OpenedCell[] calldata cells
    ) external override {
        IDatasetRegistry.Dataset memory dataset = _dataset(datasetId);
        (uint256 k, uint256 n) = (dataset.shape.k, dataset.shape.n);
        if (cells.length != k + 1) revert WrongCellCount(cells.length, k + 1);
        if (offset >= Limits.CELL_BYTES) revert OutOfRange("offset", offset, Limits.CELL_BYTES);
        uint256 segment = cells[0].bundleIndex / n;
        uint256[] memory positions = new uint256[](k + 1);
        uint256[] memory symbols = new uint256[](k + 1);
        for (uint256 i = 0; i <= k; ++i) {
            uint256 other = cells[i].bundleIndex / n;
            if (other != segment) revert SegmentsDiffer(segment, other);
            _requireCell(dataset, cells[i], cellIndex);
            positions[i] = cells[i].bundleIndex % n;
            symbols[i] = uint8(cells[i].cell[offset]);
        }
        if (GF256.combination(k, positions, symbols) == 0) revert NoFraud();
        _convict(datasetId, CODEWORD);
    }

    /// @inheritdoc IEncodingFraud
    function proveMismatch(
        bytes32 datasetId,
        uint256 indices,
        uint256 rho,
        uint256 evaluation,
        uint256[8] calldata proof,
        OpenedCells calldata opened
    ) external override {
        if (_evaluate(_dataset(datasetId), indices, rho, opened) == evaluation) revert NoFraud();
        uint256[] memory inputs = new uint256[](4);
        inputs[0] = evaluation;
        inputs[1] = uint256(opened.poseidonRoot);
        inputs[2] = indices;
        inputs[3] = rho;
        if (!verifier.verify(possessionKey, proof, inputs)) revert WrongProof();
        _convict(datasetId, MISMATCH);
    }

    /// @inheritdoc IEncodingFraud
    function proveObject(
        bytes32 datasetId,
        uint64 byteIndex,
        OpenedCell calldata cell,
        OpenedChunk calldata chunk
    ) external override {
        IDatasetRegistry.Dataset memory dataset = _dataset(datasetId);
        if (dataset.shape.encrypted) revert Encrypted(datasetId);
        uint256 shard = cell.bundleIndex % dataset.shape.n;
        if (shard >= dataset.shape.k) revert OutOfRange("shard", shard, dataset.shape.k);
        _requireCell(dataset, cell, byteIndex / Limits.CELL_BYTES);
        Place memory place = _placeOf(dataset.shape, cell.bundleIndex / dataset.shape.n, shard, byteIndex);
        bytes32 objectHash = _requireChunk(dataset, chunk);

        if (chunk.objectIndex != place.objectIndex) revert WrongPlace(place.objectIndex, chunk.chunkIndex);
        bytes1 expected;
        if (place.inHashList) {
            expected = objectHash[place.offset];
        } else {
            uint256 chunkIndex = place.offset / Limits.CHUNK_BYTES;
            if (chunk.chunkIndex != chunkIndex) revert WrongPlace(place.objectIndex, chunkIndex);
            expected = chunk.chunk[place.offset % Limits.CHUNK_BYTES];
        }
        if (cell.cell[byteIndex % Limits.CELL_BYTES] == expected) revert NoFraud();
        _convict(datasetId, OBJECT);
    }

    function _convict(bytes32 datasetId, bytes32 kind) private {
        emit EncodingFraudProven(datasetId, msg.sender, kind);
        datasets.markFraudulent(datasetId, msg.sender);
    }

    function _dataset(bytes32 datasetId) private view returns (IDatasetRegistry.Dataset memory dataset) {
        dataset = datasets.datasetOf(datasetId);
        if (dataset.status != IDatasetRegistry.Status.Active) {
            revert IDatasetRegistry.WrongStatus(datasetId, dataset.status);
        }
    }

    /// @dev Σ x_i · rho^i over the elements of the 16 opened cells, after checking that they are the bundle's.
    function _evaluate(
        IDatasetRegistry.Dataset memory dataset,
        uint256 indices,
        uint256 rho,
        OpenedCells calldata opened
    ) private pure returns (uint256 sum) {
        uint32 bundle = opened.bundleIndex;
        uint256 count = AuditMath.CHALLENGES;
        if (opened.cells.length != count) revert WrongCellCount(opened.cells.length, count);
        if (opened.cellProofs.length != count) revert WrongCellCount(opened.cellProofs.length, count);
        if (indices >> (INDEX_BITS * count) != 0) {
            revert OutOfRange("indices", indices, 1 << (INDEX_BITS * count));
        }
        _requireBundle(dataset, bundle, opened.poseidonRoot, opened.transportRoot, opened.bundleProof);
        uint256 cells = dataset.shape.cells(bundle / dataset.shape.n);
        // Horner's rule, from the last element to the first.
        for (uint256 j = count; j != 0; --j) {
            uint256 index = (indices >> (INDEX_BITS * (j - 1))) % Limits.MAX_CELLS;
            bytes32 root = _cellRoot(bundle, opened.cells[j - 1], index, opened.cellProofs[j - 1], cells);
            if (root != opened.transportRoot) revert WrongCell(bundle, index);
            sum = _evaluateCell(sum, opened.cells[j - 1], rho);
        }
    }

    /// @dev Which object byte, or byte of an object's hash, stands at `byteIndex` of data bundle `shard`.
    function _placeOf(
        IDatasetRegistry.Shape memory shape,
        uint256 segment,
        uint256 shard,
        uint256 byteIndex
    ) private pure returns (Place memory place) {
        uint256 objects = shape.objectsIn(segment);
        uint256 length = shape.shardLength();
        uint256 limit;
        if (byteIndex < objects * length) {
            place.objectIndex = byteIndex / length;
            place.offset = shard * length + (byteIndex % length);
            limit = shape.objectSize;
        } else {
            uint256 hashLength = shape.hashShardLength(objects);
            uint256 within = byteIndex - objects * length;
            if (within >= hashLength) revert OutOfRange("byte", byteIndex, objects * length + hashLength);
            place.inHashList = true;
            place.offset = shard * hashLength + within;
            limit = Limits.HASH_BYTES * objects;
        }
        // What fills the last data shard belongs to no object.
        if (place.offset >= limit) revert OutOfRange("offset", place.offset, limit);
        if (place.inHashList) {
            place.objectIndex = place.offset / Limits.HASH_BYTES;
            place.offset %= Limits.HASH_BYTES;
        }
        place.objectIndex += segment * shape.segmentObjects;
    }

    /// @dev Checks a chunk up to objectRoot and returns the hash of its object.
    function _requireChunk(
        IDatasetRegistry.Dataset memory dataset,
        OpenedChunk calldata opened
    ) private pure returns (bytes32 objectHash) {
        (uint256 index, uint256 chunks) = (opened.chunkIndex, dataset.shape.chunks());
        if (index >= chunks) revert OutOfRange("chunk", index, chunks);
        uint256 rest = dataset.shape.objectSize - index * Limits.CHUNK_BYTES;
        uint256 length = rest < Limits.CHUNK_BYTES ? rest : Limits.CHUNK_BYTES;
        if (opened.chunk.length != length) revert WrongChunk(opened.objectIndex, opened.chunkIndex);
        bytes32 leaf = MerkleProofs.leafOf(opened.chunk);
        objectHash = MerkleProofs.rootOf(leaf, index, opened.chunkProof, MerkleProofs.depthOf(chunks));
        uint256 depth = MerkleProofs.depthOf(dataset.shape.objectCount);
        if (
            MerkleProofs.rootOf(objectHash, opened.objectIndex, opened.objectProof, depth) !=
            dataset.objectRoot
        ) {
            revert WrongChunk(opened.objectIndex, opened.chunkIndex);
        }
    }

    function _requireCell(
        IDatasetRegistry.Dataset memory dataset,
        OpenedCell calldata opened,
        uint256 cellIndex
    ) private pure {
        uint32 index = opened.bundleIndex;
        _requireBundle(dataset, index, opened.poseidonRoot, opened.transportRoot, opened.bundleProof);
        uint256 cells = dataset.shape.cells(index / dataset.shape.n);
        if (_cellRoot(index, opened.cell, cellIndex, opened.cellProof, cells) != opened.transportRoot) {
            revert WrongCell(index, cellIndex);
        }
    }

    function _requireBundle(
        IDatasetRegistry.Dataset memory dataset,
        uint32 index,
        bytes32 poseidonRoot,
        bytes32 transportRoot,
        bytes32[] calldata proof
    ) private pure {
        if (index >= dataset.bundles) revert OutOfRange("bundle", index, dataset.bundles);
        bytes32 leaf = MerkleProofs.bundleLeaf(index, poseidonRoot, transportRoot);
        uint256 depth = MerkleProofs.depthOf(dataset.bundles);
        if (MerkleProofs.rootOf(leaf, index, proof, depth) != dataset.bundlesRoot) revert NotAnchored(index);
    }

    function _cellRoot(
        uint32 bundleIndex,
        bytes calldata cell,
        uint256 cellIndex,
        bytes32[] calldata proof,
        uint256 cells
    ) private pure returns (bytes32) {
        if (cellIndex >= cells) revert OutOfRange("cell", cellIndex, cells);
        if (cell.length != Limits.CELL_BYTES) revert WrongCell(bundleIndex, cellIndex);
        bytes32 leaf = MerkleProofs.leafOf(cell);
        return MerkleProofs.rootOf(leaf, cellIndex, proof, MerkleProofs.depthOf(cells));
    }

    /// @dev sum · rho^16 + Σ_{i<16} x_i · rho^i over a cell's elements.
    function _evaluateCell(uint256 sum, bytes calldata cell, uint256 rho) private pure returns (uint256) {
        for (uint256 end = Limits.CELL_BYTES; end != 0; end -= ELEMENT_BYTES) {
            uint256 element = uint248(bytes31(cell[end - ELEMENT_BYTES:end]));
            sum = addmod(mulmod(sum, rho, BN254.R), element, BN254.R);
        }
        return sum;
    }
}

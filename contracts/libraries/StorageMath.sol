// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IDatasetRegistry} from "../storage/interfaces/IDatasetRegistry.sol";
import {Limits} from "../storage/Limits.sol";

/// @title Where the bytes of a dataset lie, from its anchored shape (docs/storage-protocol.md section 2)
library StorageMath {
    /// @notice Segments of a dataset.
    function segments(IDatasetRegistry.Shape memory shape) internal pure returns (uint256) {
        return Math.ceilDiv(shape.objectCount, shape.segmentObjects);
    }

    /// @notice Objects of one segment: only the last may have fewer than `segmentObjects`.
    function objectsIn(IDatasetRegistry.Shape memory shape, uint256 segment) internal pure returns (uint256) {
        uint256 first = segment * shape.segmentObjects;
        return Math.min(shape.segmentObjects, shape.objectCount - first);
    }

    /// @notice Bytes of each object in each bundle.
    function shardLength(IDatasetRegistry.Shape memory shape) internal pure returns (uint256) {
        return Math.ceilDiv(uint256(shape.objectSize) + tag(shape), shape.k);
    }

    /// @notice Bytes of the hash list of a segment with `objects` objects in each bundle.
    function hashShardLength(
        IDatasetRegistry.Shape memory shape,
        uint256 objects
    ) internal pure returns (uint256) {
        return Math.ceilDiv(Limits.HASH_BYTES * objects + tag(shape), shape.k);
    }

    /// @notice Bytes of each bundle of a segment, without what fills the last cell.
    function bundleBytes(
        IDatasetRegistry.Shape memory shape,
        uint256 segment
    ) internal pure returns (uint256) {
        uint256 objects = objectsIn(shape, segment);
        return objects * shardLength(shape) + hashShardLength(shape, objects);
    }

    /// @notice Cells of each bundle of a segment.
    function cells(IDatasetRegistry.Shape memory shape, uint256 segment) internal pure returns (uint256) {
        return Math.ceilDiv(bundleBytes(shape, segment), Limits.CELL_BYTES);
    }

    /// @notice Bytes of each bundle's last cell that follow its content.
    function filler(IDatasetRegistry.Shape memory shape, uint256 segment) internal pure returns (uint256) {
        return cells(shape, segment) * Limits.CELL_BYTES - bundleBytes(shape, segment);
    }

    /// @notice Chunks of an object, the leaves of its hash tree.
    function chunks(IDatasetRegistry.Shape memory shape) internal pure returns (uint256) {
        return Math.ceilDiv(shape.objectSize, Limits.CHUNK_BYTES);
    }

    /// @notice Bytes that sealing adds to each object and hash list.
    function tag(IDatasetRegistry.Shape memory shape) internal pure returns (uint256) {
        return shape.encrypted ? Limits.TAG_BYTES : 0;
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {MerkleProofs} from "../libraries/MerkleProofs.sol";
import {ObjectEvidence} from "./interfaces/IDisputeRules.sol";
import {TrainingOrder} from "./TrainingOrders.sol";

/// @title Bytes of an object under the order's objectRoot
/// @notice The trees of docs/storage-protocol.md section 2: chunks of 1,024 bytes, then objects.
library ObjectBytes {
    uint256 private constant CHUNK = 1_024;

    /// @notice Whether object `index` has the bytes `object.raw` at `offset`.
    function areAt(
        ObjectEvidence calldata object,
        TrainingOrder memory order,
        uint256 index,
        uint256 offset,
        uint256 width
    ) internal pure returns (bool) {
        uint256 first = offset / CHUNK;
        uint256 count = (offset + width - 1) / CHUNK - first + 1;
        if (object.raw.length != width || offset + width > order.objectBytes) return false;
        if (object.chunks.length != count || object.chunkProofs.length != count) return false;
        for (uint256 i = 0; i < count; ++i) {
            if (!_isChunk(object, order, index, first + i, i)) return false;
        }
        for (uint256 i = 0; i < width; ++i) {
            uint256 place = offset + i;
            if (object.raw[i] != object.chunks[place / CHUNK - first][place % CHUNK]) return false;
        }
        return true;
    }

    function _isChunk(
        ObjectEvidence calldata object,
        TrainingOrder memory order,
        uint256 index,
        uint256 chunk,
        uint256 i
    ) private pure returns (bool) {
        uint256 rest = order.objectBytes - chunk * CHUNK;
        if (object.chunks[i].length != (rest < CHUNK ? rest : CHUNK)) return false;
        uint256 depth = MerkleProofs.depthOf((order.objectBytes + CHUNK - 1) / CHUNK);
        bytes32 hash = MerkleProofs.rootOf(
            MerkleProofs.leafOf(object.chunks[i]),
            chunk,
            object.chunkProofs[i],
            depth
        );
        uint256 above = MerkleProofs.depthOf(order.objects);
        return MerkleProofs.rootOf(hash, index, object.objectProof, above) == order.objectRoot;
    }
}

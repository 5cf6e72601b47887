// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IDatasetRegistry} from "./interfaces/IDatasetRegistry.sol";

/// @title How many bundles of each segment are held
/// @notice A segment is short, and its dataset cannot be read, while fewer than k of its bundles are held.
abstract contract HeldBundles is IDatasetRegistry {
    /// @dev Counts in a word: a byte each, since n is at most 255.
    uint256 private constant COUNTS = 32;

    /// @dev In the first word of `_filled`: how many segments have been filled, before a bit for each segment.
    uint256 private constant FILLED_BITS = 16;

    mapping(bytes32 datasetId => mapping(uint256 word => uint256)) private _heldCounts;
    mapping(bytes32 datasetId => mapping(uint256 word => uint256)) private _filled;

    /// @inheritdoc IDatasetRegistry
    function heldIn(bytes32 datasetId, uint256 segment) public view override returns (uint256) {
        return uint8(_heldCounts[datasetId][segment / COUNTS] >> _shiftOf(segment));
    }

    function _addHeld(Dataset storage dataset, bytes32 datasetId, uint256 segment, uint16 count) internal {
        uint256 before = heldIn(datasetId, segment);
        uint256 k = dataset.shape.k;
        _heldCounts[datasetId][segment / COUNTS] += uint256(count) << _shiftOf(segment);
        dataset.held += count;
        dataset.filledAt = uint40(block.timestamp);
        if (before >= k || before + count < k) return;
        --dataset.shortSegments;
        _markFilled(datasetId, segment);
    }

    function _removeHeld(Dataset storage dataset, bytes32 datasetId, uint256 segment) internal {
        if (heldIn(datasetId, segment) == dataset.shape.k) ++dataset.shortSegments;
        _heldCounts[datasetId][segment / COUNTS] -= 1 << _shiftOf(segment);
        --dataset.held;
    }

    /// @dev Segments of which k bundles were held at some time.
    function _filledSegments(bytes32 datasetId) internal view returns (uint256) {
        return uint16(_filled[datasetId][0]);
    }

    function _markFilled(bytes32 datasetId, uint256 segment) private {
        uint256 place = FILLED_BITS + segment;
        mapping(uint256 word => uint256) storage words = _filled[datasetId];
        uint256 bit = 1 << (place % 256);
        if (words[place / 256] & bit != 0) return;
        words[place / 256] |= bit;
        ++words[0];
    }

    function _shiftOf(uint256 segment) private pure returns (uint256) {
        return 8 * (segment % COUNTS);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IDatasetRegistry} from "./interfaces/IDatasetRegistry.sol";

/// @title Datasets that are paid for again after their paid epochs had ended
/// @notice Nobody was asked in the epochs in between, which therefore never become a duty.
abstract contract ResumedTerms is IDatasetRegistry {
    /// @dev Epochs from the first one up to but without the last one.
    struct Gap {
        uint32 from;
        uint32 to;
    }

    mapping(bytes32 datasetId => Gap) private _gaps;

    /// @inheritdoc IDatasetRegistry
    function gapOf(bytes32 datasetId) external view override returns (uint32 from, uint32 to) {
        Gap storage gap = _gaps[datasetId];
        return (gap.from, gap.to);
    }

    /// @inheritdoc IDatasetRegistry
    function settledAt(uint32 endEpoch) public view virtual override returns (uint64);

    /// @dev As long as deadlines before a gap may run it stays on record, and there is no second one: nobody turns
    /// missed audits into gaps by paying for one epoch at a time.
    /// @param next the coming epoch, which has to be paid for
    function _resume(Dataset storage dataset, bytes32 datasetId, uint32 next, uint32 newEnd) internal {
        Gap storage gap = _gaps[datasetId];
        bool isSettled = gap.to == 0 || block.timestamp >= settledAt(gap.to);
        if (!isSettled || newEnd <= next) revert TermOver(datasetId, dataset.endEpoch, next);
        (gap.from, gap.to) = (dataset.endEpoch, next);
        dataset.filledAt = uint40(block.timestamp);
    }
}

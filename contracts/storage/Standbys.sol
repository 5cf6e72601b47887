// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {BundleTable} from "./BundleTable.sol";
import {IBundleRegistry} from "./interfaces/IBundleRegistry.sol";
import {IDatasetRegistry} from "./interfaces/IDatasetRegistry.sol";
import {Limits} from "./Limits.sol";

/// @title Operators that a dataset's owner names to take bundles over before others may
/// @notice Without them whoever is first with a proof takes a vacancy. Randomness is public before it is on chain, so
/// that one who means to leave again is first whenever it likes.
abstract contract Standbys is BundleTable {
    uint256 private _lastList;
    /// @dev Number of the list in force; 0 when the owner has named nobody.
    mapping(bytes32 datasetId => uint256) private _lists;
    /// @dev Number of the latest list that names the operator.
    mapping(bytes32 datasetId => mapping(address operator => uint256)) private _namedIn;

    /// @inheritdoc IBundleRegistry
    function setStandbys(bytes32 datasetId, address[] calldata operators) external override {
        address owner = datasets.datasetOf(datasetId).owner;
        if (owner != msg.sender) revert IDatasetRegistry.NotOwner(datasetId, owner, msg.sender);
        if (operators.length > Limits.MAX_STANDBYS) revert TooManyStandbys(operators.length);
        uint256 list = ++_lastList;
        for (uint256 i = 0; i < operators.length; ++i) _namedIn[datasetId][operators[i]] = list;
        _lists[datasetId] = operators.length == 0 ? 0 : list;
        emit StandbysSet(datasetId, operators);
    }

    /// @inheritdoc IBundleRegistry
    function provableFrom(
        bytes32 datasetId,
        uint32 bundleIndex,
        address operator
    ) external view override returns (uint32) {
        Record storage record = _records[bundleIdOf(datasetId, bundleIndex)];
        return
            record.operator == address(0)
                ? _provableFrom(record, datasetId, operator, datasets.datasetOf(datasetId).firstEpoch)
                : 0;
    }

    /// @inheritdoc IBundleRegistry
    function isStandby(bytes32 datasetId, address operator) public view override returns (bool) {
        uint256 list = _lists[datasetId];
        return list != 0 && _namedIn[datasetId][operator] == list;
    }

    /// @dev Of a bundle that nobody holds.
    function _provableFrom(
        Record storage record,
        bytes32 datasetId,
        address operator,
        uint32 firstEpoch
    ) internal view returns (uint32) {
        if (record.datasetId == 0) return firstEpoch + exclusiveEpochs;
        bool isFirst = _lists[datasetId] == 0 || isStandby(datasetId, operator);
        return isFirst ? record.since : record.since + Limits.STANDBY_EPOCHS;
    }
}

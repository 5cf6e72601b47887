// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AuditMath} from "../libraries/AuditMath.sol";
import {BundleTable} from "./BundleTable.sol";
import {IBundleRegistry} from "./interfaces/IBundleRegistry.sol";
import {Limits} from "./Limits.sol";

/// @title Covers: bundles of one operator that one proof answers for
abstract contract Covers is BundleTable {
    /// @inheritdoc IBundleRegistry
    function registerCover(
        bytes32[] calldata bundleIds,
        uint256 coveringRoot,
        uint256[8] calldata proof
    ) external override nonReentrant returns (bytes32 coverId) {
        uint256 count = bundleIds.length;
        if (count == 0 || count > Limits.COVER_BUNDLES) revert WrongCoverSize(count);
        uint32 since = datasets.currentEpoch() + 1;
        uint256[64] memory roots;
        bytes memory cells = new bytes(2 * count);
        for (uint256 i = 0; i < count; ++i) {
            uint16 size;
            (roots[i], size) = _coverable(bundleIds[i], since);
            cells[2 * i] = bytes1(uint8(size >> 8));
            cells[2 * i + 1] = bytes1(uint8(size));
        }
        bytes32 cellsHash = keccak256(cells);
        coverId = keccak256(
            abi.encode(block.chainid, address(this), msg.sender, coveringRoot, since, cellsHash, bundleIds)
        );

        uint256[] memory inputs = new uint256[](3);
        inputs[0] = coveringRoot;
        (inputs[2], inputs[1]) = AuditMath.registration(coveringRoot, roots);
        if (!verifier.verify(registrationKey, proof, inputs)) revert WrongCoverProof(coveringRoot);
        _covers[coverId] = Cover(msg.sender, since, uint8(count), coveringRoot, cellsHash);
        for (uint256 i = 0; i < count; ++i) _joinCover(bundleIds[i], coverId);
        emit CoverRegistered(coverId, msg.sender, coveringRoot, bundleIds);
    }

    /// @inheritdoc IBundleRegistry
    function coverOf(bytes32 coverId) external view override returns (Cover memory) {
        return _covers[coverId];
    }

    /// @inheritdoc IBundleRegistry
    function coversOf(
        bytes32 bundleId
    ) external view override returns (bytes32[] memory coverIds, uint32[] memory sinces) {
        uint256 count = _records[bundleId].covers;
        coverIds = new bytes32[](count);
        sinces = new uint32[](count);
        for (uint256 i = 0; i < count; ++i) {
            coverIds[i] = _coverIds[bundleId][i];
            sinces[i] = _covers[coverIds[i]].since;
        }
    }

    /// @inheritdoc IBundleRegistry
    function dutyOf(bytes32 bundleId, uint32 epoch) external view override returns (bytes32) {
        for (uint256 i = _records[bundleId].covers; i != 0; --i) {
            bytes32 coverId = _coverIds[bundleId][i - 1];
            if (_covers[coverId].since <= epoch) return coverId;
        }
        return bundleId;
    }

    /// @dev What a bundle of the caller brings into a cover that serves from `since` on.
    function _coverable(bytes32 bundleId, uint32 since) private view returns (uint256 root, uint16 cells) {
        Record storage record = _held(bundleId);
        if (record.operator != msg.sender) revert NotHolder(bundleId, record.operator, msg.sender);
        if (_bounties[bundleId] != 0) revert RepairUnproven(bundleId);
        uint8 count = record.covers;
        bool early = count != 0 && _covers[_coverIds[bundleId][count - 1]].since == since;
        if (early || count == Limits.MAX_COVERS) revert CoverTooSoon(bundleId, since, count);
        return (record.poseidonRoot, record.cells);
    }

    /// @dev A bundle that is listed twice is found by the cover that it has joined already.
    function _joinCover(bytes32 bundleId, bytes32 coverId) private {
        Record storage record = _records[bundleId];
        uint8 count = record.covers;
        if (count != 0 && _coverIds[bundleId][count - 1] == coverId) {
            revert CoverTooSoon(bundleId, _covers[coverId].since, count);
        }
        _coverIds[bundleId][count] = coverId;
        record.covers = count + 1;
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IBundleRegistry} from "../../../contracts/storage/interfaces/IBundleRegistry.sol";
import {IDatasetRegistry} from "../../../contracts/storage/interfaces/IDatasetRegistry.sol";
import {StorageFixture} from "./StorageFixture.sol";

/// @notice Covers: bundles of one operator in many segments, and the public signals of their proofs.
abstract contract CoverFixture is StorageFixture {
    /// @dev A dataset of `segments` segments of (2, 3), the last with a single object.
    function anchorSegments(uint256 segments, uint32 epochs) internal returns (Anchored memory) {
        IDatasetRegistry.Shape memory shape = smallShape(3);
        shape.objectCount = uint64(4 * (segments - 1) + 1);
        shape.objectSize = 3_000;
        return anchorShape(shape, epochs);
    }

    /// @dev Gives bundle 0 of each segment to `name` and returns their ids.
    function placeInAll(Anchored memory made, string memory name) internal returns (bytes32[] memory ids) {
        ids = new bytes32[](made.bundles / 3);
        fund(name, STAKE * ids.length);
        for (uint256 i = 0; i < ids.length; ++i) ids[i] = place(made, 3 * i, name);
    }

    /// @dev A dataset whose bundles have the roots of bundle 0 of each segment of `made`, in the same order, but one cell
    /// each. Gives those bundles to `name` and returns their ids.
    function placeDecoys(
        Anchored memory made,
        uint256 count,
        string memory name
    ) internal returns (bytes32[] memory ids) {
        IDatasetRegistry.Shape memory shape = smallShape(3);
        shape.objectCount = uint64(count);
        shape.segmentObjects = 1;
        Anchored memory decoy = Anchored(0, 3 * count, new bytes32[](3 * count), new bytes32[](3 * count));
        for (uint256 i = 0; i < 3 * count; ++i) {
            decoy.poseidonRoots[i] = made.poseidonRoots[i];
            decoy.transportRoots[i] = made.transportRoots[i];
        }
        anchorRoots(decoy, keccak256("decoys"), shape, 40);
        return placeInAll(decoy, name);
    }

    function registerCover(
        bytes32[] memory ids,
        string memory name,
        uint256 root
    ) internal returns (bytes32 coverId) {
        uint256[8] memory proof = proofOf(REGISTRATION, registrationSignals(ids, root));
        vm.prank(actor(name));
        return bundles.registerCover(ids, root, proof);
    }

    function registrationSignals(
        bytes32[] memory ids,
        uint256 root
    ) internal view returns (uint256[] memory signals) {
        uint256[64] memory roots;
        for (uint256 i = 0; i < ids.length; ++i) roots[i] = bundles.holdingOf(ids[i]).poseidonRoot;
        signals = new uint256[](3);
        signals[0] = root;
        signals[2] = uint256(keccak256(abi.encode(root, roots))) % FIELD;
        uint256 power = 1;
        for (uint256 i = 0; i < 64; ++i) {
            signals[1] = addmod(signals[1], mulmod(roots[i], power, FIELD), FIELD);
            power = mulmod(power, signals[2], FIELD);
        }
    }

    function packedCells(bytes32[] memory ids) internal view returns (bytes memory cells) {
        for (uint256 i = 0; i < ids.length; ++i) {
            cells = abi.encodePacked(cells, bundles.holdingOf(ids[i]).cells);
        }
    }

    /// @dev Index in the cover of a cell counted through its bundles, one after the other.
    function cellAt(bytes32[] memory ids, uint256 cell) internal view returns (uint256) {
        uint256 b = 0;
        for (uint256 count; cell >= (count = bundles.holdingOf(ids[b]).cells); ++b) cell -= count;
        return b * 16_384 + cell;
    }

    /// @dev Public signals of a cover's answer, straight from docs/storage-protocol.md section 6.
    function coverSignals(
        bytes32 coverId,
        bytes32[] memory ids,
        uint32 epoch
    ) internal view returns (uint256[] memory signals) {
        IBundleRegistry.Cover memory cover = bundles.coverOf(coverId);
        (bytes32 seed, , ) = audit.windowOf(epoch);
        signals = new uint256[](5);
        signals[0] = 7;
        signals[1] = cover.root;
        uint256 total;
        for (uint256 b = 0; b < ids.length; ++b) total += bundles.holdingOf(ids[b]).cells;
        for (uint256 j = 0; j < 16; ++j) {
            uint256 from = (j * total) / 16;
            uint256 to = ((j + 1) * total) / 16;
            if (to < from + 1) to = from + 1;
            uint256 h = uint256(keccak256(abi.encode(seed, coverId, cover.operator, j)));
            signals[j < 8 ? 2 : 3] += cellAt(ids, from + (h % (to - from))) * 2 ** (20 * (j % 8));
        }
        bytes memory context = abi.encode(
            seed,
            coverId,
            cover.root,
            cover.operator,
            uint256(epoch),
            block.chainid,
            address(audit)
        );
        signals[4] = uint256(keccak256(context)) % FIELD;
    }

    function answerCover(bytes32 coverId, bytes32[] memory ids, uint32 epoch) internal {
        uint256[8] memory proof = proofOf(COVERING, coverSignals(coverId, ids, epoch));
        audit.answerCover(coverId, epoch, 7, packedCells(ids), proof);
    }
}

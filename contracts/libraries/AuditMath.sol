// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {BN254} from "./BN254.sol";

/// @title What an epoch's seed asks of a duty (docs/storage-protocol.md section 6)
library AuditMath {
    /// @dev Cells that a proof answers for.
    uint256 internal constant CHALLENGES = 16;
    /// @dev Bits of a cell index in a bundle, and of one in a cover of 64 bundles.
    uint256 private constant BUNDLE_BITS = 14;
    uint256 private constant COVER_BITS = 20;

    /// @notice Evaluation point of an audit, which binds the proof to its duty, operator, epoch, chain and contract.
    function auditPoint(
        bytes32 seed,
        bytes32 duty,
        uint256 root,
        address operator,
        uint32 epoch
    ) internal view returns (uint256) {
        bytes memory context = abi.encode(seed, duty, root, operator, epoch, block.chainid, address(this));
        return uint256(keccak256(context)) % BN254.R;
    }

    /// @notice The 16 challenged cells of a bundle, 14 bits each.
    function bundleIndices(
        bytes32 seed,
        bytes32 bundleId,
        address operator,
        uint256 cells
    ) internal pure returns (uint256 packed) {
        uint256 draw = _open(seed, bundleId, operator);
        // Counters and shifts of a few bits: nothing to overflow.
        unchecked {
            for (uint256 j = 0; j < CHALLENGES; ++j) {
                packed |= (_next(draw, j) % cells) << (BUNDLE_BITS * j);
            }
        }
    }

    /// @notice The 16 challenged cells of a cover, 20 bits each: one out of each sixteenth of all its cells, so that
    /// every cell is as likely to be asked as any other, however large its bundle is.
    /// @param cells uint16 cell counts, one per bundle
    function coverIndices(
        bytes32 seed,
        bytes32 coverId,
        address operator,
        bytes calldata cells
    ) internal pure returns (uint256 low, uint256 high) {
        uint256 total = 0;
        for (uint256 i = 0; i < cells.length; i += 2) total += _countAt(cells, i);
        uint256 draw = _open(seed, coverId, operator);
        uint256 bundle = 0;
        // Cells of the bundles up to and including this one.
        uint256 end = _countAt(cells, 0);
        // At most 2^20 cells: nothing to overflow. Positions grow with j, so the bundles are walked once.
        unchecked {
            for (uint256 j = 0; j < CHALLENGES; ++j) {
                uint256 from = (j * total) / CHALLENGES;
                uint256 to = ((j + 1) * total) / CHALLENGES;
                if (to <= from) to = from + 1;
                uint256 position = from + (_next(draw, j) % (to - from));
                while (position >= end) end += _countAt(cells, 2 * ++bundle);
                uint256 cell = position + _countAt(cells, 2 * bundle) - end;
                uint256 index = (bundle << BUNDLE_BITS) | cell;
                if (j < CHALLENGES / 2) low |= index << (COVER_BITS * j);
                else high |= index << (COVER_BITS * (j - CHALLENGES / 2));
            }
        }
    }

    /// @notice Evaluation point and evaluation of a covering root's registration, over the 64 roots (unused ones 0).
    function registration(
        uint256 coveringRoot,
        uint256[64] memory roots
    ) internal pure returns (uint256 point, uint256 evaluation) {
        point = uint256(keccak256(abi.encode(coveringRoot, roots))) % BN254.R;
        for (uint256 i = roots.length; i != 0; --i) {
            evaluation = addmod(mulmod(evaluation, point, BN254.R), roots[i - 1], BN254.R);
        }
    }

    /// @dev Lays out abi.encode(seed, duty, operator, j) once; only j changes between the draws.
    function _open(bytes32 seed, bytes32 duty, address operator) private pure returns (uint256 draw) {
        bytes memory space = abi.encode(seed, duty, operator, uint256(0));
        assembly ("memory-safe") {
            draw := add(space, 32)
        }
    }

    /// @dev The two bytes at `offset`, which lies inside.
    function _countAt(bytes calldata cells, uint256 offset) private pure returns (uint256 count) {
        assembly ("memory-safe") {
            count := shr(240, calldataload(add(cells.offset, offset)))
        }
    }

    function _next(uint256 draw, uint256 j) private pure returns (uint256 h) {
        assembly ("memory-safe") {
            mstore(add(draw, 96), j)
            h := keccak256(draw, 128)
        }
    }
}

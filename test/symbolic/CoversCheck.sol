// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IStaking} from "../../contracts/staking/interfaces/IStaking.sol";
import {BundleRegistry} from "../../contracts/storage/BundleRegistry.sol";
import {IBundleRegistry} from "../../contracts/storage/interfaces/IBundleRegistry.sol";
import {IDatasetRegistry} from "../../contracts/storage/interfaces/IDatasetRegistry.sol";
import {IVerifierRegistry} from "../../contracts/zk/interfaces/IVerifierRegistry.sol";

/// @notice A registry of datasets in one epoch, and a verifier that takes every proof: the worst case for ids.
contract Neighbours {
    uint32 public constant currentEpoch = 7;

    function verify(bytes32, uint256[8] calldata, uint256[] calldata) external pure returns (bool) {
        return true;
    }
}

/// @notice The registry, with bundles that are held from the beginning.
contract Bundles is BundleRegistry {
    constructor(
        Neighbours neighbours
    )
        BundleRegistry(
            address(neighbours),
            IERC20(address(neighbours)),
            IDatasetRegistry(address(neighbours)),
            IStaking(address(neighbours)),
            IVerifierRegistry(address(neighbours)),
            bytes32(0),
            bytes32(0),
            1
        )
    {}

    function hold(bytes32 bundleId, address operator, uint16 cells, uint256 poseidonRoot) external {
        Record storage record = _records[bundleId];
        (record.operator, record.cells, record.poseidonRoot) = (operator, cells, poseidonRoot);
    }
}

/// @notice Properties of cover ids, for all bundles, roots and numbers of cells; keccak256 has no collisions.
contract CoversCheck {
    Bundles private immutable bundles = new Bundles(new Neighbours());

    function check_cover_isNeverReplacedByAnother(
        bytes32 one,
        bytes32 other,
        uint16 cells,
        uint16 otherCells,
        uint256 root,
        uint256 otherRoot
    ) external {
        if (one == other) return;
        bundles.hold(one, address(this), cells, 1);
        bundles.hold(other, address(this), otherCells, 1);
        bytes32 id = _register(one, root);
        bytes32 before = keccak256(abi.encode(bundles.coverOf(id)));
        assert(_register(other, otherRoot) != id);
        assert(keccak256(abi.encode(bundles.coverOf(id))) == before);
        assert(bundles.dutyOf(one, type(uint32).max) == id);
    }

    function check_cover_keepsTheCellsAndTheOperatorThatItWasRegisteredWith(
        bytes32 bundleId,
        uint16 cells,
        uint256 root
    ) external {
        bundles.hold(bundleId, address(this), cells, 1);
        IBundleRegistry.Cover memory cover = bundles.coverOf(_register(bundleId, root));
        assert(cover.operator == address(this));
        assert(cover.root == root);
        assert(cover.cellsHash == keccak256(abi.encodePacked(cells)));
        assert(cover.since == 8);
    }

    function _register(bytes32 bundleId, uint256 root) private returns (bytes32) {
        bytes32[] memory ids = new bytes32[](1);
        ids[0] = bundleId;
        uint256[8] memory proof;
        return bundles.registerCover(ids, root, proof);
    }
}

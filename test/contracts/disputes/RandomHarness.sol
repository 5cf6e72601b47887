// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ExponentialTables} from "../../../contracts/disputes/ExponentialTables.sol";
import {Initializer} from "./Initializer.sol";
import {KeyedPermutation} from "../../../contracts/disputes/KeyedPermutation.sol";
import {Philox} from "../../../contracts/disputes/Philox.sol";
import {SampleOrder} from "../../../contracts/disputes/SampleOrder.sol";

/// @notice Randomness, orders and tables by themselves.
contract RandomHarness {
    function tablesDigest() external pure returns (bytes32) {
        return ExponentialTables.digest();
    }

    function philox(
        uint64 key,
        uint32[4] calldata counter
    ) external pure returns (uint256, uint256, uint256, uint256) {
        return Philox.block4(key, counter[0], counter[1], counter[2], counter[3]);
    }

    function permute(
        bytes32 seed,
        uint256 domain,
        uint256 round,
        uint256 size,
        uint256[] calldata points
    ) external pure returns (uint256[] memory images) {
        images = new uint256[](points.length);
        for (uint256 i = 0; i < points.length; ++i) {
            images[i] = KeyedPermutation.imageOf(seed, domain, round, size, points[i]);
        }
    }

    function objectsAt(
        SampleOrder.Order calldata order,
        uint256[3][] calldata places
    ) external pure returns (uint256[] memory objects) {
        objects = new uint256[](places.length);
        for (uint256 i = 0; i < places.length; ++i) {
            objects[i] = SampleOrder.objectAt(order, places[i][0], places[i][1], places[i][2]);
        }
    }

    function initialize(
        bytes32 seed,
        uint256 slot,
        uint256 fanIn,
        uint256[] calldata indices
    ) external pure returns (int256[] memory mantissas) {
        mantissas = new int256[](indices.length);
        for (uint256 i = 0; i < indices.length; ++i) {
            mantissas[i] = Initializer.valueAt(seed, slot, indices[i], Initializer.boundOf(fanIn));
        }
    }
}

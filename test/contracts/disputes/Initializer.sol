// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Philox} from "../../../contracts/disputes/Philox.sol";

/// @title First values of a state's slots
/// @notice docs/exact-ops.md section 3, "Initialise".
library Initializer {
    /// @notice ⌊√(2^56 / fanIn)⌋: ±1/√fanIn in units of a weight.
    function boundOf(uint256 fanIn) internal pure returns (uint256) {
        return Math.sqrt(2 ** 56 / fanIn);
    }

    /// @notice Element `index` (row-major) of slot `slot`, uniform within ±bound.
    function valueAt(
        bytes32 seed,
        uint256 slot,
        uint256 index,
        uint256 bound
    ) internal pure returns (int256) {
        uint64 key = Philox.keyOf(seed, Philox.INITIALIZE);
        (uint256 high, uint256 low) = Philox.draw(key, uint32(index), index >> 32, slot, 0);
        return int256((((high << 32) | low) * (2 * bound + 1)) >> 64) - int256(bound);
    }
}

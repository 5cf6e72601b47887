// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IPlacementPolicy} from "../../../contracts/storage/interfaces/IPlacementPolicy.sol";

/// @notice Admits one operator.
contract PolicyDouble is IPlacementPolicy {
    address private immutable _admitted;

    constructor(address admitted) {
        _admitted = admitted;
    }

    function check(bytes32, uint32, address operator) external view override returns (bool) {
        return operator == _admitted;
    }
}

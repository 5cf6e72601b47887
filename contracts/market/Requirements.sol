// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Bid, Conditions} from "../jobs/interfaces/Orders.sol";
import {IMarket} from "./interfaces/IMarket.sol";

/// @notice The part of an order's conditions that a bid answers.
struct Required {
    uint128 maximumPrice;
    uint32 minimumCompute;
    uint64 regions;
    uint64 regulations;
    uint8 privacyTier;
}

/// @title What a bid must meet
library Requirements {
    function requiredBy(Conditions calldata conditions) internal pure returns (Required memory) {
        return
            Required(
                conditions.maximumPrice,
                conditions.minimumCompute,
                conditions.regions,
                conditions.regulations,
                conditions.privacyTier
            );
    }

    function requireMetBy(Required memory required, Bid calldata bid) internal pure {
        if (bid.price > required.maximumPrice) revert IMarket.UnmetCondition("price");
        if (bid.compute < required.minimumCompute) revert IMarket.UnmetCondition("compute");
        if (!_isWithin(bid.region, required.regions)) revert IMarket.UnmetCondition("region");
        if (bid.regulations & required.regulations != required.regulations) {
            revert IMarket.UnmetCondition("regulations");
        }
        if (bid.privacyTier < required.privacyTier) revert IMarket.UnmetCondition("privacy");
    }

    /// @dev Who claims to be in two places at once is in neither.
    function _isWithin(uint64 region, uint64 regions) private pure returns (bool) {
        if (regions == 0) return true;
        return region & regions != 0 && region & (region - 1) == 0;
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IRandomnessBeacon} from "./IRandomnessBeacon.sol";

/// @title Randomness from Chainlink VRF v2.5
/// @notice `raw` is the random word that the coordinator has verified.
interface IVrfBeacon is IRandomnessBeacon {
    struct Request {
        /// When the coordinator was last asked.
        uint64 askedAt;
        /// When its answer came; 0 until then.
        uint64 readyAt;
        /// The coordinator's id of the request that counts; answers to earlier ones are ignored.
        uint256 vrfRequestId;
        bytes32 raw;
    }

    /// @notice Thrown when the constructor's redraw delay is zero or above 30 days.
    error InvalidConfiguration();

    /// @notice State of a request.
    function requestOf(uint256 requestId) external view returns (Request memory);
}

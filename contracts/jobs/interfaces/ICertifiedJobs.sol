// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Certificate} from "./IModelCertificate.sol";

/// @title What a certificate asks of the registry of jobs
interface ICertifiedJobs {
    /// @notice What re-verifies the model of a finalised job; all zeros for any other.
    function certificateOf(uint256 jobId) external view returns (Certificate memory);
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {DisputeTerms} from "../../disputes/interfaces/IDisputedClaims.sol";
import {JobStatus} from "../../disputes/interfaces/IDisputeGame.sol";

/// @title What a committee reads of the dispute game
/// @notice The game's record of a job: Convicted with an interval, or Released when the job ended without.
interface IConvictions {
    function jobs(
        uint256 jobId
    )
        external
        view
        returns (
            address provider,
            JobStatus status,
            uint48 rewardAfter,
            DisputeTerms memory terms,
            uint96 bond,
            uint64 unitsDue,
            uint32 open,
            uint32 opened,
            uint32 convictedInterval,
            uint64 paidPrice,
            uint96 winner
        );
}

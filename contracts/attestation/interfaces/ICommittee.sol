// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice How a committee stands to a job.
enum Verdict {
    /// No committee was asked for, or it still works.
    Pending,
    /// At least `threshold` members have attested.
    Attested,
    /// It was drawn as often as it may be, and did not attest: the job goes on without it.
    Silent
}

/// @title What the registry of jobs asks of a committee
interface ICommittee {
    /// @notice Draws a committee for a committed job. The registry alone.
    /// @param intervals of the trace, each of which is a member's to check or nobody's
    /// @param feePerInterval tokens from the job's purse of fees
    function open(
        uint256 jobId,
        address provider,
        uint256 intervals,
        uint8 size,
        uint8 threshold,
        uint128 feePerInterval
    ) external;

    /// @notice The job has failed or is void: nothing is owed any more. The registry alone.
    function close(uint256 jobId) external;

    /// @notice How the committee of a job stands to it.
    function verdictOf(uint256 jobId) external view returns (Verdict);

    /// @notice Most that the members of a job's committees can earn: the fees of those that attest, and what those are
    /// paid that were there in draws of which nothing came.
    function feesFor(uint256 intervals, uint8 size, uint128 feePerInterval) external view returns (uint256);
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title What a committee asks of the registry of jobs
interface IAttestedJobs {
    /// @notice The committee has attested.
    function onAttested(uint256 jobId) external;

    /// @notice The provider did not open what the committee asked for. Nobody is its reporter: it could report itself.
    function onWithheld(uint256 jobId) external;

    /// @notice Whether a job's provider has locked it, and it has not ended.
    function isRunning(uint256 jobId) external view returns (bool);

    /// @notice What a committee attests to: the trace, and how many leaves it has.
    function traceOf(uint256 jobId) external view returns (bytes32 traceRoot, uint256 leaves);

    /// @notice Last second in which a challenge of a committed job was, or is, taken; also when the job is over.
    function challengeUntilOf(uint256 jobId) external view returns (uint256);
}

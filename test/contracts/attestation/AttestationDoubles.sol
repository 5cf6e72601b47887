// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IAttestedJobs} from "../../../contracts/attestation/interfaces/IAttestedJobs.sol";
import {ICommittee} from "../../../contracts/attestation/interfaces/ICommittee.sol";
import {IEscrow} from "../../../contracts/jobs/interfaces/IEscrow.sol";

/// @notice A registry of jobs that knows a trace for each, and notes what the committee tells it.
contract AttestedJobsDouble is IAttestedJobs {
    struct Told {
        bytes32 traceRoot;
        uint256 leaves;
        uint64 challengeUntil;
        uint32 attested;
        uint32 withheld;
        bool isOver;
    }

    error NotTheCommittee(address caller);

    ICommittee public committee;
    mapping(uint256 jobId => Told) public told;

    function setCommittee(ICommittee committee_) external {
        committee = committee_;
    }

    function commit(uint256 jobId, bytes32 traceRoot, uint256 leaves, uint64 challengeUntil) external {
        (told[jobId].traceRoot, told[jobId].leaves) = (traceRoot, leaves);
        told[jobId].challengeUntil = challengeUntil;
    }

    function open(
        uint256 jobId,
        address provider,
        uint256 intervals,
        uint8 size,
        uint8 threshold,
        uint128 fee
    ) external {
        committee.open(jobId, provider, intervals, size, threshold, fee);
    }

    /// @dev As a registry does that was told of an end: its settlement comes later.
    function end(uint256 jobId) external {
        told[jobId].isOver = true;
    }

    function close(uint256 jobId) external {
        told[jobId].isOver = true;
        committee.close(jobId);
    }

    function onAttested(uint256 jobId) external {
        if (msg.sender != address(committee)) revert NotTheCommittee(msg.sender);
        ++told[jobId].attested;
    }

    /// @dev The committee has closed itself.
    function onWithheld(uint256 jobId) external {
        if (msg.sender != address(committee)) revert NotTheCommittee(msg.sender);
        ++told[jobId].withheld;
        told[jobId].isOver = true;
    }

    function isRunning(uint256 jobId) external view returns (bool) {
        return told[jobId].traceRoot != bytes32(0) && !told[jobId].isOver;
    }

    function traceOf(uint256 jobId) external view returns (bytes32 traceRoot, uint256 leaves) {
        return (told[jobId].traceRoot, told[jobId].leaves);
    }

    function challengeUntilOf(uint256 jobId) external view returns (uint256) {
        return told[jobId].challengeUntil;
    }
}

/// @notice The committees' purse of an escrow.
contract FeesDouble {
    mapping(uint256 jobId => uint256) public purse;
    mapping(uint256 jobId => mapping(address member => uint256)) public paid;

    function fund(uint256 jobId, uint256 fees) external {
        purse[jobId] += fees;
    }

    function payFee(uint256 jobId, address to, uint256 amount) external {
        if (amount > purse[jobId]) revert IEscrow.InsufficientFunds(jobId, amount, purse[jobId]);
        purse[jobId] -= amount;
        paid[jobId][to] += amount;
        emit IEscrow.FeePaid(jobId, to, amount);
    }
}

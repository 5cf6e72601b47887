// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IAttestedJobs} from "../../../contracts/attestation/interfaces/IAttestedJobs.sol";
import {ICommittee, Verdict} from "../../../contracts/attestation/interfaces/ICommittee.sol";
import {TrainingClaim} from "../../../contracts/disputes/interfaces/IDisputedClaims.sol";
import {IVoidRules} from "../../../contracts/disputes/interfaces/IDisputeRules.sol";
import {IEscrow} from "../../../contracts/jobs/interfaces/IEscrow.sol";
import {IDatasetRegistry} from "../../../contracts/storage/interfaces/IDatasetRegistry.sol";

/// @notice Datasets that are whatever they are told to be.
contract DatasetsDouble {
    uint64 public immutable genesis = uint64(block.timestamp);
    uint32 public constant epochLength = 1 days;
    mapping(bytes32 id => bool) public isOver;
    mapping(bytes32 id => IDatasetRegistry.Dataset) private _datasets;

    function set(bytes32 id, IDatasetRegistry.Dataset calldata dataset) external {
        _datasets[id] = dataset;
    }

    function end(bytes32 id) external {
        isOver[id] = true;
    }

    function datasetOf(bytes32 id) external view returns (IDatasetRegistry.Dataset memory) {
        return _datasets[id];
    }

    function currentEpoch() external view returns (uint32) {
        return uint32((block.timestamp - genesis) / epochLength);
    }

    function heldIn(bytes32 id, uint256) external view returns (uint256) {
        IDatasetRegistry.Dataset storage dataset = _datasets[id];
        return dataset.shortSegments == 0 ? dataset.shape.k : 0;
    }

    function wasHeld(bytes32 datasetId) external view returns (bool) {
        return _datasets[datasetId].shortSegments == 0;
    }

    function availabilityOf(
        bytes32 id
    ) external view returns (bool isRetrievable, uint16 shortSegments, uint40 filledAt) {
        IDatasetRegistry.Dataset storage dataset = _datasets[id];
        (shortSegments, filledAt) = (dataset.shortSegments, dataset.filledAt);
        bool isPaid =
            dataset.status == IDatasetRegistry.Status.Active &&
                (block.timestamp - genesis) / epochLength < dataset.endEpoch;
        isRetrievable = isPaid && shortSegments == 0;
    }
}

/// @notice Retrieval challenges that nobody has made, unless it is told of one.
contract RetrievalDouble {
    mapping(bytes32 datasetId => uint256) public askedSince;
    mapping(bytes32 datasetId => uint256) public failedAt;

    function ask(bytes32 datasetId) external {
        askedSince[datasetId] = block.timestamp;
    }

    function answer(bytes32 datasetId) external {
        delete askedSince[datasetId];
    }

    function fail(bytes32 datasetId) external {
        failedAt[datasetId] = block.timestamp;
    }

    function deadlines() external pure returns (uint32 window, uint32 grace) {
        return (6 hours, 1 hours);
    }
}

/// @notice A committee that says what it is told, and notes what it is asked.
contract CommitteeDouble is ICommittee {
    struct Asked {
        address provider;
        uint256 intervals;
        uint8 size;
        uint8 threshold;
        uint128 fee;
        uint256 opened;
        uint256 closed;
    }

    error Broken();

    bool public isBroken;
    mapping(uint256 jobId => Asked) public asked;
    mapping(uint256 jobId => Verdict) public verdictOf;

    function breakDown(bool isBroken_) external {
        isBroken = isBroken_;
    }

    function decide(uint256 jobId, Verdict verdict) external {
        verdictOf[jobId] = verdict;
    }

    function attest(IAttestedJobs jobs, uint256 jobId) external {
        verdictOf[jobId] = Verdict.Attested;
        jobs.onAttested(jobId);
    }

    function payAll(IEscrow escrow, uint256 jobId, address member) external {
        (, uint256 fees) = escrow.pursesOf(jobId);
        escrow.payFee(jobId, member, fees);
    }

    function withhold(IAttestedJobs jobs, uint256 jobId) external {
        jobs.onWithheld(jobId);
    }

    function open(
        uint256 jobId,
        address provider,
        uint256 intervals,
        uint8 size,
        uint8 threshold,
        uint128 fee
    ) external {
        uint256 opened = asked[jobId].opened + 1;
        asked[jobId] = Asked(provider, intervals, size, threshold, fee, opened, 0);
    }

    function close(uint256 jobId) external {
        if (isBroken) revert Broken();
        ++asked[jobId].closed;
    }

    /// @dev Two of three intervals for each member.
    function feesFor(uint256 intervals, uint8 size, uint128 fee) external pure returns (uint256) {
        return (2 * intervals * size * fee) / 3;
    }
}

/// @notice Holds every program for void, or none.
contract VoidDouble is IVoidRules {
    function isVoid(
        TrainingClaim calldata,
        uint256,
        uint256 index,
        bytes calldata,
        bytes32[] calldata
    ) external pure returns (bool) {
        return index == 1;
    }
}

/// @notice A provider that takes neither tokens nor coins, and a consumer that takes no certificate.
contract Deaf {
    error Refused();

    receive() external payable {
        revert Refused();
    }

    function call(address target, bytes calldata data) external payable returns (bytes memory) {
        (bool ok, bytes memory result) = target.call{value: msg.value}(data);
        if (!ok) {
            assembly ("memory-safe") {
                revert(add(result, 32), mload(result))
            }
        }
        return result;
    }
}

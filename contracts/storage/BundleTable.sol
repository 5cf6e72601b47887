// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Credits} from "../libraries/Credits.sol";
import {IStaking} from "../staking/interfaces/IStaking.sol";
import {IVerifierRegistry} from "../zk/interfaces/IVerifierRegistry.sol";
import {IBundleRegistry} from "./interfaces/IBundleRegistry.sol";
import {IDatasetRegistry} from "./interfaces/IDatasetRegistry.sol";
import {IRetrievalChallenges} from "./interfaces/IRetrievalChallenges.sol";
import {IStorageAudit} from "./interfaces/IStorageAudit.sol";

/// @title What is kept of bundles, their holders and their covers, and how it is read
abstract contract BundleTable is IBundleRegistry, AccessManaged, Credits, ReentrancyGuardTransient {
    /// @dev One word beside the two roots: an audit reads two slots.
    struct Record {
        address operator;
        /// While nobody holds the bundle: the first epoch after it became free.
        uint32 since;
        /// Epochs from `since` on that the operator has agreed to (≤ MAX_TERM).
        uint16 term;
        uint16 cells;
        uint16 bundleIndex;
        uint8 covers;
        uint8 tenure;
        uint256 poseidonRoot;
        bytes32 datasetId;
    }

    /// @dev An operator's place in a segment.
    struct Seat {
        bool taken;
        /// Receipts that expire at this time or earlier are void.
        uint64 floor;
    }

    IDatasetRegistry public immutable datasets;
    IStaking public immutable staking;
    IVerifierRegistry public immutable verifier;
    /// @notice Hash of the registration circuit's verifying key.
    bytes32 public immutable registrationKey;
    /// @notice Hash of the possession circuit's verifying key.
    bytes32 public immutable possessionKey;
    /// @inheritdoc IBundleRegistry
    uint32 public immutable override exclusiveEpochs;
    /// @notice The audit module: it settles fees before a holding ends.
    IStorageAudit public audit;
    /// @notice The module of retrieval challenges: a bundle is not given up while one is open.
    IRetrievalChallenges public retrieval;

    mapping(bytes32 bundleId => Record) internal _records;
    mapping(bytes32 bundleId => mapping(uint256 number => bytes32)) internal _coverIds;
    mapping(bytes32 coverId => Cover) internal _covers;
    mapping(bytes32 bundleId => uint256) internal _bounties;
    mapping(bytes32 datasetId => mapping(uint256 segment => mapping(address => Seat))) internal _seats;

    constructor(
        address authority,
        IERC20 token_,
        IDatasetRegistry datasets_,
        IStaking staking_,
        IVerifierRegistry verifier_,
        bytes32 registrationKey_,
        bytes32 possessionKey_,
        uint32 exclusiveEpochs_
    ) AccessManaged(authority) Credits(token_) {
        datasets = datasets_;
        staking = staking_;
        verifier = verifier_;
        registrationKey = registrationKey_;
        possessionKey = possessionKey_;
        exclusiveEpochs = exclusiveEpochs_;
    }

    /// @inheritdoc IBundleRegistry
    function holdingOf(bytes32 bundleId) external view override returns (Holding memory holding) {
        Record storage record = _records[bundleId];
        holding.operator = record.operator;
        holding.tenure = record.tenure;
        if (record.operator == address(0)) return holding;
        holding.since = record.since;
        holding.until = record.since + record.term;
        holding.cells = record.cells;
        holding.bundleIndex = record.bundleIndex;
        holding.datasetId = record.datasetId;
        holding.poseidonRoot = record.poseidonRoot;
        if (record.covers != 0) {
            holding.coverId = _coverIds[bundleId][record.covers - 1];
            holding.coverSince = _covers[holding.coverId].since;
        }
    }

    /// @inheritdoc IBundleRegistry
    function dutyTermsOf(
        bytes32 bundleId
    ) external view override returns (address operator, uint32 since, uint16 cells, uint256 poseidonRoot) {
        Record storage record = _records[bundleId];
        return (record.operator, record.since, record.cells, record.poseidonRoot);
    }

    /// @inheritdoc IBundleRegistry
    function bountyOf(bytes32 bundleId) external view override returns (uint256) {
        return _bounties[bundleId];
    }

    /// @inheritdoc IBundleRegistry
    function creditOf(address account) external view override returns (uint256) {
        return _creditOf(account);
    }

    /// @inheritdoc IBundleRegistry
    function receiptFloorOf(
        bytes32 datasetId,
        uint256 segment,
        address operator
    ) external view override returns (uint64) {
        return _seats[datasetId][segment][operator].floor;
    }

    /// @inheritdoc IBundleRegistry
    function bundleIdOf(bytes32 datasetId, uint32 bundleIndex) public pure override returns (bytes32) {
        return keccak256(abi.encode(datasetId, bundleIndex));
    }

    function _held(bytes32 bundleId) internal view returns (Record storage record) {
        record = _records[bundleId];
        if (record.operator == address(0)) revert NotHeld(bundleId);
    }
}

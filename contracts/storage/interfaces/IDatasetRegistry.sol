// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Append-only anchors of datasets, with the uploader's bond and the fees that pay the audits
/// INV-1: Σ bond + Σ feeBalance + Σ credits == token.balanceOf(this)
/// INV-2: an anchor's committed fields never change
interface IDatasetRegistry {
    enum Status {
        None,
        Active,
        /// Encoding fraud was proven: the bond is gone, duties end.
        Fraudulent,
        /// Closed by its owner after its paid epochs.
        Closed
    }

    struct Shape {
        uint64 objectCount;
        uint32 objectSize;
        /// Objects per full segment.
        uint32 segmentObjects;
        uint8 k;
        uint8 n;
        bool encrypted;
    }

    struct AnchorParameters {
        bytes32 manifestHash;
        /// SHA-256 digest of the manifest: its CIDv1 (raw) follows from it.
        bytes32 manifestDigest;
        bytes32 objectRoot;
        Shape shape;
        /// Dataset this one is the next version of, or 0. Must belong to the same owner and have no successor yet.
        bytes32 previous;
        /// Fee per bundle and answered audit.
        uint96 feePerAudit;
        /// Epochs paid in advance, from the next one.
        uint32 epochs;
    }

    /// @dev Parameters in force are copied here at anchoring: later changes do not alter a dataset.
    struct Dataset {
        address owner;
        Status status;
        Shape shape;
        bytes32 manifestHash;
        bytes32 objectRoot;
        bytes32 bundlesRoot;
        bytes32 previous;
        uint96 bond;
        uint96 feePerAudit;
        /// Stake an operator locks per bundle.
        uint96 bundleStake;
        /// Part of `bundleStake` lost for a missed audit, and for a surrender.
        uint96 missPenalty;
        uint96 surrenderPenalty;
        uint96 feeBalance;
        uint32 firstEpoch;
        /// First epoch that is not paid any more.
        uint32 endEpoch;
        uint32 bundles;
    }

    event DatasetAnchored(
        bytes32 indexed datasetId,
        address indexed owner,
        bytes32 indexed previous,
        bytes32 manifestHash,
        bytes32 manifestDigest,
        bytes32 objectRoot,
        bytes32 bundlesRoot,
        Shape shape
    );
    event BundleRoots(bytes32 indexed datasetId, bytes32[] poseidonRoots, bytes32[] transportRoots);
    event FeesAdded(bytes32 indexed datasetId, address indexed from, uint256 amount, uint32 endEpoch);
    event FeePaid(bytes32 indexed datasetId, address indexed operator, uint256 amount);
    event BondSlashed(bytes32 indexed datasetId, address indexed claimant, uint256 amount, uint256 burnt);
    event DatasetClosed(bytes32 indexed datasetId, uint256 bondReturned, uint256 feesReturned);
    event CreditWithdrawn(address indexed account, address indexed to, uint256 amount);

    /// @notice Anchors a dataset of the caller; pulls bond and fees. The bundles root is computed here from the lists
    /// (in bundle order), so that the roots are available to everyone.
    function anchor(
        AnchorParameters calldata parameters,
        bytes32[] calldata poseidonRoots,
        bytes32[] calldata transportRoots
    ) external returns (bytes32 datasetId);

    /// @notice As `anchor`, with an ERC-2612 permit for bond and fees in the same transaction.
    function anchorWithPermit(
        AnchorParameters calldata parameters,
        bytes32[] calldata poseidonRoots,
        bytes32[] calldata transportRoots,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external returns (bytes32 datasetId);

    /// @notice What anchoring takes from the owner: bond and fees.
    function quote(Shape calldata shape, uint96 feePerAudit, uint32 epochs)
        external
        view
        returns (uint256 bond, uint256 fees);

    /// @notice Pays for more epochs; anyone may.
    function addEpochs(bytes32 datasetId, uint32 epochs) external;

    /// @notice After the last paid epoch and its deadlines: returns bond and unspent fees to the owner.
    function close(bytes32 datasetId) external;

    function withdrawCredit(address to) external returns (uint256 amount);

    /// @notice Credits an operator from the dataset's fees. Only the audit module.
    function payFee(bytes32 datasetId, address operator, uint256 amount) external;

    /// @notice Takes the bond: half to the claimant, half burnt. Only the fraud module.
    function markFraudulent(bytes32 datasetId, address claimant) external;

    function datasetOf(bytes32 datasetId) external view returns (Dataset memory);

    function successorOf(bytes32 datasetId) external view returns (bytes32);

    function idOf(address owner, bytes32 manifestHash) external view returns (bytes32);

    /// @notice Cells of a bundle, from the anchored shape.
    function cellsOf(bytes32 datasetId, uint32 bundleIndex) external view returns (uint256);
}

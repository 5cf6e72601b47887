// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Append-only anchors of datasets, with the uploader's bond and the fees that pay the audits
/// INV-1: Σ bond + Σ feeBalance + Σ credits == token.balanceOf(this), tokens sent here unasked aside
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
        /// The id under which storage nodes have signed. It is recomputed from the rest, with the parameters in force.
        bytes32 datasetId;
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
        uint16 bundles;
        /// Bundles that an operator holds at present.
        uint16 held;
        /// Segments of which fewer than k bundles are held: they cannot be read.
        uint16 shortSegments;
        /// When a bundle was last placed, or the dataset last resumed (seconds since 1970).
        uint40 filledAt;
        Shape shape;
        bytes32 manifestHash;
        bytes32 objectRoot;
        bytes32 bundlesRoot;
        bytes32 previous;
        uint96 bond;
        /// Stake an operator locks per bundle.
        uint96 bundleStake;
        uint32 firstEpoch;
        /// First epoch that is not paid any more.
        uint32 endEpoch;
        /// Part of `bundleStake` lost for a missed audit, and for a surrender.
        uint96 missPenalty;
        uint96 surrenderPenalty;
        /// First epoch that was not paid for at anchoring. Whoever holds a bundle has agreed to every epoch before it,
        /// and to those that were added (`addEpochs`) only if it says so.
        uint32 agreedEnd;
        uint96 feePerAudit;
        uint96 feeBalance;
        /// Placement policy (IPlacementPolicy), or 0: the uploader's proposal stands.
        address policy;
    }

    /// @dev What new datasets take over.
    struct Parameters {
        uint96 bondPerBundle;
        uint96 bundleStake;
        uint96 missPenalty;
        uint96 surrenderPenalty;
        address policy;
    }

    /// @dev What an operator agrees to when it signs for a bundle, beside the manifest's words. The id of a dataset
    /// commits to it, so that terms are known, and cannot change, before the anchor exists.
    struct Terms {
        Shape shape;
        bytes32 objectRoot;
        /// Over the two roots of every bundle.
        bytes32 bundlesRoot;
        bytes32 previous;
        uint96 feePerAudit;
        uint32 epochs;
        Parameters parameters;
    }

    /// @notice Thrown when a shape breaks a limit: `value` of the named field must lie in [low, high].
    error InvalidShape(bytes32 field, uint256 value, uint256 low, uint256 high);
    /// @notice Thrown when a parameter is outside its hard bounds.
    error OutOfBounds(bytes32 parameter, uint256 value, uint256 low, uint256 high);
    /// @notice Thrown when the lists of roots do not have one entry per bundle.
    error WrongRootCount(uint256 poseidonRoots, uint256 transportRoots, uint256 bundles);
    /// @notice Thrown when a possession root is no element of the proofs' scalar field.
    error RootNotInField(uint256 bundleIndex, bytes32 root);
    /// @notice Thrown when the id that storage nodes have signed for is not that of what is anchored: it was another
    /// owner's, or the parameters have changed since.
    error TermsChanged(bytes32 expected, bytes32 datasetId);
    /// @notice Thrown when the same owner anchors the same manifest under the same terms twice.
    error AlreadyAnchored(bytes32 datasetId);
    /// @notice Thrown when there is no such dataset.
    error UnknownDataset(bytes32 datasetId);
    /// @notice Thrown when a dataset is not in the state that the call needs.
    error WrongStatus(bytes32 datasetId, Status status);
    /// @notice Thrown when someone else than the owner of a dataset makes a new version of it or closes it.
    error NotOwner(bytes32 datasetId, address owner, address caller);
    /// @notice Thrown when a dataset already has a next version: histories do not fork.
    error HasSuccessor(bytes32 datasetId, bytes32 successor);
    /// @notice Thrown when the paid epochs of a dataset are over and cannot be added to: its last deadline has passed,
    /// it has been resumed too short a time ago, or what is added ends before `next`, the coming epoch, does.
    error TermOver(bytes32 datasetId, uint32 endEpoch, uint32 next);
    /// @notice Thrown when a dataset is closed before the last deadline of its paid epochs.
    error StillRunning(bytes32 datasetId, uint64 closableAt);
    /// @notice Thrown when a dataset is closed while operators hold bundles of it: release them first.
    error StillHeld(bytes32 datasetId, uint32 held);
    /// @notice Thrown when more fees would be paid than a dataset has.
    error InsufficientFees(bytes32 datasetId, uint256 requested, uint256 available);

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
    event ParametersSet(Parameters parameters);

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
    function quote(
        Shape calldata shape,
        uint96 feePerAudit,
        uint32 epochs
    ) external view returns (uint256 bond, uint256 fees);

    /// @notice Pays for more epochs. Only its owner, whose bond stays bound for as long. Operators that hold bundles
    /// are bound up to the epoch that they have agreed to; from then on they may leave without a penalty.
    /// A dataset whose paid epochs have ended resumes as long as it is not over (`isOver`), and no earlier gap is
    /// younger than `closeDelay`: epochs count from its end, a coming one must be among them, and for those gone by
    /// nobody can be slashed.
    /// @param epochs number of epochs, from the end of those paid for
    function addEpochs(bytes32 datasetId, uint32 epochs) external;

    /// @notice After the last paid epoch and its deadlines, and with all bundles released: returns bond and unspent
    /// fees to the owner. A fraudulent dataset's unspent fees return the same way, at once.
    function close(bytes32 datasetId) external;

    /// @notice Pays out what the caller has been credited: fees, bonds, rewards of claimants.
    function withdrawCredit(address to) external returns (uint256 amount);

    /// @notice Sends what was burnt to the burn sink. Anyone may call it.
    function flushBurn() external returns (uint256 amount);

    /// @notice Credits an operator from the dataset's fees. Only the audit module.
    function payFee(bytes32 datasetId, address operator, uint256 amount) external;

    /// @notice Takes the bond: half to the claimant, half burnt, and ends all duties. Only the fraud module.
    function markFraudulent(bytes32 datasetId, address claimant) external;

    /// @notice Counts bundles of a segment that were taken. Only the bundle registry.
    function addHeld(bytes32 datasetId, uint256 segment, uint16 count) external;

    /// @notice Counts a bundle of a segment that was given back. Only the bundle registry.
    function removeHeld(bytes32 datasetId, uint256 segment) external;

    /// @notice Sets what new datasets take over, within hard bounds. Only AccessManager.
    function setParameters(Parameters calldata parameters) external;

    function datasetOf(bytes32 datasetId) external view returns (Dataset memory);

    /// @notice The part of a dataset that audits need: its state, its paid epochs and what an answer earns.
    function termsOf(
        bytes32 datasetId
    ) external view returns (Status status, uint32 endEpoch, uint96 feePerAudit);

    /// @notice Whether somebody has to hold enough of a dataset to read it.
    /// @return isRetrievable whether it is active, the present epoch is paid for, and no segment is short
    /// @return shortSegments segments of which fewer than k bundles are held
    /// @return filledAt when a bundle was last placed, or the dataset resumed
    function availabilityOf(
        bytes32 datasetId
    ) external view returns (bool isRetrievable, uint16 shortSegments, uint40 filledAt);

    /// @notice Whether each segment had holders of k of its bundles at some time since the anchor: holders that have
    /// left since then do not undo that it was stored.
    function wasHeld(bytes32 datasetId) external view returns (bool);

    /// @notice Epochs in which nobody was asked because they were paid for afterwards: the latest ones, [from, to).
    /// Both are 0 when the dataset never resumed.
    function gapOf(bytes32 datasetId) external view returns (uint32 from, uint32 to);

    /// @notice Bundles of a segment that operators hold at present.
    function heldIn(bytes32 datasetId, uint256 segment) external view returns (uint256);

    function successorOf(bytes32 datasetId) external view returns (bytes32);

    /// @notice `keccak256(abi.encode(chainId, registry, owner, manifestHash, keccak256(abi.encode(terms))))`. The owner
    /// in it makes a copied call another dataset's.
    function idOf(address owner, bytes32 manifestHash, Terms calldata terms) external view returns (bytes32);

    /// @notice Cells of a bundle, from the anchored shape.
    function cellsOf(bytes32 datasetId, uint32 bundleIndex) external view returns (uint256);

    /// @notice When every deadline of the epochs before `endEpoch` has passed.
    function settledAt(uint32 endEpoch) external view returns (uint64);

    /// @notice Whether the duties of a dataset's holders are over: fraudulent, closed, or past its last deadline.
    function isOver(bytes32 datasetId) external view returns (bool);

    /// @notice ⌊(now − genesis) / epochLength⌋
    function currentEpoch() external view returns (uint32);

    function genesis() external view returns (uint64);

    function epochLength() external view returns (uint32);

    /// @notice Seconds after an epoch by which all its deadlines have passed.
    function closeDelay() external view returns (uint64);

    function parameters() external view returns (Parameters memory);

    function creditOf(address account) external view returns (uint256);
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {BN254} from "../libraries/BN254.sol";
import {Credits} from "../libraries/Credits.sol";
import {ExactTransfer} from "../libraries/ExactTransfer.sol";
import {MerkleProofs} from "../libraries/MerkleProofs.sol";
import {StorageMath} from "../libraries/StorageMath.sol";
import {HeldBundles} from "./HeldBundles.sol";
import {IDatasetRegistry} from "./interfaces/IDatasetRegistry.sol";
import {Limits} from "./Limits.sol";
import {ResumedTerms} from "./ResumedTerms.sol";

/// @title Anchors of datasets, their bonds and their fees
/// @dev Also the clock of the storage contracts: epochs count from this contract's deployment. A fee can be paid at
/// most once per bundle and epoch, so that the fees paid in advance always suffice.
contract DatasetRegistry is HeldBundles, ResumedTerms, AccessManaged, Credits, ReentrancyGuardTransient {
    using ExactTransfer for IERC20;
    using StorageMath for Shape;

    /// @inheritdoc IDatasetRegistry
    uint64 public immutable override genesis;
    /// @inheritdoc IDatasetRegistry
    uint32 public immutable override epochLength;
    /// @inheritdoc IDatasetRegistry
    uint64 public immutable override closeDelay;

    Parameters private _parameters;
    mapping(bytes32 datasetId => Dataset) private _datasets;
    mapping(bytes32 datasetId => bytes32) private _successors;

    /// @param closeDelay_ bounds from above what `StorageAudit` and `RetrievalChallenges` may set as deadlines
    constructor(
        address authority,
        IERC20 token_,
        uint32 epochLength_,
        uint64 closeDelay_,
        Parameters memory parameters_
    ) AccessManaged(authority) Credits(token_) {
        _requireBounds("epochLength", epochLength_, Limits.MIN_EPOCH, Limits.MAX_EPOCH);
        _requireBounds("closeDelay", closeDelay_, 1, Limits.MAX_CLOSE_DELAY);
        genesis = uint64(block.timestamp);
        epochLength = epochLength_;
        closeDelay = closeDelay_;
        _setParameters(parameters_);
    }

    /// @inheritdoc IDatasetRegistry
    function anchor(
        AnchorParameters calldata anchored,
        bytes32[] calldata poseidonRoots,
        bytes32[] calldata transportRoots
    ) external override nonReentrant returns (bytes32 datasetId) {
        return _anchor(anchored, poseidonRoots, transportRoots);
    }

    /// @inheritdoc IDatasetRegistry
    function anchorWithPermit(
        AnchorParameters calldata anchored,
        bytes32[] calldata poseidonRoots,
        bytes32[] calldata transportRoots,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external override nonReentrant returns (bytes32 datasetId) {
        (uint256 bond, uint256 fees) = quote(anchored.shape, anchored.feePerAudit, anchored.epochs);
        // A permit that somebody else has already submitted has done its work; the transfer tells whether it has.
        // solhint-disable-next-line no-empty-blocks
        try
            IERC20Permit(address(token)).permit(msg.sender, address(this), bond + fees, deadline, v, r, s)
        {} catch {}
        return _anchor(anchored, poseidonRoots, transportRoots);
    }

    /// @inheritdoc IDatasetRegistry
    function addEpochs(bytes32 datasetId, uint32 epochs) external override nonReentrant {
        Dataset storage dataset = _active(datasetId);
        if (dataset.owner != msg.sender) revert NotOwner(datasetId, dataset.owner, msg.sender);
        uint32 end = dataset.endEpoch;
        uint32 next = currentEpoch() + 1;
        if (isOver(datasetId)) revert TermOver(datasetId, end, next);
        _requireBounds("epochs", epochs, 1, Limits.MAX_TERM - (end - dataset.firstEpoch));
        if (end < next) _resume(dataset, datasetId, next, end + epochs);
        uint256 amount = uint256(dataset.feePerAudit) * dataset.bundles * epochs;
        _requireBounds("fees", dataset.feeBalance + amount, 0, type(uint96).max);

        dataset.endEpoch = end + epochs;
        dataset.feeBalance += uint96(amount);
        emit FeesAdded(datasetId, msg.sender, amount, end + epochs);
        token.pullExact(msg.sender, amount);
    }

    /// @inheritdoc IDatasetRegistry
    function close(bytes32 datasetId) external override nonReentrant {
        Dataset storage dataset = _existing(datasetId);
        if (dataset.owner != msg.sender) revert NotOwner(datasetId, dataset.owner, msg.sender);
        if (dataset.status == Status.Closed) revert WrongStatus(datasetId, Status.Closed);
        if (!isOver(datasetId)) revert StillRunning(datasetId, settledAt(dataset.endEpoch));
        if (dataset.held != 0) revert StillHeld(datasetId, dataset.held);

        (uint96 bond, uint96 fees) = (dataset.bond, dataset.feeBalance);
        dataset.bond = 0;
        dataset.feeBalance = 0;
        // Fraud stays on record.
        if (dataset.status == Status.Active) dataset.status = Status.Closed;
        _credit(msg.sender, uint256(bond) + fees);
        emit DatasetClosed(datasetId, bond, fees);
    }

    /// @inheritdoc IDatasetRegistry
    function withdrawCredit(address to) external override nonReentrant returns (uint256 amount) {
        amount = _payOut(to);
        emit CreditWithdrawn(msg.sender, to, amount);
    }

    /// @inheritdoc IDatasetRegistry
    function flushBurn() external override nonReentrant returns (uint256) {
        return _flushBurn();
    }

    /// @inheritdoc IDatasetRegistry
    function payFee(bytes32 datasetId, address operator, uint256 amount) external override restricted {
        Dataset storage dataset = _existing(datasetId);
        uint96 balance = dataset.feeBalance;
        if (amount > balance) revert InsufficientFees(datasetId, amount, balance);
        dataset.feeBalance = balance - uint96(amount);
        _credit(operator, amount);
        emit FeePaid(datasetId, operator, amount);
    }

    /// @inheritdoc IDatasetRegistry
    function markFraudulent(bytes32 datasetId, address claimant) external override restricted {
        Dataset storage dataset = _active(datasetId);
        uint96 bond = dataset.bond;
        dataset.bond = 0;
        dataset.status = Status.Fraudulent;
        // Answers up to the present epoch still earn; nothing is asked for afterwards.
        uint32 next = currentEpoch() + 1;
        if (next < dataset.endEpoch) dataset.endEpoch = next;
        // Rounds down: the burn gets the remainder.
        uint96 reward = bond / 2;
        _credit(claimant, reward);
        _burn(bond - reward);
        emit BondSlashed(datasetId, claimant, bond, bond - reward);
    }

    /// @inheritdoc IDatasetRegistry
    function addHeld(bytes32 datasetId, uint256 segment, uint16 count) external override restricted {
        _addHeld(_active(datasetId), datasetId, segment, count);
    }

    /// @inheritdoc IDatasetRegistry
    function removeHeld(bytes32 datasetId, uint256 segment) external override restricted {
        _removeHeld(_existing(datasetId), datasetId, segment);
    }

    /// @inheritdoc IDatasetRegistry
    function setParameters(Parameters calldata parameters_) external override restricted {
        _setParameters(parameters_);
    }

    /// @inheritdoc IDatasetRegistry
    function datasetOf(bytes32 datasetId) external view override returns (Dataset memory) {
        return _datasets[datasetId];
    }

    /// @inheritdoc IDatasetRegistry
    function termsOf(
        bytes32 datasetId
    ) external view override returns (Status status, uint32 endEpoch, uint96 feePerAudit) {
        Dataset storage dataset = _datasets[datasetId];
        return (dataset.status, dataset.endEpoch, dataset.feePerAudit);
    }

    /// @inheritdoc IDatasetRegistry
    function availabilityOf(
        bytes32 datasetId
    ) external view override returns (bool isRetrievable, uint16 shortSegments, uint40 filledAt) {
        Dataset storage dataset = _datasets[datasetId];
        (shortSegments, filledAt) = (dataset.shortSegments, dataset.filledAt);
        bool isPaid = dataset.status == Status.Active && currentEpoch() < dataset.endEpoch;
        isRetrievable = isPaid && shortSegments == 0;
    }

    /// @inheritdoc IDatasetRegistry
    function wasHeld(bytes32 datasetId) external view override returns (bool) {
        return _filledSegments(datasetId) == _existing(datasetId).shape.segments();
    }

    /// @inheritdoc IDatasetRegistry
    function successorOf(bytes32 datasetId) external view override returns (bytes32) {
        return _successors[datasetId];
    }

    /// @inheritdoc IDatasetRegistry
    function cellsOf(bytes32 datasetId, uint32 bundleIndex) external view override returns (uint256) {
        Dataset storage dataset = _existing(datasetId);
        if (bundleIndex >= dataset.bundles) {
            revert InvalidShape("bundleIndex", bundleIndex, 0, dataset.bundles - 1);
        }
        return dataset.shape.cells(bundleIndex / dataset.shape.n);
    }

    /// @inheritdoc IDatasetRegistry
    function parameters() external view override returns (Parameters memory) {
        return _parameters;
    }

    /// @inheritdoc IDatasetRegistry
    function creditOf(address account) external view override returns (uint256) {
        return _creditOf(account);
    }

    /// @inheritdoc IDatasetRegistry
    function quote(
        Shape calldata shape,
        uint96 feePerAudit,
        uint32 epochs
    ) public view override returns (uint256 bond, uint256 fees) {
        uint256 bundles = _bundlesOf(shape);
        bond = uint256(_parameters.bondPerBundle) * bundles;
        fees = uint256(feePerAudit) * bundles * epochs;
    }

    /// @inheritdoc IDatasetRegistry
    function isOver(bytes32 datasetId) public view override returns (bool) {
        Dataset storage dataset = _existing(datasetId);
        return dataset.status != Status.Active || block.timestamp >= settledAt(dataset.endEpoch);
    }

    /// @inheritdoc IDatasetRegistry
    function settledAt(
        uint32 endEpoch
    ) public view override(IDatasetRegistry, ResumedTerms) returns (uint64) {
        return genesis + uint64(endEpoch) * epochLength + closeDelay;
    }

    /// @inheritdoc IDatasetRegistry
    function idOf(
        address owner,
        bytes32 manifestHash,
        Terms memory terms
    ) public view override returns (bytes32) {
        return
            keccak256(
                abi.encode(block.chainid, address(this), owner, manifestHash, keccak256(abi.encode(terms)))
            );
    }

    /// @inheritdoc IDatasetRegistry
    function currentEpoch() public view override returns (uint32) {
        return uint32((block.timestamp - genesis) / epochLength);
    }

    function _anchor(
        AnchorParameters calldata anchored,
        bytes32[] calldata poseidonRoots,
        bytes32[] calldata transportRoots
    ) private returns (bytes32 datasetId) {
        (uint256 bond, uint256 fees) = quote(anchored.shape, anchored.feePerAudit, anchored.epochs);
        _requireBounds("epochs", anchored.epochs, 1, Limits.MAX_TERM);
        _requireBounds("feePerAudit", anchored.feePerAudit, 0, Limits.MAX_AMOUNT);
        _requireBounds("fees", fees, 0, type(uint96).max);
        uint256 bundles = _bundlesOf(anchored.shape);
        bytes32 bundlesRoot = _bundlesRoot(poseidonRoots, transportRoots, bundles);
        datasetId = _requireTerms(anchored, bundlesRoot);
        if (_datasets[datasetId].status != Status.None) revert AlreadyAnchored(datasetId);
        _linkVersion(anchored.previous, datasetId);

        Dataset storage dataset = _datasets[datasetId];
        dataset.bundles = uint16(bundles);
        dataset.shortSegments = uint16(anchored.shape.segments());
        dataset.bundlesRoot = bundlesRoot;
        dataset.owner = msg.sender;
        dataset.status = Status.Active;
        dataset.shape = anchored.shape;
        dataset.manifestHash = anchored.manifestHash;
        dataset.objectRoot = anchored.objectRoot;
        dataset.previous = anchored.previous;
        _copyTerms(dataset, anchored, uint96(bond), uint96(fees));

        _announce(datasetId, anchored, bundlesRoot);
        emit BundleRoots(datasetId, poseidonRoots, transportRoots);
        emit FeesAdded(datasetId, msg.sender, fees, dataset.endEpoch);
        token.pullExact(msg.sender, bond + fees);
    }

    function _announce(bytes32 datasetId, AnchorParameters calldata anchored, bytes32 bundlesRoot) private {
        emit DatasetAnchored(
            datasetId,
            msg.sender,
            anchored.previous,
            anchored.manifestHash,
            anchored.manifestDigest,
            anchored.objectRoot,
            bundlesRoot,
            anchored.shape
        );
    }

    function _copyTerms(
        Dataset storage dataset,
        AnchorParameters calldata anchored,
        uint96 bond,
        uint96 fees
    ) private {
        Parameters memory inForce = _parameters;
        uint32 first = currentEpoch() + 1;
        dataset.bond = bond;
        dataset.bundleStake = inForce.bundleStake;
        dataset.firstEpoch = first;
        uint32 end = first + anchored.epochs;
        dataset.endEpoch = end;
        dataset.agreedEnd = end;
        dataset.missPenalty = inForce.missPenalty;
        dataset.surrenderPenalty = inForce.surrenderPenalty;
        dataset.feePerAudit = anchored.feePerAudit;
        dataset.feeBalance = fees;
        if (inForce.policy != address(0)) dataset.policy = inForce.policy;
    }

    function _linkVersion(bytes32 previous, bytes32 datasetId) private {
        if (previous == 0) return;
        address owner = _existing(previous).owner;
        if (owner != msg.sender) revert NotOwner(previous, owner, msg.sender);
        if (_successors[previous] != 0) revert HasSuccessor(previous, _successors[previous]);
        _successors[previous] = datasetId;
    }

    function _setParameters(Parameters memory next) private {
        uint96 most = Limits.MAX_AMOUNT;
        _requireBounds("bondPerBundle", next.bondPerBundle, 2, most);
        _requireBounds("bundleStake", next.bundleStake, 4, most);
        _requireBounds("missPenalty", next.missPenalty, 4, next.bundleStake);
        // Half of a penalty at least, the most a repair pays: nobody gains by taking a bounty and leaving again.
        _requireBounds(
            "surrenderPenalty",
            next.surrenderPenalty,
            (next.missPenalty + 1) / 2,
            next.missPenalty - 1
        );
        _parameters = next;
        emit ParametersSet(next);
    }

    /// @dev The id of what is anchored, which must be the one that storage nodes have signed for.
    function _requireTerms(
        AnchorParameters calldata anchored,
        bytes32 bundlesRoot
    ) private view returns (bytes32 datasetId) {
        Terms memory terms;
        (terms.shape, terms.parameters) = (anchored.shape, _parameters);
        (terms.objectRoot, terms.bundlesRoot) = (anchored.objectRoot, bundlesRoot);
        (terms.previous, terms.feePerAudit) = (anchored.previous, anchored.feePerAudit);
        terms.epochs = anchored.epochs;
        datasetId = idOf(msg.sender, anchored.manifestHash, terms);
        if (anchored.datasetId != datasetId) revert TermsChanged(anchored.datasetId, datasetId);
    }

    function _active(bytes32 datasetId) private view returns (Dataset storage dataset) {
        dataset = _existing(datasetId);
        if (dataset.status != Status.Active) revert WrongStatus(datasetId, dataset.status);
    }

    function _existing(bytes32 datasetId) private view returns (Dataset storage dataset) {
        dataset = _datasets[datasetId];
        if (dataset.status == Status.None) revert UnknownDataset(datasetId);
    }

    function _bundlesOf(Shape memory shape) private pure returns (uint256 bundles) {
        _requireShape("k", shape.k, 1, Limits.MAX_K);
        _requireShape("n", shape.n, uint256(shape.k) + 1, type(uint8).max);
        _requireShape("objectCount", shape.objectCount, 1, type(uint64).max);
        _requireShape("objectSize", shape.objectSize, 1, type(uint32).max);
        _requireShape("segmentObjects", shape.segmentObjects, 1, type(uint32).max);
        bundles = shape.segments() * shape.n;
        _requireShape("bundles", bundles, 2, Limits.MAX_BUNDLES);
        _requireShape("cells", shape.cells(0), 1, Limits.MAX_CELLS);
    }

    function _bundlesRoot(
        bytes32[] calldata poseidonRoots,
        bytes32[] calldata transportRoots,
        uint256 bundles
    ) private pure returns (bytes32) {
        if (poseidonRoots.length != bundles || transportRoots.length != bundles) {
            revert WrongRootCount(poseidonRoots.length, transportRoots.length, bundles);
        }
        bytes32[] memory leaves = new bytes32[](bundles);
        for (uint256 i = 0; i < bundles; ++i) {
            if (uint256(poseidonRoots[i]) >= BN254.R) revert RootNotInField(i, poseidonRoots[i]);
            leaves[i] = MerkleProofs.bundleLeaf(uint32(i), poseidonRoots[i], transportRoots[i]);
        }
        return MerkleProofs.rootOfAll(leaves);
    }

    function _requireShape(bytes32 field, uint256 value, uint256 low, uint256 high) private pure {
        if (value < low || value > high) revert InvalidShape(field, value, low, high);
    }

    function _requireBounds(bytes32 name, uint256 value, uint256 low, uint256 high) private pure {
        if (value < low || value > high) revert OutOfBounds(name, value, low, high);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Clock} from "../libraries/Clock.sol";
import {MerkleProofs} from "../libraries/MerkleProofs.sol";
import {IBundleRegistry} from "./interfaces/IBundleRegistry.sol";
import {IDatasetRegistry} from "./interfaces/IDatasetRegistry.sol";
import {IRetrievalChallenges} from "./interfaces/IRetrievalChallenges.sol";
import {StorageMath} from "../libraries/StorageMath.sol";
import {Limits} from "./Limits.sol";
import {RetrievalTable} from "./RetrievalTable.sol";

/// @title Forced retrieval of one cell, against a holder that stores but does not serve
contract RetrievalChallenges is RetrievalTable, AccessManaged, ReentrancyGuardTransient {
    using StorageMath for IDatasetRegistry.Shape;

    /// @notice Bounds of the bond: enough to pay for a publication, never a barrier to a challenge.
    uint96 public constant MIN_BOND = 0.00001 ether;
    uint96 public constant MAX_BOND = 1 ether;

    /// @notice Gas of a publication, calldata and the withdrawal of its bond among it; of the bond no more than twice
    /// what that costs at the block's base fee goes to the holder, so that nobody refuses its cells in order to be
    /// asked.
    uint256 public constant PUBLICATION_GAS = 140_000;

    /// @notice Part of the window that each other open challenge of the same holder adds to it: a minute where it is
    /// six hours.
    uint256 public constant EXTENSION_DIVISOR = 360;
    /// @notice Other challenges that add to a window at most: it becomes four times as long, and no longer.
    uint256 public constant MOST_EXTENSIONS = 3 * EXTENSION_DIVISOR;
    uint256 private constant LONGEST_WINDOWS = 1 + MOST_EXTENSIONS / EXTENSION_DIVISOR;

    bytes32 private constant FAILED = "retrieval";

    IDatasetRegistry public immutable datasets;
    IBundleRegistry public immutable bundles;

    uint32 private immutable _leastWindow;
    uint32 private immutable _leastGrace;

    uint96 private _bond;
    uint32 private _window;
    uint32 private _grace;

    /// @param window_ and grace_: neither can later be set to less than half of its first value
    constructor(
        address authority,
        IDatasetRegistry datasets_,
        IBundleRegistry bundles_,
        uint96 bond_,
        uint32 window_,
        uint32 grace_
    ) AccessManaged(authority) {
        datasets = datasets_;
        bundles = bundles_;
        _leastWindow = uint32(Math.max(window_ / 2, Limits.MIN_WINDOW));
        _leastGrace = uint32(Math.max(grace_ / 2, Limits.MIN_WINDOW));
        _setParameters(bond_, window_, grace_);
    }

    /// @inheritdoc IRetrievalChallenges
    function challenge(
        bytes32 bundleId,
        uint32 cellIndex,
        bytes32 transportRoot,
        bytes32[] calldata bundleProof
    ) external payable override nonReentrant returns (uint256 challengeId) {
        IBundleRegistry.Holding memory holding = bundles.holdingOf(bundleId);
        if (!_owes(holding)) revert NothingOwed(bundleId);
        Question memory question;
        (question.bundleId, question.datasetId) = (bundleId, holding.datasetId);
        (question.operator, question.tenure) = (holding.operator, holding.tenure);
        (question.bundleIndex, question.cellIndex) = (holding.bundleIndex, cellIndex);
        (question.cells, question.transportRoot) = (holding.cells, transportRoot);
        _requireAnchored(question, bytes32(holding.poseidonRoot), bundleProof);
        challengeId = _ask(question);
        uint64 deadline = _challenges[challengeId].deadline;
        emit RetrievalChallenged(challengeId, bundleId, holding.operator, msg.sender, cellIndex, deadline);
    }

    /// @inheritdoc IRetrievalChallenges
    function challengeOwner(
        bytes32 datasetId,
        uint32 bundleIndex,
        uint32 cellIndex,
        bytes32 poseidonRoot,
        bytes32 transportRoot,
        bytes32[] calldata bundleProof
    ) external payable override nonReentrant returns (uint256 challengeId) {
        Question memory question = _ownersQuestion(datasetId, bundleIndex);
        (question.cellIndex, question.transportRoot) = (cellIndex, transportRoot);
        _requireAnchored(question, poseidonRoot, bundleProof);
        challengeId = _ask(question);
        emit OwnerChallenged(
            challengeId,
            datasetId,
            question.operator,
            msg.sender,
            bundleIndex,
            cellIndex,
            _challenges[challengeId].deadline
        );
    }

    /// @inheritdoc IRetrievalChallenges
    function publish(
        uint256 challengeId,
        bytes calldata cell,
        bytes32[] calldata proof
    ) external override nonReentrant {
        Challenge storage open = _openChallenge(challengeId);
        if (!Clock.mayMove(block.timestamp, open.graceEnds)) {
            revert TooLate(challengeId, open.deadline, open.graceEnds);
        }
        if (cell.length != Limits.CELL_BYTES) revert WrongCell(challengeId);
        bytes32 leaf = MerkleProofs.leafOf(cell);
        bytes32 root = MerkleProofs.rootOf(leaf, open.cellIndex, proof, MerkleProofs.depthOf(open.cells));
        if (root != open.transportRoot) revert WrongCell(challengeId);
        if (open.cellIndex + 1 == open.cells) _requireFiller(challengeId, open, cell, proof);

        uint256 earned = Math.min(open.bond, 2 * PUBLICATION_GAS * block.basefee);
        _credits[open.operator] += earned;
        _credits[open.challenger] += open.bond - earned;
        _markShown(open);
        _close(open);
        // What it convicts of can be shown before anything is paid that it was asked for in time.
        open.deadline = uint64(block.timestamp) + _window;
        emit CellPublished(challengeId, cell, proof);
    }

    /// @inheritdoc IRetrievalChallenges
    function release(uint256[] calldata challengeIds) external override {
        for (uint256 i = 0; i < challengeIds.length; ++i) {
            uint256 challengeId = challengeIds[i];
            Challenge storage closed = _challenges[challengeId];
            // Another call was quicker.
            if (closed.datasetId == 0) continue;
            if (closed.challenger != address(0)) revert NotPublished(challengeId);
            uint64 until = closed.deadline;
            if (block.timestamp <= until) revert TooEarly(challengeId, until + 1);
            _remove(challengeId, closed);
        }
    }

    /// @inheritdoc IRetrievalChallenges
    function callTimeout(uint256 challengeId) external override {
        Challenge storage open = _openChallenge(challengeId);
        if (!Clock.isLate(block.timestamp, open.deadline)) revert TooEarly(challengeId, open.deadline + 1);
        if (open.graceEnds != 0) revert TimeoutAlreadyCalled(challengeId);
        open.graceEnds = uint64(block.timestamp) + open.grace;
        open.reporter = msg.sender;
        emit RetrievalTimeoutCalled(challengeId, open.graceEnds);
    }

    /// @inheritdoc IRetrievalChallenges
    function slashFailed(uint256 challengeId) external override nonReentrant {
        Challenge storage open = _openChallenge(challengeId);
        (bytes32 bundleId, bytes32 datasetId, address operator) = (
            open.bundleId,
            open.datasetId,
            open.operator
        );
        (address reporter, uint64 graceEnds, bool isOwners) = (open.reporter, open.graceEnds, open.isOwners);
        IBundleRegistry.Holding memory holding = bundles.holdingOf(bundleId);
        bool left = holding.operator != operator || holding.tenure != open.tenure;
        bool isOver = datasets.isOver(datasetId);
        uint96 returned = open.bond;
        _credits[open.challenger] += returned;
        if (isOver || !isOwners) {
            _close(open);
            _remove(challengeId, open);
        }
        if (isOver) {
            emit RetrievalVoided(challengeId);
            return;
        }
        emit RetrievalFailed(challengeId, bundleId, operator);
        if (isOwners) {
            // It stays, and fails the job whose result is not shown.
            if (returned == 0) revert UnknownChallenge(challengeId);
            open.bond = 0;
        } else {
            _ends[datasetId].failedAt = uint64(block.timestamp);
            // By another fault, which it was slashed for: it did not publish either.
            if (left) return;
        }
        if (graceEnds == 0) revert NoTimeout(challengeId);
        if (Clock.mayMove(block.timestamp, graceEnds)) revert TooEarly(challengeId, graceEnds + 1);
        if (!isOwners) bundles.vacate(bundleId, reporter, FAILED);
    }

    /// @inheritdoc IRetrievalChallenges
    function withdraw(address payable to) external override nonReentrant returns (uint256 amount) {
        if (to == address(0) || to == address(this)) revert InvalidRecipient(to);
        amount = _credits[msg.sender];
        if (amount == 0) revert NoCredit(msg.sender);
        delete _credits[msg.sender];
        emit CreditWithdrawn(msg.sender, to, amount);
        (bool sent, ) = to.call{value: amount}("");
        if (!sent) revert TransferFailed(to, amount);
    }

    /// @inheritdoc IRetrievalChallenges
    function setParameters(uint96 bond_, uint32 window_, uint32 grace_) external override restricted {
        _setParameters(bond_, window_, grace_);
    }

    /// @inheritdoc IRetrievalChallenges
    function bond() external view override returns (uint256) {
        return _bond;
    }

    /// @inheritdoc IRetrievalChallenges
    function deadlines() external view override returns (uint32 window, uint32 grace) {
        return (_window, _grace);
    }

    function _ask(Question memory question) private returns (uint256 challengeId) {
        if (msg.value != _bond) revert WrongBond(msg.value, _bond);
        (uint32 cellIndex, uint256 cells) = (question.cellIndex, question.cells);
        if (cellIndex >= cells) revert UnknownCell(question.bundleId, cellIndex, cells);
        // An owner's are counted by dataset: nobody lengthens its other windows by asking itself elsewhere.
        uint256 others =
            question.isOwners ? _ends[question.datasetId].owners : openAgainst[question.operator];
        return _keep(question, _deadlineOf(others), _grace);
    }

    function _setParameters(uint96 bond_, uint32 window_, uint32 grace_) private {
        // Every challenge can be decided before the delay of the last paid epoch is over.
        uint256 most = datasets.closeDelay();
        _requireBounds("bond", bond_, MIN_BOND, MAX_BOND);
        _requireBounds("window", window_, _leastWindow, Math.min(most, Clock.LONGEST) / LONGEST_WINDOWS);
        _requireBounds("grace", grace_, _leastGrace, most - LONGEST_WINDOWS * window_);
        (_bond, _window, _grace) = (bond_, window_, grace_);
        emit ParametersSet(bond_, window_, grace_);
    }

    /// @param others challenges that the holder has open already
    function _deadlineOf(uint256 others) private view returns (uint64) {
        uint256 extension = Math.min(others, MOST_EXTENSIONS) * _window;
        return uint64(Clock.deadlineOf(block.timestamp, _window, extension / EXTENSION_DIVISOR, 1));
    }

    /// @dev A holder owes its bundle's bytes while epochs run that are paid and that it has agreed to.
    function _owes(IBundleRegistry.Holding memory holding) private view returns (bool) {
        if (holding.operator == address(0)) return false;
        (IDatasetRegistry.Status status, uint32 endEpoch, ) = datasets.termsOf(holding.datasetId);
        uint32 epoch = datasets.currentEpoch();
        return status == IDatasetRegistry.Status.Active && epoch < endEpoch && epoch < holding.until;
    }

    /// @dev Zeros after the content of a bundle's last cell, and where its tree has no more cells: as all who read it
    /// fill them in.
    function _requireFiller(
        uint256 challengeId,
        Challenge storage open,
        bytes calldata cell,
        bytes32[] calldata proof
    ) private view {
        uint256 length = cell.length;
        for (uint256 at = length - open.filler; at < length; at += 32) {
            if (bytes32(cell[at:Math.min(at + 32, length)]) != 0) revert WrongFiller(challengeId);
        }
        uint256 index = open.cellIndex;
        bytes32 absent = 0;
        for (uint256 level = 0; level < proof.length; ++level) {
            if ((index >> level) & 1 == 0 && proof[level] != absent) revert WrongFiller(challengeId);
            absent = MerkleProofs.nodeOf(absent, absent);
        }
    }

    /// @dev Of a bundle that no holder owes, in an epoch that is paid.
    function _ownersQuestion(
        bytes32 datasetId,
        uint32 bundleIndex
    ) private view returns (Question memory question) {
        bytes32 bundleId = bundles.bundleIdOf(datasetId, bundleIndex);
        IBundleRegistry.Holding memory holding = bundles.holdingOf(bundleId);
        if (_owes(holding)) revert OwedByHolder(bundleId, holding.operator);
        // What cannot be retrieved is neither committed to nor paid, and whatever mends that leaves time to ask.
        (bool isRetrievable, , ) = datasets.availabilityOf(datasetId);
        if (!isRetrievable) revert NothingOwed(bundleId);
        (question.bundleId, question.datasetId, question.bundleIndex) = (bundleId, datasetId, bundleIndex);
        (question.operator, question.isOwners) = (datasets.datasetOf(datasetId).owner, true);
        question.cells = datasets.cellsOf(datasetId, bundleIndex);
    }

    /// @dev Checks a bundle's roots, and writes down how much of its last cell follows its content.
    function _requireAnchored(
        Question memory question,
        bytes32 poseidonRoot,
        bytes32[] calldata bundleProof
    ) private view {
        IDatasetRegistry.Dataset memory dataset = datasets.datasetOf(question.datasetId);
        uint32 index = question.bundleIndex;
        bytes32 leaf = MerkleProofs.bundleLeaf(index, poseidonRoot, question.transportRoot);
        uint256 depth = MerkleProofs.depthOf(dataset.bundles);
        if (MerkleProofs.rootOf(leaf, index, bundleProof, depth) != dataset.bundlesRoot) {
            revert NotAnchored(question.bundleId, question.transportRoot);
        }
        question.filler = dataset.shape.filler(index / dataset.shape.n);
    }

    function _requireBounds(bytes32 name, uint256 value, uint256 low, uint256 high) private pure {
        if (value < low || value > high) revert OutOfBounds(name, value, low, high);
    }
}

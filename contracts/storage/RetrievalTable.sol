// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Clock} from "../libraries/Clock.sol";
import {IRetrievalChallenges} from "./interfaces/IRetrievalChallenges.sol";

/// @title What is kept of retrieval challenges, and how it is read
abstract contract RetrievalTable is IRetrievalChallenges {
    /// @dev The questions about a dataset are a list in the order in which they were asked: those that are open, and
    /// those that were answered a short time ago.
    struct Ends {
        uint64 oldest;
        uint64 latest;
        /// When a holder last failed to answer one.
        uint64 failedAt;
        /// Open ones to the owner.
        uint64 owners;
    }

    /// @dev What is asked of whom.
    struct Question {
        bytes32 bundleId;
        bytes32 datasetId;
        bytes32 transportRoot;
        address operator;
        uint8 tenure;
        bool isOwners;
        uint32 bundleIndex;
        uint32 cellIndex;
        uint256 cells;
        uint256 filler;
    }

    /// @dev Cells in a word.
    uint256 private constant WORD = 256;

    uint256 private _lastChallenge;
    mapping(uint256 challengeId => Challenge) internal _challenges;
    mapping(bytes32 datasetId => Ends) internal _ends;
    mapping(address account => uint256) internal _credits;
    mapping(bytes32 bundleId => mapping(uint32 cellIndex => uint256)) private _open;
    mapping(bytes32 bundleId => mapping(uint32 cellIndex => uint256)) private _openOfOwner;
    mapping(bytes32 bundleId => mapping(uint256 word => uint256)) private _shownByOwner;
    /// @inheritdoc IRetrievalChallenges
    mapping(bytes32 bundleId => uint256) public override openOf;
    /// @inheritdoc IRetrievalChallenges
    mapping(address operator => uint256) public override openAgainst;

    /// @inheritdoc IRetrievalChallenges
    function challengeOf(uint256 challengeId) external view override returns (Challenge memory) {
        return _challenges[challengeId];
    }

    /// @inheritdoc IRetrievalChallenges
    function isOpen(uint256 challengeId) external view override returns (bool) {
        return _challenges[challengeId].challenger != address(0);
    }

    /// @inheritdoc IRetrievalChallenges
    function openChallengeOf(bytes32 bundleId, uint32 cellIndex) external view override returns (uint256) {
        return _open[bundleId][cellIndex];
    }

    /// @inheritdoc IRetrievalChallenges
    function askedSince(bytes32 datasetId) external view override returns (uint256) {
        return _challenges[_ends[datasetId].oldest].madeAt;
    }

    /// @inheritdoc IRetrievalChallenges
    function questionsOf(
        bytes32 datasetId,
        uint256 after_,
        uint256 most
    ) external view override returns (uint256[] memory questions) {
        questions = new uint256[](most);
        uint256 count = 0;
        uint256 next = after_ == 0 ? _ends[datasetId].oldest : _challenges[after_].next;
        for (; count < most && next != 0; next = _challenges[next].next) questions[count++] = next;
        assembly ("memory-safe") {
            mstore(questions, count)
        }
    }

    /// @inheritdoc IRetrievalChallenges
    function failedAt(bytes32 datasetId) external view override returns (uint256) {
        return _ends[datasetId].failedAt;
    }

    /// @inheritdoc IRetrievalChallenges
    function isUnanswered(uint256 challengeId, bytes32 datasetId) external view override returns (bool) {
        Challenge storage open = _challenges[challengeId];
        bool isMeant = open.isOwners && open.datasetId == datasetId;
        return isMeant && !Clock.mayMove(block.timestamp, open.graceEnds);
    }

    /// @inheritdoc IRetrievalChallenges
    function creditOf(address account) external view override returns (uint256) {
        return _credits[account];
    }

    /// @dev Writes a question down at the end of its dataset's list.
    function _keep(
        Question memory question,
        uint64 deadline,
        uint32 grace
    ) internal returns (uint256 challengeId) {
        (bytes32 bundleId, uint32 cellIndex) = (question.bundleId, question.cellIndex);
        bool isOwners = question.isOwners;
        uint256 known = (isOwners ? _openOfOwner : _open)[bundleId][cellIndex];
        if (known != 0) revert AlreadyChallenged(bundleId, cellIndex, known);
        challengeId = ++_lastChallenge;
        if (isOwners) {
            if (_wasShown(bundleId, cellIndex)) revert AlreadyPublished(bundleId, cellIndex);
            _openOfOwner[bundleId][cellIndex] = challengeId;
            ++_ends[question.datasetId].owners;
        } else {
            _open[bundleId][cellIndex] = challengeId;
            ++openOf[bundleId];
            ++openAgainst[question.operator];
        }
        Challenge storage made = _challenges[challengeId];
        made.challenger = msg.sender;
        made.deadline = deadline;
        made.operator = question.operator;
        made.cellIndex = cellIndex;
        made.cells = uint16(question.cells);
        made.tenure = question.tenure;
        made.isOwners = isOwners;
        made.grace = grace;
        made.madeAt = uint40(block.timestamp);
        made.previous = _append(question.datasetId, uint64(challengeId));
        made.filler = uint16(question.filler);
        made.bundleId = bundleId;
        made.datasetId = question.datasetId;
        made.transportRoot = question.transportRoot;
        made.bond = uint96(msg.value);
    }

    /// @dev Ends a question; it stays in its dataset's list.
    function _close(Challenge storage open) internal {
        (bytes32 bundleId, uint32 cellIndex) = (open.bundleId, open.cellIndex);
        (open.challenger, open.graceEnds, open.bond) = (address(0), 0, 0);
        if (open.isOwners) {
            delete _openOfOwner[bundleId][cellIndex];
            --_ends[open.datasetId].owners;
        } else {
            delete _open[bundleId][cellIndex];
            --openOf[bundleId];
            --openAgainst[open.operator];
        }
    }

    /// @dev What an owner has published once it is not asked for again: it is on chain.
    function _markShown(Challenge storage open) internal {
        if (!open.isOwners) return;
        uint256 bit = 1 << (open.cellIndex % WORD);
        _shownByOwner[open.bundleId][open.cellIndex / WORD] |= bit;
    }

    /// @dev Takes a question out of its dataset's list, with all that is kept of it.
    function _remove(uint256 challengeId, Challenge storage closed) internal {
        (uint64 previous, uint64 next) = (closed.previous, closed.next);
        Ends storage ends = _ends[closed.datasetId];
        if (previous == 0) ends.oldest = next;
        else _challenges[previous].next = next;
        if (next == 0) ends.latest = previous;
        else _challenges[next].previous = previous;
        delete _challenges[challengeId];
    }

    function _openChallenge(uint256 challengeId) internal view returns (Challenge storage open) {
        open = _challenges[challengeId];
        if (open.challenger == address(0)) revert UnknownChallenge(challengeId);
    }

    /// @return previous the latest question before, or 0
    function _append(bytes32 datasetId, uint64 challengeId) private returns (uint64 previous) {
        Ends storage ends = _ends[datasetId];
        previous = ends.latest;
        ends.latest = challengeId;
        if (previous == 0) ends.oldest = challengeId;
        else _challenges[previous].next = challengeId;
    }

    function _wasShown(bytes32 bundleId, uint32 cellIndex) private view returns (bool) {
        return (_shownByOwner[bundleId][cellIndex / WORD] >> (cellIndex % WORD)) & 1 == 1;
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {LowLevelCall} from "@openzeppelin/contracts/utils/LowLevelCall.sol";
import {Clock} from "./Clock.sol";
import {DisputeTable} from "./DisputeTable.sol";
import {IDisputedClaims, TrainingClaim} from "./interfaces/IDisputedClaims.sol";
import {IDisputeGame, RuleBook} from "./interfaces/IDisputeGame.sol";
import {
    IDescentRules,
    IElementRules,
    IInputRules,
    IRangeRules,
    ISumRules,
    IVoidRules,
    Outcome,
    Round,
    Stage,
    TraceLeaf
} from "./interfaces/IDisputeRules.sol";
import {Refunds} from "./Refunds.sol";
import {TraceLeaves} from "./TraceLeaves.sol";

/// @title The dispute over what a provider computed
/// @notice See `IDisputeGame` for the table of moves. What a move shows is judged by contracts that keep nothing; this
/// one knows whose turn it is, and what it costs.
contract DisputeGame is DisputeTable {
    /// @dev Bytes of an encoded round.
    uint256 private constant ROUND = 35 * 32;

    IDescentRules public immutable descentRules;
    IElementRules public immutable elementRules;
    ISumRules public immutable sumRules;
    IRangeRules public immutable rangeRules;
    IInputRules public immutable inputRules;
    IVoidRules public immutable voidRules;

    constructor(
        IDisputedClaims claims_,
        IDescentRules descentRules_,
        IElementRules elementRules_,
        ISumRules sumRules_,
        IRangeRules rangeRules_,
        IInputRules inputRules_,
        IVoidRules voidRules_
    ) DisputeTable(claims_) {
        descentRules = descentRules_;
        elementRules = elementRules_;
        sumRules = sumRules_;
        rangeRules = rangeRules_;
        inputRules = inputRules_;
        voidRules = voidRules_;
    }

    /// @inheritdoc IDisputeGame
    function challenge(
        uint256 jobId,
        uint256 interval,
        TraceLeaf calldata before,
        TraceLeaf calldata next
    ) external payable returns (uint256 id) {
        if (interval >= NO_INTERVAL) revert NotChallengeable(jobId);
        Challenge storage c;
        Job storage job;
        Round memory round;
        (id, c, job, round.claim) = _newChallenge(jobId, interval);
        // As a provider opens the leaves of a trace that it did not publish.
        (round.stage, round.position.index) = (Stage.TraceLeaves, interval + 1);
        (, round) = descentRules.openLeaves(round, before, next);
        _setRound(id, c, job, round);
    }

    /// @inheritdoc IDisputeGame
    function challengeTrace(uint256 jobId) external payable returns (uint256 id) {
        Challenge storage c;
        Job storage job;
        Round memory round;
        (id, c, job, round.claim) = _newChallenge(jobId, NO_INTERVAL);
        TrainingClaim memory claim = round.claim;
        uint256 last = TraceLeaves.countOf(claim.steps, claim.interval) - 1;
        (round.stage, round.interval) = (Stage.TraceLeaves, NO_INTERVAL);
        // The first leaf is the order's; the challenger says that the last one is wrong.
        (round.position.to, round.position.index) = (last, TraceLeaves.middleOf(0, last));
        _setRound(id, c, job, round);
    }

    /// @inheritdoc IDisputeGame
    function play(uint256 challengeId, RuleBook book, bytes calldata move) external nonReentrant {
        (Challenge storage c, Job storage job) = _openChallenge(challengeId);
        bool isProviders = _isProviders(c.stage);
        address owner = isProviders ? job.provider : c.challenger;
        if (msg.sender != owner) revert NotYourTurn(challengeId, owner);
        if (!Clock.mayMove(block.timestamp, c.graceEnds)) revert TooLate(challengeId, c.graceEnds);
        if (move.length < 4 + ROUND || keccak256(move[4:4 + ROUND]) != c.round)
            revert WrongRound(challengeId);
        (Outcome outcome, Round memory round) = _judge(book, move);
        if (isProviders) {
            emit Posted(challengeId, bytes4(move), move[4 + ROUND:]);
        } else if (outcome == Outcome.Continued) {
            uint64 units = uint64(c.stage == Stage.TraceName ? Refunds.SEARCH : Refunds.NAME);
            c.units += units;
            job.unitsDue += units;
        }
        if (outcome == Outcome.Continued) _setRound(challengeId, c, job, round);
        else if (outcome == Outcome.ProviderConvicted) _convict(challengeId, c, job);
        else if (outcome == Outcome.ChallengeLost) _loseChallenge(challengeId, c, job);
        else _void(c.jobId, job);
    }

    /// @inheritdoc IDisputeGame
    function showVoid(
        uint256 jobId,
        uint256 tape,
        uint256 index,
        bytes calldata descriptor,
        bytes32[] calldata siblings
    ) external nonReentrant {
        Job storage job = _openJob(jobId);
        if (!voidRules.isVoid(claims.claimOf(jobId), tape, index, descriptor, siblings)) revert NothingVoid();
        _void(jobId, job);
    }

    /// @dev Asks the contract that has the move, as it was called.
    function _judge(RuleBook book, bytes calldata move) private view returns (Outcome, Round memory) {
        address rules = address(descentRules);
        if (book == RuleBook.Element) rules = address(elementRules);
        else if (book == RuleBook.Sum) rules = address(sumRules);
        else if (book == RuleBook.Range) rules = address(rangeRules);
        else if (book == RuleBook.Input) rules = address(inputRules);
        (bool isRight, bytes memory result) = rules.staticcall(move);
        if (!isRight) LowLevelCall.bubbleRevert(result);
        return abi.decode(result, (Outcome, Round));
    }
}

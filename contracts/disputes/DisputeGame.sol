// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Clock} from "../libraries/Clock.sol";
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
    TraceLeaf
} from "./interfaces/IDisputeRules.sol";
import {NextRound} from "./NextRound.sol";
import {Refunds} from "./Refunds.sol";
import {RuleBooks} from "./RuleBooks.sol";
import {TraceLeaves} from "./TraceLeaves.sol";

/// @title The dispute over what a provider computed
/// @notice See `IDisputeGame` for the table of moves. What a move shows is judged by contracts that keep nothing; this
/// one knows whose turn it is, and what it costs.
contract DisputeGame is DisputeTable {
    constructor(
        IDisputedClaims claims_,
        IDescentRules descentRules_,
        IElementRules elementRules_,
        ISumRules sumRules_,
        IRangeRules rangeRules_,
        IInputRules inputRules_,
        IVoidRules voidRules_
    )
        DisputeTable(claims_)
        RuleBooks(descentRules_, elementRules_, sumRules_, rangeRules_, inputRules_, voidRules_)
    {}

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
        round.interval = interval;
        bytes memory call = abi.encodeCall(IDescentRules.openLeaves, (round, before, next));
        _setRound(id, c, job, _ask(address(descentRules), call));
    }

    /// @inheritdoc IDisputeGame
    function challengeTrace(uint256 jobId) external payable returns (uint256 id) {
        Challenge storage c;
        Job storage job;
        Round memory round;
        (id, c, job, round.claim) = _newChallenge(jobId, NO_INTERVAL);
        TrainingClaim memory claim = round.claim;
        uint256 last = TraceLeaves.countOf(claim.steps, claim.interval) - 1;
        // The first leaf is the order's; the challenger says that the last one is wrong.
        (round.stage, round.interval) = (TraceLeaves.stageOf(0, last), NO_INTERVAL);
        round.position.to = last;
        _setRound(id, c, job, abi.encode(Outcome.Continued, round));
    }

    /// @inheritdoc IDisputeGame
    function play(uint256 challengeId, RuleBook book, bytes calldata move) external nonReentrant {
        (Challenge storage c, Job storage job) = _openChallenge(challengeId);
        bool isProviders = _isClaimants(c.stage);
        address owner = isProviders ? job.provider : c.challenger;
        if (msg.sender != owner) revert NotYourTurn(challengeId, owner);
        uint256 graceEnds = _graceEnds(c);
        if (!Clock.mayMove(block.timestamp, graceEnds)) revert TooLate(challengeId, graceEnds);
        _requireRound(challengeId, move, c.round);
        bytes memory result = _judge(book, move);
        Outcome outcome = abi.decode(result, (Outcome));
        if (isProviders) {
            emit Posted(challengeId, bytes4(move), move[4 + NextRound.LENGTH:]);
        } else if (outcome == Outcome.Continued) {
            _addUnits(c, job, Refunds.NAME);
        }
        if (outcome == Outcome.Continued) _setRound(challengeId, c, job, result);
        else if (outcome == Outcome.ProviderConvicted) _convict(challengeId, c, job);
        else _loseChallenge(challengeId, c, job);
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
}

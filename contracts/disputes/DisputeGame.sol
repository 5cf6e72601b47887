// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {DisputeDescent} from "./DisputeDescent.sol";
import {TrainingClaim, IDisputedClaims} from "./interfaces/IDisputedClaims.sol";
import {IDisputeGame, Stage} from "./interfaces/IDisputeGame.sol";
import {
    Evidence,
    IElementJudge,
    IInputJudge,
    INodeJudge,
    InputVerdict,
    NodeFacts,
    ObjectEvidence
} from "./interfaces/IDisputeJudges.sol";
import {Claims, Position} from "./Position.sol";
import {Refunds} from "./Refunds.sol";

/// @title The dispute over what a provider computed
/// @notice See `IDisputeGame` for the table of moves. This part rules: on elements, on their sums, on exponents, on void
/// nodes.
contract DisputeGame is DisputeDescent {
    /// @dev Sums that are posted at once, and the bytes of one.
    uint256 private constant RANGES = 64;
    uint256 private constant SUM_BYTES = 8;

    IElementJudge public immutable elementJudge;
    IInputJudge public immutable inputJudge;

    constructor(
        IDisputedClaims claims_,
        INodeJudge nodeJudge_,
        IElementJudge elementJudge_,
        IInputJudge inputJudge_
    ) DisputeDescent(claims_, nodeJudge_) {
        elementJudge = elementJudge_;
        inputJudge = inputJudge_;
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
        TrainingClaim memory claim = claims.claimOf(jobId);
        if (!nodeJudge.isVoid(descriptor, tape, index, siblings, _factsOf(claim))) revert NothingShown();
        _void(jobId, job, tape, index);
    }

    /// @inheritdoc IDisputeGame
    function ruleElement(uint256 id, Position calldata p, Evidence calldata evidence) external nonReentrant {
        (Challenge storage c, Job storage job, Position memory q) = _beginClaim(id, p);
        TrainingClaim memory claim = claims.claimOf(c.jobId);
        if (!elementJudge.bears(q, _factsOf(claim), evidence)) revert NothingShown();
        _convict(id, c, job);
    }

    /// @inheritdoc IDisputeGame
    function ruleInput(
        uint256 id,
        Position calldata p,
        Evidence calldata evidence,
        ObjectEvidence calldata object
    ) external nonReentrant {
        (Challenge storage c, Job storage job, Position memory q) = _beginClaim(id, p);
        TrainingClaim memory claim = claims.claimOf(c.jobId);
        InputVerdict verdict = inputJudge.judgeInput(q, _factsOf(claim), evidence, object);
        if (verdict == InputVerdict.Right) revert NothingShown();
        if (verdict == InputVerdict.Wrong) _convict(id, c, job);
        else _void(c.jobId, job, 0, p.place % claim.nodeCounts[0]);
    }

    /// @inheritdoc IDisputeGame
    function askSums(uint256 id, Position calldata p, bytes calldata descriptor, uint256 out) external {
        (Challenge storage c, Job storage job, Position memory q) = _beginClaim(id, p);
        _setSums(c, p, q, descriptor, out);
        _end(id, c, job, q, Stage.Sums, Refunds.NAME);
    }

    /// @inheritdoc IDisputeGame
    function postSums(uint256 id, Position calldata p, bytes calldata sums) external {
        (Challenge storage c, Job storage job) = _begin(id, p, Stage.Sums);
        Position memory q = p;
        // What was posted before binds what is posted now.
        if (p.sums != bytes32(0) && _totalOf(sums) != p.total) revert WrongSums();
        _postSums(id, c, job, q, sums);
    }

    /// @inheritdoc IDisputeGame
    function ruleTotal(
        uint256 id,
        Position calldata p,
        Evidence calldata evidence,
        bytes calldata sums
    ) external nonReentrant {
        (Challenge storage c, Job storage job) = _beginSum(id, p, sums);
        TrainingClaim memory claim = claims.claimOf(c.jobId);
        if (p.to - p.from != _named(p, evidence.descriptor, claim).products) revert WrongSums();
        bool isBorne = elementJudge.bearsWithSum(p, _factsOf(claim), evidence, _totalOf(sums));
        // The claim is the challenger's, but for a witness.
        if (isBorne == (p.claim == Claims.WITNESS)) revert NothingShown();
        _convict(id, c, job);
    }

    /// @inheritdoc IDisputeGame
    function ruleSum(
        uint256 id,
        Position calldata p,
        Evidence calldata evidence,
        bytes calldata sums,
        uint256 number
    ) external nonReentrant {
        (Challenge storage c, Job storage job) = _beginSum(id, p, sums);
        TrainingClaim memory claim = claims.claimOf(c.jobId);
        (uint256 from, uint256 to) = _rangeOf(p, number);
        int256 sum = elementJudge.partialSum(p, _factsOf(claim), evidence, from, to);
        if (sum == _sumAt(sums, number)) revert NothingShown();
        _convict(id, c, job);
    }

    /// @inheritdoc IDisputeGame
    function narrowSum(uint256 id, Position calldata p, bytes calldata sums, uint256 number) external {
        (Challenge storage c, Job storage job) = _beginSum(id, p, sums);
        Position memory q = p;
        (q.from, q.to) = _rangeOf(p, number);
        if (q.to - q.from < 2) revert WrongSums();
        q.total = _sumAt(sums, number);
        _end(id, c, job, q, Stage.Sums, Refunds.NAME);
    }

    /// @inheritdoc IDisputeGame
    function claimTooLarge(uint256 id, Position calldata p, bytes calldata descriptor) external {
        (Challenge storage c, Job storage job) = _begin(id, p, Stage.Leaf);
        // Other exponents are right or wrong by any element.
        if (!_named(p, descriptor, claims.claimOf(c.jobId)).isRequantized) revert NothingShown();
        Position memory q = p;
        q.claim = Claims.WITNESS;
        _end(id, c, job, q, Stage.Witness, Refunds.NAME);
    }

    /// @inheritdoc IDisputeGame
    function answerWitness(uint256 id, Position calldata p, Evidence calldata evidence) external nonReentrant {
        (Challenge storage c, Job storage job) = _begin(id, p, Stage.Witness);
        if (!elementJudge.bears(p, _factsOf(claims.claimOf(c.jobId)), evidence)) revert NothingShown();
        _loseChallenge(id, c, job);
    }

    /// @inheritdoc IDisputeGame
    function answerWitnessSums(
        uint256 id,
        Position calldata p,
        bytes calldata descriptor,
        uint256 out,
        bytes calldata sums
    ) external {
        (Challenge storage c, Job storage job) = _begin(id, p, Stage.Witness);
        Position memory q = p;
        _setSums(c, p, q, descriptor, out);
        _postSums(id, c, job, q, sums);
    }

    /// @dev A claim on one element: on its mantissa once the leaf is posted, before that on the exponent.
    function _beginClaim(
        uint256 id,
        Position calldata p
    ) private view returns (Challenge storage c, Job storage job, Position memory q) {
        Stage stage = challenges[id].stage == Stage.Leaf ? Stage.Leaf : Stage.Element;
        (c, job) = _begin(id, p, stage);
        q = p;
        q.claim = stage == Stage.Leaf ? Claims.EXPONENT : Claims.MANTISSA;
    }

    function _beginSum(
        uint256 id,
        Position calldata p,
        bytes calldata sums
    ) private view returns (Challenge storage c, Job storage job) {
        (c, job) = _begin(id, p, Stage.Sum);
        if (keccak256(sums) != p.sums) revert WrongSums();
    }

    /// @dev Names the element whose sum is to be narrowed.
    function _setSums(
        Challenge storage c,
        Position calldata p,
        Position memory q,
        bytes calldata descriptor,
        uint256 out
    ) private view {
        NodeFacts memory node = _named(p, descriptor, claims.claimOf(c.jobId));
        // A maximum of sums opens at once.
        if (node.products == 0 || node.candidates != 1 || out >= node.elements) revert WrongSums();
        (q.out, q.from, q.to) = (out, 0, node.products);
    }

    function _postSums(
        uint256 id,
        Challenge storage c,
        Job storage job,
        Position memory q,
        bytes calldata sums
    ) private {
        (uint256 count, ) = _rangesOf(q.to - q.from);
        if (sums.length != count * SUM_BYTES) revert WrongSums();
        q.sums = keccak256(sums);
        emit SumsPosted(id, sums);
        _end(id, c, job, q, Stage.Sum, 0);
    }

    function _rangesOf(uint256 products) private pure returns (uint256 count, uint256 width) {
        width = (products + RANGES - 1) / RANGES;
        count = (products + width - 1) / width;
    }

    function _rangeOf(Position calldata p, uint256 number) private pure returns (uint256 from, uint256 to) {
        (uint256 count, uint256 width) = _rangesOf(p.to - p.from);
        if (number >= count) revert WrongSums();
        from = p.from + number * width;
        to = from + width < p.to ? from + width : p.to;
    }

    function _sumAt(bytes calldata sums, uint256 number) private pure returns (int256) {
        return int64(uint64(bytes8(sums[number * SUM_BYTES:(number + 1) * SUM_BYTES])));
    }

    function _totalOf(bytes calldata sums) private pure returns (int256 total) {
        for (uint256 i = 0; i < sums.length / SUM_BYTES; ++i) total += _sumAt(sums, i);
    }
}

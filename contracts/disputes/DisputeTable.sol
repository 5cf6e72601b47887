// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Bonds} from "./Bonds.sol";
import {Clock} from "../libraries/Clock.sol";
import {IDisputedClaims, DisputeTerms, TrainingClaim} from "./interfaces/IDisputedClaims.sol";
import {IDisputeGame, JobStatus} from "./interfaces/IDisputeGame.sol";
import {Stage} from "./interfaces/IDisputeRules.sol";
import {NextRound} from "./NextRound.sol";
import {Refunds} from "./Refunds.sol";
import {RuleBooks} from "./RuleBooks.sol";
import {TraceLeaves} from "./TraceLeaves.sol";

/// @title Jobs, challenges, turns and money of the dispute game
/// @notice Everything but the moves themselves.
abstract contract DisputeTable is IDisputeGame, RuleBooks, Bonds {
    /// @dev Three words; most moves read the first alone.
    struct Job {
        address provider;
        JobStatus status;
        /// All moves that open challenges made, in multiples of `Refunds.UNIT`.
        uint32 unitsDue;
        /// Challenges that are open.
        uint24 open;
        /// Challenges that ever were.
        uint32 opened;
        /// After a conviction the price is what refunds are paid at.
        DisputeTerms terms;
        /// The provider's, after a conviction the reward.
        uint96 bond;
        uint32 convictedInterval;
        /// After a conviction: last second in which earlier challenges may take the winner's place.
        uint48 rewardAfter;
        /// Number of the earliest challenge of the convicted interval that is known.
        uint32 winner;
    }

    /// @dev Two words.
    struct Challenge {
        address challenger;
        uint32 interval;
        /// When the turn began, in seconds since 1970 (until 2106); once the timeout was called, when the grace ends.
        uint32 time;
        /// Other challenges that the owner of the turn had to answer when it began; `LATE` once the timeout was called.
        uint16 others;
        /// The challenger's moves, in multiples of `Refunds.UNIT`.
        uint8 units;
        Stage stage;
        /// keccak256 of the encoded round.
        bytes32 round;
    }

    uint16 private constant LATE = type(uint16).max;
    /// @dev Bits of a challenge's number; above them is its job.
    uint256 private constant NUMBER_BITS = 32;
    /// @dev Interval of a challenge that has none yet.
    uint32 internal constant NO_INTERVAL = uint32(TraceLeaves.NO_INTERVAL);

    IDisputedClaims public immutable claims;
    mapping(uint256 jobId => Job) private _jobs;
    mapping(uint256 challengeId => Challenge) public challenges;

    constructor(IDisputedClaims claims_) {
        claims = claims_;
    }

    /// @inheritdoc IDisputeGame
    function openJob(uint256 jobId, address provider, DisputeTerms calldata terms) external payable {
        _requireClaims();
        Job storage job = _jobs[jobId];
        if (job.status != JobStatus.Unknown) revert WrongStatus(jobId, job.status);
        bool isTimed = terms.window >= Clock.SHORTEST && terms.window <= Clock.LONGEST;
        bool isGraced = terms.grace >= Clock.SHORTEST && terms.grace <= Clock.LONGEST;
        // Half of either bond refunds the other side's moves.
        bool isCovered =
            terms.challengerBond >= 2 * Refunds.MOST_PROVIDER * terms.refundPrice &&
                msg.value >= 2 * Refunds.MOST_CHALLENGER * terms.refundPrice;
        bool isAmount = msg.value <= type(uint96).max && jobId <= type(uint64).max;
        if (!isTimed || !isGraced || !isCovered || !isAmount || provider == address(0)) revert WrongTerms();
        job.provider = provider;
        job.status = JobStatus.Open;
        job.terms = terms;
        job.bond = uint96(msg.value);
        emit JobOpened(jobId, provider, msg.value, terms);
    }

    /// @inheritdoc IDisputeGame
    function releaseJob(uint256 jobId) external {
        _requireClaims();
        Job storage job = _openJob(jobId);
        if (job.open != 0) revert StillOpen(jobId, job.open);
        job.status = JobStatus.Released;
        _returnBond(job);
        emit JobReleased(jobId);
    }

    /// @inheritdoc IDisputeGame
    function callTimeout(uint256 challengeId) external {
        (Challenge storage c, Job storage job) = _openChallenge(challengeId);
        if (c.others == LATE) revert TimeoutAlreadyCalled(challengeId);
        uint256 deadline = _deadlineOf(c, job);
        if (!Clock.isLate(block.timestamp, deadline)) revert TooEarly(challengeId, deadline + 1);
        uint256 graceEnds = block.timestamp + job.terms.grace;
        (c.time, c.others) = (uint32(graceEnds), LATE);
        emit TimeoutCalled(challengeId, graceEnds);
    }

    /// @inheritdoc IDisputeGame
    function executeTimeout(uint256 challengeId) external nonReentrant {
        (Challenge storage c, Job storage job) = _openChallenge(challengeId);
        uint256 graceEnds = _graceEnds(c);
        if (Clock.mayMove(block.timestamp, graceEnds)) revert TooEarly(challengeId, graceEnds + 1);
        if (_isClaimants(c.stage)) _convict(challengeId, c, job);
        else _loseChallenge(challengeId, c, job);
    }

    /// @inheritdoc IDisputeGame
    function settle(uint256 challengeId) external nonReentrant {
        Challenge storage c = challenges[challengeId];
        uint256 jobId = _jobOf(challengeId);
        Job storage job = _jobs[jobId];
        if (c.stage == Stage.None || c.stage == Stage.Closed) revert NotOpen(challengeId);
        if (job.status == JobStatus.Open) revert WrongStatus(jobId, job.status);
        bool isEarlier = uint32(challengeId) < job.winner && c.interval == job.convictedInterval;
        if (job.status == JobStatus.Convicted && isEarlier && block.timestamp <= job.rewardAfter) {
            job.winner = uint32(challengeId);
        }
        _payBack(challengeId, c, job);
    }

    /// @inheritdoc IDisputeGame
    function payReward(uint256 jobId) external nonReentrant {
        Job storage job = _jobs[jobId];
        bool isDue = job.status == JobStatus.Convicted && block.timestamp > job.rewardAfter;
        if (!isDue || job.winner == 0) revert NoReward(jobId);
        (uint256 winner, uint256 reward) = (_idOf(jobId, job.winner), job.bond);
        (job.winner, job.bond) = (0, 0);
        address challenger = challenges[winner].challenger;
        _credit(challenger, reward);
        emit RewardPaid(jobId, winner, challenger, reward);
    }

    /// @inheritdoc IDisputeGame
    function openChallenges(uint256 jobId) external view returns (uint256) {
        return _jobs[jobId].open;
    }

    /// @notice How a job stands in the game.
    /// @return provider whose bond it is
    /// @return status how the job stands
    /// @return rewardAfter after a conviction: last second in which earlier challenges may take the winner's place
    /// @return terms as they were when the job opened
    /// @return bond the provider's, after a conviction the reward
    /// @return unitsDue gas units of all moves that open challenges made
    /// @return open challenges that are open
    /// @return opened challenges that ever were
    /// @return convictedInterval the interval that was found to be wrong
    /// @return paidPrice wei that a unit is refunded with after a conviction
    /// @return winner the earliest challenge of the convicted interval that is known
    function jobs(
        uint256 jobId
    )
        external
        view
        returns (
            address provider,
            JobStatus status,
            uint48 rewardAfter,
            DisputeTerms memory terms,
            uint96 bond,
            uint64 unitsDue,
            uint32 open,
            uint32 opened,
            uint32 convictedInterval,
            uint64 paidPrice,
            uint96 winner
        )
    {
        Job storage job = _jobs[jobId];
        (provider, status, rewardAfter, terms) = (job.provider, job.status, job.rewardAfter, job.terms);
        (bond, open, opened) = (job.bond, job.open, job.opened);
        unitsDue = uint64(job.unitsDue * Refunds.UNIT);
        if (status == JobStatus.Convicted) {
            (convictedInterval, paidPrice) = (job.convictedInterval, terms.refundPrice);
            if (job.winner != 0) winner = uint96(_idOf(jobId, job.winner));
        }
    }

    /// @notice Last second of the turn that is on, or of the grace after its timeout was called.
    function deadlineOf(uint256 challengeId) external view returns (uint256) {
        return _deadlineOf(challenges[challengeId], _jobs[_jobOf(challengeId)]);
    }

    function _deadlineOf(Challenge storage c, Job storage job) private view returns (uint256) {
        uint256 graceEnds = _graceEnds(c);
        if (graceEnds != 0) return graceEnds;
        return Clock.deadlineOf(c.time, job.terms.window, job.terms.extension, c.others);
    }

    /// @dev Last second of the grace, 0 as long as no timeout was called.
    function _graceEnds(Challenge storage c) internal view returns (uint256) {
        return c.others == LATE ? c.time : 0;
    }

    /// @dev A new challenge of an open job, which has taken exactly the bond.
    function _newChallenge(
        uint256 jobId,
        uint256 interval
    ) internal returns (uint256 id, Challenge storage c, Job storage job, TrainingClaim memory claim) {
        job = _openJob(jobId);
        claim = claims.claimOf(jobId);
        if (claim.traceRoot == bytes32(0) || block.timestamp > claim.challengeUntil) {
            revert NotChallengeable(jobId);
        }
        _requireValue(job.terms.challengerBond);
        ++job.open;
        id = _idOf(jobId, ++job.opened);
        c = challenges[id];
        (c.challenger, c.interval) = (msg.sender, uint32(interval));
        _addUnits(c, job, Refunds.CHALLENGE);
        emit Challenged(id, jobId, interval, msg.sender, claim);
    }

    /// @dev What every move that ends nothing ends with.
    /// @param result encoded outcome and round
    function _setRound(uint256 id, Challenge storage c, Job storage job, bytes memory result) internal {
        (Stage stage, uint256 interval, bytes32 hash) = NextRound.read(result);
        // A challenge of a trace finds its interval on the way.
        if (c.interval != interval) c.interval = uint32(interval);
        // The provider's window grows with the other challenges that are open as the turn begins: those that open later
        // have later deadlines of their own.
        uint256 others = _isClaimants(stage) ? job.open - 1 : 0;
        (c.round, c.stage, c.time) = (hash, stage, uint32(block.timestamp));
        c.others = others < LATE ? uint16(others) : LATE - 1;
        NextRound.announce(result, Moved.selector, id, _jobOf(id));
    }

    /// @dev A move of the challenger is to be refunded.
    function _addUnits(Challenge storage c, Job storage job, uint256 gasUnits) internal {
        c.units += uint8(gasUnits / Refunds.UNIT);
        job.unitsDue += uint32(gasUnits / Refunds.UNIT);
    }

    /// @dev The provider loses: the job has failed, whatever else is open.
    function _convict(uint256 id, Challenge storage c, Job storage job) internal {
        (uint256 jobId, uint256 interval, address challenger) = (_jobOf(id), c.interval, c.challenger);
        job.status = JobStatus.Convicted;
        job.convictedInterval = uint32(interval);
        job.winner = uint32(id);
        job.rewardAfter = uint48(block.timestamp + job.terms.window);
        c.units += uint8(Refunds.RULE / Refunds.UNIT);
        uint256 due = job.unitsDue * Refunds.UNIT + Refunds.RULE;
        uint256 rest = _burnHalf(job.bond);
        uint256 price = job.terms.refundPrice;
        if (due * price > rest) price = rest / due;
        // What the bond does not pay in full it pays in part, to all alike.
        if (price < job.terms.refundPrice) job.terms.refundPrice = uint64(price);
        job.bond = uint96(rest - due * price);
        emit ProviderConvicted(jobId, id, interval, challenger);
        _payBack(id, c, job);
        claims.onConvicted(jobId, interval, id, challenger);
    }

    /// @dev The challenger loses: half of its bond is burnt, half is the provider's for its moves.
    function _loseChallenge(uint256 id, Challenge storage c, Job storage job) internal {
        job.unitsDue -= c.units;
        _close(c, job);
        _credit(job.provider, _burnHalf(job.terms.challengerBond));
        emit ChallengeLost(id, _jobOf(id), c.challenger);
    }

    /// @dev Nobody loses: the program is void.
    function _void(uint256 jobId, Job storage job) internal {
        job.status = JobStatus.Void;
        _returnBond(job);
        emit JobVoid(jobId);
        claims.onVoid(jobId);
    }

    function _openJob(uint256 jobId) internal view returns (Job storage job) {
        job = _jobs[jobId];
        if (job.status != JobStatus.Open) revert WrongStatus(jobId, job.status);
    }

    function _openChallenge(uint256 id) internal view returns (Challenge storage c, Job storage job) {
        c = challenges[id];
        if (c.stage == Stage.None || c.stage == Stage.Closed) revert NotOpen(id);
        job = _openJob(_jobOf(id));
    }

    /// @dev Bond, and refunds after a conviction.
    function _payBack(uint256 id, Challenge storage c, Job storage job) private {
        uint256 paid = job.terms.challengerBond;
        if (job.status == JobStatus.Convicted) paid += c.units * Refunds.UNIT * job.terms.refundPrice;
        _close(c, job);
        _credit(c.challenger, paid);
        emit ChallengeSettled(id, paid);
    }

    function _close(Challenge storage c, Job storage job) private {
        c.stage = Stage.Closed;
        --job.open;
    }

    function _idOf(uint256 jobId, uint256 number) private pure returns (uint256) {
        return (jobId << NUMBER_BITS) | number;
    }

    function _jobOf(uint256 challengeId) internal pure returns (uint256) {
        return challengeId >> NUMBER_BITS;
    }

    function _returnBond(Job storage job) private {
        uint256 bond = job.bond;
        job.bond = 0;
        _credit(job.provider, bond);
    }

    function _requireClaims() private view {
        if (msg.sender != address(claims)) revert NotClaims(msg.sender);
    }
}

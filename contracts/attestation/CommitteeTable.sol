// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IRandomnessBeacon} from "../beacon/interfaces/IRandomnessBeacon.sol";
import {Clock} from "../libraries/Clock.sol";
import {IEscrow} from "../jobs/interfaces/IEscrow.sol";
import {AttestationMath} from "./AttestationMath.sol";
import {IAttestation, CommitteeTerms, Phase} from "./interfaces/IAttestation.sol";
import {IAttestedJobs} from "./interfaces/IAttestedJobs.sol";
import {ICommittee, Verdict} from "./interfaces/ICommittee.sol";
import {IValidatorSet} from "./interfaces/IValidatorSet.sol";

/// @title Jobs, draws and time of committees
abstract contract CommitteeTable is IAttestation, AccessManaged {
    struct Configuration {
        /// The registry of jobs.
        IAttestedJobs registry;
        IEscrow escrow;
        IRandomnessBeacon beacon;
        IValidatorSet validators;
        /// Intervals that each member checks.
        uint8 checks;
    }

    /// @notice Members of a committee at most.
    uint256 public constant MAX_SIZE = 64;
    uint256 public constant MAX_CHECKS = 8;
    /// @notice Draws for a job: the first, and two more.
    uint256 public constant ATTEMPTS = 3;
    /// @notice Part of its fee that a member has for a draw in which it was there and nothing came of it. Three of them
    /// are less than a third of what it has for checking, so that nobody gains by keeping a committee from its work;
    /// and an order that nobody can check is not free for its author.
    uint256 public constant PRESENCE_DIVISOR = 10;
    uint256 private constant MAX_SLASH = 1e25;
    uint256 private constant IDS_IN_WORD = 8;

    IAttestedJobs public immutable registry;
    IEscrow public immutable escrow;
    IRandomnessBeacon public immutable beacon;
    IValidatorSet public immutable validators;
    /// @notice Intervals that each member checks, fewer when the trace has not as many. It can never change, because
    /// the fees of a job are paid in when it is ordered.
    uint256 public immutable checks;

    uint256 private _termsCount;
    mapping(uint256 index => CommitteeTerms) private _terms;
    mapping(uint256 jobId => Job) internal _jobs;
    mapping(uint256 jobId => mapping(uint256 attempt => Draw)) internal _draws;
    /// @dev Ids of 32 bits, eight to a word.
    mapping(uint256 jobId => mapping(uint256 attempt => mapping(uint256 word => uint256))) private _members;

    constructor(
        address authority,
        Configuration memory configuration,
        CommitteeTerms memory terms_
    ) AccessManaged(authority) {
        if (configuration.checks == 0 || configuration.checks > MAX_CHECKS) revert OutOfBounds("checks");
        registry = configuration.registry;
        escrow = configuration.escrow;
        beacon = configuration.beacon;
        validators = configuration.validators;
        checks = configuration.checks;
        _setTerms(terms_);
    }

    /// @inheritdoc ICommittee
    function open(
        uint256 jobId,
        address provider,
        uint256 intervals,
        uint8 size,
        uint8 threshold,
        uint128 feePerInterval
    ) external override {
        _requireRegistry();
        Job storage job = _jobs[jobId];
        if (job.phase != Phase.None) revert WrongPhase(jobId, job.phase);
        bool isFit = _isFit(intervals, size, feePerInterval) && threshold != 0 && threshold <= size;
        if (!isFit) revert UnfitCommittee(size, threshold, intervals);
        (job.provider, job.intervals, job.size, job.threshold) = (
            provider,
            uint32(intervals),
            size,
            threshold
        );
        (job.terms, job.feePerInterval) = (uint16(_termsCount - 1), uint112(feePerInterval));
        _ask(jobId, job, 1);
    }

    /// @inheritdoc ICommittee
    function close(uint256 jobId) external override {
        _requireRegistry();
        Job storage job = _jobs[jobId];
        // The registry need not know whether a committee was ever asked for.
        if (job.phase == Phase.None || job.phase == Phase.Closed) return;
        job.phase = Phase.Closed;
        emit CommitteeClosed(jobId);
    }

    /// @inheritdoc IAttestation
    function draw(uint256 jobId) external override {
        Job storage job = _inPhase(jobId, Phase.Seeding);
        (address provider, uint256 size, uint256 attempt) = (job.provider, job.size, job.attempt);
        Draw storage d = _draws[jobId][attempt];
        if (block.timestamp > d.drawUntil) revert TooLate(jobId, d.drawUntil);
        (bytes32 seed, uint64 readyAt) = beacon.seedOf(d.requestId);
        if (readyAt == 0) revert NoSeed(jobId);
        uint256[] memory ids = validators.draw(seed, d.rotation, size, provider);
        (d.root, d.count) = (seed, uint8(ids.length));
        _storeMembers(_members[jobId][attempt], ids);
        _enter(job, Phase.Signing, _terms[job.terms].signingWindow);
        emit CommitteeDrawn(jobId, attempt, seed, ids, job.deadline);
        if (ids.length < job.threshold) _fail(jobId, job, 0);
    }

    /// @inheritdoc IAttestation
    function renew(uint256 jobId) external override {
        Job storage job = _inPhase(jobId, Phase.Seeding);
        uint256 until = _draws[jobId][job.attempt].drawUntil;
        if (block.timestamp <= until) revert TooEarly(jobId, until + 1);
        if (!_ask(jobId, job, job.attempt)) revert NoSeed(jobId);
    }

    /// @inheritdoc IAttestation
    function callTimeout(uint256 jobId) external override {
        Job storage job = _timed(jobId);
        if (job.graceEnds != 0) revert TimeoutAlreadyCalled(jobId);
        if (!Clock.isLate(block.timestamp, job.deadline)) revert TooEarly(jobId, uint256(job.deadline) + 1);
        job.graceEnds = uint40(block.timestamp + _terms[job.terms].grace);
        emit TimeoutCalled(jobId, job.graceEnds);
    }

    /// @inheritdoc IAttestation
    function executeTimeout(uint256 jobId) external override {
        Job storage job = _timed(jobId);
        if (Clock.mayMove(block.timestamp, job.graceEnds)) revert TooEarly(jobId, uint256(job.graceEnds) + 1);
        Draw storage d = _draws[jobId][job.attempt];
        if (job.phase == Phase.Opening) {
            job.phase = Phase.Closed;
            emit WitnessesWithheld(jobId, msg.sender);
            registry.onWithheld(jobId);
        } else if (job.phase == Phase.Revealing) {
            _fail(jobId, job, d.signers);
        } else {
            uint256 appeared = d.appeared;
            uint256[] memory ids = _membersOf(jobId, job.attempt);
            _fail(jobId, job, ((1 << ids.length) - 1) & ~appeared);
            _payPresent(jobId, job, ids, appeared);
        }
    }

    /// @inheritdoc IAttestation
    function dismiss(uint256 jobId, uint256 attempt) external override {
        Draw storage d = _draws[jobId][attempt];
        Job storage job = _jobs[jobId];
        bool isDrawn = d.count != 0 && !d.isDismissed;
        // Of an attempt that is over nothing more can be signed.
        bool isOver = attempt < job.attempt || job.phase >= Phase.Attested;
        bool isAccusable = d.signers != 0 && block.timestamp <= _accusableUntil(d, _termsOf(job));
        if (!isDrawn || !isOver || isAccusable || d.accusations != 0) revert NotOver(jobId);
        d.isDismissed = true;
        emit CommitteeDismissed(jobId, attempt);
        validators.excuse(d.rotation, _membersOf(jobId, attempt));
    }

    /// @inheritdoc IAttestation
    function setTerms(CommitteeTerms calldata terms_) external override restricted {
        _setTerms(terms_);
    }

    /// @inheritdoc ICommittee
    function verdictOf(uint256 jobId) external view override returns (Verdict) {
        Job storage job = _jobs[jobId];
        if (job.phase == Phase.Attested) return Verdict.Attested;
        return job.phase == Phase.Silent && block.timestamp > job.deadline ? Verdict.Silent : Verdict.Pending;
    }

    /// @inheritdoc ICommittee
    function feesFor(
        uint256 intervals,
        uint8 size,
        uint128 feePerInterval
    ) external view override returns (uint256) {
        // Else an order could be taken whose commitment would revert.
        if (!_isFit(intervals, size, feePerInterval)) revert UnfitCommittee(size, 0, intervals);
        uint256 least = _terms[_termsCount - 1].leastFee;
        if (feePerInterval < least) revert FeeTooLow(feePerInterval, least);
        uint256 fee = _checksOf(intervals) * feePerInterval;
        return size * (fee + ATTEMPTS * (fee / PRESENCE_DIVISOR));
    }

    /// @inheritdoc IAttestation
    function jobOf(uint256 jobId) external view override returns (Job memory) {
        return _jobs[jobId];
    }

    /// @inheritdoc IAttestation
    function drawOf(uint256 jobId, uint256 attempt) external view override returns (Draw memory) {
        return _draws[jobId][attempt];
    }

    /// @inheritdoc IAttestation
    function membersOf(uint256 jobId, uint256 attempt) external view override returns (uint256[] memory) {
        return _membersOf(jobId, attempt);
    }

    /// @inheritdoc IAttestation
    function intervalsOf(
        uint256 jobId,
        uint256 attempt,
        uint256 position
    ) external view override returns (uint256[] memory own) {
        Draw storage d = _draws[jobId][attempt];
        if (d.count == 0) revert NoSeed(jobId);
        (bytes32 seed, uint256 intervals) = (_seedOf(d), _jobs[jobId].intervals);
        own = new uint256[](_checksOf(intervals));
        for (uint256 j = 0; j < own.length; ++j) {
            own[j] = AttestationMath.intervalOf(seed, intervals, own.length, position, j);
        }
    }

    /// @inheritdoc IAttestation
    function termsOf(uint256 jobId) external view override returns (CommitteeTerms memory) {
        return _terms[_jobs[jobId].terms];
    }

    /// @inheritdoc IAttestation
    function terms() external view override returns (CommitteeTerms memory, uint256 index) {
        index = _termsCount - 1;
        return (_terms[index], index);
    }

    /// @dev Begins an attempt, or begins it anew. A beacon that refuses holds nobody up: a commitment, a timeout and a
    /// reveal have deadlines, and whose they are does not answer for the beacon. The draw then has no request, and its
    /// time is over, so that `renew` may ask at once. Who leaves too little gas for the request on purpose gains
    /// nothing by it: the seed is that of a request which anybody makes, at any time. Nor does it happen by an
    /// estimate of gas: a new draw takes a fresh slot after the request, for which a 64th of what the request needs
    /// is not enough.
    /// @return isAsked whether the beacon took the request
    function _ask(uint256 jobId, Job storage job, uint256 attempt) internal returns (bool isAsked) {
        (job.phase, job.attempt, job.opened) = (Phase.Seeding, uint8(attempt), 0);
        (uint256 rotation, uint256 exitDelay) = (validators.rotation(), validators.exitDelay());
        uint256 requestId = 0;
        try beacon.request() returns (uint256 given) {
            (isAsked, requestId) = (true, given);
        } catch {}
        Draw storage d = _draws[jobId][attempt];
        // A validator that leaves in this rotation is bound for longer than that.
        uint256 until = isAsked ? block.timestamp + exitDelay : block.timestamp - 1;
        (d.requestId, d.rotation, d.drawUntil) = (uint64(requestId), uint32(rotation), uint40(until));
        emit CommitteeAsked(jobId, attempt, requestId, rotation, job.terms);
    }

    /// @dev Ends an attempt without an attestation.
    function _fail(uint256 jobId, Job storage job, uint256 silent) internal {
        uint256 attempt = job.attempt;
        _draws[jobId][attempt].silent = uint64(silent);
        emit AttemptFailed(jobId, attempt, silent);
        if (attempt < ATTEMPTS) {
            _ask(jobId, job, attempt + 1);
        } else {
            (job.phase, job.deadline) = (Phase.Silent, uint40(_disputableUntil(jobId, job)));
            emit CommitteeSilent(jobId, job.deadline);
        }
    }

    /// @dev The purse holds so much for every attempt, beside the fees of the members that attest.
    function _payPresent(uint256 jobId, Job storage job, uint256[] memory ids, uint256 appeared) private {
        uint256 fee = (_checksOf(job.intervals) * job.feePerInterval) / PRESENCE_DIVISOR;
        for (uint256 i = 0; fee != 0 && i < ids.length; ++i) {
            if ((appeared >> i) & 1 == 0) continue;
            escrow.payFee(jobId, validators.validatorOf(ids[i]).operator, fee);
        }
    }

    function _enter(Job storage job, Phase phase, uint256 window) internal {
        (job.phase, job.graceEnds) = (phase, 0);
        job.deadline = uint40(block.timestamp + window);
    }

    function _inPhase(uint256 jobId, Phase phase) internal view returns (Job storage job) {
        job = _jobs[jobId];
        if (job.phase != phase) revert WrongPhase(jobId, job.phase);
    }

    /// @dev A job in a phase whose time is not over.
    function _inTime(uint256 jobId, Phase phase) internal view returns (Job storage job) {
        job = _inPhase(jobId, phase);
        if (!Clock.mayMove(block.timestamp, job.graceEnds)) revert TooLate(jobId, job.graceEnds);
    }

    function _termsOf(Job storage job) internal view returns (CommitteeTerms storage) {
        return _terms[job.terms];
    }

    /// @dev Of a draw that was made: what a beacon has said it never takes back.
    function _seedOf(Draw storage d) internal view returns (bytes32 seed) {
        (seed, ) = beacon.seedOf(d.requestId);
    }

    function _checksOf(uint256 intervals) internal view returns (uint256) {
        return intervals < checks ? intervals : checks;
    }

    /// @dev Last second in which what was signed in a draw can be accused, whatever becomes of the job.
    function _accusableUntil(Draw storage d, CommitteeTerms storage t) internal view returns (uint256) {
        return Math.max(d.signedAt, d.revealedAt) + t.accusableFor;
    }

    function _membersOf(uint256 jobId, uint256 attempt) internal view returns (uint256[] memory ids) {
        uint256 count = _draws[jobId][attempt].count;
        ids = new uint256[](count);
        mapping(uint256 => uint256) storage words = _members[jobId][attempt];
        uint256 word = 0;
        for (uint256 i = 0; i < count; ++i) {
            word = i % IDS_IN_WORD == 0 ? words[i / IDS_IN_WORD] : word >> 32;
            ids[i] = uint32(word);
        }
    }

    /// @param position of one of those who were drawn
    function _memberAt(uint256 jobId, uint256 attempt, uint256 position) internal view returns (uint256) {
        uint256 word = _members[jobId][attempt][position / IDS_IN_WORD];
        return uint32(word >> (32 * (position % IDS_IN_WORD)));
    }

    function _storeMembers(mapping(uint256 => uint256) storage words, uint256[] memory ids) private {
        for (uint256 i = 0; i < ids.length; i += IDS_IN_WORD) {
            uint256 word = 0;
            for (uint256 j = 0; j < IDS_IN_WORD && i + j < ids.length; ++j) word |= ids[i + j] << (32 * j);
            words[i / IDS_IN_WORD] = word;
        }
    }

    /// @dev Last second that must be left to dispute what the reveals of all attempts showed.
    function _disputableUntil(uint256 jobId, Job storage job) private view returns (uint256 until) {
        for (uint256 attempt = 1; attempt <= ATTEMPTS; ++attempt) {
            uint256 revealedAt = _draws[jobId][attempt].revealedAt;
            if (revealedAt != 0) until = revealedAt + _terms[job.terms].disputeTime;
        }
    }

    function _setTerms(CommitteeTerms memory t) private {
        if (!_isWindow(t.signingWindow)) revert OutOfBounds("signingWindow");
        if (!_isWindow(t.openingWindow)) revert OutOfBounds("openingWindow");
        if (!_isWindow(t.revealWindow)) revert OutOfBounds("revealWindow");
        if (!_isWindow(t.grace)) revert OutOfBounds("grace");
        if (!_isWindow(t.disputeTime)) revert OutOfBounds("disputeTime");
        if (!_isWindow(t.accusableFor)) revert OutOfBounds("accusableFor");
        if (!_isWindow(t.moveWindow)) revert OutOfBounds("moveWindow");
        if (t.leastFee > type(uint112).max) revert OutOfBounds("leastFee");
        if (t.silentSlash > t.lieSlash || t.lieSlash > MAX_SLASH) revert OutOfBounds("slash");
        uint256 index = _termsCount++;
        if (index > type(uint16).max) revert OutOfBounds("index");
        _terms[index] = t;
        emit TermsSet(index, t);
    }

    /// @dev A job that has ended waits for nobody, also before it is settled.
    function _timed(uint256 jobId) private view returns (Job storage job) {
        job = _jobs[jobId];
        Phase phase = job.phase;
        bool isTimed = phase == Phase.Signing || phase == Phase.Opening || phase == Phase.Revealing;
        if (!isTimed) revert WrongPhase(jobId, phase);
        if (!registry.isRunning(jobId)) revert JobOver(jobId);
    }

    function _requireRegistry() private view {
        if (msg.sender != address(registry)) revert NotRegistry(msg.sender);
    }

    function _isFit(uint256 intervals, uint256 size, uint256 fee) private pure returns (bool) {
        bool isTrace = intervals != 0 && intervals <= type(uint32).max;
        return isTrace && size <= MAX_SIZE && fee <= type(uint112).max;
    }

    function _isWindow(uint256 window) private pure returns (bool) {
        return window >= Clock.SHORTEST && window <= Clock.LONGEST;
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IAttestation} from "../attestation/interfaces/IAttestation.sol";
import {IMemberClaims, MemberClaim} from "../attestation/interfaces/IMemberClaims.sol";
import {IJobRegistry} from "../jobs/interfaces/IJobRegistry.sol";
import {Clock} from "../libraries/Clock.sol";
import {Bonds} from "./Bonds.sol";
import {DisputeTerms, TrainingClaim} from "./interfaces/IDisputedClaims.sol";
import {RuleBook} from "./interfaces/IDisputeGame.sol";
import {
    IDescentRules,
    IElementRules,
    IInputRules,
    IRangeRules,
    ISumRules,
    IVoidRules,
    Outcome,
    Round,
    Stage
} from "./interfaces/IDisputeRules.sol";
import {IMemberGame} from "./interfaces/IMemberGame.sol";
import {NextRound} from "./NextRound.sol";
import {Position} from "./Position.sol";
import {RuleBooks} from "./RuleBooks.sol";
import {Turn, Turns} from "./Turns.sol";

/// @title The dispute over what a member of a committee has signed
/// @notice See `IMemberGame`. Moves are judged by the same contracts as those of `DisputeGame`.
contract MemberGame is IMemberGame, RuleBooks, Bonds {
    /// @dev What a move reads and writes. The rest is in the accusation's id, or fixed with its job.
    struct Entry {
        Turn turn;
        /// keccak256 of the encoded round.
        bytes32 round;
    }

    uint16 private constant LATE = type(uint16).max;
    /// @dev Byte of a move at which the operator of the claim stands: behind selector, stage, interval and position.
    uint256 private constant CLAIMANT = 4 + 22 * 32;
    /// @dev Bits of an accusation's number; above them its position, its attempt, and its job.
    uint256 private constant NUMBER_BITS = 32;
    uint256 private constant POSITION_BITS = 8;
    uint256 private constant ATTEMPT_BITS = 8;

    IJobRegistry public immutable registry;
    IMemberClaims public immutable claims;

    /// @dev Number of the next accusation: never zero, so that the first one costs no more than others.
    uint32 private _next = 1;
    /// @inheritdoc IMemberGame
    mapping(uint256 member => uint256) public override openOf;
    mapping(uint256 accusationId => Entry) private _entries;
    /// @dev Jobs that were shown to be void here.
    mapping(uint256 jobId => bool) private _voids;

    constructor(
        IJobRegistry registry_,
        IMemberClaims claims_,
        IDescentRules descentRules_,
        IElementRules elementRules_,
        ISumRules sumRules_,
        IRangeRules rangeRules_,
        IInputRules inputRules_,
        IVoidRules voidRules_
    ) RuleBooks(descentRules_, elementRules_, sumRules_, rangeRules_, inputRules_, voidRules_) {
        registry = registry_;
        claims = claims_;
    }

    /// @inheritdoc IMemberGame
    function accuse(
        uint256 jobId,
        uint256 attempt,
        uint256 position,
        uint256 number
    ) external payable override nonReentrant returns (uint256 id) {
        if (isVoid(jobId)) revert VoidJob(jobId);
        MemberClaim memory signed = claims.onAccused(jobId, attempt, position, number);
        _requireValue(registry.parametersOf(jobId).dispute.challengerBond);
        // Only what was drawn can be accused: a committee has 64 members, and three draws at most.
        id = (((jobId << ATTEMPT_BITS) | attempt) << POSITION_BITS) | position;
        id = (id << NUMBER_BITS) | _next++;
        ++openOf[signed.member];
        Round memory round = _roundOf(jobId, signed);
        emit Accused(id, jobId, msg.sender, attempt, position, signed.member, signed.interval, round.claim);
        _setRound(id, msg.sender, signed.member, abi.encode(Outcome.Continued, round));
    }

    /// @inheritdoc IMemberGame
    function play(uint256 accusationId, RuleBook book, bytes calldata move) external override nonReentrant {
        Turn turn = _open(accusationId);
        _requireRound(accusationId, move, _entries[accusationId].round);
        bool isMembers = _isClaimants(turn.stage());
        address owner =
            isMembers ? address(uint160(uint256(bytes32(move[CLAIMANT:CLAIMANT + 32])))) : turn.accuser();
        if (msg.sender != owner) revert NotYourTurn(accusationId, owner);
        uint256 graceEnds = _graceEnds(turn);
        if (!Clock.mayMove(block.timestamp, graceEnds)) revert TooLate(accusationId, graceEnds);
        bytes memory result = _judge(book, move);
        Outcome outcome = abi.decode(result, (Outcome));
        if (isMembers) emit Posted(accusationId, bytes4(move), move[4 + NextRound.LENGTH:]);
        if (outcome == Outcome.Continued) {
            _setRound(accusationId, turn.accuser(), turn.member(), result);
        } else if (outcome == Outcome.ProviderConvicted) {
            _convict(accusationId, turn);
        } else {
            _clear(accusationId, turn);
        }
    }

    /// @inheritdoc IMemberGame
    function callTimeout(uint256 accusationId) external override {
        Turn turn = _open(accusationId);
        if (turn.others() == LATE) revert TimeoutAlreadyCalled(accusationId);
        uint256 deadline = deadlineOf(accusationId);
        if (!Clock.isLate(block.timestamp, deadline)) revert TooEarly(accusationId, deadline + 1);
        uint256 graceEnds = block.timestamp + registry.parametersOf(_jobOf(accusationId)).dispute.grace;
        _entries[accusationId].turn = Turns.pack(
            turn.accuser(),
            turn.member(),
            uint32(graceEnds),
            LATE,
            turn.stage()
        );
        emit TimeoutCalled(accusationId, graceEnds);
    }

    /// @inheritdoc IMemberGame
    function executeTimeout(uint256 accusationId) external override nonReentrant {
        Turn turn = _open(accusationId);
        uint256 graceEnds = _graceEnds(turn);
        if (Clock.mayMove(block.timestamp, graceEnds)) revert TooEarly(accusationId, graceEnds + 1);
        if (_isClaimants(turn.stage())) _convict(accusationId, turn);
        else _clear(accusationId, turn);
    }

    /// @inheritdoc IMemberGame
    function settle(uint256 accusationId) external override nonReentrant {
        Turn turn = _open(accusationId);
        (uint256 jobId, uint256 attempt, uint256 position) = _accusedIn(accusationId);
        if (!isVoid(jobId) && !claims.isLiar(jobId, attempt, position)) revert NotOver(accusationId);
        _clear(accusationId, turn);
    }

    /// @inheritdoc IMemberGame
    function punish(uint256 accusationId) external override nonReentrant {
        Entry storage entry = _entries[accusationId];
        Turn turn = entry.turn;
        if (!turn.isDue()) revert NothingDue(accusationId);
        entry.turn = turn.close(false);
        (uint256 jobId, uint256 attempt, uint256 position) = _accusedIn(accusationId);
        address accuser = turn.accuser();
        uint256 bond = registry.parametersOf(jobId).dispute.challengerBond;
        _credit(accuser, bond);
        bool isJudged = !isVoid(jobId);
        (, bool wasLiar) = claims.onEnded(jobId, attempt, position, isJudged);
        if (!isJudged || wasLiar) {
            emit AccusationSettled(accusationId, jobId, bond);
        } else {
            emit MemberPunished(accusationId, jobId, accuser);
            claims.punishLiar(jobId, attempt, position, accuser);
        }
    }

    /// @inheritdoc IMemberGame
    function showVoid(
        uint256 jobId,
        uint256 tape,
        uint256 index,
        bytes calldata descriptor,
        bytes32[] calldata siblings
    ) external override {
        if (!voidRules.isVoid(registry.claimOf(jobId), tape, index, descriptor, siblings)) {
            revert NothingVoid();
        }
        _setVoid(jobId);
    }

    /// @inheritdoc IMemberGame
    function accusationOf(
        uint256 accusationId
    ) external view override returns (Accusation memory accusation) {
        Entry storage entry = _entries[accusationId];
        Turn turn = entry.turn;
        if (turn.stage() == Stage.None) return accusation;
        (uint256 jobId, uint256 attempt, uint256 position) = _accusedIn(accusationId);
        DisputeTerms memory terms = registry.parametersOf(jobId).dispute;
        accusation = Accusation({
            accuser: turn.accuser(),
            bond: terms.challengerBond,
            time: turn.time(),
            others: turn.others(),
            stage: turn.stage(),
            isDue: turn.isDue(),
            jobId: uint48(jobId),
            attempt: uint8(attempt),
            position: uint8(position),
            member: turn.member(),
            window: _windowOf(jobId),
            grace: terms.grace,
            extension: uint24(terms.extension),
            round: entry.round
        });
    }

    /// @inheritdoc IMemberGame
    function accusationCount() external view override returns (uint256) {
        return _next - 1;
    }

    /// @inheritdoc IMemberGame
    function deadlineOf(uint256 accusationId) public view override returns (uint256) {
        Turn turn = _entries[accusationId].turn;
        uint256 graceEnds = _graceEnds(turn);
        if (graceEnds != 0) return graceEnds;
        uint256 jobId = _jobOf(accusationId);
        uint256 extension = registry.parametersOf(jobId).dispute.extension;
        return Clock.deadlineOf(turn.time(), _windowOf(jobId), extension, turn.others());
    }

    /// @inheritdoc IMemberGame
    function isVoid(uint256 jobId) public view override returns (bool) {
        return _voids[jobId] || registry.statusOf(jobId) == IJobRegistry.Status.Void;
    }

    /// @dev What every move that ends nothing ends with.
    /// @param result encoded outcome and round
    function _setRound(uint256 id, address accuser, uint32 member, bytes memory result) private {
        (Stage stage, , bytes32 hash) = NextRound.read(result);
        // The member's window grows with the other accusations that are open as the turn begins.
        uint256 others = _isClaimants(stage) ? openOf[member] - 1 : 0;
        uint16 counted = others < LATE ? uint16(others) : LATE - 1;
        Entry storage entry = _entries[id];
        entry.turn = Turns.pack(accuser, member, uint32(block.timestamp), counted, stage);
        entry.round = hash;
        NextRound.announce(result, Moved.selector, id, _jobOf(id));
    }

    /// @dev The member was wrong or silent. What follows from it is for `punish`.
    function _convict(uint256 id, Turn turn) private {
        _close(id, turn, true);
        (uint256 jobId, uint256 attempt, uint256 position) = _accusedIn(id);
        emit MemberConvicted(id, jobId, turn.accuser(), attempt, position);
    }

    /// @dev The accuser has lost. Nobody has where nothing can be judged, or the member was found to have lied.
    function _clear(uint256 id, Turn turn) private {
        _close(id, turn, false);
        (uint256 jobId, uint256 attempt, uint256 position) = _accusedIn(id);
        address accuser = turn.accuser();
        uint256 bond = registry.parametersOf(jobId).dispute.challengerBond;
        (address operator, bool wasLiar) = claims.onEnded(jobId, attempt, position, false);
        if (wasLiar || isVoid(jobId)) {
            _credit(accuser, bond);
            emit AccusationSettled(id, jobId, bond);
        } else {
            _credit(operator, _burnHalf(bond));
            emit AccusationLost(id, jobId, accuser);
        }
    }

    function _close(uint256 id, Turn turn, bool isDue) private {
        Entry storage entry = _entries[id];
        entry.turn = turn.close(isDue);
        delete entry.round;
        --openOf[turn.member()];
    }

    function _setVoid(uint256 jobId) private {
        if (_voids[jobId]) return;
        _voids[jobId] = true;
        emit JobVoid(jobId);
    }

    function _open(uint256 id) private view returns (Turn turn) {
        turn = _entries[id].turn;
        Stage stage = turn.stage();
        if (stage == Stage.None || stage == Stage.Closed) revert NotOpen(id);
    }

    /// @dev Seconds for a move, fixed with the job's committee.
    function _windowOf(uint256 jobId) private view returns (uint32) {
        return IAttestation(address(claims)).termsOf(jobId).moveWindow;
    }

    /// @dev What the member is to open: the claim is its own, under the root that was signed.
    function _roundOf(uint256 jobId, MemberClaim memory signed) private view returns (Round memory round) {
        (round.stage, round.interval) = (Stage.MemberLeaves, signed.interval);
        TrainingClaim memory claim = registry.claimOf(jobId);
        (claim.provider, claim.challengeUntil) = (signed.operator, signed.until);
        round.claim = claim;
        Position memory p = round.position;
        (p.tensors, p.place, p.leaves) = (signed.root, signed.leaf, signed.leaves);
        (p.commitment, p.index) = (signed.prefix, signed.member);
    }

    /// @dev Last second of the grace, 0 as long as no timeout was called.
    function _graceEnds(Turn turn) private pure returns (uint256) {
        return turn.others() == LATE ? turn.time() : 0;
    }

    /// @dev What an accusation's id says.
    function _accusedIn(uint256 id) private pure returns (uint256 jobId, uint256 attempt, uint256 position) {
        return (_jobOf(id), uint8(id >> (NUMBER_BITS + POSITION_BITS)), uint8(id >> NUMBER_BITS));
    }

    function _jobOf(uint256 id) private pure returns (uint256) {
        return id >> (NUMBER_BITS + POSITION_BITS + ATTEMPT_BITS);
    }
}

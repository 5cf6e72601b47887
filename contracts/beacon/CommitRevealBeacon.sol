// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IStaking} from "../staking/interfaces/IStaking.sol";
import {ICommitRevealBeacon} from "./interfaces/ICommitRevealBeacon.sol";
import {IRandomnessBeacon} from "./interfaces/IRandomnessBeacon.sol";
import {SeedDomain} from "./SeedDomain.sol";

/// @title Commit–reveal among staked operators: the beacon of the embedded network
/// @dev Requests share a session only within one block time: whoever could join a session later could see who has
/// committed so far, and choose the moment. No call walks over committers, so their number needs no bound that Sybil
/// identities could fill.
contract CommitRevealBeacon is ICommitRevealBeacon, SeedDomain, AccessManaged {
    struct Configuration {
        IStaking staking;
        /// Role that an operator needs to commit.
        IStaking.Role role;
        uint32 minCommitters;
        /// Seconds.
        uint64 commitWindow;
        uint64 revealWindow;
        uint64 grace;
        /// Units of the staking token.
        uint256 bond;
    }

    /// @notice Requests that one session can serve; further ones open another.
    uint256 public constant MAX_REQUESTS_PER_SESSION = 16;
    bytes32 public constant MISSING_REVEAL = "missing reveal";
    uint256 private constant BASIS_POINTS = 10_000;
    uint64 private constant MAX_DURATION = 30 days;

    IStaking public immutable staking;
    IStaking.Role public immutable role;
    uint32 public immutable minCommitters;
    uint64 public immutable commitWindow;
    uint64 public immutable revealWindow;
    uint64 public immutable grace;
    /// @inheritdoc ICommitRevealBeacon
    uint256 public immutable override bond;

    /// @notice Requests made so far; ids run from 1.
    uint256 public requestCount;
    /// @notice Sessions opened so far; ids run from 1.
    uint256 public sessionCount;
    mapping(uint256 requestId => uint256 sessionId) private _sessionOfRequest;
    mapping(uint256 sessionId => Session) private _sessions;
    mapping(uint256 sessionId => uint256[] requestIds) private _requests;
    mapping(uint256 sessionId => mapping(address operator => Commitment)) private _commitments;
    mapping(uint256 sessionId => mapping(uint32 round => Outcome)) private _outcomes;

    constructor(address authority, Configuration memory configuration) AccessManaged(authority) {
        // With a single committer the seed would be its choice.
        if (configuration.minCommitters < 2 || configuration.bond == 0) revert InvalidConfiguration();
        _requireDuration(configuration.commitWindow);
        _requireDuration(configuration.revealWindow);
        _requireDuration(configuration.grace);
        staking = configuration.staking;
        role = configuration.role;
        minCommitters = configuration.minCommitters;
        commitWindow = configuration.commitWindow;
        revealWindow = configuration.revealWindow;
        grace = configuration.grace;
        bond = configuration.bond;
    }

    /// @inheritdoc IRandomnessBeacon
    function request() external override restricted returns (uint256 requestId) {
        requestId = ++requestCount;
        uint256 sessionId = sessionCount;
        bool joins =
            _sessions[sessionId].openedAt == block.timestamp &&
                _sessions[sessionId].committed == 0 &&
                _requests[sessionId].length < MAX_REQUESTS_PER_SESSION;
        if (!joins) {
            sessionId = ++sessionCount;
            Session storage current = _sessions[sessionId];
            current.openedAt = uint64(block.timestamp);
            _startWindows(current);
            emit SessionOpened(sessionId, current.commitEnds, current.revealEnds);
        }
        _sessionOfRequest[requestId] = sessionId;
        _requests[sessionId].push(requestId);
        emit RandomnessRequested(requestId, msg.sender, _sessions[sessionId].commitEnds);
    }

    /// @inheritdoc ICommitRevealBeacon
    function commit(uint256 sessionId, bytes32 commitment) external override {
        if (commitment == 0) revert EmptyCommitment();
        _requirePhase(sessionId, Phase.Commit);
        Session storage current = _sessions[sessionId];
        Commitment storage mine = _commitments[sessionId][msg.sender];
        bool again = mine.hash != 0;
        if (again && mine.round == current.round) revert AlreadyCommitted(sessionId, msg.sender);
        if (again && !mine.revealed && _outcomes[sessionId][mine.round] == Outcome.Failed) {
            revert Excluded(sessionId, msg.sender);
        }
        // A bond from a round that had too few commitments serves again.
        bool locked = mine.bonded;
        if (
            staking.stakeAt(msg.sender, current.openedAt - 1) < bond ||
            !staking.isEligible(msg.sender, role, locked ? 0 : bond)
        ) revert NotEligible(msg.sender);

        _commitments[sessionId][msg.sender] = Commitment(commitment, current.round, false, true);
        ++current.committed;
        emit Committed(sessionId, current.round, msg.sender, commitment);
        if (!locked) staking.lock(msg.sender, bond);
    }

    /// @inheritdoc ICommitRevealBeacon
    function reveal(uint256 sessionId, bytes32 secret) external override {
        Phase phase = phaseOf(sessionId);
        if (phase != Phase.Reveal && phase != Phase.Overdue && phase != Phase.Grace) {
            revert WrongPhase(sessionId, phase);
        }
        Session storage current = _sessions[sessionId];
        Commitment storage mine = _commitments[sessionId][msg.sender];
        uint32 round = current.round;
        bytes32 opening = keccak256(
            abi.encode(block.chainid, address(this), sessionId, round, msg.sender, secret)
        );
        if (mine.hash != opening || mine.round != round || mine.revealed) {
            revert WrongSecret(sessionId, msg.sender);
        }

        mine.revealed = true;
        mine.bonded = false;
        ++current.revealed;
        // Hashed with the operator, so that equal secrets do not cancel out.
        current.value ^= keccak256(abi.encode(msg.sender, secret));
        emit Revealed(sessionId, round, msg.sender, secret);
        if (current.revealed == current.committed) _complete(sessionId, current);
        staking.unlock(msg.sender, bond);
    }

    /// @inheritdoc ICommitRevealBeacon
    function callTimeout(uint256 sessionId) external override {
        _requirePhase(sessionId, Phase.Overdue);
        Session storage current = _sessions[sessionId];
        current.graceEnds = uint64(block.timestamp) + grace;
        emit TimeoutCalled(sessionId, current.round, msg.sender, current.graceEnds);
    }

    /// @inheritdoc ICommitRevealBeacon
    function finalize(uint256 sessionId) external override {
        Phase phase = phaseOf(sessionId);
        if (phase != Phase.Underfilled && phase != Phase.Failed) revert WrongPhase(sessionId, phase);
        _endRound(sessionId, phase);
    }

    /// @inheritdoc IRandomnessBeacon
    function redraw(uint256 requestId) external override {
        uint256 sessionId = sessionOf(requestId);
        Phase phase = phaseOf(sessionId);
        if (phase != Phase.Underfilled && phase != Phase.Failed) {
            Session storage current = _sessions[sessionId];
            revert RedrawNotDue(requestId, current.graceEnds == 0 ? current.revealEnds : current.graceEnds);
        }
        _endRound(sessionId, phase);
    }

    /// @inheritdoc ICommitRevealBeacon
    function reclaim(uint256 sessionId) external override {
        Commitment storage mine = _commitments[sessionId][msg.sender];
        if (!mine.bonded || _outcomes[sessionId][mine.round] != Outcome.Underfilled) {
            revert NothingBonded(sessionId, msg.sender);
        }
        mine.bonded = false;
        emit Reclaimed(sessionId, msg.sender);
        staking.unlock(msg.sender, bond);
    }

    /// @inheritdoc ICommitRevealBeacon
    function slashMissing(uint256 sessionId, address operator) external override {
        Commitment storage theirs = _commitments[sessionId][operator];
        if (!theirs.bonded || _outcomes[sessionId][theirs.round] != Outcome.Failed) {
            revert NothingBonded(sessionId, operator);
        }
        theirs.bonded = false;
        emit MissingSlashed(sessionId, theirs.round, operator, msg.sender);
        staking.slash(operator, bond, msg.sender, MISSING_REVEAL);
    }

    /// @inheritdoc IRandomnessBeacon
    function seedOf(uint256 requestId) external view override returns (bytes32 seed, uint64 readyAt) {
        Session storage current = _sessions[_sessionOfRequest[requestId]];
        readyAt = current.readyAt;
        if (readyAt != 0) seed = _seed(requestId, current.value);
    }

    /// @inheritdoc ICommitRevealBeacon
    function session(uint256 sessionId) external view override returns (Session memory) {
        return _sessions[sessionId];
    }

    /// @inheritdoc ICommitRevealBeacon
    function requestsOf(uint256 sessionId) external view override returns (uint256[] memory) {
        return _requests[sessionId];
    }

    /// @inheritdoc ICommitRevealBeacon
    function commitmentOf(
        uint256 sessionId,
        address operator
    ) external view override returns (Commitment memory) {
        return _commitments[sessionId][operator];
    }

    /// @inheritdoc ICommitRevealBeacon
    function outcomeOf(uint256 sessionId, uint32 round) external view override returns (Outcome) {
        return _outcomes[sessionId][round];
    }

    /// @inheritdoc ICommitRevealBeacon
    function maxDrawValue() external view override returns (uint256) {
        (, uint16 reporterShare) = staking.parameters();
        return (bond * (BASIS_POINTS - reporterShare)) / BASIS_POINTS;
    }

    /// @inheritdoc ICommitRevealBeacon
    function sessionOf(uint256 requestId) public view override returns (uint256 sessionId) {
        sessionId = _sessionOfRequest[requestId];
        if (sessionId == 0) revert UnknownRequest(requestId);
    }

    /// @inheritdoc ICommitRevealBeacon
    function phaseOf(uint256 sessionId) public view override returns (Phase) {
        Session storage current = _sessions[sessionId];
        if (current.openedAt == 0) return Phase.None;
        if (current.readyAt != 0) return Phase.Ready;
        if (block.timestamp < current.commitEnds) return Phase.Commit;
        if (current.committed < minCommitters) return Phase.Underfilled;
        if (block.timestamp < current.revealEnds) return Phase.Reveal;
        if (current.graceEnds == 0) return Phase.Overdue;
        return block.timestamp < current.graceEnds ? Phase.Grace : Phase.Failed;
    }

    function _complete(uint256 sessionId, Session storage current) private {
        bytes32 raw = keccak256(abi.encode(sessionId, current.round, current.committed, current.value));
        current.value = raw;
        current.readyAt = uint64(block.timestamp);
        _outcomes[sessionId][current.round] = Outcome.Ready;
        emit SessionReady(sessionId, current.round, raw);
        uint256[] storage requestIds = _requests[sessionId];
        for (uint256 i = 0; i < requestIds.length; ++i) {
            emit RandomnessReady(requestIds[i], _seed(requestIds[i], raw));
        }
    }

    function _endRound(uint256 sessionId, Phase phase) private {
        Session storage current = _sessions[sessionId];
        Outcome outcome = phase == Phase.Failed ? Outcome.Failed : Outcome.Underfilled;
        uint32 round = current.round;
        _outcomes[sessionId][round] = outcome;
        current.round = round + 1;
        current.committed = 0;
        current.revealed = 0;
        current.value = 0;
        current.graceEnds = 0;
        _startWindows(current);
        emit RoundEnded(sessionId, round, outcome, current.commitEnds, current.revealEnds);
        uint256[] storage requestIds = _requests[sessionId];
        for (uint256 i = 0; i < requestIds.length; ++i)
            emit RandomnessRedrawn(requestIds[i], current.commitEnds);
    }

    function _startWindows(Session storage current) private {
        current.commitEnds = uint64(block.timestamp) + commitWindow;
        current.revealEnds = current.commitEnds + revealWindow;
    }

    function _requirePhase(uint256 sessionId, Phase wanted) private view {
        Phase phase = phaseOf(sessionId);
        if (phase != wanted) revert WrongPhase(sessionId, phase);
    }

    function _requireDuration(uint64 duration) private pure {
        if (duration == 0 || duration > MAX_DURATION) revert InvalidConfiguration();
    }
}

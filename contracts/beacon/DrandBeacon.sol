// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {BLS} from "../libraries/BLS.sol";
import {IDrandBeacon} from "./interfaces/IDrandBeacon.sol";
import {IRandomnessBeacon} from "./interfaces/IRandomnessBeacon.sol";
import {SeedDomain} from "./SeedDomain.sol";

/// @title Randomness of a drand network (evmnet by default), verified on chain
/// @dev Nothing can be changed after deployment. Requests are bound to rounds that never go down, so the requests of a
/// round stand together and can be bounded.
contract DrandBeacon is IDrandBeacon, SeedDomain, AccessManaged {
    struct Configuration {
        /// EIP-197 order: x1, x0, y1, y0.
        uint256[4] publicKey;
        /// Time of round 1, seconds.
        uint64 genesis;
        /// Seconds between rounds.
        uint64 period;
        /// Seconds that a chain's clock may lag behind the network's; 10 minutes by default.
        uint64 margin;
        /// Seconds after which a round that nobody submitted is replaced; 24 hours by default.
        uint64 redrawAfter;
    }

    /// @dev drand's scheme `bls-bn254-unchained-on-g1`.
    bytes private constant SCHEME = "BLS_SIG_BN254G1_XMD:KECCAK-256_SVDW_RO_NUL_";
    /// @notice Requests that one round can serve; further ones get the next round.
    uint256 public constant MAX_REQUESTS_PER_ROUND = 16;
    uint64 private constant MAX_DURATION = 30 days;

    struct Round {
        bytes32 randomness;
        uint64 submittedAt;
        /// Beside `submittedAt`, so that its slot is in use already when the signature arrives.
        uint64 requestCount;
        mapping(uint256 index => uint256 requestId) requests;
    }

    uint64 public immutable genesis;
    uint64 public immutable period;
    uint64 public immutable margin;
    uint64 public immutable redrawAfter;

    uint256 private immutable _x1;
    uint256 private immutable _x0;
    uint256 private immutable _y1;
    uint256 private immutable _y0;

    /// @notice Requests made so far; ids run from 1.
    uint256 public requestCount;
    uint64 private _lastRound;
    mapping(uint256 requestId => uint64 round) private _roundOfRequest;
    mapping(uint64 round => Round) private _rounds;

    constructor(address authority, Configuration memory configuration) AccessManaged(authority) {
        _requireDuration(configuration.period);
        _requireDuration(configuration.margin);
        _requireDuration(configuration.redrawAfter);
        if (!BLS.isKey(configuration.publicKey)) revert InvalidConfiguration();
        (_x1, _x0) = (configuration.publicKey[0], configuration.publicKey[1]);
        (_y1, _y0) = (configuration.publicKey[2], configuration.publicKey[3]);
        genesis = configuration.genesis;
        period = configuration.period;
        margin = configuration.margin;
        redrawAfter = configuration.redrawAfter;
    }

    /// @inheritdoc IRandomnessBeacon
    function request() external override restricted returns (uint256 requestId) {
        requestId = ++requestCount;
        emit RandomnessRequested(requestId, msg.sender, timeOf(_bind(requestId)));
    }

    /// @inheritdoc IRandomnessBeacon
    function redraw(uint256 requestId) external override {
        Request memory current = requestOf(requestId);
        uint64 dueAt = timeOf(current.round) + redrawAfter;
        if (current.readyAt != 0 || block.timestamp < dueAt) revert RedrawNotDue(requestId, dueAt);
        emit RandomnessRedrawn(requestId, timeOf(_bind(requestId)));
    }

    /// @inheritdoc IDrandBeacon
    function submitRound(uint64 round, bytes calldata signature) external override {
        Round storage entry = _rounds[round];
        uint256 count = entry.requestCount;
        if (count == 0) revert RoundNotRequested(round);
        if (entry.submittedAt != 0) revert RoundAlreadySubmitted(round);
        if (block.timestamp < timeOf(round)) revert RoundNotDue(round, timeOf(round));
        if (signature.length != 64) revert InvalidSignatureLength(signature.length);

        uint256[2] memory point = abi.decode(signature, (uint256[2]));
        bytes memory message = abi.encodePacked(keccak256(abi.encodePacked(round)));
        if (!BLS.verify(publicKey(), SCHEME, message, point)) revert InvalidSignature(round);

        // The precompile has refused coordinates that are not canonical, so these bytes are the only ones.
        bytes32 randomness = sha256(signature);
        entry.randomness = randomness;
        entry.submittedAt = uint64(block.timestamp);
        emit RoundSubmitted(round, randomness, msg.sender);
        for (uint256 i = 0; i < count; ++i) {
            uint256 requestId = entry.requests[i];
            // Redrawn requests are bound to another round by now.
            if (_roundOfRequest[requestId] == round)
                emit RandomnessReady(requestId, _seed(requestId, randomness));
        }
    }

    /// @inheritdoc IRandomnessBeacon
    function seedOf(uint256 requestId) external view override returns (bytes32 seed, uint64 readyAt) {
        Round storage entry = _rounds[_roundOfRequest[requestId]];
        readyAt = entry.submittedAt;
        if (readyAt != 0) seed = _seed(requestId, entry.randomness);
    }

    /// @inheritdoc IDrandBeacon
    function roundOf(uint64 round) external view override returns (bytes32 randomness, uint64 submittedAt) {
        return (_rounds[round].randomness, _rounds[round].submittedAt);
    }

    /// @inheritdoc IDrandBeacon
    function requestsOf(uint64 round) external view override returns (uint256[] memory requestIds) {
        Round storage entry = _rounds[round];
        requestIds = new uint256[](entry.requestCount);
        for (uint256 i = 0; i < requestIds.length; ++i) requestIds[i] = entry.requests[i];
    }

    /// @inheritdoc IDrandBeacon
    function publicKey() public view override returns (uint256[4] memory) {
        return [_x1, _x0, _y1, _y0];
    }

    /// @inheritdoc IDrandBeacon
    function requestOf(uint256 requestId) public view override returns (Request memory) {
        uint64 round = _roundOfRequest[requestId];
        if (round == 0) revert UnknownRequest(requestId);
        return Request(round, _rounds[round].submittedAt);
    }

    /// @inheritdoc IDrandBeacon
    function timeOf(uint64 round) public view override returns (uint64) {
        return genesis + (round - 1) * period;
    }

    /// @inheritdoc IDrandBeacon
    function roundAfter(uint64 timestamp) public view override returns (uint64) {
        return timestamp < genesis ? 1 : (timestamp - genesis) / period + 2;
    }

    /// @dev Binds to the first round after the margin, or a later one when that is full. Such a round lies in the
    /// future, and `submitRound` refuses those, so it cannot have been submitted.
    function _bind(uint256 requestId) private returns (uint64 round) {
        round = roundAfter(uint64(block.timestamp) + margin);
        uint64 last = _lastRound;
        if (round <= last) round = _rounds[last].requestCount < MAX_REQUESTS_PER_ROUND ? last : last + 1;
        _lastRound = round;
        _roundOfRequest[requestId] = round;
        Round storage entry = _rounds[round];
        entry.requests[entry.requestCount++] = requestId;
    }

    function _requireDuration(uint64 duration) private pure {
        if (duration == 0 || duration > MAX_DURATION) revert InvalidConfiguration();
    }
}

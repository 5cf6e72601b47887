// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {VRFConsumerBaseV2Plus} from "@chainlink/contracts/src/v0.8/vrf/dev/VRFConsumerBaseV2Plus.sol";
import {VRFV2PlusClient} from "@chainlink/contracts/src/v0.8/vrf/dev/libraries/VRFV2PlusClient.sol";
import {IRandomnessBeacon} from "./interfaces/IRandomnessBeacon.sol";
import {IVrfBeacon} from "./interfaces/IVrfBeacon.sol";
import {SeedDomain} from "./SeedDomain.sol";

/// @title Randomness from Chainlink VRF v2.5, for chains that have a coordinator
/// @dev Chainlink's base contract lets its owner replace the coordinator, and a coordinator chooses what arrives here.
/// The owner is therefore to be the AccessManager: ownership is offered to it at once, and the deployment accepts it.
contract VrfBeacon is IVrfBeacon, SeedDomain, AccessManaged, VRFConsumerBaseV2Plus {
    struct Configuration {
        address coordinator;
        uint256 subscriptionId;
        /// Gas lane of the coordinator.
        bytes32 keyHash;
        /// Blocks between request and answer.
        uint16 confirmations;
        bool payInNative;
        /// Seconds after which a request without an answer is made again; 24 hours by default.
        uint64 redrawAfter;
    }

    /// @dev Enough for one storage of the answer, the seed's event, and their overhead.
    uint32 private constant CALLBACK_GAS = 150_000;
    uint64 private constant MAX_DURATION = 30 days;

    uint256 public immutable subscriptionId;
    bytes32 public immutable keyHash;
    uint16 public immutable confirmations;
    bool public immutable payInNative;
    uint64 public immutable redrawAfter;

    /// @notice Requests made so far; ids run from 1.
    uint256 public requestCount;
    mapping(uint256 requestId => Request) private _requests;
    mapping(uint256 vrfRequestId => uint256 requestId) private _requestOfVrf;

    constructor(
        address authority,
        Configuration memory configuration
    ) AccessManaged(authority) VRFConsumerBaseV2Plus(configuration.coordinator) {
        if (configuration.redrawAfter == 0 || configuration.redrawAfter > MAX_DURATION) {
            revert InvalidConfiguration();
        }
        subscriptionId = configuration.subscriptionId;
        keyHash = configuration.keyHash;
        confirmations = configuration.confirmations;
        payInNative = configuration.payInNative;
        redrawAfter = configuration.redrawAfter;
        transferOwnership(authority);
    }

    /// @inheritdoc IRandomnessBeacon
    function request() external override restricted returns (uint256 requestId) {
        requestId = ++requestCount;
        emit RandomnessRequested(requestId, msg.sender, uint64(block.timestamp));
        _ask(requestId);
    }

    /// @inheritdoc IRandomnessBeacon
    function redraw(uint256 requestId) external override {
        Request memory current = requestOf(requestId);
        uint64 dueAt = current.askedAt + redrawAfter;
        if (current.readyAt != 0 || block.timestamp < dueAt) revert RedrawNotDue(requestId, dueAt);
        emit RandomnessRedrawn(requestId, uint64(block.timestamp));
        _ask(requestId);
    }

    /// @inheritdoc IRandomnessBeacon
    function seedOf(uint256 requestId) external view override returns (bytes32 seed, uint64 readyAt) {
        Request storage current = _requests[requestId];
        readyAt = current.readyAt;
        if (readyAt != 0) seed = _seed(requestId, current.raw);
    }

    /// @inheritdoc IVrfBeacon
    function requestOf(uint256 requestId) public view override returns (Request memory current) {
        current = _requests[requestId];
        if (current.askedAt == 0) revert UnknownRequest(requestId);
    }

    /// @dev Called by the coordinator only. Must not revert: the coordinator would not try again.
    function fulfillRandomWords(uint256 vrfRequestId, uint256[] calldata randomWords) internal override {
        uint256 requestId = _requestOfVrf[vrfRequestId];
        Request storage current = _requests[requestId];
        // An answer to a request that was redrawn since, or to none of ours, is stale.
        if (requestId == 0 || current.vrfRequestId != vrfRequestId || current.readyAt != 0) return;
        current.raw = bytes32(randomWords[0]);
        current.readyAt = uint64(block.timestamp);
        emit RandomnessReady(requestId, _seed(requestId, current.raw));
    }

    function _ask(uint256 requestId) private {
        uint256 vrfRequestId = s_vrfCoordinator.requestRandomWords(
            VRFV2PlusClient.RandomWordsRequest({
                keyHash: keyHash,
                subId: subscriptionId,
                requestConfirmations: confirmations,
                callbackGasLimit: CALLBACK_GAS,
                numWords: 1,
                extraArgs: VRFV2PlusClient._argsToBytes(
                    VRFV2PlusClient.ExtraArgsV1({nativePayment: payInNative})
                )
            })
        );
        _requests[requestId].askedAt = uint64(block.timestamp);
        _requests[requestId].vrfRequestId = vrfRequestId;
        _requestOfVrf[vrfRequestId] = requestId;
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {
    DisputeTerms,
    IDisputedClaims,
    TrainingClaim
} from "../../../contracts/disputes/interfaces/IDisputedClaims.sol";
import {IDisputeGame} from "../../../contracts/disputes/interfaces/IDisputeGame.sol";

/// @notice A registry of jobs that says what it is told, and notes what the game tells it.
contract ClaimsDouble is IDisputedClaims {
    struct Conviction {
        uint32 interval;
        uint32 challengeId;
        address challenger;
        uint32 count;
    }

    error NotTheGame(address caller);

    IDisputeGame public game;
    mapping(uint256 jobId => TrainingClaim) private _claims;
    mapping(uint256 jobId => Conviction) public convictions;
    mapping(uint256 jobId => uint256) public voids;

    function setGame(IDisputeGame game_) external {
        game = game_;
    }

    function open(uint256 jobId, TrainingClaim calldata claim, DisputeTerms calldata terms) external payable {
        _claims[jobId] = claim;
        game.openJob{value: msg.value}(jobId, claim.provider, terms);
    }

    function setClaim(uint256 jobId, TrainingClaim calldata claim) external {
        _claims[jobId] = claim;
    }

    function release(uint256 jobId) external {
        game.releaseJob(jobId);
    }

    function claimOf(uint256 jobId) external view returns (TrainingClaim memory) {
        return _claims[jobId];
    }

    function onConvicted(uint256 jobId, uint256 interval, uint256 challengeId, address challenger) external {
        if (msg.sender != address(game)) revert NotTheGame(msg.sender);
        uint32 count = convictions[jobId].count + 1;
        convictions[jobId] = Conviction(uint32(interval), uint32(challengeId), challenger, count);
    }

    function onVoid(uint256 jobId) external {
        if (msg.sender != address(game)) revert NotTheGame(msg.sender);
        ++voids[jobId];
    }
}

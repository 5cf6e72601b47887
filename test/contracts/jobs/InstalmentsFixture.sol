// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IJobRegistry} from "../../../contracts/jobs/interfaces/IJobRegistry.sol";
import {Scheme} from "../../../contracts/jobs/interfaces/Orders.sol";
import {JobsFixture} from "./JobsFixture.sol";

/// @notice Jobs in training that are paid by checkpoints: 5 steps, 2 in an interval, 3 instalments; checkpoint i stands at leaf i.
abstract contract InstalmentsFixture is JobsFixture {
    uint256 internal constant FIRST = PRICE / 3;
    uint256 internal constant SECOND = (2 * PRICE) / 3 - FIRST;
    address internal constant BURN_SINK = 0x000000000000000000000000000000000000dEaD;

    function trainingJob(Scheme scheme) internal returns (uint256 id) {
        id = openDivided(scheme, 3);
        jobs.matchJob(id, provider, PRICE);
        vm.prank(provider);
        jobs.lock{value: 1 ether}(id);
    }

    function post(uint256 id, uint256 number) internal {
        IJobRegistry.Commitment memory commitment_ = prefix(number);
        vm.prank(provider);
        instalments.post{value: 1 ether}(id, number, commitment_);
    }

    function commit(uint256 id) internal {
        vm.prank(provider);
        jobs.commit(id, commitment());
    }

    function closeIt(uint256 id, uint256 number) internal {
        timeOutCheckpoint(id, number);
        instalments.close(id, number);
    }

    function expectTooEarly(uint256 id, uint256 from) internal {
        vm.expectRevert(abi.encodeWithSelector(IJobRegistry.TooEarly.selector, id, from));
    }

    function convictOf(uint256 id, uint256 number, uint256 interval) internal {
        timeOut(challengeOf(id, number, interval));
    }

    function timeOut(uint256 challengeId) internal {
        vm.warp(game.deadlineOf(challengeId) + 1);
        game.callTimeout(challengeId);
        pass(1 hours + 1);
        game.executeTimeout(challengeId);
    }

    function challengeOf(uint256 id, uint256 number, uint256 interval) internal returns (uint256) {
        return challengePrefix(instalments.claimIdOf(id, number), number, interval);
    }
}

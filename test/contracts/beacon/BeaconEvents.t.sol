// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ICommitRevealBeacon} from "../../../contracts/beacon/interfaces/ICommitRevealBeacon.sol";
import {IRandomnessBeacon} from "../../../contracts/beacon/interfaces/IRandomnessBeacon.sol";
import {CommitRevealFixture} from "./CommitRevealBeacon.t.sol";

/// @notice A session through every outcome of a round: too few commitments, a missing reveal, a seed.
contract BeaconEventsTest is CommitRevealFixture {
    function setUp() public {
        setUpBeacon();
        vm.recordLogs();
    }

    function test_events_ofASessionThroughEveryOutcome() public {
        uint256 start = 1_800_000_001;
        uint256 requestId = beacon.request();
        uint256 id = beacon.sessionOf(requestId);
        commitBy(id, three);
        // One commitment is too few.
        vm.warp(start += COMMIT);
        beacon.finalize(id);
        vm.prank(three);
        beacon.reclaim(id);
        commitBy(id, one);
        commitBy(id, two);
        vm.warp(start += COMMIT);
        revealBy(id, one);
        vm.warp(start += REVEAL);
        beacon.callTimeout(id);
        vm.warp(start += GRACE);
        beacon.redraw(requestId);
        beacon.slashMissing(id, two);
        commitBy(id, one);
        commitBy(id, three);
        vm.warp(start += COMMIT);
        revealBy(id, one);
        revealBy(id, three);
        requireEvents(
            vm.getRecordedLogs(),
            address(beacon),
            bytes.concat(_underfilled(), _failed(), _ready())
        );
    }

    function _underfilled() private pure returns (bytes memory) {
        return
            bytes.concat(
                ICommitRevealBeacon.SessionOpened.selector,
                IRandomnessBeacon.RandomnessRequested.selector,
                ICommitRevealBeacon.Committed.selector,
                ICommitRevealBeacon.RoundEnded.selector,
                IRandomnessBeacon.RandomnessRedrawn.selector,
                ICommitRevealBeacon.Reclaimed.selector
            );
    }

    function _failed() private pure returns (bytes memory) {
        return
            bytes.concat(
                ICommitRevealBeacon.Committed.selector,
                ICommitRevealBeacon.Committed.selector,
                ICommitRevealBeacon.Revealed.selector,
                ICommitRevealBeacon.TimeoutCalled.selector,
                ICommitRevealBeacon.RoundEnded.selector,
                IRandomnessBeacon.RandomnessRedrawn.selector,
                ICommitRevealBeacon.MissingSlashed.selector
            );
    }

    function _ready() private pure returns (bytes memory) {
        return
            bytes.concat(
                ICommitRevealBeacon.Committed.selector,
                ICommitRevealBeacon.Committed.selector,
                ICommitRevealBeacon.Revealed.selector,
                ICommitRevealBeacon.Revealed.selector,
                ICommitRevealBeacon.SessionReady.selector,
                IRandomnessBeacon.RandomnessReady.selector
            );
    }
}

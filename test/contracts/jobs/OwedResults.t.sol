// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ResultShortfalls} from "../../../contracts/jobs/ResultShortfalls.sol";
import {IJobRegistry} from "../../../contracts/jobs/interfaces/IJobRegistry.sol";
import {IResultShortfalls} from "../../../contracts/jobs/interfaces/IResultShortfalls.sol";
import {Scheme} from "../../../contracts/jobs/interfaces/Orders.sol";
import {IDatasetRegistry} from "../../../contracts/storage/interfaces/IDatasetRegistry.sol";
import {IRetrievalChallenges} from "../../../contracts/storage/interfaces/IRetrievalChallenges.sol";
import {IStorageAudit} from "../../../contracts/storage/interfaces/IStorageAudit.sol";
import {JobsFixture} from "./JobsFixture.sol";

/// @notice Which results a provider stands for: called as lost, on the real registry of jobs and its instalments.
contract OwedResultsTest is JobsFixture {
    uint256 private constant REPAIR = 3 days;

    ResultShortfalls private _shortfalls;
    uint256 private _id;

    function setUp() public {
        setUpJobs();
        _shortfalls = new ResultShortfalls(
            jobs,
            instalments,
            IDatasetRegistry(address(datasets)),
            IStorageAudit(address(0)),
            IRetrievalChallenges(address(0)),
            REPAIR
        );
        _id = openDivided(Scheme.Committee, 3);
        jobs.matchJob(_id, provider, PRICE);
        vm.prank(provider);
        jobs.lock{value: 1 ether}(_id);
    }

    function test_checkpoints_areOwedFromTheirPostUntilTheyAreClosed() public {
        _requireNothing(0);
        _requireNothing(1);
        _post(1);
        _requireOwed(1);
        _requireNothing(2);
        _post(2);
        _requireOwed(1);
        _requireOwed(2);
        _requireNothing(0);
        _requireNothing(3);
        pass(3 days + 1);
        timeOutCheckpoint(_id, 1);
        instalments.close(_id, 1);
        _requireNothing(1);
        _requireOwed(2);
        timeOutCheckpoint(_id, 2);
        instalments.close(_id, 2);
        _requireNothing(2);
    }

    function test_aCheckpointThatWasLeftOut_isNeverOwed() public {
        _post(2);
        _requireNothing(1);
        _requireOwed(2);
    }

    function test_theLastResult_isOwedFromTheCommitmentUntilItIsPaid_besideTheCheckpoints() public {
        _post(1);
        vm.prank(provider);
        jobs.commit(_id, commitment());
        _requireOwed(0);
        _requireOwed(1);
        committee.attest(jobs, _id);
        requireStatus(_id, IJobRegistry.Status.Attested);
        _requireOwed(0);
        _requireOwed(1);
        pass(3 days + 1);
        timeOutCheckpoint(_id, 1);
        instalments.close(_id, 1);
        timeOutJob(_id);
        jobs.finalise(_id);
        _requireNothing(0);
        _requireNothing(1);
    }

    function test_nothingIsOwedOnceTheJobHasFailed() public {
        _post(1);
        uint256 challengeId = challengePrefix(instalments.claimIdOf(_id, 1), 1, 0);
        pass(4 hours + 1);
        game.callTimeout(challengeId);
        pass(1 hours + 1);
        game.executeTimeout(challengeId);
        requireStatus(_id, IJobRegistry.Status.Failed);
        _requireNothing(1);
    }

    function _post(uint256 number) private {
        vm.prank(provider);
        instalments.post{value: 1 ether}(_id, number, prefix(number));
    }

    /// @dev Loses the result, calls it, and undoes both.
    function _requireOwed(uint256 number) private {
        uint256 state = _lose();
        uint256 claimId = instalments.claimIdOf(_id, number);
        uint256 until = time() + REPAIR;
        vm.expectEmit(address(_shortfalls));
        emit IResultShortfalls.ShortfallCalled(claimId, stranger, RESULT, 0, until);
        vm.prank(stranger);
        vm.assertEq(_shortfalls.call(claimId, 0), until, "until");
        vm.assertEq(_shortfalls.graceUntil(claimId, 0), until, "grace");
        vm.expectRevert(abi.encodeWithSelector(IResultShortfalls.AlreadyCalled.selector, claimId, until));
        _shortfalls.call(claimId, 0);
        // No seed has come since with which it could have been stored again.
        vm.expectRevert(
            abi.encodeWithSelector(IResultShortfalls.TooEarly.selector, claimId, until + 30 days + 1)
        );
        _shortfalls.fail(claimId, 0);
        vm.revertToState(state);
    }

    function _requireNothing(uint256 number) private {
        uint256 state = _lose();
        uint256 claimId = instalments.claimIdOf(_id, number);
        vm.expectRevert(abi.encodeWithSelector(IResultShortfalls.NothingOwed.selector, claimId));
        _shortfalls.call(claimId, 0);
        vm.assertEq(_shortfalls.graceUntil(claimId, 0), 0, "nothing stands");
        vm.revertToState(state);
    }

    function _lose() private returns (uint256 state) {
        state = vm.snapshotState();
        IDatasetRegistry.Dataset memory lost = result(provider);
        lost.shortSegments = 1;
        datasets.set(RESULT, lost);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IDatasetRegistry} from "../../../contracts/storage/interfaces/IDatasetRegistry.sol";
import {IStorageAudit} from "../../../contracts/storage/interfaces/IStorageAudit.sol";
import {StorageFixture} from "./StorageFixture.sol";

/// @notice First and last values of times and terms, late in a term as well as at its beginning.
contract StorageBoundsTest is StorageFixture {
    Anchored private _made;
    bytes32 private _id;

    function setUp() public {
        setUpStorage();
        _made = anchorSmall(3, 20);
        _id = enlistAndPlace(_made, 0, "a");
    }

    function test_attack_anEpochIsUnansweredAsLongAsItsTimeoutCanBeCalled_howeverManyBeganSince() public {
        for (uint32 epoch = 1; epoch < 14; ++epoch) answer(_id, nextEpoch());
        uint32 missed = nextEpoch();
        (, , uint64 closesAt) = audit.windowOf(missed);
        vm.warp(closesAt + CALL_WINDOW);
        vm.assertEq(audit.currentEpoch(), missed + 3, "three more began");
        (bool isDue, bool isMissed, address reporter) = audit.unansweredOf(_id);
        vm.assertTrue(isDue && isMissed, "missed");
        vm.assertEq(reporter, address(0), "nobody has called");
        vm.warp(closesAt + CALL_WINDOW + 1);
        (isDue, isMissed, ) = audit.unansweredOf(_id);
        vm.assertFalse(isDue || isMissed, "nobody can call any more");
    }

    function test_timeout_saysFromWhenUntilWhenItCanBeCalled() public {
        uint32 epoch = nextEpoch();
        (, , uint64 closesAt) = audit.windowOf(epoch);
        bytes memory refusal = abi.encodeWithSelector(
            IStorageAudit.NotTimely.selector,
            _id,
            epoch,
            closesAt + 1,
            closesAt + CALL_WINDOW
        );
        vm.warp(closesAt);
        vm.expectRevert(refusal);
        audit.callTimeout(_id, epoch);
        vm.warp(closesAt + CALL_WINDOW + 1);
        vm.expectRevert(refusal);
        audit.callTimeout(_id, epoch);
    }

    function test_windows_ofHalfTheDeployedLengthsAreTheShortest() public {
        IStorageAudit.Windows memory least = IStorageAudit.Windows(
            SEED_DELAY / 2,
            WINDOW / 2,
            CALL_WINDOW / 2,
            GRACE / 2
        );
        audit.setWindows(least);
        vm.assertEq(abi.encode(audit.windows()), abi.encode(least), "in force");
    }

    function test_addEpochs_atLeastOne_andNoMoreThanTheLongestTermInAll() public {
        token.mint(owner, 100_000 ether);
        vm.startPrank(owner);
        token.approve(address(datasets), 100_000 ether);
        _expectEpochs(0, 16_384 - 20);
        _expectEpochs(16_384 - 20 + 1, 16_384 - 20);
        datasets.addEpochs(_made.id, 16_384 - 20);
        _expectEpochs(1, 0);
        vm.assertEq(datasets.datasetOf(_made.id).endEpoch, 1 + 16_384, "the longest term");
    }

    function _expectEpochs(uint32 epochs, uint256 most) private {
        vm.expectRevert(
            abi.encodeWithSelector(IDatasetRegistry.OutOfBounds.selector, bytes32("epochs"), epochs, 1, most)
        );
        datasets.addEpochs(_made.id, epochs);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IDatasetRegistry} from "../../../contracts/storage/interfaces/IDatasetRegistry.sol";
import {IStorageAudit} from "../../../contracts/storage/interfaces/IStorageAudit.sol";
import {StorageFixture} from "./StorageFixture.sol";

/// @notice Datasets that are paid for again after their paid epochs, 1 and 2, had ended.
contract ResumedTermsTest is StorageFixture {
    Anchored private _made;
    bytes32 private _bundle;

    function setUp() public {
        setUpStorage();
        _made = anchorSmall(3, 2);
        enlist("holder", STAKE);
        addStake(actor("holder"), STAKE);
        // It has agreed to more than was paid for.
        _bundle = place(_made, 0, "holder");
        vm.prank(actor("holder"));
        bundles.extend(_bundle, 100);
        token.mint(owner, 1e24);
        vm.prank(owner);
        token.approve(address(datasets), 1e24);
    }

    function test_addEpochs_afterTheEndTakesFeesForEveryEpochAndNotesTheGap() public {
        toEpoch(5);
        requireOver(3);
        uint256 before = token.balanceOf(address(datasets));
        resume(4);
        IDatasetRegistry.Dataset memory dataset = datasets.datasetOf(_made.id);
        vm.assertEq(dataset.endEpoch, 7, "end");
        vm.assertEq(dataset.filledAt, time(), "resumed");
        vm.assertEq(token.balanceOf(address(datasets)) - before, uint256(FEE) * 3 * 4, "fees");
        requireGap(3, 6);
    }

    function test_addEpochs_untilTheLastDeadlineAndNoLonger() public {
        vm.warp(datasets.settledAt(3) - 1);
        uint256 snapshot = vm.snapshotState();
        resume(20);
        vm.revertToState(snapshot);
        vm.warp(datasets.settledAt(3));
        requireOver(20);
    }

    function test_attack_nobodyIsSlashedForEpochsThatWerePaidForAfterwards() public {
        toEpoch(3);
        uint32 unpaid = openWithSeed();
        (, , uint64 closesAt) = audit.windowOf(unpaid);
        vm.warp(uint256(closesAt) + 1);
        resume(4);
        vm.expectRevert(abi.encodeWithSelector(IStorageAudit.NotDue.selector, _bundle, unpaid));
        audit.callTimeout(_bundle, unpaid);
        (bool isDue, bool isMissed, address reporter) = audit.unansweredOf(_bundle);
        vm.assertFalse(isDue || isMissed || reporter != address(0), "nothing is due");
        uint32 paid = nextEpoch();
        (isDue, , ) = audit.unansweredOf(_bundle);
        vm.assertTrue(isDue, "the coming epoch is asked for");
        slash(_bundle, paid, actor("reporter"));
        vm.assertEq(staking.operatorOf(actor("holder")).stake, 2 * STAKE - MISS, "slashed");
    }

    function test_attack_missedEpochsBeforeTheGapAreStillSlashed() public {
        toEpoch(2);
        uint32 missed = openWithSeed();
        toEpoch(3);
        resume(4);
        slash(_bundle, missed, actor("reporter"));
        vm.assertEq(staking.operatorOf(actor("holder")).stake, 2 * STAKE - MISS, "slashed");
    }

    function test_answerInTheGap_isPaidOnceItIsPaidFor() public {
        toEpoch(3);
        uint32 unpaid = openWithSeed();
        answer(_bundle, unpaid);
        vm.assertEq(audit.claim(_bundle), 0, "not yet");
        resume(4);
        vm.assertEq(audit.claim(_bundle), FEE, "paid");
    }

    function test_attack_oneEpochAtATime_isNoSecondGapWhileDeadlinesOfTheFirstMayRun() public {
        toEpoch(3);
        resume(2);
        requireGap(3, 4);
        toEpoch(5);
        requireOver(20);
        vm.warp(datasets.settledAt(4) - 1);
        requireOver(20);
        vm.warp(datasets.settledAt(4));
        resume(20);
        requireGap(5, 15);
    }

    function resume(uint32 epochs) private {
        vm.prank(owner);
        datasets.addEpochs(_made.id, epochs);
    }

    function requireOver(uint32 epochs) private {
        uint32 end = datasets.datasetOf(_made.id).endEpoch;
        uint32 next = datasets.currentEpoch() + 1;
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(IDatasetRegistry.TermOver.selector, _made.id, end, next));
        datasets.addEpochs(_made.id, epochs);
    }

    function requireGap(uint32 from, uint32 to) private view {
        (uint32 gapFrom, uint32 gapTo) = datasets.gapOf(_made.id);
        vm.assertEq(abi.encode(gapFrom, gapTo), abi.encode(from, to), "gap");
    }
}

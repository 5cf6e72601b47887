// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IBundleRegistry} from "../../../contracts/storage/interfaces/IBundleRegistry.sol";
import {IDatasetRegistry} from "../../../contracts/storage/interfaces/IDatasetRegistry.sol";
import {IRetrievalChallenges} from "../../../contracts/storage/interfaces/IRetrievalChallenges.sol";
import {IStorageAudit} from "../../../contracts/storage/interfaces/IStorageAudit.sol";
import {Credits} from "../../../contracts/libraries/Credits.sol";
import {Vm} from "../MiniTest.sol";
import {CoverFixture} from "./CoverFixture.sol";

/// @notice What storage nodes and clients read of datasets: every event, in order, and no others.
contract StorageEventsTest is CoverFixture {
    address private immutable challenger = actor("challenger");

    function setUp() public {
        setUpStorage();
        vm.deal(challenger, 10 ether);
        vm.recordLogs();
    }

    function test_events_ofADatasetsWholeLife() public {
        Anchored memory made = anchorSmall(3, 2);
        _addEpochs(made.id, 1);
        bytes32 kept = enlistAndPlace(made, 0, "a");
        bytes32 lost = enlistAndPlace(made, 1, "b");
        vm.prank(actor("a"));
        bundles.extend(kept, 9);
        uint32 epoch = nextEpoch();
        answer(kept, epoch);
        audit.claim(kept);
        slash(lost, epoch, actor("reporter"));
        enlistAndPlace(made, 1, "c");
        answer(lost, nextEpoch());
        audit.claim(lost);
        vm.prank(actor("c"));
        bundles.withdrawBounty(actor("c"));
        vm.prank(actor("c"));
        bundles.surrender(lost);
        vm.warp(datasets.settledAt(10));
        bundles.release(kept);
        vm.prank(owner);
        datasets.close(made.id);
        vm.prank(actor("a"));
        datasets.withdrawCredit(actor("a"));
        Vm.Log[] memory logs = vm.getRecordedLogs();
        requireEvents(logs, address(datasets), _ofDatasets());
        requireEvents(logs, address(audit), _ofAudits());
        requireEvents(logs, address(bundles), bytes.concat(_ofPlacement(), _ofRepair()));
    }

    function test_events_ofAFraudulentDataset_andOfParameters() public {
        Anchored memory made = anchorSmall(3, 2);
        vm.getRecordedLogs();
        vm.prank(address(fraud));
        datasets.markFraudulent(made.id, actor("claimant"));
        datasets.setParameters(parameters());
        datasets.flushBurn();
        audit.setWindows(audit.windows());
        retrieval.setParameters(uint96(RETRIEVAL_BOND), 6 hours, 1 hours);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        requireEvents(
            logs,
            address(datasets),
            bytes.concat(
                IDatasetRegistry.BondSlashed.selector,
                IDatasetRegistry.ParametersSet.selector,
                Credits.BurnFlushed.selector
            )
        );
        requireEvents(logs, address(audit), bytes.concat(IStorageAudit.WindowsSet.selector));
        requireEvents(logs, address(retrieval), bytes.concat(IRetrievalChallenges.ParametersSet.selector));
    }

    function test_payFee_beyondWhatTheDatasetHas_isRefused() public {
        Anchored memory made = anchorSmall(3, 2);
        uint256 balance = datasets.datasetOf(made.id).feeBalance;
        vm.expectRevert(
            abi.encodeWithSelector(IDatasetRegistry.InsufficientFees.selector, made.id, balance + 1, balance)
        );
        vm.prank(address(audit));
        datasets.payFee(made.id, actor("a"), balance + 1);
    }

    function test_events_ofACover() public {
        bytes32[] memory ids = placeInAll(anchorSegments(2, 9), "a");
        vm.getRecordedLogs();
        registerCover(ids, "a", 7);
        requireEvents(
            vm.getRecordedLogs(),
            address(bundles),
            bytes.concat(IBundleRegistry.CoverRegistered.selector)
        );
    }

    function test_events_ofRetrievals_published_withheldAndVoid() public {
        Anchored memory made = anchorSmall(3, 20);
        bytes32 id = enlistAndPlace(made, 0, "a");
        // A publication is paid by what its gas costs.
        vm.fee(1 gwei);
        vm.getRecordedLogs();
        retrieval.publish(_challenge(made, id, 0), cellOf(manifestOf(1), 0), new bytes32[](0));
        vm.prank(actor("a"));
        retrieval.withdraw(payable(actor("a")));
        uint256 number = _challenge(made, id, 0);
        vm.warp(uint256(time()) + 6 hours + 1);
        retrieval.callTimeout(number);
        vm.warp(uint256(time()) + GRACE + 1);
        retrieval.slashFailed(number);
        id = enlistAndPlace(made, 1, "b");
        number = _challenge(made, id, 1);
        vm.prank(address(fraud));
        datasets.markFraudulent(made.id, actor("claimant"));
        retrieval.slashFailed(number);
        requireEvents(
            vm.getRecordedLogs(),
            address(retrieval),
            bytes.concat(
                IRetrievalChallenges.RetrievalChallenged.selector,
                IRetrievalChallenges.CellPublished.selector,
                IRetrievalChallenges.CreditWithdrawn.selector,
                IRetrievalChallenges.RetrievalChallenged.selector,
                IRetrievalChallenges.RetrievalTimeoutCalled.selector,
                IRetrievalChallenges.RetrievalFailed.selector,
                IRetrievalChallenges.RetrievalChallenged.selector,
                IRetrievalChallenges.RetrievalVoided.selector
            )
        );
    }

    function _challenge(Anchored memory made, bytes32 id, uint256 index) private returns (uint256) {
        bytes32[] memory proof = bundleProof(made, index);
        vm.prank(challenger);
        return retrieval.challenge{value: RETRIEVAL_BOND}(id, 0, made.transportRoots[index], proof);
    }

    function _addEpochs(bytes32 id, uint32 epochs) private {
        token.mint(owner, 1e24);
        vm.startPrank(owner);
        token.approve(address(datasets), 1e24);
        datasets.addEpochs(id, epochs);
        vm.stopPrank();
    }

    function _ofDatasets() private pure returns (bytes memory) {
        return
            bytes.concat(
                IDatasetRegistry.DatasetAnchored.selector,
                IDatasetRegistry.BundleRoots.selector,
                IDatasetRegistry.FeesAdded.selector,
                IDatasetRegistry.FeesAdded.selector,
                IDatasetRegistry.FeePaid.selector,
                IDatasetRegistry.FeePaid.selector,
                IDatasetRegistry.DatasetClosed.selector,
                IDatasetRegistry.CreditWithdrawn.selector
            );
    }

    function _ofAudits() private pure returns (bytes memory) {
        return
            bytes.concat(
                IStorageAudit.EpochOpened.selector,
                IStorageAudit.AuditAnswered.selector,
                IStorageAudit.FeesClaimed.selector,
                IStorageAudit.TimeoutCalled.selector,
                IStorageAudit.AuditMissed.selector,
                IStorageAudit.EpochOpened.selector,
                IStorageAudit.EpochOpened.selector,
                IStorageAudit.AuditAnswered.selector,
                IStorageAudit.FeesClaimed.selector
            );
    }

    function _ofPlacement() private pure returns (bytes memory) {
        return
            bytes.concat(
                IBundleRegistry.BundlePlaced.selector,
                IBundleRegistry.BundlePlaced.selector,
                IBundleRegistry.DutyExtended.selector,
                IBundleRegistry.BundleVacated.selector,
                IBundleRegistry.BundlePlaced.selector,
                IBundleRegistry.RepairPaid.selector,
                IBundleRegistry.BountyWithdrawn.selector
            );
    }

    function _ofRepair() private pure returns (bytes memory) {
        return
            bytes.concat(
                IBundleRegistry.BundleSurrendered.selector,
                IBundleRegistry.BundleVacated.selector,
                IBundleRegistry.BundleReleased.selector
            );
    }
}

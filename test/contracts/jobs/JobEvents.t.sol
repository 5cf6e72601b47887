// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {IEscrow} from "../../../contracts/jobs/interfaces/IEscrow.sol";
import {IJobRegistry} from "../../../contracts/jobs/interfaces/IJobRegistry.sol";
import {IJobTable} from "../../../contracts/jobs/interfaces/IJobTable.sol";
import {IModelCertificate} from "../../../contracts/jobs/interfaces/IModelCertificate.sol";
import {Scheme} from "../../../contracts/jobs/interfaces/Orders.sol";
import {Vm} from "../MiniTest.sol";
import {JobsFixture} from "./JobsFixture.sol";

/// @notice What keepers read of a job, on each of its ways: every event, in order, and no others.
contract JobEventsTest is JobsFixture {
    uint64 internal constant RESULT_MODULE = 12;

    function setUp() public {
        setUpJobs();
        vm.recordLogs();
    }

    function test_events_ofModulesAndParameters() public {
        setUpJobs();
        jobs.setParameters(parameters());
        requireEvents(
            vm.getRecordedLogs(),
            address(jobs),
            bytes.concat(
                IAccessManaged.AuthorityUpdated.selector,
                IJobRegistry.ParametersSet.selector,
                IJobTable.ModulesSet.selector,
                IJobRegistry.ParametersSet.selector
            )
        );
    }

    function test_events_ofAJobThatIsAttestedAndPaid() public {
        uint256 id = committedJob(Scheme.Both);
        committee.attest(jobs, id);
        committee.payAll(escrow, id, stranger);
        pass(4 days);
        timeOutJob(id);
        jobs.finalise(id);
        vm.prank(provider);
        escrow.withdraw(provider);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        requireEvents(
            logs,
            address(jobs),
            bytes.concat(
                IJobRegistry.JobOpened.selector,
                IJobRegistry.JobMatched.selector,
                IJobRegistry.JobLocked.selector,
                IJobRegistry.JobCommitted.selector,
                IJobRegistry.JobAttested.selector,
                IJobRegistry.TimeoutCalled.selector,
                IJobRegistry.JobFinalised.selector
            )
        );
        requireEvents(
            logs,
            address(escrow),
            bytes.concat(
                IEscrow.Funded.selector,
                IEscrow.Refunded.selector,
                IEscrow.FeePaid.selector,
                IEscrow.PricePaid.selector,
                IEscrow.Refunded.selector,
                IEscrow.Withdrawn.selector
            )
        );
    }

    function test_events_ofAnOrderThatIsWithdrawn() public {
        uint256 id = matchedJob(Scheme.Optimistic);
        pass(1 hours + 1);
        timeOutJob(id);
        jobs.unmatch(id);
        jobs.cancel(id);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        requireEvents(
            logs,
            address(jobs),
            bytes.concat(
                IJobRegistry.JobOpened.selector,
                IJobRegistry.JobMatched.selector,
                IJobRegistry.TimeoutCalled.selector,
                IJobRegistry.JobUnmatched.selector,
                IJobRegistry.JobCancelled.selector
            )
        );
        requireEvents(
            logs,
            address(escrow),
            bytes.concat(IEscrow.Funded.selector, IEscrow.Refunded.selector)
        );
    }

    function test_events_ofAnOrderThatNobodyTakes() public {
        uint256 id = openJob();
        pass(7 days + 1);
        jobs.expire(id);
        requireEvents(
            vm.getRecordedLogs(),
            address(jobs),
            bytes.concat(IJobRegistry.JobOpened.selector, IJobRegistry.JobExpired.selector)
        );
    }

    function test_events_ofALateProvider() public {
        uint256 id = lockedJob(Scheme.Optimistic);
        vm.getRecordedLogs();
        pass(TRAINING_TIME + 1);
        timeOutJob(id);
        jobs.expire(id);
        requireEvents(
            vm.getRecordedLogs(),
            address(jobs),
            bytes.concat(
                IJobRegistry.TimeoutCalled.selector,
                IJobTable.ConductMarked.selector,
                IJobRegistry.JobFailed.selector,
                IJobTable.BondReleased.selector
            )
        );
    }

    function test_events_ofAConviction() public {
        uint256 id = committedJob();
        vm.getRecordedLogs();
        convict(id);
        requireEvents(
            vm.getRecordedLogs(),
            address(jobs),
            bytes.concat(IJobTable.SettlementPending.selector)
        );
        jobs.settle(id);
        requireEvents(
            vm.getRecordedLogs(),
            address(jobs),
            bytes.concat(IJobTable.ConductMarked.selector, IJobRegistry.JobFailed.selector)
        );
    }

    function test_events_ofAnOrderThatCannotBeCarriedOut() public {
        uint256 id = committedJob();
        vm.getRecordedLogs();
        game.showVoid(id, 0, 1, "", new bytes32[](0));
        Vm.Log[] memory logs = vm.getRecordedLogs();
        requireEvents(logs, address(jobs), bytes.concat(IJobTable.SettlementPending.selector));
        requireReason(logs, "void");
        jobs.settle(id);
        requireEvents(vm.getRecordedLogs(), address(jobs), bytes.concat(IJobRegistry.JobVoided.selector));
    }

    function test_events_ofWitnessesThatAreWithheld() public {
        uint256 id = committedJob(Scheme.Both);
        vm.getRecordedLogs();
        committee.withhold(jobs, id);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        requireEvents(logs, address(jobs), bytes.concat(IJobTable.SettlementPending.selector));
        requireReason(logs, "withheld");
    }

    function test_events_ofAFailure_nameItsCauseFromTheReportToTheSettlement() public {
        grant(address(jobs), IJobTable.onResultFault.selector, RESULT_MODULE, address(this));
        bytes32[5] memory causes = [bytes32("convicted"), "withheld", "lost", "misstored", "stranded"];
        for (uint256 i = 0; i < causes.length; ++i) {
            uint256 state = vm.snapshotState();
            uint256 id = committedJob(Scheme.Both);
            vm.getRecordedLogs();
            if (i == 0) convict(id);
            else if (i == 1) committee.withhold(jobs, id);
            else jobs.onResultFault(id, IJobTable.ResultFault(i - 2), stranger);
            requireReason(vm.getRecordedLogs(), causes[i]);
            jobs.settle(id);
            requireCause(vm.getRecordedLogs(), causes[i]);
            vm.revertToState(state);
        }
    }

    /// @dev What the settlement of a failure says.
    function requireCause(Vm.Log[] memory logs, bytes32 wanted) private pure {
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] != IJobRegistry.JobFailed.selector) continue;
            (bytes32 cause, , ) = abi.decode(logs[i].data, (bytes32, uint256, uint256));
            vm.assertEq(cause, wanted, "cause");
            return;
        }
        vm.assertTrue(false, "no failure");
    }

    /// @dev What keepers read of an end before it is settled.
    function requireReason(Vm.Log[] memory logs, bytes32 wanted) private pure {
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] != IJobTable.SettlementPending.selector) continue;
            vm.assertEq(abi.decode(logs[i].data, (bytes32)), wanted, "reason");
            return;
        }
        vm.assertTrue(false, "no reason");
    }

    function test_events_ofACertificate() public {
        uint256 id = committedJob();
        pass(3 days + 1);
        timeOutJob(id);
        vm.getRecordedLogs();
        jobs.finalise(id);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        uint256 issued;
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] == IModelCertificate.CertificateIssued.selector) ++issued;
        }
        vm.assertEq(issued, 1, "certificates on record");
    }
}

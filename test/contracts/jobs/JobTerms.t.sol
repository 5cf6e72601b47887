// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {TrainingClaim} from "../../../contracts/disputes/interfaces/IDisputedClaims.sol";
import {IDisputeGame} from "../../../contracts/disputes/interfaces/IDisputeGame.sol";
import {JobRegistry} from "../../../contracts/jobs/JobRegistry.sol";
import {IJobRegistry} from "../../../contracts/jobs/interfaces/IJobRegistry.sol";
import {IJobTable} from "../../../contracts/jobs/interfaces/IJobTable.sol";
import {IModelCertificate} from "../../../contracts/jobs/interfaces/IModelCertificate.sol";
import {Scheme} from "../../../contracts/jobs/interfaces/Orders.sol";
import {MerkleProofs} from "../../../contracts/libraries/MerkleProofs.sol";
import {IDatasetRegistry} from "../../../contracts/storage/interfaces/IDatasetRegistry.sol";
import {JobsFixture} from "./JobsFixture.sol";

/// @notice What `match`, `lock` and `commit` take, and parameters.
contract JobTermsTest is JobsFixture {
    function setUp() public {
        setUpJobs();
    }

    function test_claim_isWhatTheOrderSays() public {
        uint256 id = committedJob();
        TrainingClaim memory claim = jobs.claimOf(id);
        TrainingClaim memory wanted = TrainingClaim({
            provider: provider,
            challengeUntil: 1 << 63,
            traceRoot: traceRoot(),
            programRoot: PROGRAM,
            trainingHash: keccak256(encode(trainingOrder())),
            steps: 5,
            interval: 2,
            logMicroBatches: 1,
            nodeCounts: [uint256(30), 20, 10],
            witnessNode: 12,
            slots: 8
        });
        vm.assertEq(
            abi.encode(claim),
            abi.encode(wanted),
            "claim, as long as nobody has called its time over"
        );
        pass(3 days + 1);
        jobs.callTimeout(id);
        vm.assertEq(jobs.claimOf(id).challengeUntil, time() + 1 hours, "to the end of the grace");
        (bytes32 root, uint256 leaves) = jobs.traceOf(id);
        vm.assertEq(root, traceRoot(), "trace");
        vm.assertEq(leaves, LEAVES, "leaves");
    }

    function test_claim_ofAJobThatIsOverTakesNoChallenges() public {
        uint256 id = committedJob();
        convict(id);
        vm.assertEq(jobs.claimOf(id).challengeUntil, 0, "over");
        vm.assertEq(jobs.claimOf(99).traceRoot, bytes32(0), "never was");
        (bytes32 root, uint256 leaves) = jobs.traceOf(99);
        vm.assertEq(root, bytes32(0), "no trace");
        vm.assertEq(leaves, 0, "nor leaves of it");
    }

    function test_match_refusesAPriceAboveTheDeposit() public {
        uint256 id = openJob();
        vm.expectRevert(
            abi.encodeWithSelector(IJobRegistry.PriceAboveDeposit.selector, DEPOSIT + 1, DEPOSIT)
        );
        jobs.matchJob(id, provider, DEPOSIT + 1);
        jobs.matchJob(id, provider, 0);
        vm.assertEq(jobs.jobOf(id).stake, 10 ether, "the least");
    }

    function test_lock_refusesOthersAndOtherBonds() public {
        uint256 id = matchedJob(Scheme.Optimistic);
        vm.expectRevert(abi.encodeWithSelector(IJobRegistry.NotProvider.selector, id, address(this)));
        jobs.lock{value: 1 ether}(id);
        for (uint256 value = 1 ether - 1; value <= 1 ether + 1; value += 2) {
            vm.expectRevert(abi.encodeWithSelector(IJobRegistry.WrongBond.selector, value, 1 ether));
            vm.prank(provider);
            jobs.lock{value: value}(id);
        }
    }

    function test_attack5_leavesOfAnotherTraceStateOrPlaceAreRefused() public {
        uint256 id = lockedJob(Scheme.Optimistic);
        IJobRegistry.Commitment memory c = commitment();
        c.first.stateRoot = "poisoned";
        requireNotCommitted(id, c, wrongLeaf(0));
        c = commitment();
        c.first.witnessHash = "poisoned";
        requireNotCommitted(id, c, wrongLeaf(0));
        c = commitment();
        c.first = leaf(1);
        requireNotCommitted(id, c, wrongLeaf(0));
        c = commitment();
        c.traceRoot = "another";
        requireNotCommitted(id, c, wrongLeaf(0));
        c = commitment();
        c.last = leaf(LEAVES - 2);
        requireNotCommitted(id, c, wrongLeaf(LEAVES - 1));
        c = commitment();
        c.last.stateRoot = "poisoned";
        requireNotCommitted(id, c, wrongLeaf(LEAVES - 1));
        c = commitment();
        c.last.siblings = new bytes32[](3);
        requireNotCommitted(id, c, abi.encodeWithSelector(MerkleProofs.WrongProofLength.selector, 3, 2));
        vm.expectRevert(abi.encodeWithSelector(IJobRegistry.NotProvider.selector, id, address(this)));
        jobs.commit(id, commitment());
    }

    function test_attack11_resultThatIsNotStoredIsRefused() public {
        uint256 id = lockedJob(Scheme.Optimistic);
        IDatasetRegistry.Dataset memory d = result(provider);
        d.status = IDatasetRegistry.Status.Closed;
        requireNotStored(id, d);
        requireNotStored(id, result(stranger));
        d = result(provider);
        d.shortSegments = 1;
        requireNotStored(id, d);
        d.shortSegments = 0;
        d.shape.encrypted = true;
        requireNotStored(id, d);
        d.shape.encrypted = false;
        // Epochs of a day from the genesis on: the fourth begins after the window, the third in its last second.
        d.agreedEnd = 3;
        requireNotStored(id, d);
        d.agreedEnd = 4;
        datasets.set(RESULT, d);
        vm.prank(provider);
        jobs.commit(id, commitment());
    }

    function test_commit_withACommitteeTheResultIsPaidForTwiceTheWindow() public {
        uint256 id = lockedJob(Scheme.Both);
        IDatasetRegistry.Dataset memory d = result(provider);
        d.agreedEnd = 6;
        requireNotStored(id, d);
        d.agreedEnd = 7;
        datasets.set(RESULT, d);
        vm.prank(provider);
        jobs.commit(id, commitment());
    }

    /// @dev INV-3

    function test_attack10_INV3_parametersSetLaterAlterNoOpenJob() public {
        uint256 id = openJob();
        IJobRegistry.Parameters memory next = parameters();
        (next.lockWindow, next.challengeWindow, next.stakePercent) = (1 days, 1 days, 500);
        (next.minimumStake, next.latePenalty, next.providerBond) = (9_000 ether, 10_000, 2 ether);
        next.dispute.challengerBond = 3 ether;
        jobs.setParameters(next);
        vm.assertEq(abi.encode(jobs.parametersOf(id)), abi.encode(parameters()), "the job's");
        vm.assertEq(abi.encode(jobs.parameters()), abi.encode(next), "those of the next");
        vm.assertEq(jobs.stakeFor(provider, PRICE), 9_000 ether, "of the next");
        vm.assertEq(jobs.stakeForJob(id, provider, PRICE), STAKE, "of the job");
        jobs.matchJob(id, provider, PRICE);
        vm.assertEq(jobs.jobOf(id).stake, STAKE, "stake");
        vm.assertEq(jobs.jobOf(id).deadline, time() + 1 hours, "lock window");
        vm.prank(provider);
        jobs.lock{value: 1 ether}(id);
        vm.prank(provider);
        jobs.commit(id, commitment());
        vm.assertEq(jobs.jobOf(id).challengeUntil, time() + 3 days, "challenge window");
        challenge(id, 1);
        vm.assertEq(abi.encode(jobs.parametersOf(99)), abi.encode(noParameters()), "of no job");
    }

    function test_parametersOutsideTheirBoundsAreRefused() public {
        bytes32[11] memory names = [
            bytes32("lockWindow"),
            "challengeWindow",
            "stakePercent",
            "minimumStake",
            "latePenalty",
            "window",
            "grace",
            "refundPrice",
            "challengerBond",
            "providerBond",
            "extension"
        ];
        for (uint256 i = 0; i < names.length; ++i) {
            IJobRegistry.Parameters memory p = parameters();
            if (i == 0) p.lockWindow = 9;
            if (i == 1) p.challengeWindow = 30 days + 1;
            if (i == 2) p.stakePercent = 199;
            if (i == 3) p.minimumStake = 0;
            if (i == 4) p.latePenalty = 10_001;
            if (i == 5) p.dispute.window = 59;
            if (i == 6) p.dispute.grace = 7 days + 1;
            if (i == 7) p.dispute.refundPrice = 0;
            // 22 posts of 300,000 gas, twice; 22 names of 150,000, a challenge of 300,000 and a ruling of 600,000,
            // twice.
            if (i == 8) p.dispute.challengerBond = 13_200_000 gwei - 1;
            if (i == 9) p.providerBond = 8_400_000 gwei - 1;
            if (i == 10) p.dispute.extension = 1 days + 1;
            vm.expectRevert(abi.encodeWithSelector(IJobRegistry.OutOfBounds.selector, names[i]));
            jobs.setParameters(p);
        }
        IJobRegistry.Parameters memory least = parameters();
        (least.dispute.challengerBond, least.providerBond) = (13_200_000 gwei, 8_400_000 gwei);
        (least.dispute.window, least.dispute.grace, least.dispute.extension) = (60, 60, 1 days);
        jobs.setParameters(least);
        uint256 id = matchedJob(Scheme.Optimistic);
        // The game takes what the registry takes.
        vm.prank(provider);
        jobs.lock{value: 8_400_000 gwei}(id);
    }

    function test_modulesAreNamedOnce_andStrangersMayNothing() public {
        vm.expectRevert(abi.encodeWithSelector(IJobTable.InvalidModules.selector));
        jobs.setModules(game, committee, certificates, instalments);
        JobRegistry fresh = new JobRegistry(address(access), staking, rules, escrow, parameters());
        vm.expectRevert(abi.encodeWithSelector(IJobTable.InvalidModules.selector));
        fresh.setModules(IDisputeGame(address(0)), committee, certificates, instalments);
        vm.expectRevert(abi.encodeWithSelector(IJobTable.InvalidModules.selector));
        fresh.setModules(game, committee, IModelCertificate(address(0)), instalments);
        vm.startPrank(stranger);
        bytes memory refusal = abi.encodeWithSelector(
            IAccessManaged.AccessManagedUnauthorized.selector,
            stranger
        );
        vm.expectRevert(refusal);
        fresh.setModules(game, committee, certificates, instalments);
        vm.expectRevert(refusal);
        jobs.setParameters(parameters());
        vm.expectRevert(refusal);
        jobs.matchJob(1, stranger, 0);
        vm.expectRevert(refusal);
        jobs.unmatch(1);
        vm.expectRevert(refusal);
        jobs.cancel(1);
        vm.expectRevert(refusal);
        jobs.pause();
        vm.stopPrank();
    }

    function noParameters() private pure returns (IJobRegistry.Parameters memory none) {}

    function requireNotCommitted(uint256 id, IJobRegistry.Commitment memory c, bytes memory reason) private {
        vm.expectRevert(reason);
        vm.prank(provider);
        jobs.commit(id, c);
    }

    function requireNotStored(uint256 id, IDatasetRegistry.Dataset memory d) private {
        datasets.set(RESULT, d);
        bytes memory reason = abi.encodeWithSelector(IJobRegistry.ResultNotStored.selector, RESULT);
        requireNotCommitted(id, commitment(), reason);
    }

    function wrongLeaf(uint256 index) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IJobRegistry.WrongLeaf.selector, index);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Limits} from "../../../contracts/storage/Limits.sol";
import {IBundleRegistry} from "../../../contracts/storage/interfaces/IBundleRegistry.sol";
import {IDatasetRegistry} from "../../../contracts/storage/interfaces/IDatasetRegistry.sol";
import {StorageFixture} from "./StorageFixture.sol";
import {StorageWalk} from "./StorageWalk.t.sol";

contract StorageInvariants is StorageFixture {
    StorageWalk private walk;

    function setUp() public {
        setUpStorage();
        walk = new StorageWalk(deployed());
        targetContract(address(walk));
    }

    function invariant_datasets_INV1_liabilitiesEqualTheBalance() public view {
        uint256 sum = datasets.creditOf(Limits.BURN_SINK);
        address[] memory all = walk.accounts();
        for (uint256 i = 0; i < all.length; ++i) sum += datasets.creditOf(all[i]);
        bytes32[2] memory ids = walk.datasetIds();
        for (uint256 i = 0; i < 2; ++i) {
            IDatasetRegistry.Dataset memory dataset = datasets.datasetOf(ids[i]);
            sum += uint256(dataset.bond) + dataset.feeBalance;
        }
        vm.assertEq(sum, token.balanceOf(address(datasets)), "solvency");
    }

    function invariant_bundles_INV1_bountiesAndCreditsEqualTheBalance() public view {
        uint256 sum = bundles.creditOf(Limits.BURN_SINK);
        address[] memory all = walk.accounts();
        for (uint256 i = 0; i < all.length; ++i) sum += bundles.creditOf(all[i]);
        bytes32[] memory ids = walk.bundleIds();
        for (uint256 i = 0; i < ids.length; ++i) sum += bundles.bountyOf(ids[i]);
        vm.assertEq(sum, token.balanceOf(address(bundles)), "solvency");
    }

    function invariant_bundles_INV2_holdersOfASegmentDiffer() public view {
        bytes32[] memory ids = walk.bundleIds();
        // Both datasets have segments of three bundles, so that segments are consecutive threes.
        for (uint256 i = 0; i < ids.length; ++i) {
            address operator = bundles.holdingOf(ids[i]).operator;
            if (operator == address(0)) continue;
            for (uint256 j = (i / 3) * 3; j < i; ++j) {
                vm.assertTrue(bundles.holdingOf(ids[j]).operator != operator, "distinct");
            }
        }
    }

    function invariant_bundles_INV5_whoeverHoldsHasAgreedToAllEpochsOfTheAnchor() public view {
        bytes32[] memory ids = walk.bundleIds();
        for (uint256 i = 0; i < ids.length; ++i) {
            IBundleRegistry.Holding memory holding = bundles.holdingOf(ids[i]);
            if (holding.operator == address(0)) continue;
            vm.assertGe(holding.until, datasets.datasetOf(holding.datasetId).agreedEnd, "agreed");
        }
    }

    function invariant_bundles_INV3_bountiesStayBelowHalfOfAPenalty() public view {
        bytes32[] memory ids = walk.bundleIds();
        for (uint256 i = 0; i < ids.length; ++i) vm.assertLe(bundles.bountyOf(ids[i]), MISS / 2, "bounty");
    }

    function invariant_bundles_INV4_locksEqualTheStakeOfHeldBundles() public view {
        bytes32[] memory ids = walk.bundleIds();
        address[] memory all = walk.accounts();
        uint256 held;
        for (uint256 a = 0; a < walk.OPERATORS(); ++a) {
            uint256 locked;
            for (uint256 i = 0; i < ids.length; ++i) {
                if (bundles.holdingOf(ids[i]).operator == all[a]) locked += STAKE;
            }
            held += locked / STAKE;
            vm.assertEq(staking.lockedBy(all[a], address(bundles)), locked, "lock");
        }
        bytes32[2] memory datasetIds = walk.datasetIds();
        uint256 counted;
        for (uint256 i = 0; i < 2; ++i) counted += datasets.datasetOf(datasetIds[i]).held;
        vm.assertEq(counted, held, "held");
    }

    function invariant_audit_INV2_feesPaidNeverExceedPaidForAnswers() public view {
        bytes32[] memory ids = walk.bundleIds();
        uint256 most;
        for (uint256 i = 0; i < ids.length; ++i) most += walk.answered(ids[i]) * FEE;
        uint256 paid;
        address[] memory all = walk.accounts();
        for (uint256 i = 0; i < walk.OPERATORS(); ++i) {
            paid += datasets.creditOf(all[i]) + token.balanceOf(all[i]);
        }
        // Operators' balances also hold bounties, which come out of the bundle registry.
        uint256 bounties = walk.bountiesWithdrawn();
        vm.assertLe(paid, most + bounties, "fees");
    }

    function invariant_retrieval_INV1_bondsAndCreditsEqualTheBalance() public view {
        uint256 sum;
        address[] memory all = walk.accounts();
        for (uint256 i = 0; i < all.length; ++i) sum += retrieval.creditOf(all[i]);
        for (uint256 i = 1; i <= walk.challenges(); ++i) sum += retrieval.challengeOf(i).bond;
        vm.assertEq(sum, address(retrieval).balance, "solvency");
    }

    function testFuzz_everyWalkEndsWithNothingStuck(uint256 seed) public {
        for (uint256 i = 0; i < 60; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            _step(seed % 27, seed >> 8, seed >> 64);
        }
        walk.windUp();
        vm.assertEq(token.balanceOf(address(datasets)), 0, "datasets");
        vm.assertEq(token.balanceOf(address(bundles)), 0, "bundles");
        vm.assertEq(token.balanceOf(address(staking)), 0, "staking");
        vm.assertEq(address(retrieval).balance, 0, "retrieval");
    }

    function _step(uint256 action, uint256 a, uint256 b) private {
        if (action == 0) walk.placeOne(a, b);
        else if (action == 1) walk.placeAll(a);
        else if (action == 2) walk.surrender(a);
        else if (action < 5) walk.openEpoch();
        else if (action < 7) walk.deliver(bytes32(a));
        else if (action == 7) walk.answerOne(a, b);
        else if (action == 8) walk.answerAll(b);
        else if (action == 9) walk.cover(a, b);
        else if (action == 10) walk.answerOneCover(a, b);
        else if (action == 11) walk.callTimeout(a, b);
        else _stepLater(action, a, b);
    }

    function _stepLater(uint256 action, uint256 a, uint256 b) private {
        if (action == 12) walk.slashMissed(a, b);
        else if (action == 13) walk.claim(a);
        else if (action == 14) walk.challenge(a);
        else if (action == 15) walk.publish(a);
        else if (action == 16) walk.callRetrievalTimeout(a);
        else if (action == 17) walk.slashFailed(a);
        else if (action == 18) walk.release(a);
        else if (action == 19) walk.addEpochs(a, b);
        else if (action == 20) walk.convict(a, b);
        else if (action == 21) walk.withdraw(a);
        else if (action == 22) walk.miss(a);
        else if (action == 23) walk.repair(a);
        else walk.wait(a);
    }
}

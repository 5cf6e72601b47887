// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {VRFCoordinatorV2_5Mock} from "@chainlink/contracts/src/v0.8/vrf/mocks/VRFCoordinatorV2_5Mock.sol";
import {Committee} from "../../../contracts/attestation/Committee.sol";
import {CommitteeTable} from "../../../contracts/attestation/CommitteeTable.sol";
import {ValidatorSet} from "../../../contracts/attestation/ValidatorSet.sol";
import {CommitteeTerms, IAttestation} from "../../../contracts/attestation/interfaces/IAttestation.sol";
import {VrfBeacon} from "../../../contracts/beacon/VrfBeacon.sol";
import {IRandomnessBeacon} from "../../../contracts/beacon/interfaces/IRandomnessBeacon.sol";
import {IJobRegistry} from "../../../contracts/jobs/interfaces/IJobRegistry.sol";
import {Scheme} from "../../../contracts/jobs/interfaces/Orders.sol";
import {PlainToken} from "../token/HostileTokens.sol";
import {JobsFixture} from "./JobsFixture.sol";

/// @notice Commitments while Chainlink VRF refuses requests, with the drawn committee and beacon, and Chainlink's mock of
/// its coordinator.
contract BeaconOutageTest is JobsFixture {
    uint64 internal constant BEACON_MODULE = 12;

    VRFCoordinatorV2_5Mock internal coordinator;
    VrfBeacon internal beacon;
    Committee internal drawn;
    ValidatorSet internal validators;
    uint256 internal subscription;

    function setUp() public {
        vm.warp(1_800_000_000);
        token = new PlainToken();
        deployRegistry(IERC20(address(token)));
        coordinator = new VRFCoordinatorV2_5Mock(0, 0, 1);
        subscription = coordinator.createSubscription();
        beacon = new VrfBeacon(
            address(access),
            VrfBeacon.Configuration(address(coordinator), subscription, "lane", 3, true, 1 days)
        );
        coordinator.addConsumer(subscription, address(beacon));
        validators = new ValidatorSet(
            address(access),
            ValidatorSet.Configuration(staking, 100 ether, 1 days, 3 days)
        );
        drawn = new Committee(
            address(access),
            CommitteeTable.Configuration(jobs, escrow, beacon, validators, 2),
            CommitteeTerms({
                signingWindow: 12 hours,
                openingWindow: 4 hours,
                revealWindow: 4 hours,
                grace: 1 hours,
                disputeTime: 4 hours,
                accusableFor: 3 days,
                moveWindow: 1 days,
                silentSlash: 1 ether,
                lieSlash: 100 ether,
                leastFee: 0.1 ether
            })
        );
        jobs.setModules(game, drawn, certificates, instalments);
        openRoles(address(drawn));
        grant(address(beacon), IRandomnessBeacon.request.selector, BEACON_MODULE, address(drawn));
        enlist(provider, 10_000 ether);
        fundConsumer(consumer);
        datasets.set(RESULT, result(provider));
    }

    function test_attack18_commitmentWhileTheBeaconRefuses_isTakenAndTheSeedIsAskedForLater() public {
        uint256 id = lockedJob(Scheme.Both);
        // The owner of the subscription, without a delay.
        coordinator.removeConsumer(subscription, address(beacon));
        vm.prank(provider);
        jobs.commit(id, commitment());
        requireStatus(id, IJobRegistry.Status.Committed);
        IAttestation.Draw memory draw = drawn.drawOf(id, 1);
        vm.assertEq(draw.requestId, 0, "no request");
        vm.assertLt(draw.drawUntil, time(), "nothing to wait for");
        vm.expectPartialRevert(IAttestation.TooLate.selector);
        drawn.draw(id);
        vm.expectRevert(abi.encodeWithSelector(IAttestation.NoSeed.selector, id));
        drawn.renew(id);

        coordinator.addConsumer(subscription, address(beacon));
        vm.prank(stranger);
        drawn.renew(id);
        draw = drawn.drawOf(id, 1);
        vm.assertEq(draw.requestId, beacon.requestCount(), "asked by a stranger");
        vm.assertEq(draw.drawUntil, time() + validators.exitDelay(), "as long as any");
        vm.expectPartialRevert(IAttestation.NoSeed.selector);
        drawn.draw(id);
        vm.expectPartialRevert(IAttestation.TooEarly.selector);
        drawn.renew(id);
    }

    function test_attack18_beaconThatRefusesForEver_costsAnHonestProviderNothing() public {
        uint256 id = lockedJob(Scheme.Both);
        uint256 staked = staking.operatorOf(provider).stake;
        coordinator.removeConsumer(subscription, address(beacon));
        vm.prank(provider);
        jobs.commit(id, commitment());
        vm.warp(jobs.jobOf(id).challengeUntil + 1);
        jobs.callTimeout(id);
        pass(1 hours + 1);
        jobs.finalise(id);
        requireStatus(id, IJobRegistry.Status.Finalised);
        vm.assertEq(staking.operatorOf(provider).stake, staked, "stake");
        vm.assertEq(escrow.creditOf(provider), PRICE, "paid");
    }

    /// @dev Also what keeps an estimate of gas from finding an amount with which the request alone fails.
    function test_attack18_commitmentWithTooLittleGasForTheRequest_isNotTaken() public {
        uint256 id = lockedJob(Scheme.Both);
        uint256 taken = 0;
        for (uint256 gas = 200_000; gas <= 1_000_000; gas += 2_000) {
            uint256 state = vm.snapshotState();
            vm.prank(provider);
            try jobs.commit{gas: gas}(id, commitment()) {
                ++taken;
                vm.assertNotEq(drawn.drawOf(id, 1).requestId, 0, "request");
            } catch {}
            vm.revertToState(state);
        }
        vm.assertGt(taken, 0, "enough at last");
        vm.assertLt(taken, 400, "too little at first");
    }
}

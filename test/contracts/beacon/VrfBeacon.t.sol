// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {VRFConsumerBaseV2Plus} from "@chainlink/contracts/src/v0.8/vrf/dev/VRFConsumerBaseV2Plus.sol";
import {VRFV2PlusClient} from "@chainlink/contracts/src/v0.8/vrf/dev/libraries/VRFV2PlusClient.sol";
import {VRFCoordinatorV2_5Mock} from "@chainlink/contracts/src/v0.8/vrf/mocks/VRFCoordinatorV2_5Mock.sol";
import {VrfBeacon} from "../../../contracts/beacon/VrfBeacon.sol";
import {IVrfBeacon} from "../../../contracts/beacon/interfaces/IVrfBeacon.sol";
import {IRandomnessBeacon} from "../../../contracts/beacon/interfaces/IRandomnessBeacon.sol";
import {MiniTest, Vm} from "../MiniTest.sol";

contract VrfBeaconTest is MiniTest {
    AccessManager internal access;
    VRFCoordinatorV2_5Mock internal coordinator;
    VrfBeacon internal beacon;
    uint256 internal subscription;

    function setUp() public {
        vm.warp(1_800_000_000);
        access = new AccessManager(address(this));
        coordinator = new VRFCoordinatorV2_5Mock(0, 0, 1);
        subscription = coordinator.createSubscription();
        vm.deal(address(this), 10 ether);
        coordinator.fundSubscriptionWithNative{value: 1 ether}(subscription);
        beacon = this.deploy(1 days);
        coordinator.addConsumer(subscription, address(beacon));
    }

    function deploy(uint64 redrawAfter) external returns (VrfBeacon) {
        return
            new VrfBeacon(
                address(access),
                VrfBeacon.Configuration({
                    coordinator: address(coordinator),
                    subscriptionId: subscription,
                    keyHash: "lane",
                    confirmations: 3,
                    payInNative: true,
                    redrawAfter: redrawAfter
                })
            );
    }

    function test_configuration_refusesToRedrawAtOnceOrNever() public {
        vm.expectRevert(IVrfBeacon.InvalidConfiguration.selector);
        this.deploy(0);
        vm.expectRevert(IVrfBeacon.InvalidConfiguration.selector);
        this.deploy(30 days + 1);
        vm.assertEq(this.deploy(30 days).redrawAfter(), 30 days, "the longest wait");
    }

    function test_seed_comesFromTheCoordinatorsWord() public {
        vm.expectEmit(address(beacon));
        emit IRandomnessBeacon.RandomnessRequested(1, address(this), uint64(block.timestamp));
        uint256 requestId = beacon.request();
        (, uint64 readyAt) = beacon.seedOf(requestId);
        vm.assertEq(readyAt, 0, "not yet");
        skip(30);
        bytes32 domain = keccak256(abi.encode("assay/beacon", block.chainid, address(beacon)));
        bytes32 expected = keccak256(abi.encode(domain, requestId, bytes32(uint256(42))));
        uint256 vrfId = beacon.requestOf(requestId).vrfRequestId;
        vm.expectEmit(address(beacon));
        emit IRandomnessBeacon.RandomnessReady(requestId, expected);
        _answer(vrfId, 42);
        bytes32 seed;
        (seed, readyAt) = beacon.seedOf(requestId);
        vm.assertEq(seed, expected, "seed");
        vm.assertEq(readyAt, block.timestamp, "time");
    }

    function test_request_asksTheCoordinatorAsConfigured() public {
        vm.recordLogs();
        beacon.request();
        Vm.Log memory asked = vm.getRecordedLogs()[1];
        vm.assertEq(asked.emitter, address(coordinator), "coordinator");
        vm.assertEq(asked.topics[0], VRFCoordinatorV2_5Mock.RandomWordsRequested.selector, "asked");
        vm.assertEq(asked.topics[1], "lane", "key hash");
        vm.assertEq(uint256(asked.topics[2]), subscription, "subscription");
        (, , uint16 confirmations, uint32 gasLimit, uint32 words, bytes memory extra) = abi.decode(
            asked.data,
            (uint256, uint256, uint16, uint32, uint32, bytes)
        );
        vm.assertEq(confirmations, 3, "confirmations");
        vm.assertEq(gasLimit, 150_000, "gas of the answer");
        vm.assertEq(words, 1, "words");
        VRFV2PlusClient.ExtraArgsV1 memory native = VRFV2PlusClient.ExtraArgsV1(true);
        vm.assertEq(extra, VRFV2PlusClient._argsToBytes(native), "paid in the native coin");
    }

    function test_attack18_onlyTheCoordinatorAnswers() public {
        uint256 requestId = beacon.request();
        uint256 vrfId = beacon.requestOf(requestId).vrfRequestId;
        vm.expectRevert(
            abi.encodeWithSelector(
                VRFConsumerBaseV2Plus.OnlyCoordinatorCanFulfill.selector,
                address(this),
                address(coordinator)
            )
        );
        beacon.rawFulfillRandomWords(vrfId, _words(1));
    }

    function test_attack18_staleAnswerAfterRedraw_isIgnored() public {
        uint256 requestId = beacon.request();
        uint256 first = beacon.requestOf(requestId).vrfRequestId;
        uint64 asked = uint64(block.timestamp);
        vm.warp(asked + 1 days - 1);
        vm.expectRevert(
            abi.encodeWithSelector(IRandomnessBeacon.RedrawNotDue.selector, requestId, asked + 1 days)
        );
        beacon.redraw(requestId);
        vm.warp(asked + 1 days);
        vm.expectEmit(address(beacon));
        emit IRandomnessBeacon.RandomnessRedrawn(requestId, asked + 1 days);
        beacon.redraw(requestId);
        _answer(first, 1);
        (, uint64 readyAt) = beacon.seedOf(requestId);
        vm.assertEq(readyAt, 0, "stale");
        _answer(beacon.requestOf(requestId).vrfRequestId, 2);
        (, readyAt) = beacon.seedOf(requestId);
        vm.assertGt(readyAt, 0, "fresh");
    }

    function test_attack18_secondAnswer_changesNothing() public {
        uint256 requestId = beacon.request();
        uint256 vrfId = beacon.requestOf(requestId).vrfRequestId;
        _answer(vrfId, 1);
        (bytes32 seed, ) = beacon.seedOf(requestId);
        vm.prank(address(coordinator));
        beacon.rawFulfillRandomWords(vrfId, _words(2));
        (bytes32 again, ) = beacon.seedOf(requestId);
        vm.assertEq(seed, again, "seed");
        skip(2 days);
        vm.expectPartialRevert(IRandomnessBeacon.RedrawNotDue.selector);
        beacon.redraw(requestId);
    }

    function test_answerToNobodysRequest_isIgnored() public {
        vm.prank(address(coordinator));
        beacon.rawFulfillRandomWords(12345, _words(2));
        (, uint64 readyAt) = beacon.seedOf(0);
        vm.assertEq(readyAt, 0, "no request 0");
        vm.expectRevert(abi.encodeWithSelector(IRandomnessBeacon.UnknownRequest.selector, 1));
        beacon.redraw(1);
    }

    function test_request_needsAuthorisation() public {
        address stranger = actor("stranger");
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, stranger));
        beacon.request();
    }

    function test_attack18_deployerLosesThePowerOverTheCoordinator() public {
        access.execute(address(beacon), abi.encodeWithSignature("acceptOwnership()"));
        vm.assertEq(beacon.owner(), address(access), "owner");
        vm.expectPartialRevert(VRFConsumerBaseV2Plus.OnlyOwnerOrCoordinator.selector);
        beacon.setCoordinator(address(this));
    }

    function _answer(uint256 vrfId, uint256 word) private {
        coordinator.fulfillRandomWordsWithOverride(vrfId, address(beacon), _words(word));
    }

    function _words(uint256 word) private pure returns (uint256[] memory words) {
        words = new uint256[](1);
        words[0] = word;
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {MerkleProofs} from "../../../contracts/libraries/MerkleProofs.sol";
import {IRetrievalChallenges} from "../../../contracts/storage/interfaces/IRetrievalChallenges.sol";
import {Refuser} from "../doubles/Refuser.sol";
import {StorageFixture} from "./StorageFixture.sol";

contract RetrievalChallengesTest is StorageFixture {
    uint64 private constant LIMIT = 6 hours;

    Anchored private made;
    bytes32 private id;
    bytes32[] private proof;
    bytes private cell;
    address private challenger = actor("challenger");

    function setUp() public {
        setUpStorage();
        made = anchorSmall(3, 20);
        id = enlistAndPlace(made, 0, "a");
        proof = bundleProof(made, 0);
        cell = cellOf(manifestOf(1), 0);
        vm.deal(challenger, 10 ether);
        toEpoch(1);
    }

    function test_publishedCell_earnsTheOperatorTheBond() public {
        uint256 number = _challenge();
        vm.prank(actor("anyone"));
        retrieval.publish(number, cell, new bytes32[](0));
        vm.assertEq(retrieval.creditOf(actor("a")), RETRIEVAL_BOND, "credit");
        vm.prank(actor("a"));
        retrieval.withdraw(payable(actor("a")));
        vm.assertEq(actor("a").balance, RETRIEVAL_BOND, "paid");
        vm.assertEq(address(retrieval).balance, 0, "nothing left");
        vm.expectRevert(abi.encodeWithSelector(IRetrievalChallenges.UnknownChallenge.selector, number));
        retrieval.publish(number, cell, new bytes32[](0));
        // The same cell can be asked for again.
        _challenge();
    }

    function testFuzz_publish_refusesAnyOtherBytes(uint256 where, uint8 by, bool shorter) public {
        uint256 number = _challenge();
        bytes memory wrong = cell;
        if (shorter) {
            assembly ("memory-safe") {
                mstore(wrong, 495)
            }
        } else {
            where = where % 496;
            wrong[where] = bytes1(uint8(wrong[where]) ^ uint8(bound(by, 1, 255)));
        }
        vm.expectRevert(abi.encodeWithSelector(IRetrievalChallenges.WrongCell.selector, number));
        retrieval.publish(number, wrong, new bytes32[](0));
        vm.expectPartialRevert(MerkleProofs.WrongProofLength.selector);
        retrieval.publish(number, cell, new bytes32[](1));
    }

    function test_withheldCell_slashesOnceAndReturnsTheBond() public {
        uint256 number = _challenge();
        uint64 deadline = uint64(block.timestamp) + LIMIT;
        vm.warp(deadline);
        vm.expectRevert(abi.encodeWithSelector(IRetrievalChallenges.TooEarly.selector, number, deadline + 1));
        retrieval.callTimeout(number);
        vm.warp(deadline + 1);
        vm.expectRevert(abi.encodeWithSelector(IRetrievalChallenges.TooLate.selector, number, deadline, 0));
        retrieval.publish(number, cell, new bytes32[](0));
        vm.expectRevert(abi.encodeWithSelector(IRetrievalChallenges.NoTimeout.selector, number));
        retrieval.slashFailed(number);
        vm.prank(actor("reporter"));
        retrieval.callTimeout(number);
        vm.expectRevert(abi.encodeWithSelector(IRetrievalChallenges.TimeoutAlreadyCalled.selector, number));
        retrieval.callTimeout(number);
        vm.warp(deadline + 1 + GRACE);
        vm.expectPartialRevert(IRetrievalChallenges.TooEarly.selector);
        retrieval.slashFailed(number);
        uint256 state = vm.snapshotState();
        retrieval.publish(number, cell, new bytes32[](0));
        vm.revertToState(state);
        vm.warp(deadline + 2 + GRACE);
        vm.expectPartialRevert(IRetrievalChallenges.TooLate.selector);
        retrieval.publish(number, cell, new bytes32[](0));
        bytes32 dataset = retrieval.datasetOf(number);
        vm.assertEq(dataset, bundles.holdingOf(id).datasetId, "dataset");
        vm.assertTrue(retrieval.isOpen(number), "open");
        vm.assertEq(retrieval.failedAt(dataset), 0, "no failure yet");
        retrieval.slashFailed(number);
        vm.assertEq(retrieval.failedAt(dataset), deadline + 2 + GRACE, "registered");
        vm.assertFalse(retrieval.isOpen(number), "over");
        vm.expectPartialRevert(IRetrievalChallenges.UnknownChallenge.selector);
        retrieval.datasetOf(number);
        vm.assertEq(retrieval.creditOf(challenger), RETRIEVAL_BOND, "bond");
        vm.assertEq(staking.operatorOf(actor("a")).stake, STAKE - MISS, "penalty");
        vm.assertEq(bundles.creditOf(actor("reporter")), MISS / 20, "reporter");
        vm.assertEq(bundles.bountyOf(id), MISS / 2 - MISS / 20, "bounty");
        vm.expectPartialRevert(IRetrievalChallenges.UnknownChallenge.selector);
        retrieval.slashFailed(number);
    }

    function test_oneOpenChallengePerCell() public {
        uint256 number = _challenge();
        vm.assertEq(retrieval.openChallengeOf(id, 0), number, "open");
        vm.expectRevert(
            abi.encodeWithSelector(IRetrievalChallenges.AlreadyChallenged.selector, id, 0, number)
        );
        _challenge();
    }

    function test_challenge_withAnotherBondRootCellOrForNobodyIsRefused() public {
        vm.startPrank(challenger);
        vm.expectRevert(
            abi.encodeWithSelector(
                IRetrievalChallenges.WrongBond.selector,
                RETRIEVAL_BOND - 1,
                RETRIEVAL_BOND
            )
        );
        retrieval.challenge{value: RETRIEVAL_BOND - 1}(id, 0, made.transportRoots[0], proof);
        vm.expectPartialRevert(IRetrievalChallenges.WrongBond.selector);
        retrieval.challenge{value: RETRIEVAL_BOND + 1}(id, 0, made.transportRoots[0], proof);
        // Padding is never asked for.
        vm.expectRevert(abi.encodeWithSelector(IRetrievalChallenges.UnknownCell.selector, id, 1, 1));
        retrieval.challenge{value: RETRIEVAL_BOND}(id, 1, made.transportRoots[0], proof);
        vm.expectPartialRevert(IRetrievalChallenges.NotAnchored.selector);
        retrieval.challenge{value: RETRIEVAL_BOND}(id, 0, made.transportRoots[1], proof);
        bytes32 vacant = bundleOf(made, 1);
        vm.expectRevert(abi.encodeWithSelector(IRetrievalChallenges.NothingOwed.selector, vacant));
        retrieval.challenge{value: RETRIEVAL_BOND}(vacant, 0, made.transportRoots[1], proof);
        toEpoch(21);
        vm.expectPartialRevert(IRetrievalChallenges.NothingOwed.selector);
        retrieval.challenge{value: RETRIEVAL_BOND}(id, 0, made.transportRoots[0], proof);
        vm.stopPrank();
    }

    function test_holderThatLeft_voidsTheChallengeAndItsSuccessorIsNotSlashed() public {
        uint256 number = _challenge();
        vm.prank(actor("a"));
        bundles.surrender(id);
        enlistAndPlace(made, 0, "b");
        skip(LIMIT + 1);
        retrieval.callTimeout(number);
        skip(GRACE + 1);
        retrieval.slashFailed(number);
        vm.assertEq(staking.operatorOf(actor("b")).stake, STAKE, "untouched");
        vm.assertEq(retrieval.creditOf(challenger), RETRIEVAL_BOND, "bond");
    }

    function test_sameOperatorInANewTenure_isNotSlashedForTheOldOne() public {
        uint256 number = _challenge();
        skip(LIMIT + 1);
        retrieval.callTimeout(number);
        skip(GRACE + 1);
        token.mint(actor("a"), STAKE);
        vm.startPrank(actor("a"));
        bundles.surrender(id);
        token.approve(address(staking), STAKE);
        staking.stake(STAKE);
        vm.stopPrank();
        skip(1);
        place(made, 0, "a");
        retrieval.slashFailed(number);
        vm.assertEq(bundles.holdingOf(id).operator, actor("a"), "holds on");
    }

    function test_fraudulentDataset_voidsTheChallenge() public {
        uint256 number = _challenge();
        vm.prank(address(fraud));
        datasets.markFraudulent(made.id, owner);
        retrieval.slashFailed(number);
        vm.assertEq(retrieval.creditOf(challenger), RETRIEVAL_BOND, "bond");
        vm.assertEq(staking.operatorOf(actor("a")).stake, STAKE, "stake");
    }

    function test_challengerThatRefusesCoins_blocksNobody() public {
        Refuser refuser = new Refuser(retrieval);
        vm.deal(address(this), RETRIEVAL_BOND);
        refuser.challenge{value: RETRIEVAL_BOND}(id, 0, made.transportRoots[0], proof);
        skip(LIMIT + 1);
        retrieval.callTimeout(1);
        skip(GRACE + 1);
        retrieval.slashFailed(1);
        vm.expectPartialRevert(IRetrievalChallenges.TransferFailed.selector);
        refuser.withdraw();
        refuser.withdrawTo(payable(challenger));
        vm.assertEq(challenger.balance, 10 ether + RETRIEVAL_BOND, "elsewhere");
    }

    function test_reentrancyAtWithdraw_paysOnce() public {
        Refuser refuser = new Refuser(retrieval);
        refuser.beGreedy();
        vm.deal(address(this), RETRIEVAL_BOND);
        refuser.challenge{value: RETRIEVAL_BOND}(id, 0, made.transportRoots[0], proof);
        _challengeOther();
        vm.prank(actor("a"));
        bundles.surrender(id);
        retrieval.slashFailed(1);
        refuser.withdraw();
        vm.assertFalse(refuser.entered(), "not entered");
        vm.assertEq(address(refuser).balance, RETRIEVAL_BOND, "once");
        vm.assertEq(address(retrieval).balance, RETRIEVAL_BOND, "the other bond is there");
    }

    function test_parameterChange_doesNotAlterAnOpenChallenge() public {
        uint256 number = _challenge();
        uint64 deadline = retrieval.challengeOf(number).deadline;
        retrieval.setParameters(0.5 ether, 3 hours, 30 minutes);
        vm.assertEq(retrieval.challengeOf(number).deadline, deadline, "deadline");
        vm.warp(deadline + 1);
        retrieval.callTimeout(number);
        vm.assertEq(retrieval.challengeOf(number).graceEnds, deadline + 1 + GRACE, "grace");
        vm.assertEq(retrieval.challengeOf(number).bond, RETRIEVAL_BOND, "bond");
        vm.assertEq(retrieval.bond(), 0.5 ether, "bond of the next");
        (uint32 window, uint32 grace) = retrieval.deadlines();
        vm.assertEq(window, 3 hours, "window of the next");
        vm.assertEq(grace, 30 minutes, "grace of the next");
    }

    function test_parameters_haveHardBounds() public {
        _expectParameters(0, 6 hours, 1 hours);
        _expectParameters(1 ether + 1, 6 hours, 1 hours);
        _expectParameters(RETRIEVAL_BOND, 3 hours - 1, 1 hours);
        _expectParameters(RETRIEVAL_BOND, 6 hours, 30 minutes - 1);
        _expectParameters(RETRIEVAL_BOND, uint32(CLOSE_DELAY), 1 hours);
    }

    function test_pause_stopsNewChallengesOnly() public {
        uint256 number = _challenge();
        retrieval.pause();
        vm.expectRevert(Pausable.EnforcedPause.selector);
        vm.prank(challenger);
        retrieval.challenge{value: RETRIEVAL_BOND}(id, 0, made.transportRoots[0], proof);
        retrieval.publish(number, cell, new bytes32[](0));
        vm.prank(actor("a"));
        retrieval.withdraw(payable(actor("a")));
        retrieval.unpause();
        vm.assertEq(_challenge(), number + 1, "a new one");
    }

    function _challenge() private returns (uint256) {
        vm.prank(challenger);
        return retrieval.challenge{value: RETRIEVAL_BOND}(id, 0, made.transportRoots[0], proof);
    }

    function _challengeOther() private {
        bytes32 other = enlistAndPlace(made, 1, "b");
        bytes32[] memory otherProof = bundleProof(made, 1);
        vm.prank(challenger);
        retrieval.challenge{value: RETRIEVAL_BOND}(other, 0, made.transportRoots[1], otherProof);
    }

    function _expectParameters(uint96 bond, uint32 window, uint32 grace) private {
        vm.expectPartialRevert(IRetrievalChallenges.OutOfBounds.selector);
        retrieval.setParameters(bond, window, grace);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {MerkleProofs} from "../../../contracts/libraries/MerkleProofs.sol";
import {IBundleRegistry} from "../../../contracts/storage/interfaces/IBundleRegistry.sol";
import {IDatasetRegistry} from "../../../contracts/storage/interfaces/IDatasetRegistry.sol";
import {IRetrievalChallenges} from "../../../contracts/storage/interfaces/IRetrievalChallenges.sol";
import {Refuser} from "../doubles/Refuser.sol";
import {StorageFixture} from "./StorageFixture.sol";

contract RetrievalChallengesTest is StorageFixture {
    uint64 private constant LIMIT = 6 hours;
    /// @dev 3 cells of 496 bytes hold 1,300 bytes of an object and the 32 of its hash.
    uint256 private constant _FILLER = 3 * 496 - 1_332;

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

    function test_attack_publication_earnsNoMoreThanTwiceItsGas_theRestIsTheChallengers() public {
        uint256 gasPrice = RETRIEVAL_BOND / (4 * retrieval.PUBLICATION_GAS());
        vm.fee(gasPrice);
        uint256 number = _challenge();
        retrieval.publish(number, cell, new bytes32[](0));
        uint256 earned = 2 * retrieval.PUBLICATION_GAS() * gasPrice;
        vm.assertEq(retrieval.creditOf(actor("a")), earned, "twice the gas");
        vm.assertEq(retrieval.creditOf(challenger), RETRIEVAL_BOND - earned, "back");
    }

    function test_publishedCell_earnsTheOperatorTheBond_whereGasIsDear() public {
        vm.fee(1 ether);
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
        uint64 graceEnds = deadline + 1 + GRACE;
        vm.expectRevert(
            abi.encodeWithSelector(IRetrievalChallenges.TooLate.selector, number, deadline, graceEnds)
        );
        retrieval.publish(number, cell, new bytes32[](0));
        vm.assertTrue(retrieval.isOpen(number), "open");
        retrieval.slashFailed(number);
        vm.assertFalse(retrieval.isOpen(number), "over");
        vm.assertEq(retrieval.creditOf(challenger), RETRIEVAL_BOND, "bond");
        vm.assertEq(staking.operatorOf(actor("a")).stake, STAKE - MISS, "penalty");
        vm.assertEq(bundles.creditOf(actor("reporter")), MISS / 20, "reporter");
        vm.assertEq(bundles.bountyOf(id), MISS / 2 - MISS / 20, "bounty");
        vm.expectPartialRevert(IRetrievalChallenges.UnknownChallenge.selector);
        retrieval.slashFailed(number);
    }

    function test_publish_takesEveryCellOfABundleWhoseContentZerosFollow() public {
        (Anchored memory three, bytes[] memory cells, bytes32[] memory leaves) = _threeCells(0, 0);
        for (uint32 i = 0; i < 3; ++i) {
            uint256 number = _challengeCell(three, i);
            retrieval.publish(number, cells[i], _path(leaves, i));
            vm.assertFalse(retrieval.isOpen(number), "published");
        }
    }

    /// @dev Attack: an owner anchors a bundle in whose root something else than zeros follows the content. Its holder could publish
    /// every cell, and no reader would ever find the anchored root.
    function testFuzz_attack_publish_refusesALastCellWhoseContentZerosDoNotFollow(uint256 where) public {
        (Anchored memory three, bytes[] memory cells, bytes32[] memory leaves) = _threeCells(
            bound(where, 1, _FILLER),
            0
        );
        uint256 number = _challengeCell(three, 1);
        retrieval.publish(number, cells[1], _path(leaves, 1));
        number = _challengeCell(three, 2);
        vm.expectRevert(abi.encodeWithSelector(IRetrievalChallenges.WrongFiller.selector, number));
        retrieval.publish(number, cells[2], _path(leaves, 2));
        skip(LIMIT + 1);
        retrieval.callTimeout(number);
        skip(GRACE + 1);
        retrieval.slashFailed(number);
        vm.assertEq(bundles.holdingOf(bundleOf(three, 0)).operator, address(0), "put out");
    }

    function test_attack_publish_refusesALastCellBehindWhichThereIsAnotherLeaf() public {
        (Anchored memory three, bytes[] memory cells, bytes32[] memory leaves) = _threeCells(0, "fourth");
        uint256 number = _challengeCell(three, 2);
        vm.expectRevert(abi.encodeWithSelector(IRetrievalChallenges.WrongFiller.selector, number));
        retrieval.publish(number, cells[2], _path(leaves, 2));
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

    function test_attack_holderCannotLeaveWhileACellIsAskedFor_butOnceItIsPublished() public {
        uint256 number = _challenge();
        vm.startPrank(actor("a"));
        vm.expectRevert(abi.encodeWithSelector(IBundleRegistry.RetrievalOpen.selector, id));
        bundles.surrender(id);
        retrieval.publish(number, cell, new bytes32[](0));
        bundles.surrender(id);
        vm.stopPrank();
        vm.assertEq(retrieval.openOf(id), 0, "none is open");
    }

    function test_holderThatWasPutOut_hasFailed_andItsSuccessorIsNotSlashed() public {
        uint256 number = _challenge();
        _putOut();
        enlistAndPlace(made, 0, "b");
        vm.expectEmit(address(retrieval));
        emit IRetrievalChallenges.RetrievalFailed(number, id, actor("a"));
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
        _putOut();
        vm.startPrank(actor("a"));
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

    function testFuzz_attack_haltedSequencer_costsNoHolderAnything(uint32 halt) public {
        uint256 number = _challenge();
        // Until the dataset is over, nothing is too late that nobody has called.
        uint256 latest = datasets.settledAt(datasets.datasetOf(made.id).endEpoch) - 1;
        vm.warp(bound(halt, block.timestamp + LIMIT + 1, latest));
        uint256 state = vm.snapshotState();
        retrieval.publish(number, cell, new bytes32[](0));
        vm.revertToState(state);
        retrieval.callTimeout(number);
        vm.warp(retrieval.challengeOf(number).graceEnds);
        retrieval.publish(number, cell, new bytes32[](0));
        vm.assertFalse(retrieval.isOpen(number), "published");
    }

    function test_attack_eachCellAskedForAdds_toTheTimeForTheNext_upToFourWindows() public {
        Anchored memory large = _large();
        uint256 start = block.timestamp;
        for (uint32 i = 0; i <= 1_082; ++i) {
            uint256 extension = i < 1_080 ? i * 1 minutes : 3 * uint256(LIMIT);
            uint256 number = _ask(large, i);
            vm.assertEq(
                retrieval.challengeOf(number).deadline,
                start + LIMIT + extension,
                "a minute for each"
            );
        }
        vm.assertEq(retrieval.openAgainst(actor("a")), 1_083, "open");
    }

    function test_attack_moreTimeForOtherBundlesOfTheSameHolder_andNoMoreForWhatIsPublished() public {
        Anchored memory large = _large();
        uint256 start = block.timestamp;
        uint256 number = _challenge();
        vm.assertEq(
            retrieval.challengeOf(_ask(large, 0)).deadline,
            start + LIMIT + 1 minutes,
            "other bundle"
        );
        retrieval.publish(number, cell, new bytes32[](0));
        vm.assertEq(retrieval.openAgainst(actor("a")), 1, "one is published");
        vm.assertEq(retrieval.challengeOf(_ask(large, 1)).deadline, start + LIMIT + 1 minutes, "one is open");
        vm.assertEq(retrieval.challengeOf(_challenge()).deadline, start + LIMIT + 2 minutes, "two are");
    }

    function test_withdraw_toNobodyOrToTheContractIsRefused() public {
        uint256 number = _challenge();
        retrieval.publish(number, cell, new bytes32[](0));
        uint256 credit = retrieval.creditOf(challenger);
        vm.startPrank(challenger);
        vm.expectRevert(abi.encodeWithSelector(IRetrievalChallenges.InvalidRecipient.selector, address(0)));
        retrieval.withdraw(payable(0));
        vm.expectRevert(
            abi.encodeWithSelector(IRetrievalChallenges.InvalidRecipient.selector, address(retrieval))
        );
        retrieval.withdraw(payable(address(retrieval)));
        vm.assertEq(retrieval.creditOf(challenger), credit, "still there");
        vm.stopPrank();
    }

    function testFuzz_askedSince_isWhenTheOldestOpenChallengeOfTheDatasetWasMade(uint256 order) public {
        _challenge();
        Anchored memory asked = anchorSmall(5, 20);
        uint256[5] memory numbers;
        uint256[5] memory times;
        for (uint256 i = 0; i < 5; ++i) {
            enlistAndPlace(asked, i, string(abi.encodePacked("holder ", i)));
            skip(1 minutes);
            times[i] = time();
            bytes32[] memory siblings = bundleProof(asked, i);
            bytes32 bundleId = bundleOf(asked, i);
            vm.prank(challenger);
            numbers[i] = retrieval.challenge{value: RETRIEVAL_BOND}(
                bundleId,
                0,
                asked.transportRoots[i],
                siblings
            );
        }
        vm.assertEq(retrieval.askedSince(asked.id), times[0], "the first");
        for (uint256 left = 5; left > 0; --left) {
            // The one of those left that the order picks.
            uint256 place = order % left;
            order /= left;
            uint256 i = 0;
            for (; numbers[i] == 0 || place > 0; ++i) if (numbers[i] != 0) --place;
            retrieval.publish(numbers[i], cellOf(manifestOf(2), i), new bytes32[](0));
            uint256[] memory published = new uint256[](1);
            published[0] = numbers[i];
            uint64 until = uint64(time()) + LIMIT;
            vm.assertNotEq(retrieval.askedSince(asked.id), 0, "published a moment ago");
            vm.warp(until);
            vm.expectRevert(
                abi.encodeWithSelector(IRetrievalChallenges.TooEarly.selector, published[0], until + 1)
            );
            retrieval.release(published);
            vm.warp(until + 1);
            retrieval.release(published);
            numbers[i] = 0;
            uint256 oldest = 0;
            for (uint256 j = 5; j > 0; --j) if (numbers[j - 1] != 0) oldest = times[j - 1];
            vm.assertEq(retrieval.askedSince(asked.id), oldest, "the oldest of those left");
        }
        vm.assertNotEq(retrieval.askedSince(made.id), 0, "another dataset's is still open");
    }

    function test_reentrancyAtWithdraw_paysOnce() public {
        Refuser refuser = new Refuser(retrieval);
        refuser.beGreedy();
        vm.deal(address(this), RETRIEVAL_BOND);
        refuser.challenge{value: RETRIEVAL_BOND}(id, 0, made.transportRoots[0], proof);
        _challengeOther();
        _putOut();
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
        // Four windows: neither longer than seven days, nor with the grace longer than the delay of the last epoch.
        _expectParameters(RETRIEVAL_BOND, 42 hours + 1, 1 hours);
        retrieval.setParameters(RETRIEVAL_BOND, 42 hours, 72 hours);
        _expectParameters(RETRIEVAL_BOND, 42 hours, 72 hours + 1);
    }

    function _challenge() private returns (uint256) {
        vm.prank(challenger);
        return retrieval.challenge{value: RETRIEVAL_BOND}(id, 0, made.transportRoots[0], proof);
    }

    function _challengeCell(Anchored memory of_, uint32 index) private returns (uint256) {
        bytes32[] memory path = bundleProof(of_, 0);
        vm.prank(challenger);
        return
            retrieval.challenge{value: RETRIEVAL_BOND}(bundleOf(of_, 0), index, of_.transportRoots[0], path);
    }

    /// @dev A dataset of two bundles of three cells each, the last of which ends with `_FILLER` bytes that are no content.
    /// @param wrong place from the end of the byte that is not zero; 0 for none
    /// @param fourth what stands where there is no fourth cell
    function _threeCells(
        uint256 wrong,
        bytes32 fourth
    ) private returns (Anchored memory three, bytes[] memory cells, bytes32[] memory leaves) {
        IDatasetRegistry.Shape memory shape = IDatasetRegistry.Shape(1, 1_300, 1, 1, 2, false);
        (cells, leaves) = (new bytes[](3), new bytes32[](4));
        for (uint256 i = 0; i < 3; ++i) {
            cells[i] = new bytes(496);
            for (uint256 at = 0; at < (i == 2 ? 496 - _FILLER : 496); ++at)
                cells[i][at] = bytes1(uint8(i + 1));
            if (i == 2 && wrong != 0) cells[i][496 - wrong] = 0x01;
            leaves[i] = keccak256(abi.encodePacked(bytes1(0), cells[i]));
        }
        leaves[3] = fourth;
        three.bundles = 2;
        (three.poseidonRoots, three.transportRoots) = (new bytes32[](2), new bytes32[](2));
        bytes32 root = MerkleProofs.nodeOf(
            MerkleProofs.nodeOf(leaves[0], leaves[1]),
            MerkleProofs.nodeOf(leaves[2], leaves[3])
        );
        for (uint256 i = 0; i < 2; ++i) {
            (three.poseidonRoots[i], three.transportRoots[i]) = (bytes32(i + 1), root);
        }
        anchorRoots(three, "three cells", shape, 20);
        enlistAndPlace(three, 0, "c");
    }

    function _path(bytes32[] memory leaves, uint256 index) private pure returns (bytes32[] memory path) {
        path = new bytes32[](2);
        path[0] = leaves[index ^ 1];
        uint256 other = index < 2 ? 2 : 0;
        path[1] = MerkleProofs.nodeOf(leaves[other], leaves[other + 1]);
    }

    /// @dev The holder loses its bundle by another fault.
    function _putOut() private {
        vm.prank(address(audit));
        bundles.vacate(id, address(0), "audit");
    }

    /// @dev A bundle of many cells, with the holder of the first.
    function _large() private returns (Anchored memory large) {
        IDatasetRegistry.Shape memory shape = smallShape(3);
        shape.objectSize = 2_000_000;
        large = anchorShape(shape, 20);
        token.mint(actor("a"), STAKE);
        vm.startPrank(actor("a"));
        token.approve(address(staking), STAKE);
        staking.stake(STAKE);
        vm.stopPrank();
        skip(1);
        place(large, 0, "a");
    }

    function _ask(Anchored memory asked, uint32 index) private returns (uint256) {
        bytes32[] memory siblings = bundleProof(asked, 0);
        vm.prank(challenger);
        return
            retrieval.challenge{value: RETRIEVAL_BOND}(
                bundleOf(asked, 0),
                index,
                asked.transportRoots[0],
                siblings
            );
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

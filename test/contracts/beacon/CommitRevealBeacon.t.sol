// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {CommitRevealBeacon} from "../../../contracts/beacon/CommitRevealBeacon.sol";
import {ICommitRevealBeacon} from "../../../contracts/beacon/interfaces/ICommitRevealBeacon.sol";
import {IRandomnessBeacon} from "../../../contracts/beacon/interfaces/IRandomnessBeacon.sol";
import {IStaking} from "../../../contracts/staking/interfaces/IStaking.sol";
import {StakingFixture} from "../staking/StakingFixture.sol";

/// @notice A beacon on real staking, with three operators.
abstract contract CommitRevealFixture is StakingFixture {
    uint64 internal constant REQUESTER_ROLE = 2;
    uint64 internal constant COMMIT = 60;
    uint64 internal constant REVEAL = 40;
    uint64 internal constant GRACE = 3_600;
    uint256 internal constant BOND = 100;

    CommitRevealBeacon internal beacon;
    address internal one = actor("one");
    address internal two = actor("two");
    address internal three = actor("three");

    function setUpBeacon() internal {
        setUpStaking();
        beacon = deployBeacon(2, COMMIT);
        address[3] memory all = [one, two, three];
        for (uint256 i = 0; i < all.length; ++i) {
            enlist(all[i], 1_000);
            approveFor(address(beacon), all[i], type(uint256).max);
        }
        skip(1);
    }

    function deployBeacon(
        uint32 minCommitters,
        uint64 commitWindow
    ) internal returns (CommitRevealBeacon deployed) {
        deployed = new CommitRevealBeacon(
            address(access),
            CommitRevealBeacon.Configuration({
                staking: staking,
                role: IStaking.Role.Storage,
                minCommitters: minCommitters,
                commitWindow: commitWindow,
                revealWindow: REVEAL,
                grace: GRACE,
                bond: BOND
            })
        );
        bytes4[] memory selectors = new bytes4[](1);
        selectors[0] = IRandomnessBeacon.request.selector;
        access.setTargetFunctionRole(address(deployed), selectors, REQUESTER_ROLE);
        access.grantRole(REQUESTER_ROLE, address(this), 0);
    }

    function secretOf(address operator) internal pure returns (bytes32) {
        return keccak256(abi.encode("secret", operator));
    }

    function commitmentBy(uint256 id, address operator) internal view returns (bytes32) {
        return
            keccak256(
                abi.encode(
                    block.chainid,
                    address(beacon),
                    id,
                    beacon.session(id).round,
                    operator,
                    secretOf(operator)
                )
            );
    }

    function commitBy(uint256 id, address operator) internal {
        bytes32 hash = commitmentBy(id, operator);
        vm.prank(operator);
        beacon.commit(id, hash);
    }

    function revealBy(uint256 id, address operator) internal {
        vm.prank(operator);
        beacon.reveal(id, secretOf(operator));
    }

    /// @dev A session in its reveal window with commitments of `one` and `two`.
    function committedSession() internal returns (uint256 requestId, uint256 id) {
        requestId = beacon.request();
        id = beacon.sessionOf(requestId);
        commitBy(id, one);
        commitBy(id, two);
        skip(COMMIT);
    }
}

contract CommitRevealBeaconTest is CommitRevealFixture {
    function setUp() public {
        setUpBeacon();
    }

    function test_seed_isMadeByTheLastReveal() public {
        (uint256 requestId, uint256 id) = committedSession();
        revealBy(id, one);
        (bytes32 seed, uint64 readyAt) = beacon.seedOf(requestId);
        vm.assertEq(seed, 0, "not yet");
        vm.assertEq(readyAt, 0, "not yet");
        revealBy(id, two);
        (seed, readyAt) = beacon.seedOf(requestId);
        bytes32 mixed = keccak256(abi.encode(one, secretOf(one))) ^ keccak256(abi.encode(two, secretOf(two)));
        bytes32 raw = keccak256(abi.encode(id, uint32(0), uint32(2), mixed));
        bytes32 domain = keccak256(abi.encode("assay/beacon", block.chainid, address(beacon)));
        vm.assertEq(seed, keccak256(abi.encode(domain, requestId, raw)), "seed");
        vm.assertEq(readyAt, block.timestamp, "time");
        vm.assertEq(
            staking.lockedBy(one, address(beacon)) + staking.lockedBy(two, address(beacon)),
            0,
            "bonds"
        );
        vm.assertEq(uint256(beacon.phaseOf(id)), uint256(ICommitRevealBeacon.Phase.Ready), "ready");
        skip(REVEAL + GRACE);
        vm.assertEq(uint256(beacon.phaseOf(id)), uint256(ICommitRevealBeacon.Phase.Ready), "for ever");
        vm.expectRevert(
            abi.encodeWithSelector(
                ICommitRevealBeacon.WrongPhase.selector,
                id,
                ICommitRevealBeacon.Phase.Ready
            )
        );
        beacon.callTimeout(id);
    }

    function test_request_needsAuthorisation() public {
        vm.prank(one);
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, one));
        beacon.request();
    }

    function test_attack18_requestJoinsOnlyASessionThatNobodyCouldSeeInto() public {
        uint256 first = beacon.sessionOf(beacon.request());
        vm.assertEq(beacon.sessionOf(beacon.request()), first, "same moment");
        uint256[] memory joined = beacon.requestsOf(first);
        vm.assertEq(joined.length, 2, "requests of the session");
        vm.assertEq(joined[1], beacon.requestCount(), "the later one");
        commitBy(first, one);
        vm.assertEq(beacon.sessionOf(beacon.request()), first + 1, "after a commitment");
        skip(1);
        vm.assertEq(beacon.sessionOf(beacon.request()), first + 2, "a second later");
        for (uint256 i = 1; i < beacon.MAX_REQUESTS_PER_SESSION(); ++i) beacon.request();
        vm.assertEq(beacon.sessionOf(beacon.request()), first + 3, "when full");
    }

    function test_attack18_tooEarlyAndTooLate_atTheEdgesOfEachWindow() public {
        uint256 id = beacon.sessionOf(beacon.request());
        uint64 start = uint64(block.timestamp);
        commitBy(id, one);
        commitBy(id, two);
        vm.warp(start + COMMIT - 1);
        _expectWrongPhase(id, ICommitRevealBeacon.Phase.Commit);
        revealBy(id, one);
        vm.warp(start + COMMIT);
        bytes32 late = commitmentBy(id, three);
        vm.prank(three);
        _expectWrongPhase(id, ICommitRevealBeacon.Phase.Reveal);
        beacon.commit(id, late);
        _expectWrongPhase(id, ICommitRevealBeacon.Phase.Reveal);
        beacon.finalize(id);
        vm.warp(start + COMMIT + REVEAL - 1);
        _expectWrongPhase(id, ICommitRevealBeacon.Phase.Reveal);
        beacon.callTimeout(id);
        vm.warp(start + COMMIT + REVEAL);
        _expectWrongPhase(id, ICommitRevealBeacon.Phase.Overdue);
        beacon.finalize(id);
        beacon.callTimeout(id);
        _expectWrongPhase(id, ICommitRevealBeacon.Phase.Grace);
        beacon.callTimeout(id);
        skip(GRACE - 1);
        revealBy(id, one);
        _expectWrongPhase(id, ICommitRevealBeacon.Phase.Grace);
        beacon.finalize(id);
        skip(1);
        _expectWrongPhase(id, ICommitRevealBeacon.Phase.Failed);
        revealBy(id, two);
        beacon.finalize(id);
    }

    function test_attack18_stakeMustBeOlderThanTheSession() public {
        uint256 id = beacon.sessionOf(beacon.request());
        address late = actor("late");
        enlist(late, 1_000);
        skip(1);
        bytes32 hash = commitmentBy(id, late);
        vm.prank(late);
        vm.expectRevert(abi.encodeWithSelector(ICommitRevealBeacon.NotEligible.selector, late));
        beacon.commit(id, hash);
    }

    function test_commit_needsRoleAndFreeStake() public {
        uint256 id = beacon.sessionOf(beacon.request());
        lockFor(moduleA, one, 901);
        vm.startPrank(one);
        vm.expectRevert(abi.encodeWithSelector(ICommitRevealBeacon.NotEligible.selector, one));
        beacon.commit(id, "x");
        vm.stopPrank();
        vm.startPrank(two);
        staking.update(2, hex"12", "b");
        vm.expectRevert(abi.encodeWithSelector(ICommitRevealBeacon.NotEligible.selector, two));
        beacon.commit(id, "x");
        vm.stopPrank();
    }

    function test_commit_toASessionThatNeverWas_reverts() public {
        _expectWrongPhase(1, ICommitRevealBeacon.Phase.None);
        vm.prank(one);
        beacon.commit(1, "commitment");
    }

    function test_commit_twiceOrEmpty_reverts() public {
        uint256 id = beacon.sessionOf(beacon.request());
        commitBy(id, one);
        vm.startPrank(one);
        vm.expectRevert(abi.encodeWithSelector(ICommitRevealBeacon.AlreadyCommitted.selector, id, one));
        beacon.commit(id, "other");
        vm.expectRevert(ICommitRevealBeacon.EmptyCommitment.selector);
        beacon.commit(id, 0);
        vm.stopPrank();
    }

    function test_attack23_copiedCommitment_cannotBeOpened() public {
        uint256 id = beacon.sessionOf(beacon.request());
        commitBy(id, one);
        bytes32 copied = commitmentBy(id, one);
        vm.prank(two);
        beacon.commit(id, copied);
        skip(COMMIT);
        revealBy(id, one);
        vm.startPrank(two);
        vm.expectRevert(abi.encodeWithSelector(ICommitRevealBeacon.WrongSecret.selector, id, two));
        beacon.reveal(id, secretOf(one));
        vm.stopPrank();
    }

    function test_attack23_commitmentOfAnotherSessionChainOrContract_cannotBeOpened() public {
        uint256 id = beacon.sessionOf(beacon.request());
        bytes32 elsewhere = keccak256(
            abi.encode(block.chainid + 1, address(beacon), id, uint32(0), one, secretOf(one))
        );
        bytes32 otherContract = keccak256(
            abi.encode(block.chainid, address(this), id, uint32(0), two, secretOf(two))
        );
        bytes32 otherSession = keccak256(
            abi.encode(block.chainid, address(beacon), id + 1, uint32(0), three, secretOf(three))
        );
        vm.prank(one);
        beacon.commit(id, elsewhere);
        vm.prank(two);
        beacon.commit(id, otherContract);
        vm.prank(three);
        beacon.commit(id, otherSession);
        skip(COMMIT);
        address[3] memory all = [one, two, three];
        for (uint256 i = 0; i < 3; ++i) {
            vm.prank(all[i]);
            vm.expectRevert(abi.encodeWithSelector(ICommitRevealBeacon.WrongSecret.selector, id, all[i]));
            beacon.reveal(id, secretOf(all[i]));
        }
    }

    function test_reveal_twice_reverts() public {
        (, uint256 id) = committedSession();
        revealBy(id, one);
        vm.startPrank(one);
        vm.expectRevert(abi.encodeWithSelector(ICommitRevealBeacon.WrongSecret.selector, id, one));
        beacon.reveal(id, secretOf(one));
        vm.stopPrank();
    }

    function test_attack18_withheldReveal_isSlashedAndTheRoundRedrawnWithoutIt() public {
        (uint256 requestId, uint256 id) = committedSession();
        revealBy(id, one);
        skip(REVEAL);
        vm.expectRevert(abi.encodeWithSelector(ICommitRevealBeacon.NothingBonded.selector, id, two));
        beacon.slashMissing(id, two);
        beacon.callTimeout(id);
        skip(GRACE);
        _expectOutcome(id, 0, ICommitRevealBeacon.Outcome.Open);
        beacon.finalize(id);
        _expectOutcome(id, 0, ICommitRevealBeacon.Outcome.Failed);

        vm.prank(three);
        beacon.slashMissing(id, two);
        vm.assertEq(staking.operatorOf(two).stake, 900, "slashed");
        vm.assertEq(staking.creditOf(three), 30, "reporter");
        vm.expectRevert(abi.encodeWithSelector(ICommitRevealBeacon.NothingBonded.selector, id, two));
        beacon.slashMissing(id, two);
        vm.expectRevert(abi.encodeWithSelector(ICommitRevealBeacon.NothingBonded.selector, id, one));
        beacon.slashMissing(id, one);

        bytes32 again = commitmentBy(id, two);
        vm.prank(two);
        vm.expectRevert(abi.encodeWithSelector(ICommitRevealBeacon.Excluded.selector, id, two));
        beacon.commit(id, again);
        commitBy(id, one);
        commitBy(id, three);
        skip(COMMIT);
        revealBy(id, one);
        revealBy(id, three);
        (, uint64 readyAt) = beacon.seedOf(requestId);
        vm.assertEq(readyAt, block.timestamp, "ready");
        _expectOutcome(id, 1, ICommitRevealBeacon.Outcome.Ready);
    }

    function test_attack18_excludedBeforeItsSlash_too() public {
        (, uint256 id) = committedSession();
        skip(REVEAL);
        beacon.callTimeout(id);
        skip(GRACE);
        beacon.finalize(id);
        bytes32 again = commitmentBy(id, two);
        vm.prank(two);
        vm.expectRevert(abi.encodeWithSelector(ICommitRevealBeacon.Excluded.selector, id, two));
        beacon.commit(id, again);
        // Nor is the bond free to go: it is neither reclaimed nor counted as unlocked stake.
        vm.startPrank(two);
        vm.expectRevert(abi.encodeWithSelector(ICommitRevealBeacon.NothingBonded.selector, id, two));
        beacon.reclaim(id);
        vm.expectRevert(abi.encodeWithSelector(IStaking.InsufficientUnlocked.selector, two, 1_000, 900));
        staking.unbond(1_000);
        vm.stopPrank();
    }

    function test_attack25_nobodyCommits_sessionGoesOnAndBondsComeFree() public {
        uint256 requestId = beacon.request();
        uint256 id = beacon.sessionOf(requestId);
        commitBy(id, one);
        skip(COMMIT);
        beacon.redraw(requestId);
        vm.prank(one);
        beacon.reclaim(id);
        vm.assertEq(staking.lockedBy(one, address(beacon)), 0, "free again");
        commitBy(id, one);
        commitBy(id, two);
        skip(COMMIT);
        revealBy(id, one);
        revealBy(id, two);
        (, uint64 readyAt) = beacon.seedOf(requestId);
        vm.assertGt(readyAt, 0, "ready");
    }

    function test_bond_carriesOverFromAnUnderfilledRound() public {
        uint256 id = beacon.sessionOf(beacon.request());
        commitBy(id, one);
        skip(COMMIT);
        beacon.finalize(id);
        commitBy(id, one);
        vm.assertEq(staking.lockedBy(one, address(beacon)), BOND, "one bond, not two");
        vm.startPrank(one);
        vm.expectRevert(abi.encodeWithSelector(ICommitRevealBeacon.NothingBonded.selector, id, one));
        beacon.reclaim(id);
        vm.stopPrank();
    }

    function test_redraw_ofAReadyOrRunningSession_reverts() public {
        (uint256 requestId, uint256 id) = committedSession();
        uint64 ends = beacon.session(id).revealEnds;
        vm.expectRevert(abi.encodeWithSelector(IRandomnessBeacon.RedrawNotDue.selector, requestId, ends));
        beacon.redraw(requestId);
        revealBy(id, one);
        revealBy(id, two);
        skip(10 days);
        vm.expectRevert(abi.encodeWithSelector(IRandomnessBeacon.RedrawNotDue.selector, requestId, ends));
        beacon.redraw(requestId);
        vm.expectRevert(abi.encodeWithSelector(IRandomnessBeacon.UnknownRequest.selector, 99));
        beacon.redraw(99);
    }

    function test_maxDrawValue_isWhatAnAbortCostsItsownReporter() public view {
        vm.assertEq(beacon.maxDrawValue(), 70, "bond less the reporter's share");
    }

    function test_configuration_refusesASingleCommitter_andWindowsOutOfBounds() public {
        vm.expectRevert(ICommitRevealBeacon.InvalidConfiguration.selector);
        this.deployWith(1, COMMIT);
        vm.expectRevert(ICommitRevealBeacon.InvalidConfiguration.selector);
        this.deployWith(2, 0);
        vm.expectRevert(ICommitRevealBeacon.InvalidConfiguration.selector);
        this.deployWith(2, 30 days + 1);
        this.deployWith(2, 30 days);
    }

    function deployWith(uint32 minCommitters, uint64 commitWindow) external {
        deployBeacon(minCommitters, commitWindow);
    }

    function _expectOutcome(uint256 id, uint32 round, ICommitRevealBeacon.Outcome outcome) private view {
        vm.assertEq(uint256(beacon.outcomeOf(id, round)), uint256(outcome), "outcome");
    }

    function _expectWrongPhase(uint256 id, ICommitRevealBeacon.Phase phase) private {
        vm.expectRevert(abi.encodeWithSelector(ICommitRevealBeacon.WrongPhase.selector, id, phase));
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {CommitRevealBeacon} from "../../../contracts/beacon/CommitRevealBeacon.sol";
import {ICommitRevealBeacon} from "../../../contracts/beacon/interfaces/ICommitRevealBeacon.sol";
import {Staking} from "../../../contracts/staking/Staking.sol";
import {MiniTest} from "../MiniTest.sol";
import {CommitRevealFixture} from "./CommitRevealBeacon.t.sol";

/// @notice Random walks of three operators that may stop at any step, over one session. Calls that the beacon refuses
/// change nothing and are part of the walk.
contract CommitRevealHandler is MiniTest {
    CommitRevealBeacon public immutable beacon;
    Staking public immutable staking;
    uint256 public immutable id;
    address[] public operators;
    /// Bonds taken less bonds given back or slashed, by operator.
    mapping(address operator => int256) public bonds;

    constructor(CommitRevealBeacon beacon_, Staking staking_, uint256 id_, address[] memory operators_) {
        beacon = beacon_;
        staking = staking_;
        id = id_;
        operators = operators_;
    }

    function commit(uint256 who) external {
        address operator = operators[who % operators.length];
        bool before = beacon.commitmentOf(id, operator).bonded;
        bytes32 hash = keccak256(
            abi.encode(
                block.chainid,
                address(beacon),
                id,
                beacon.session(id).round,
                operator,
                bytes32("secret")
            )
        );
        vm.prank(operator);
        try beacon.commit(id, hash) {
            if (!before) ++bonds[operator];
        } catch {}
    }

    function reveal(uint256 who) external {
        address operator = operators[who % operators.length];
        vm.prank(operator);
        try beacon.reveal(id, "secret") {
            --bonds[operator];
        } catch {}
    }

    function reclaim(uint256 who) external {
        address operator = operators[who % operators.length];
        vm.prank(operator);
        try beacon.reclaim(id) {
            --bonds[operator];
        } catch {}
    }

    function slashMissing(uint256 who) external {
        address operator = operators[who % operators.length];
        try beacon.slashMissing(id, operator) {
            --bonds[operator];
        } catch {}
    }

    /// @dev Whatever anyone may do to move the session on, so that walks get past its first round.
    function advance() external {
        if (beacon.phaseOf(id) == ICommitRevealBeacon.Phase.Overdue) try beacon.callTimeout(id) {} catch {}
        else try beacon.finalize(id) {} catch {}
    }

    function wait(uint256 duration, bool past) external {
        skip(past ? 3_600 : bound(duration, 1, 60));
    }
}

contract CommitRevealInvariants is CommitRevealFixture {
    CommitRevealHandler internal handler;
    address[] internal operators;
    uint256 internal id;

    function setUp() public {
        setUpBeacon();
        operators = [one, two, three];
        id = beacon.sessionOf(beacon.request());
        handler = new CommitRevealHandler(beacon, staking, id, operators);
        targetContract(address(handler));
    }

    function invariant_INV1_oneBondPerOperatorAndSession() public view {
        for (uint256 i = 0; i < operators.length; ++i) {
            bool bonded = beacon.commitmentOf(id, operators[i]).bonded;
            vm.assertEq(handler.bonds(operators[i]), bonded ? int256(1) : int256(0), "bonds by events");
            vm.assertEq(staking.lockedBy(operators[i], address(beacon)), bonded ? BOND : 0, "bonds by locks");
        }
    }

    function invariant_INV2_readyOnlyWhenAllHaveRevealed() public view {
        ICommitRevealBeacon.Session memory current = beacon.session(id);
        vm.assertLe(current.revealed, current.committed, "no more reveals than commitments");
        vm.assertEq(
            current.readyAt != 0,
            current.committed >= 2 && current.revealed == current.committed,
            "ready"
        );
    }

    function invariant_neverStuck() public view {
        // In every phase there is a call that anyone can make now, or a time at which there will be one.
        ICommitRevealBeacon.Phase phase = beacon.phaseOf(id);
        vm.assertTrue(phase != ICommitRevealBeacon.Phase.None, "phase");
        ICommitRevealBeacon.Session memory current = beacon.session(id);
        uint64 next = current.commitEnds > current.revealEnds ? current.commitEnds : current.revealEnds;
        vm.assertLe(next, block.timestamp + COMMIT + REVEAL, "windows end");
    }
}

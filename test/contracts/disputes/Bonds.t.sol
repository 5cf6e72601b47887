// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Bonds} from "../../../contracts/disputes/Bonds.sol";
import {MiniTest} from "../MiniTest.sol";

/// @notice Bonds that are posted, returned and lost by anyone's word.
contract BondsHarness is Bonds {
    uint256 public held;

    function post(uint256 required) external payable {
        _requireValue(required);
        held += msg.value;
    }

    function giveBack(address account, uint256 amount) external {
        held -= amount;
        _credit(account, amount);
    }

    function lose(address winner, uint256 amount) external {
        held -= amount;
        _credit(winner, _burnHalf(amount));
    }
}

/// @notice Withdraws again while it is paid.
contract Reentrant {
    BondsHarness private immutable _bonds;

    constructor(BondsHarness bonds) {
        _bonds = bonds;
    }

    function withdraw() external {
        _bonds.withdraw(address(this));
    }

    receive() external payable {
        _bonds.withdraw(address(this));
    }
}

/// @notice Random walks over all that moves coins.
contract BondsWalk is MiniTest {
    BondsHarness public immutable bonds;
    address[] public actors;

    constructor(BondsHarness bonds_) {
        bonds = bonds_;
        for (uint160 i = 1; i < 5; ++i) actors.push(address(i * 0x1111));
    }

    function post(uint96 amount) external {
        vm.deal(address(this), amount);
        bonds.post{value: amount}(amount);
    }

    function giveBack(uint8 who, uint96 amount) external {
        bonds.giveBack(actors[who % actors.length], amount % (bonds.held() + 1));
    }

    function lose(uint8 who, uint96 amount) external {
        bonds.lose(actors[who % actors.length], amount % (bonds.held() + 1));
    }

    function withdraw(uint8 who) external {
        address actor = actors[who % actors.length];
        if (bonds.creditOf(actor) == 0) return;
        vm.prank(actor);
        bonds.withdraw(actor);
    }

    function flush() external {
        if (bonds.creditOf(bonds.BURN_SINK()) != 0) bonds.flushBurnt();
    }

    function credits() external view returns (uint256 total) {
        total = bonds.creditOf(bonds.BURN_SINK());
        for (uint256 i = 0; i < actors.length; ++i) total += bonds.creditOf(actors[i]);
    }
}

contract BondsTest is MiniTest {
    BondsHarness private _bonds;
    BondsWalk private _walk;

    function setUp() external {
        _bonds = new BondsHarness();
        _walk = new BondsWalk(_bonds);
        targetContract(address(_walk));
    }

    function invariant_INV1_creditsAndHeldBondsAreTheBalance() external view {
        assert(_walk.credits() + _bonds.held() == address(_bonds).balance);
    }

    function testFuzz_atLeastHalfOfALostBondIsBurnt(uint96 amount) external {
        vm.deal(address(this), amount);
        _bonds.post{value: amount}(amount);
        _bonds.lose(address(0xabc), amount);
        uint256 burnt = _bonds.creditOf(_bonds.BURN_SINK());
        assert(burnt >= _bonds.creditOf(address(0xabc)));
        assert(burnt + _bonds.creditOf(address(0xabc)) == amount);
    }

    function test_reentrantPayeeIsPaidOnceOrNotAtAll() external {
        Reentrant thief = new Reentrant(_bonds);
        vm.deal(address(this), 2 ether);
        _bonds.post{value: 2 ether}(2 ether);
        _bonds.giveBack(address(thief), 1 ether);
        vm.expectPartialRevert(Bonds.TransferFailed.selector);
        thief.withdraw();
        assert(address(_bonds).balance == 2 ether);
        assert(_bonds.creditOf(address(thief)) == 1 ether);
    }

    function testFuzz_wrongBondIsRefused(uint96 sent, uint96 required) external {
        vm.assume(sent != required);
        vm.deal(address(this), sent);
        vm.expectRevert(abi.encodeWithSelector(Bonds.WrongBond.selector, sent, required));
        _bonds.post{value: sent}(required);
    }
}

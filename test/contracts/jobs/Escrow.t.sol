// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Escrow} from "../../../contracts/jobs/Escrow.sol";
import {IEscrow} from "../../../contracts/jobs/interfaces/IEscrow.sol";
import {Credits} from "../../../contracts/libraries/Credits.sol";
import {ExactTransfer} from "../../../contracts/libraries/ExactTransfer.sol";
import {MiniTest} from "../MiniTest.sol";
import {BlacklistToken, FeeToken, HookToken, PlainToken, SilentToken} from "../token/HostileTokens.sol";

/// @notice This contract is the registry, the committee, and the admin.
contract EscrowTest is MiniTest {
    AccessManager private _access;
    PlainToken private _token;
    Escrow private _escrow;
    address private _consumer = actor("consumer");
    address private _provider = actor("provider");
    address private _stranger = actor("stranger");

    function setUp() public {
        _token = new PlainToken();
        _escrow = deploy(IERC20(address(_token)));
        _token.mint(_consumer, 1_000);
        approve(address(_token), _escrow);
    }

    function test_fund_pullsBothPursesOnce() public {
        _escrow.fund(1, _consumer, 70, 30);
        requirePurses(1, 70, 30);
        vm.assertEq(_token.balanceOf(address(_escrow)), 100, "balance");
        vm.expectRevert(abi.encodeWithSelector(IEscrow.AlreadyFunded.selector, 1));
        _escrow.fund(1, _consumer, 1, 1);
        _escrow.close(1);
        vm.expectRevert(abi.encodeWithSelector(IEscrow.AlreadyFunded.selector, 1));
        _escrow.fund(1, _consumer, 1, 1);
        vm.expectRevert(
            abi.encodeWithSelector(SafeCast.SafeCastOverflowedUintDowncast.selector, 128, 2 ** 128)
        );
        _escrow.fund(2, _consumer, 2 ** 128, 0);
    }

    function test_pursesAreApart() public {
        _escrow.fund(1, _consumer, 70, 30);
        _escrow.fund(2, _consumer, 500, 0);
        vm.expectRevert(abi.encodeWithSelector(IEscrow.InsufficientFunds.selector, 1, 71, 70));
        _escrow.payPrice(1, _provider, 71);
        vm.expectRevert(abi.encodeWithSelector(IEscrow.InsufficientFunds.selector, 1, 71, 70));
        _escrow.refundPrice(1, 71);
        vm.expectRevert(abi.encodeWithSelector(IEscrow.InsufficientFunds.selector, 1, 31, 30));
        _escrow.payFee(1, _provider, 31);
        _escrow.refundPrice(1, 10);
        _escrow.payPrice(1, _provider, 20);
        _escrow.payFee(1, _stranger, 5);
        requirePurses(1, 40, 25);
        vm.assertEq(_escrow.close(1), 65, "rest");
        requirePurses(1, 0, 0);
        requirePurses(2, 500, 0);
        vm.assertEq(_escrow.creditOf(_consumer), 75, "consumer");
        vm.assertEq(_escrow.creditOf(_provider), 20, "provider");
        vm.assertEq(_escrow.creditOf(_stranger), 5, "member");
    }

    function test_purseThatIsClosedOrNeverWas_isRefused() public {
        _escrow.fund(2, _consumer, 1, 1);
        _escrow.close(2);
        for (uint256 id = 1; id < 3; ++id) {
            bytes memory reason = abi.encodeWithSelector(IEscrow.NoPurse.selector, id);
            vm.expectRevert(reason);
            _escrow.payPrice(id, _provider, 0);
            vm.expectRevert(reason);
            _escrow.refundPrice(id, 0);
            vm.expectRevert(reason);
            _escrow.payFee(id, _provider, 0);
            vm.expectRevert(reason);
            _escrow.close(id);
        }
    }

    function test_strangersMoveNothing() public {
        bytes memory reason = abi.encodeWithSelector(
            IAccessManaged.AccessManagedUnauthorized.selector,
            _stranger
        );
        vm.startPrank(_stranger);
        vm.expectRevert(reason);
        _escrow.fund(1, _consumer, 1, 1);
        vm.expectRevert(reason);
        _escrow.payPrice(1, _stranger, 0);
        vm.expectRevert(reason);
        _escrow.refundPrice(1, 0);
        vm.expectRevert(reason);
        _escrow.payFee(1, _stranger, 0);
        vm.expectRevert(reason);
        _escrow.close(1);
        vm.stopPrank();
    }

    function test_withdraw_paysOnceAndOnlyToSomebody() public {
        _escrow.fund(1, _consumer, 70, 30);
        _escrow.payPrice(1, _provider, 70);
        vm.startPrank(_provider);
        vm.expectRevert(abi.encodeWithSelector(Credits.InvalidRecipient.selector, address(0)));
        _escrow.withdraw(address(0));
        vm.expectRevert(abi.encodeWithSelector(Credits.InvalidRecipient.selector, address(_escrow)));
        _escrow.withdraw(address(_escrow));
        vm.assertEq(_escrow.withdraw(_stranger), 70, "amount");
        vm.expectRevert(abi.encodeWithSelector(Credits.NoCredit.selector, _provider));
        _escrow.withdraw(_stranger);
        vm.stopPrank();
        vm.assertEq(_token.balanceOf(_stranger), 70, "paid");
    }

    function test_attack21_feeOnTransfer_isRefused() public {
        FeeToken token = new FeeToken();
        token.mint(_consumer, 1_000);
        Escrow escrow = deploy(IERC20(address(token)));
        approve(address(token), escrow);
        vm.expectRevert(
            abi.encodeWithSelector(ExactTransfer.InexactTransfer.selector, address(token), 99, 100)
        );
        escrow.fund(1, _consumer, 70, 30);
    }

    function test_attack21_noReturnValue_isFine() public {
        SilentToken token = new SilentToken();
        token.mint(_consumer, 1_000);
        Escrow escrow = deploy(IERC20(address(token)));
        approve(address(token), escrow);
        escrow.fund(1, _consumer, 70, 30);
        escrow.close(1);
        vm.prank(_consumer);
        escrow.withdraw(_consumer);
        vm.assertEq(token.balanceOf(_consumer), 1_000, "back");
    }

    function test_attack21_attack27_blacklistedPayee_blocksNobodyElse() public {
        BlacklistToken token = new BlacklistToken();
        token.mint(_consumer, 1_000);
        Escrow escrow = deploy(IERC20(address(token)));
        approve(address(token), escrow);
        escrow.fund(1, _consumer, 70, 30);
        token.list(_consumer);
        escrow.payPrice(1, _provider, 70);
        escrow.close(1);
        vm.prank(_provider);
        escrow.withdraw(_provider);
        vm.assertEq(token.balanceOf(_provider), 70, "provider");
        // Its credit waits, and may go elsewhere.
        vm.prank(_consumer);
        escrow.withdraw(_stranger);
        vm.assertEq(token.balanceOf(_stranger), 30, "elsewhere");
    }

    function test_attack21_reentrancyAtWithdrawAndFund_paysOnce() public {
        HookToken token = new HookToken();
        token.mint(_consumer, 1_000);
        Escrow escrow = deploy(IERC20(address(token)));
        approve(address(token), escrow);
        escrow.fund(1, _consumer, 70, 30);
        escrow.payPrice(1, address(token), 70);
        token.arm(address(escrow), abi.encodeCall(IEscrow.withdraw, (_stranger)));
        vm.prank(address(token));
        escrow.withdraw(_provider);
        vm.assertFalse(token.entered(), "withdraw from inside a withdraw");
        escrow.payPrice(1, address(token), 0);
        escrow.payFee(1, address(token), 30);
        escrow.fund(2, _consumer, 1, 1);
        vm.assertFalse(token.entered(), "withdraw from inside a fund");
        vm.assertEq(token.balanceOf(address(escrow)), 32, "balance");
    }

    /// @dev INV-1, INV-2 over any order of calls.
    function testFuzz_INV1_INV2_pursesAndCreditsAreTheBalance(uint256[24] calldata picks) public {
        uint256 paidIn = 0;
        uint256 paidOut = 0;
        for (uint256 i = 0; i < picks.length; ++i) {
            uint256 id = 1 + ((picks[i] >> 8) % 3);
            uint256 amount = (picks[i] >> 16) % 90;
            (uint256 price, uint256 fees) = _escrow.pursesOf(id);
            bool isOpen = price + fees != 0;
            uint256 kind = picks[i] % 6;
            if (kind == 0) {
                try _escrow.fund(id, _consumer, amount, amount / 2) {
                    paidIn += amount + amount / 2;
                } catch {
                    continue;
                }
            }
            if (!isOpen) continue;
            if (kind == 1 && amount <= price) _escrow.payPrice(id, _provider, amount);
            if (kind == 2 && amount <= price) _escrow.refundPrice(id, amount);
            if (kind == 3 && amount <= fees) _escrow.payFee(id, _stranger, amount);
            if (kind == 4) _escrow.close(id);
            if (kind == 5 && _escrow.creditOf(_provider) != 0) {
                vm.prank(_provider);
                paidOut += _escrow.withdraw(_provider);
            }
            uint256 owed = _escrow.creditOf(_consumer);
            owed += _escrow.creditOf(_provider) + _escrow.creditOf(_stranger);
            for (uint256 job = 1; job < 4; ++job) {
                (price, fees) = _escrow.pursesOf(job);
                owed += price + fees;
            }
            vm.assertEq(owed, _token.balanceOf(address(_escrow)), "INV-1");
            vm.assertEq(owed + paidOut, paidIn, "INV-2");
        }
    }

    function deploy(IERC20 token) private returns (Escrow escrow) {
        if (address(_access) == address(0)) _access = new AccessManager(address(this));
        escrow = new Escrow(address(_access), token);
    }

    function approve(address token, Escrow escrow) private {
        vm.prank(_consumer);
        (bool ok, ) = token.call(abi.encodeCall(IERC20.approve, (address(escrow), type(uint256).max)));
        vm.assertTrue(ok, "approve");
    }

    function requirePurses(uint256 id, uint256 price, uint256 fees) private view {
        (uint256 heldPrice, uint256 heldFees) = _escrow.pursesOf(id);
        vm.assertEq(heldPrice, price, "price");
        vm.assertEq(heldFees, fees, "fees");
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IJobRegistry} from "../../../contracts/jobs/interfaces/IJobRegistry.sol";
import {Order, Scheme} from "../../../contracts/jobs/interfaces/Orders.sol";
import {ExactTransfer} from "../../../contracts/libraries/ExactTransfer.sol";
import {BlacklistToken, FeeToken, HookToken} from "../token/HostileTokens.sol";
import {JobsFixture} from "./JobsFixture.sol";

/// @notice Jobs that are paid in tokens that do more, or less, than they should.
contract JobTokensTest is JobsFixture {
    function setUp() public {
        vm.warp(1_800_000_000);
    }

    function test_attack21_feeOnTransfer_isRefusedBeforeAnybodyWorks() public {
        FeeToken fees = new FeeToken();
        fees.mint(consumer, 1_000 ether);
        deployJobs(fees);
        approve(fees);
        bytes memory training = encode(trainingOrder());
        Order memory order = orderOf(training, Scheme.Optimistic, 0, 0);
        vm.expectRevert(
            abi.encodeWithSelector(ExactTransfer.InexactTransfer.selector, address(fees), 99 ether, DEPOSIT)
        );
        jobs.open(order, "order", training);
    }

    function test_attack21_reentrancyFromInsideAnOrder_isRefused() public {
        HookToken hooks = new HookToken();
        hooks.mint(consumer, 1_000 ether);
        deployJobs(hooks);
        approve(hooks);
        uint256 id = openJob();
        pass(7 days + 1);
        // Anyone may do this now, but not in the middle of another call.
        hooks.arm(address(jobs), abi.encodeCall(IJobRegistry.expire, (id)));
        uint256 next = openJob();
        vm.assertFalse(hooks.entered(), "entered");
        jobs.expire(id);
        requireStatus(id, IJobRegistry.Status.Expired);
        requireStatus(next, IJobRegistry.Status.Open);
    }

    function test_attack21_attack27_blacklistedConsumer_blocksNoEnd() public {
        BlacklistToken lists = new BlacklistToken();
        lists.mint(consumer, 1_000 ether);
        deployJobs(lists);
        approve(lists);
        uint256 id = openJob();
        lists.list(consumer);
        pass(7 days + 1);
        jobs.expire(id);
        vm.prank(consumer);
        vm.assertEq(escrow.withdraw(stranger), DEPOSIT, "elsewhere");
    }

    function approve(IERC20 currency) private {
        vm.prank(consumer);
        currency.approve(address(escrow), type(uint256).max);
    }
}

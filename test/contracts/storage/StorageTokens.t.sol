// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {AssayToken} from "../../../contracts/token/AssayToken.sol";
import {DatasetRegistry} from "../../../contracts/storage/DatasetRegistry.sol";
import {IDatasetRegistry} from "../../../contracts/storage/interfaces/IDatasetRegistry.sol";
import {BlacklistToken, HookToken, SilentToken} from "../token/HostileTokens.sol";
import {StorageFixture} from "./StorageFixture.sol";

/// @notice Datasets paid in tokens that misbehave within what ERC-20 allows, and with permits.
contract StorageTokensTest is StorageFixture {
    uint256 private constant PRICE = uint256(BOND) * 3 + uint256(FEE) * 3;
    bytes32[] private _roots;

    function setUp() public {
        setUpStorage();
        _roots = [bytes32(uint256(1)), bytes32(uint256(2)), bytes32(uint256(3))];
    }

    function test_tokenWithHooks_cannotReenterAnExit() public {
        (HookToken hook, DatasetRegistry registry) = _hooked();
        bytes32 mine = _anchor(registry, "mine");
        IDatasetRegistry.AnchorParameters memory other = _parametersFor(registry, "theirs", address(hook));
        vm.prank(address(hook));
        bytes32 theirs = registry.anchor(other, _roots, _roots);
        vm.warp(registry.settledAt(2));
        registry.close(mine);
        vm.prank(address(hook));
        registry.close(theirs);
        // The token has a credit of its own, so that only the guard stands in its way.
        hook.arm(address(registry), abi.encodeCall(IDatasetRegistry.withdrawCredit, (address(this))));
        uint256 before = hook.balanceOf(address(this));
        vm.assertEq(registry.withdrawCredit(address(this)), PRICE, "paid");
        vm.assertFalse(hook.entered(), "not entered");
        vm.assertEq(hook.balanceOf(address(this)) - before, PRICE, "once");
    }

    function test_tokenWithHooks_cannotReenterAnAnchor() public {
        (HookToken hook, DatasetRegistry registry) = _hooked();
        IDatasetRegistry.AnchorParameters memory other = _parametersFor(registry, "theirs", address(hook));
        hook.arm(address(registry), abi.encodeCall(IDatasetRegistry.anchor, (other, _roots, _roots)));
        _anchor(registry, "mine");
        vm.assertFalse(hook.entered(), "not entered");
    }

    function test_tokenThatReturnsNothing_isTaken() public {
        SilentToken silent = new SilentToken();
        DatasetRegistry registry = _registry(IERC20(address(silent)));
        silent.mint(address(this), PRICE);
        silent.approve(address(registry), PRICE);
        bytes32 id = _anchor(registry, "one");
        vm.warp(registry.settledAt(2));
        registry.close(id);
        registry.withdrawCredit(address(this));
        vm.assertEq(silent.balanceOf(address(this)), PRICE, "back");
    }

    function test_listedClaimant_blocksNobodyElse() public {
        BlacklistToken listed = new BlacklistToken();
        DatasetRegistry registry = _registry(IERC20(address(listed)));
        listed.mint(address(this), PRICE);
        listed.approve(address(registry), PRICE);
        bytes32 id = _anchor(registry, "one");
        grant(address(registry), IDatasetRegistry.markFraudulent.selector, JUDGE, address(this));
        listed.list(actor("claimant"));
        registry.markFraudulent(id, actor("claimant"));
        vm.prank(actor("claimant"));
        vm.expectPartialRevert(BlacklistToken.Listed.selector);
        registry.withdrawCredit(actor("claimant"));
        registry.close(id);
        vm.assertEq(registry.withdrawCredit(address(this)), uint256(FEE) * 3, "the owner's rest");
        vm.prank(actor("claimant"));
        registry.withdrawCredit(actor("elsewhere"));
    }

    function test_permit_worksAlsoWhenSomebodySubmittedItFirst() public {
        AssayToken permitted = new AssayToken(owner, 1e24);
        DatasetRegistry registry = _registry(permitted);
        uint256 deadline = block.timestamp + 1;
        bytes32 digest = keccak256(
            abi.encodePacked(
                hex"1901",
                permitted.DOMAIN_SEPARATOR(),
                keccak256(
                    abi.encode(
                        keccak256(
                            "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
                        ),
                        owner,
                        address(registry),
                        PRICE,
                        0,
                        deadline
                    )
                )
            )
        );
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyOf("owner"), digest);
        permitted.permit(owner, address(registry), PRICE, deadline, v, r, s);
        IDatasetRegistry.AnchorParameters memory one = _parametersFor(registry, "one", owner);
        vm.prank(owner);
        registry.anchorWithPermit(one, _roots, _roots, deadline, v, r, s);
        vm.assertEq(permitted.balanceOf(address(registry)), PRICE, "taken");
    }

    /// @dev Both this contract and the token itself can pay.
    function _hooked() private returns (HookToken hook, DatasetRegistry registry) {
        hook = new HookToken();
        registry = _registry(IERC20(address(hook)));
        hook.mint(address(this), 2 * PRICE);
        hook.mint(address(hook), 2 * PRICE);
        hook.approve(address(registry), 2 * PRICE);
        vm.prank(address(hook));
        hook.approve(address(registry), 2 * PRICE);
    }

    function _registry(IERC20 paidIn) private returns (DatasetRegistry) {
        return new DatasetRegistry(address(access), paidIn, EPOCH, CLOSE_DELAY, parameters());
    }

    function _parametersFor(
        DatasetRegistry registry,
        bytes32 manifest,
        address anchorer
    ) private view returns (IDatasetRegistry.AnchorParameters memory) {
        Anchored memory made = Anchored(0, 3, _roots, _roots);
        IDatasetRegistry.AnchorParameters memory anchored = anchorParameters(
            made,
            manifest,
            smallShape(3),
            1
        );
        return named(registry, bundlesRootOf(made), anchored, anchorer);
    }

    function _anchor(DatasetRegistry registry, bytes32 manifest) private returns (bytes32) {
        return registry.anchor(_parametersFor(registry, manifest, address(this)), _roots, _roots);
    }
}

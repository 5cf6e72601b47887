// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Bid, Order} from "../../../contracts/jobs/interfaces/Orders.sol";
import {IMarket} from "../../../contracts/market/interfaces/IMarket.sol";
import {AssayToken} from "../../../contracts/token/AssayToken.sol";
import {MarketFixture} from "./MarketFixture.sol";
import {Wallet} from "./MarketDoubles.sol";

/// @notice Domains, wallets that are contracts, and permits.
contract SignaturesTest is MarketFixture {
    function setUp() public {
        setUpMarket();
    }

    function test_signaturesForAnotherChainContractOrName_areRefused() public {
        Order memory order = orderOf(consumer);
        bytes32 orderHash = market.hashOrder(order);
        bytes32[3] memory digests = [
            digestIn(block.chainid + 1, address(market), "Assay Market", orderHash),
            digestIn(block.chainid, address(registry), "Assay Market", orderHash),
            digestIn(block.chainid, address(market), "Assay BundleRegistry", orderHash)
        ];
        for (uint256 i = 0; i < digests.length; ++i) {
            (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyOf("consumer"), digests[i]);
            vm.expectRevert(abi.encodeWithSelector(IMarket.WrongSignature.selector, consumer));
            market.post(order, TRAINING, PACKAGE, abi.encodePacked(r, s, v));
        }
    }

    function test_aSignatureDoesNotOutliveAForkOfTheChain() public {
        Order memory order = orderOf(consumer);
        bytes memory signature = signOrder(order);
        market.post(order, TRAINING, PACKAGE, signature);
        vm.chainId(block.chainid + 1);
        vm.expectRevert(abi.encodeWithSelector(IMarket.WrongSignature.selector, consumer));
        market.post(order, TRAINING, PACKAGE, signature);
    }

    function test_malformedAndMalleableSignatures_areRefused() public {
        Order memory order = orderOf(consumer);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyOf("consumer"), digestOf(market.hashOrder(order)));
        uint256 n = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
        bytes[4] memory wrong = [
            abi.encodePacked(r, bytes32(n - uint256(s)), v == 27 ? uint8(28) : uint8(27)),
            abi.encodePacked(r, s),
            abi.encodePacked(r, s, v, v),
            abi.encodePacked(bytes32(0), bytes32(0), uint8(27))
        ];
        for (uint256 i = 0; i < wrong.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IMarket.WrongSignature.selector, consumer));
            market.post(order, TRAINING, PACKAGE, wrong[i]);
        }
    }

    function test_anOrderOfNobody_isRefused() public {
        Order memory order = orderOf(address(0));
        vm.expectRevert(abi.encodeWithSelector(IMarket.WrongSignature.selector, address(0)));
        market.post(order, TRAINING, PACKAGE, abi.encodePacked(bytes32(0), bytes32(0), uint8(27)));
        vm.expectRevert(abi.encodeWithSelector(IMarket.WrongSignature.selector, address(0)));
        market.post(order, TRAINING, PACKAGE, NOBODY);
    }

    function test_walletsThatAreContracts_onBothSides() public {
        Wallet buyer = new Wallet();
        Wallet seller = new Wallet();
        give(address(buyer), 5_000);
        enlist(address(seller), 5_000);
        Order memory order = orderOf(address(buyer));
        Bid memory bid = bidOf(address(seller), order, 700);
        bytes32 orderDigest = digestOf(market.hashOrder(order));
        buyer.approve(orderDigest, true);
        vm.expectRevert(abi.encodeWithSelector(IMarket.WrongSignature.selector, address(seller)));
        market.accept(order, TRAINING, hex"01", bid, hex"02");
        seller.approve(digestOf(market.hashBid(bid)), true);
        // What a wallet has said it can take back.
        buyer.approve(orderDigest, false);
        vm.expectRevert(abi.encodeWithSelector(IMarket.WrongSignature.selector, address(buyer)));
        market.accept(order, TRAINING, hex"01", bid, hex"02");
        buyer.approve(orderDigest, true);
        post(order);
        uint256 jobId = market.accept(order, TRAINING, hex"01", bid, hex"02");
        vm.assertEq(registry.jobOf(jobId).provider, address(seller), "matched");
    }

    function test_permit_fundsInOneTransaction_andAFrontRunPermitDoesNotBlock() public {
        AssayToken permitToken = _permitMarket();
        for (uint256 i = 0; i < 2; ++i) {
            Order memory order = orderOf(consumer);
            Bid memory bid = bidOf(one, order, 800);
            bytes memory signature = signBid(bid, "one");
            post(order);
            (uint8 v, bytes32 r, bytes32 s) = _permit(permitToken, DEPOSIT);
            // Whoever sees the transaction first may use the permit up.
            if (i == 1) permitToken.permit(consumer, address(escrow), DEPOSIT, block.timestamp, v, r, s);
            vm.prank(consumer);
            market.acceptWithPermit(order, TRAINING, bid, signature, DEPOSIT, block.timestamp, v, r, s);
        }
        vm.assertEq(permitToken.balanceOf(address(escrow)), 2 * DEPOSIT, "both");
    }

    function test_permit_ofSomeoneElsesOrder_reverts() public {
        Order memory order = orderOf(consumer);
        Bid memory bid = bidOf(one, order, 800);
        bytes memory signature = signBid(bid, "one");
        vm.prank(one);
        vm.expectRevert(abi.encodeWithSelector(IMarket.WrongSignature.selector, consumer));
        market.acceptWithPermit(order, TRAINING, bid, signature, 0, 0, 0, 0, 0);
    }

    function test_permit_wrong_andNoAllowance_reverts() public {
        _permitMarket();
        Order memory order = orderOf(consumer);
        Bid memory bid = bidOf(one, order, 800);
        bytes memory signature = signBid(bid, "one");
        vm.prank(consumer);
        vm.expectRevert();
        market.acceptWithPermit(
            order,
            TRAINING,
            bid,
            signature,
            DEPOSIT,
            block.timestamp,
            27,
            bytes32(uint256(1)),
            bytes32(uint256(1))
        );
        vm.assertFalse(market.isNonceUsed(consumer, order.nonce), "rolled back");
    }

    function _permitMarket() private returns (AssayToken permitToken) {
        permitToken = new AssayToken(address(this), 1e6);
        setUpMarketWith(permitToken);
        permitToken.transfer(one, 10_000);
        permitToken.transfer(consumer, 10_000);
        vm.startPrank(one);
        staking.register(2, hex"0024", "");
        permitToken.approve(address(staking), 10_000);
        staking.stake(10_000);
        staking.approve(address(registry), 10_000);
        vm.stopPrank();
    }

    function _permit(
        AssayToken permitToken,
        uint256 value
    ) private view returns (uint8 v, bytes32 r, bytes32 s) {
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256(
                    "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
                ),
                consumer,
                address(escrow),
                value,
                permitToken.nonces(consumer),
                block.timestamp
            )
        );
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", permitToken.DOMAIN_SEPARATOR(), structHash));
        return vm.sign(keyOf("consumer"), digest);
    }
}

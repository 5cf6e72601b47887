// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IWorkerRewards} from "../../../contracts/jobs/interfaces/IWorkerRewards.sol";
import {WorkerRewards} from "../../../contracts/jobs/WorkerRewards.sol";
import {ExactTransfer} from "../../../contracts/libraries/ExactTransfer.sol";
import {MerkleProofs} from "../../../contracts/libraries/MerkleProofs.sol";
import {MiniTest} from "../MiniTest.sol";
import {FeeToken, HookToken, PlainToken} from "../token/HostileTokens.sol";

/// @notice A provider and its workers, and what they sign.
abstract contract RewardsFixture is MiniTest {
    uint256 internal constant JOB = 5;
    uint128 internal constant SURETY = 500;
    PlainToken internal token;
    WorkerRewards internal rewards;
    address internal immutable provider = actor("provider");

    function _deploy() internal {
        vm.warp(1_800_000_000);
        token = new PlainToken();
        rewards = new WorkerRewards(token);
        token.mint(provider, 1e24);
        vm.startPrank(provider);
        token.approve(address(rewards), type(uint256).max);
        rewards.open(JOB, SURETY);
        vm.stopPrank();
    }

    function _signed(uint256 jobId, address worker, uint128 total) internal view returns (bytes memory) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256(
                    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
                ),
                keccak256("Assay Workers"),
                keccak256("1"),
                block.chainid,
                address(rewards)
            )
        );
        bytes32 message = keccak256(
            abi.encode(
                keccak256("RunningTotal(uint256 jobId,address worker,uint128 total)"),
                jobId,
                worker,
                total
            )
        );
        bytes32 digest = keccak256(abi.encodePacked("\x19\x01", domain, message));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyOf("provider"), digest);
        return abi.encodePacked(r, s, v);
    }

    function _leaf(address worker, uint128 total) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0), worker, total));
    }

    function _node(
        bytes32 left,
        uint256 leftSum,
        bytes32 right,
        uint256 rightSum
    ) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x01), left, leftSum, right, rightSum));
    }

    /// @dev The top of a tree over two workers.
    function _top(address a, uint128 totalA, address b, uint128 totalB) internal pure returns (bytes32) {
        return _node(_leaf(a, totalA), totalA, _leaf(b, totalB), totalB);
    }

    function _post(address a, uint128 totalA, address b, uint128 totalB) internal {
        vm.prank(provider);
        rewards.postRoot(JOB, _top(a, totalA, b, totalB), 2, totalA + totalB);
    }

    /// @dev The only sibling of a tree over two workers.
    function _proof(
        address worker,
        uint128 total
    ) internal pure returns (IWorkerRewards.Sibling[] memory proof) {
        proof = new IWorkerRewards.Sibling[](1);
        proof[0] = IWorkerRewards.Sibling(_leaf(worker, total), total);
    }

    function _demand(address worker, uint128 total) internal {
        bytes memory signature = _signed(JOB, worker, total);
        vm.prank(worker);
        rewards.demand(JOB, provider, total, signature);
    }
}

contract WorkerRewardsTest is RewardsFixture {
    address private immutable ada = actor("ada");
    address private immutable bob = actor("bob");
    address private immutable eve = actor("eve");

    function setUp() external {
        _deploy();
    }

    function _claimAda(uint128 total) private {
        rewards.claim(JOB, provider, ada, total, 0, _proof(bob, 70));
    }

    function test_claim_paysWhatTheRootGivesOnce() external {
        _post(ada, 30, bob, 70);
        _claimAda(30);
        vm.assertEq(rewards.creditOf(ada), 30, "credit");
        vm.assertEq(rewards.paidTo(JOB, provider, ada), 30, "paid to date");
        vm.expectRevert(abi.encodeWithSelector(IWorkerRewards.NothingDue.selector, ada));
        _claimAda(30);
        vm.prank(ada);
        rewards.withdraw(ada);
        vm.assertEq(token.balanceOf(ada), 30, "balance");
    }

    function test_claim_ofAnotherTotalIndexOrWorkerIsRefused() external {
        _post(ada, 30, bob, 70);
        vm.expectRevert(abi.encodeWithSelector(IWorkerRewards.WrongProof.selector, ada, 31));
        _claimAda(31);
        vm.expectRevert(abi.encodeWithSelector(IWorkerRewards.WrongProof.selector, eve, 30));
        rewards.claim(JOB, provider, eve, 30, 0, _proof(bob, 70));
        vm.expectRevert(abi.encodeWithSelector(IWorkerRewards.WrongProof.selector, bob, 70));
        rewards.claim(JOB, provider, bob, 70, 2, _proof(ada, 30));
        rewards.claim(JOB, provider, bob, 70, 1, _proof(ada, 30));
    }

    function test_demand_ofAWorkerLeftOutIsPaidFromTheSuretyWithATenthOnTop() external {
        _post(ada, 30, bob, 70);
        _demand(eve, 200);
        skip(rewards.ANSWER_TIME() + 1);
        rewards.execute(JOB, provider, eve);
        // 20 on top: half to the worker, half burnt.
        vm.assertEq(rewards.creditOf(eve), 210, "credit");
        vm.assertEq(rewards.roundOf(JOB, provider).surety, SURETY - 220, "surety");
        vm.assertEq(rewards.flushBurn(), 10, "burnt");
        vm.expectRevert(abi.encodeWithSelector(IWorkerRewards.NoDemand.selector, eve));
        rewards.execute(JOB, provider, eve);
        bytes memory signature = _signed(JOB, eve, 200);
        vm.expectRevert(abi.encodeWithSelector(IWorkerRewards.NothingDue.selector, eve));
        vm.prank(eve);
        rewards.demand(JOB, provider, 200, signature);
    }

    function test_demand_thatTheRootCoversCostsNothing() external {
        _post(ada, 30, bob, 70);
        _demand(ada, 30);
        rewards.answer(JOB, provider, ada, 30, 0, _proof(bob, 70));
        vm.assertEq(rewards.creditOf(ada), 30, "credit");
        vm.assertEq(rewards.roundOf(JOB, provider).surety, SURETY, "surety");
        vm.assertEq(rewards.roundOf(JOB, provider).openDemands, 0, "demands");
    }

    function test_demand_ofAWorkerCountedShortIsForTheRest() external {
        _post(ada, 30, bob, 70);
        _demand(ada, 50);
        rewards.answer(JOB, provider, ada, 30, 0, _proof(bob, 70));
        vm.prank(provider);
        rewards.include(JOB, ada);
        vm.assertEq(rewards.creditOf(ada), 50, "credit");
        vm.assertEq(rewards.roundOf(JOB, provider).surety, SURETY, "surety");
    }

    function test_demand_thatIsPaidBeforeItsExecutionCostsNothingMore() external {
        _post(ada, 30, bob, 70);
        _demand(ada, 30);
        _claimAda(30);
        skip(rewards.ANSWER_TIME() + 1);
        rewards.execute(JOB, provider, ada);
        vm.assertEq(rewards.creditOf(ada), 30, "credit");
        vm.assertEq(rewards.roundOf(JOB, provider).surety, SURETY, "surety");
    }

    function test_demand_isHeldToItsDeadlines() external {
        _post(ada, 30, bob, 70);
        IWorkerRewards.Round memory round = rewards.roundOf(JOB, provider);
        vm.warp(round.forceUntil);
        _demand(eve, 10);
        uint256 answerUntil = rewards.demandOf(JOB, provider, eve).answerUntil;
        vm.warp(answerUntil);
        vm.expectRevert(
            abi.encodeWithSelector(IWorkerRewards.WrongTime.selector, answerUntil + 1, type(uint256).max)
        );
        rewards.execute(JOB, provider, eve);
        vm.warp(answerUntil + 1);
        rewards.execute(JOB, provider, eve);
        bytes memory signature = _signed(JOB, bob, 90);
        vm.expectRevert(abi.encodeWithSelector(IWorkerRewards.WrongTime.selector, 0, round.forceUntil));
        vm.prank(bob);
        rewards.demand(JOB, provider, 90, signature);
    }

    function test_attack23_totalSignedForAnotherWorkerOrJobIsRefused() external {
        _post(ada, 30, bob, 70);
        bytes memory forAda = _signed(JOB, ada, 90);
        vm.expectRevert(abi.encodeWithSelector(IWorkerRewards.WrongSignature.selector, provider));
        vm.prank(eve);
        rewards.demand(JOB, provider, 90, forAda);
        bytes memory forAnotherJob = _signed(JOB + 1, ada, 90);
        vm.expectRevert(abi.encodeWithSelector(IWorkerRewards.WrongSignature.selector, provider));
        vm.prank(ada);
        rewards.demand(JOB, provider, 90, forAnotherJob);
    }

    function test_attack25_providerThatNeverPostsARootIsAbandonedAndItsWorkersArePaid() external {
        vm.expectRevert(
            abi.encodeWithSelector(
                IWorkerRewards.WrongTime.selector,
                block.timestamp + rewards.ROUND_TIME(),
                type(uint256).max
            )
        );
        rewards.abandon(JOB, provider);
        skip(rewards.ROUND_TIME());
        rewards.abandon(JOB, provider);
        _demand(ada, 100);
        skip(rewards.ANSWER_TIME() + 1);
        rewards.execute(JOB, provider, ada);
        vm.assertEq(rewards.creditOf(ada), 105, "credit");
        skip(rewards.CLAIM_TIME());
        rewards.close(JOB, provider);
        vm.assertEq(rewards.creditOf(provider), SURETY - 110, "rest");
    }

    function test_close_returnsTheRestOnceAndEndsTheRound() external {
        _post(ada, 30, bob, 70);
        _claimAda(30);
        uint256 claimUntil = rewards.roundOf(JOB, provider).claimUntil;
        vm.warp(claimUntil);
        vm.expectRevert(
            abi.encodeWithSelector(IWorkerRewards.WrongTime.selector, claimUntil + 1, type(uint256).max)
        );
        rewards.close(JOB, provider);
        vm.warp(claimUntil + 1);
        rewards.close(JOB, provider);
        vm.assertEq(rewards.creditOf(provider), 70 + SURETY, "rest");
        vm.expectRevert(abi.encodeWithSelector(IWorkerRewards.UnknownRound.selector, JOB, provider));
        rewards.close(JOB, provider);
        vm.expectRevert(abi.encodeWithSelector(IWorkerRewards.AlreadyOpen.selector, JOB, provider));
        vm.prank(provider);
        rewards.open(JOB, 0);
    }

    function test_close_waitsForOpenDemands() external {
        _post(ada, 30, bob, 70);
        _demand(eve, 10);
        vm.warp(rewards.roundOf(JOB, provider).claimUntil + 1);
        vm.expectRevert(abi.encodeWithSelector(IWorkerRewards.DemandsOpen.selector, 1));
        rewards.close(JOB, provider);
        rewards.execute(JOB, provider, eve);
        rewards.close(JOB, provider);
    }

    function test_attack_rootThatPromisesMoreThanItsDeposit_paysNobody_soThatWorkersDemandInTime() external {
        vm.prank(provider);
        rewards.postRoot(JOB, _top(ada, 30, bob, 70), 2, 70);
        // Not even who comes first: a provider's friend does not empty the deposit before the others.
        vm.expectRevert(abi.encodeWithSelector(IWorkerRewards.WrongProof.selector, bob, 70));
        rewards.claim(JOB, provider, bob, 70, 1, _proof(ada, 30));
        vm.expectRevert(abi.encodeWithSelector(IWorkerRewards.WrongProof.selector, ada, 30));
        _claimAda(30);
        _demand(ada, 30);
        skip(rewards.ANSWER_TIME() + 1);
        rewards.execute(JOB, provider, ada);
        vm.assertEq(rewards.creditOf(ada), 31, "from the surety, with what a tenth leaves after the burn");
    }

    function test_attack_sumsThatAreNotThoseOfTheLeaves_leadToNoRoot() external {
        // The provider says that bob's leaf is worth 40 although it says 70.
        bytes32 top = _node(_leaf(ada, 30), 30, _leaf(bob, 70), 40);
        vm.prank(provider);
        rewards.postRoot(JOB, top, 2, 70);
        vm.expectRevert(abi.encodeWithSelector(IWorkerRewards.WrongProof.selector, bob, 70));
        rewards.claim(JOB, provider, bob, 70, 1, _proof(ada, 30));
        // Ada's claim is good: with bob's, which can never be shown, it would be more than was paid in.
        IWorkerRewards.Sibling[] memory proof = _proof(bob, 70);
        proof[0].sum = 40;
        rewards.claim(JOB, provider, ada, 30, 0, proof);
        vm.assertEq(rewards.creditOf(ada), 30, "credit");
    }

    function test_claim_withTooFewOrTooManySiblingsIsRefused() external {
        _post(ada, 30, bob, 70);
        IWorkerRewards.Sibling[] memory none = new IWorkerRewards.Sibling[](0);
        vm.expectRevert(abi.encodeWithSelector(MerkleProofs.WrongProofLength.selector, 0, 1));
        rewards.claim(JOB, provider, ada, 30, 0, none);
        IWorkerRewards.Sibling[] memory two = new IWorkerRewards.Sibling[](2);
        vm.expectRevert(abi.encodeWithSelector(MerkleProofs.WrongProofLength.selector, 2, 1));
        rewards.claim(JOB, provider, ada, 30, 0, two);
    }

    function testFuzz_allClaimsOfARootArePaid(uint64[4] calldata totals, uint8 order) external {
        string[4] memory names = ["w0", "w1", "w2", "w3"];
        bytes32[4] memory leaves;
        uint128 deposit = 0;
        for (uint256 i = 0; i < 4; ++i) {
            leaves[i] = _leaf(actor(names[i]), totals[i]);
            deposit += totals[i];
        }
        uint256[2] memory sums = [uint256(totals[0]) + totals[1], uint256(totals[2]) + totals[3]];
        bytes32[2] memory nodes = [
            _node(leaves[0], totals[0], leaves[1], totals[1]),
            _node(leaves[2], totals[2], leaves[3], totals[3])
        ];
        token.mint(provider, deposit);
        vm.prank(provider);
        rewards.postRoot(JOB, _node(nodes[0], sums[0], nodes[1], sums[1]), 4, deposit);
        for (uint256 n = 0; n < 4; ++n) {
            uint256 i = (n + order) % 4;
            if (totals[i] == 0) continue;
            IWorkerRewards.Sibling[] memory proof = new IWorkerRewards.Sibling[](2);
            proof[0] = IWorkerRewards.Sibling(leaves[i ^ 1], totals[i ^ 1]);
            proof[1] = IWorkerRewards.Sibling(nodes[1 - i / 2], uint128(sums[1 - i / 2]));
            rewards.claim(JOB, provider, actor(names[i]), totals[i], i, proof);
            vm.assertEq(rewards.creditOf(actor(names[i])), totals[i], "credit");
        }
        vm.assertEq(rewards.roundOf(JOB, provider).deposit, 0, "all of it");
    }

    function test_attack21_feeOnTransfer_isRefused() external {
        FeeToken fee = new FeeToken();
        WorkerRewards other = new WorkerRewards(fee);
        fee.mint(address(this), 1_000);
        fee.approve(address(other), 1_000);
        vm.expectPartialRevert(ExactTransfer.InexactTransfer.selector);
        other.open(JOB, 100);
    }

    function test_attack21_reentrancyAtWithdraw_paysOnce() external {
        HookToken hook = new HookToken();
        WorkerRewards other = new WorkerRewards(hook);
        hook.mint(address(this), 1_000);
        hook.approve(address(other), 1_000);
        other.open(JOB, 100);
        other.postRoot(JOB, bytes32(0), 0, 0);
        skip(other.CLAIM_TIME() + 1);
        other.close(JOB, address(this));
        hook.arm(address(other), abi.encodeCall(WorkerRewards.withdraw, (address(this))));
        other.withdraw(address(this));
        vm.assertFalse(hook.entered(), "entered");
        vm.assertEq(hook.balanceOf(address(this)), 1_000, "balance");
    }

    function testFuzz_workerGetsTheHighestOfItsTotalsAndNeverBoth(
        uint64 inRoot,
        uint64 signed,
        bool claimsFirst
    ) external {
        vm.assume(signed != 0);
        token.mint(provider, type(uint128).max);
        _post(ada, inRoot, bob, 70);
        IWorkerRewards.Sibling[] memory proof = _proof(bob, 70);
        if (claimsFirst && inRoot != 0) rewards.claim(JOB, provider, ada, inRoot, 0, proof);
        bool isShort = !claimsFirst || signed > inRoot;
        if (isShort) {
            _demand(ada, signed);
            vm.prank(provider);
            rewards.include(JOB, ada);
        }
        if (!claimsFirst && inRoot > signed) rewards.claim(JOB, provider, ada, inRoot, 0, proof);
        vm.assertEq(rewards.creditOf(ada), inRoot > signed ? inRoot : signed, "credit");
    }
}

/// @notice Random walks over every call, by a provider and three workers.
contract RewardsHandler is RewardsFixture {
    string[3] private _names = ["w0", "w1", "w2"];
    uint256 public withdrawn;

    constructor() {
        _deploy();
    }

    function demand(uint256 who, uint128 total) external {
        address worker = actor(_names[who % 3]);
        total = uint128(bound(total, 1, 300));
        bytes memory signature = _signed(JOB, worker, total);
        vm.prank(worker);
        try rewards.demand(JOB, provider, total, signature) {} catch {}
    }

    function postRoot(uint128 a, uint128 b, uint128 deposit) external {
        (a, b) = (uint128(bound(a, 0, 200)), uint128(bound(b, 0, 200)));
        // Half of the time it is what the totals add up to.
        if (deposit % 2 == 0) deposit = a + b;
        bytes32 top = _top(actor("w0"), a, actor("w1"), b);
        vm.prank(provider);
        try rewards.postRoot(JOB, top, 2, uint128(bound(deposit, 0, 400))) {
            (totals[0], totals[1]) = (a, b);
        } catch {}
    }

    uint128[2] public totals;

    function claim(uint256 who, bool asAnswer) external {
        uint256 i = who % 2;
        IWorkerRewards.Sibling[] memory proof = _proof(actor(_names[1 - i]), totals[1 - i]);
        address worker = actor(_names[i]);
        if (asAnswer) {
            try rewards.answer(JOB, provider, worker, totals[i], i, proof) {} catch {}
        } else {
            try rewards.claim(JOB, provider, worker, totals[i], i, proof) {} catch {}
        }
    }

    function include(uint256 who) external {
        vm.prank(provider);
        try rewards.include(JOB, actor(_names[who % 3])) {} catch {}
    }

    function execute(uint256 who) external {
        try rewards.execute(JOB, provider, actor(_names[who % 3])) {} catch {}
    }

    function abandonOrClose(bool isClose) external {
        if (isClose) {
            try rewards.close(JOB, provider) {} catch {}
        } else {
            try rewards.abandon(JOB, provider) {} catch {}
        }
    }

    function withdraw(uint256 who) external {
        address worker = actor(_names[who % 3]);
        vm.prank(worker);
        try rewards.withdraw(worker) returns (uint256 amount) {
            withdrawn += amount;
        } catch {}
    }

    function wait(uint256 time) external {
        skip(bound(time, 1, 20 days));
    }

    function liabilities() external view returns (uint256 sum) {
        IWorkerRewards.Round memory round = rewards.roundOf(JOB, provider);
        sum = uint256(round.deposit) + round.surety;
        for (uint256 i = 0; i < 3; ++i) sum += rewards.creditOf(actor(_names[i]));
        sum += rewards.creditOf(provider) + rewards.creditOf(0x000000000000000000000000000000000000dEaD);
    }

    function balance() external view returns (uint256) {
        return token.balanceOf(address(rewards));
    }
}

contract WorkerRewardsInvariants is MiniTest {
    RewardsHandler private _handler;

    function setUp() external {
        _handler = new RewardsHandler();
        targetContract(address(_handler));
    }

    function invariant_INV1_depositsSuretiesAndCreditsAreTheBalance() external view {
        vm.assertEq(_handler.liabilities(), _handler.balance(), "books");
    }
}

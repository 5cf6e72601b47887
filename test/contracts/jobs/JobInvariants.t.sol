// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Verdict} from "../../../contracts/attestation/interfaces/ICommittee.sol";
import {IInstalments} from "../../../contracts/jobs/interfaces/IInstalments.sol";
import {IJobRegistry} from "../../../contracts/jobs/interfaces/IJobRegistry.sol";
import {Scheme} from "../../../contracts/jobs/interfaces/Orders.sol";
import {JobsFixture} from "./JobsFixture.sol";

/// @notice Random walks over every call: by the market, the provider, a challenger, the committee, anyone. Calls that
/// come at the wrong time are refused and change nothing; anyone may vanish at any step.
contract JobWalk is JobsFixture {
    /// @dev So many jobs that what they owe can be summed after every step.
    uint256 private constant MOST_JOBS = 12;

    address private immutable _checker;
    uint256[] public challenges;
    uint256 public paidIn;
    uint256 public paidOut;
    /// @dev Around calls of its own that may revert: whoever walks may have any address, this one too.
    bool private _isInside;

    constructor() {
        _checker = msg.sender;
        setUpJobs();
    }

    function order(uint256 scheme, uint256 parts) external {
        if (jobs.jobCount() == MOST_JOBS) return;
        uint256 before = token.balanceOf(address(escrow));
        openDivided(Scheme(scheme % 3), uint8(parts % 4));
        paidIn += token.balanceOf(address(escrow)) - before;
    }

    function matchJob(uint256 which, uint256 price) external {
        try jobs.matchJob(_job(which), provider, bound(price, 0, DEPOSIT)) {} catch {
            return;
        }
    }

    /// @dev What is due next when all goes well, a few times over, so that walks come far.
    function advance(uint256 which, uint256 seed, uint256 times) external {
        if (jobs.jobCount() == 0) this.order(which, seed);
        for (uint256 i = bound(times, 1, 12); i != 0; --i) {
            seed = uint256(keccak256(abi.encode(seed)));
            this.step(which, seed);
        }
    }

    function step(uint256 which, uint256 seed) external {
        uint256 id = _job(which);
        IJobRegistry.Status status = statusOf(id);
        if (status == IJobRegistry.Status.Open) this.matchJob(which, seed);
        else if (status == IJobRegistry.Status.Matched) this.lock(which);
        else if (status != IJobRegistry.Status.Training) return;
        else if (seed % 4 == 0) this.commit(which);
        else this.stepCheckpoint(which, seed / 4);
    }

    /// @dev Posts, or lets the time of challenges pass and closes.
    function stepCheckpoint(uint256 which, uint256 number) external {
        IInstalments.Ledger memory ledger = instalments.ledgerOf(_job(which));
        if (ledger.posted == ledger.closed) return this.post(which, number);
        pass(3 days + 1);
        this.callCheckpointTimeout(which, ledger.closed >> 1);
        pass(1 hours + 1);
        this.close(which, ledger.closed >> 1);
    }

    function unmatch(uint256 which) external {
        try jobs.unmatch(_job(which)) {} catch {
            return;
        }
    }

    function callTimeout(uint256 which) external {
        try jobs.callTimeout(_job(which)) {} catch {
            return;
        }
    }

    function callCheckpointTimeout(uint256 which, uint256 number) external {
        try instalments.callTimeout(_job(which), 1 + (number % 2)) {} catch {
            return;
        }
    }

    function cancel(uint256 which) external {
        try jobs.cancel(_job(which)) {} catch {
            return;
        }
    }

    function lock(uint256 which) external {
        uint256 id = _job(which);
        vm.prank(provider);
        try jobs.lock{value: 1 ether}(id) {} catch {
            return;
        }
    }

    function commit(uint256 which) external {
        uint256 id = _job(which);
        vm.prank(provider);
        try jobs.commit(id, commitment()) {} catch {
            return;
        }
    }

    function post(uint256 which, uint256 number) external {
        (uint256 id, uint256 n) = (_job(which), 1 + (number % 2));
        uint256 last = jobs.jobOf(id).instalments == 2 ? 1 : n;
        vm.prank(provider);
        try instalments.post{value: 1 ether}(id, n, prefix(last)) {} catch {
            return;
        }
    }

    function close(uint256 which, uint256 number) external {
        try instalments.close(_job(which), 1 + (number % 2)) {} catch {
            return;
        }
    }

    function disputeCheckpoint(uint256 which, uint256 number) external {
        uint256 id = _job(which);
        uint256 n = 1 + (number % 2);
        uint256 last = jobs.jobOf(id).instalments == 2 ? 1 : n;
        uint256 claimId = instalments.claimIdOf(id, n);
        if (jobs.claimOf(claimId).challengeUntil < time()) return;
        _isInside = true;
        try this.challengePrefixAs(claimId, last, (number / 2) % last) {} catch {}
        _isInside = false;
    }

    function challengePrefixAs(uint256 claimId, uint256 last, uint256 interval) external {
        if (!_isInside) return;
        challenges.push(challengePrefix(claimId, last, interval));
    }

    function showVoidCheckpoint(uint256 which, uint256 number) external {
        uint256 claimId = instalments.claimIdOf(_job(which), 1 + (number % 2));
        try game.showVoid(claimId, 0, 1, "", new bytes32[](0)) {} catch {
            return;
        }
    }

    function dispute(uint256 which, uint256 interval) external {
        uint256 id = _job(which);
        if (jobs.claimOf(id).challengeUntil < time()) return;
        _isInside = true;
        try this.challengeAs(id, interval % 3) {} catch {}
        _isInside = false;
    }

    function challengeAs(uint256 id, uint256 interval) external {
        if (!_isInside) return;
        challenges.push(challenge(id, interval));
    }

    function showVoid(uint256 which) external {
        try game.showVoid(_job(which), 0, 1, "", new bytes32[](0)) {} catch {
            return;
        }
    }

    function attest(uint256 which) external {
        try committee.attest(jobs, _job(which)) {} catch {
            return;
        }
    }

    function fallSilent(uint256 which) external {
        uint256 id = _job(which);
        if (committee.verdictOf(id) == Verdict.Pending) committee.decide(id, Verdict.Silent);
    }

    function withhold(uint256 which) external {
        try committee.withhold(jobs, _job(which)) {} catch {
            return;
        }
    }

    function settle(uint256 which) external {
        try jobs.settle(_job(which)) {} catch {
            return;
        }
    }

    function payFees(uint256 which) external {
        try committee.payAll(escrow, _job(which), stranger) {} catch {
            return;
        }
    }

    function setParameters(uint256 percent) external {
        IJobRegistry.Parameters memory next = parameters();
        next.stakePercent = uint16(bound(percent, 200, 1_000));
        jobs.setParameters(next);
    }

    /// @dev What is reported while the registry cannot reach the stake counts, and is settled later.
    function disputeWithoutStaking(uint256 which, uint256 interval) external {
        bytes memory code = address(staking).code;
        vm.etch(address(staking), hex"fe");
        this.dispute(which, interval);
        this.settle(which);
        vm.etch(address(staking), code);
    }

    function withdraw(uint256 who) external {
        address account = [consumer, provider, stranger][who % 3];
        if (escrow.creditOf(account) == 0) return;
        vm.prank(account);
        paidOut += escrow.withdraw(account);
    }

    function wait(uint256 duration) external {
        pass(bound(duration, 1, 4 days));
    }

    /// @dev What anyone can do for all jobs; needs neither consumer nor provider, market nor committee.
    function push() public {
        for (uint256 i = 0; i < challenges.length; ++i) {
            try game.callTimeout(challenges[i]) {} catch {}
            try game.executeTimeout(challenges[i]) {} catch {}
            try game.settle(challenges[i]) {} catch {}
        }
        for (uint256 id = 1; id <= jobs.jobCount(); ++id) {
            try instalments.callTimeout(id, 1) {} catch {}
            try instalments.callTimeout(id, 2) {} catch {}
            try jobs.callTimeout(id) {} catch {}
            try instalments.close(id, 1) {} catch {}
            try instalments.close(id, 2) {} catch {}
            try game.payReward(instalments.claimIdOf(id, 1)) {} catch {}
            try game.payReward(instalments.claimIdOf(id, 2)) {} catch {}
            try jobs.expire(id) {} catch {}
            try jobs.settle(id) {} catch {}
            try jobs.finalise(id) {} catch {}
            try game.payReward(id) {} catch {}
        }
    }

    /// @dev INV-4: what is locked is the stake of the jobs that need it.
    function requireStakes() external view {
        uint256 wanted = 0;
        for (uint256 id = 1; id <= jobs.jobCount(); ++id) {
            IJobRegistry.Job memory job = jobs.jobOf(id);
            bool isLocked =
                job.status == IJobRegistry.Status.Matched ||
                    job.status == IJobRegistry.Status.Training ||
                    job.status == IJobRegistry.Status.Committed ||
                    job.status == IJobRegistry.Status.Attested;
            if (isLocked || jobs.isOwed(id)) wanted += uint256(job.stake) + job.performance;
        }
        vm.assertEq(staking.lockedBy(provider, address(jobs)), wanted, "INV-4");
    }

    /// @dev INV-1 of the instalments, and INV-5 of the registry: what is not in escrow was paid or is back.
    function requireInstalments() external view {
        for (uint256 id = 1; id <= jobs.jobCount(); ++id) {
            IInstalments.Ledger memory ledger = instalments.ledgerOf(id);
            IJobRegistry.Job memory job = jobs.jobOf(id);
            uint256 last = ledger.posted >= 4 ? 2 : ledger.posted >> 1;
            uint256 most = last == 0 ? 0 : (uint256(job.price) * last) / job.instalments;
            vm.assertLe(ledger.paid, most, "INV-1");
            vm.assertEq(ledger.closed & ~ledger.posted, 0, "closed unposted");
            (uint256 price, ) = escrow.pursesOf(id);
            bool isRunning =
                job.status == IJobRegistry.Status.Training ||
                    job.status == IJobRegistry.Status.Committed ||
                    job.status == IJobRegistry.Status.Attested;
            if (isRunning || jobs.isOwed(id)) vm.assertEq(price + ledger.paid, job.price, "INV-5");
            else if (job.status > IJobRegistry.Status.Attested) vm.assertEq(price, 0, "INV-5");
            if (job.status == IJobRegistry.Status.Finalised) {
                vm.assertEq(ledger.closed, ledger.posted, "an end before its checkpoints");
            }
        }
    }

    /// @dev INV-6: whatever has happened since an end was reported, anyone settles it, and nobody twice.
    function requireSettlements() external {
        if (msg.sender != _checker) return;
        for (uint256 id = 1; id <= jobs.jobCount(); ++id) {
            if (!jobs.isOwed(id)) continue;
            (uint256 locked, uint256 stake) = (
                staking.lockedBy(provider, address(jobs)),
                uint256(jobs.jobOf(id).stake) + jobs.jobOf(id).performance
            );
            vm.prank(stranger);
            jobs.settle(id);
            (uint256 price, uint256 fees) = escrow.pursesOf(id);
            vm.assertEq(price + fees, 0, "INV-6: purses");
            vm.assertEq(locked - staking.lockedBy(provider, address(jobs)), stake, "INV-6: stake");
            vm.assertFalse(jobs.isOwed(id) || jobs.isRunning(id), "INV-6: an end");
        }
    }

    /// @dev INV-1 and INV-2 of the escrow.
    function requireMoney() external view {
        uint256 owed = 0;
        for (uint256 id = 1; id <= jobs.jobCount(); ++id) {
            (uint256 price, uint256 fees) = escrow.pursesOf(id);
            owed += price + fees;
        }
        owed += escrow.creditOf(consumer) + escrow.creditOf(provider) + escrow.creditOf(stranger);
        vm.assertEq(owed, token.balanceOf(address(escrow)), "INV-1");
        vm.assertEq(owed + paidOut, paidIn, "INV-2");
    }

    /// @dev INV-2 of the registry: everybody has vanished, and strangers bring every job to an end.
    function requireEnds() external {
        if (msg.sender != _checker) return;
        // The longest way: an order's life, training, a committee that never decides; then disputes, twice.
        pass(8 days);
        push();
        pass(2 days);
        push();
        pass(37 days);
        for (uint256 round = 0; round < 6; ++round) {
            push();
            pass(8 days);
        }
        push();
        for (uint256 id = 1; id <= jobs.jobCount(); ++id) {
            IJobRegistry.Status status = statusOf(id);
            // Nobody opens a matched job again but the market; it expires.
            vm.assertTrue(uint256(status) > uint256(IJobRegistry.Status.Attested), "stuck");
            (uint256 price, uint256 fees) = escrow.pursesOf(id);
            vm.assertEq(price + fees, 0, "money stuck");
        }
        vm.assertEq(staking.lockedBy(provider, address(jobs)), 0, "stake stuck");
        uint256 credits =
            game.creditOf(provider) + game.creditOf(challenger) + game.creditOf(game.BURN_SINK());
        vm.assertEq(address(game).balance, credits, "bonds stuck");
    }

    function _job(uint256 which) private view returns (uint256) {
        uint256 count = jobs.jobCount();
        return count == 0 ? 1 : 1 + (which % count);
    }
}

contract JobInvariants is JobsFixture {
    JobWalk private _walk;

    function setUp() public {
        _walk = new JobWalk();
        targetContract(address(_walk));
    }

    function invariant_INV4_stakeLockedIsThatOfRunningJobs() public view {
        _walk.requireStakes();
    }

    function invariant_instalmentsINV1_INV5_partsAndRestAreThePrice() public view {
        _walk.requireInstalments();
    }

    function invariant_escrowINV1_INV2_pursesAndCreditsAreTheBalance() public view {
        _walk.requireMoney();
    }

    function invariant_INV6_settlementIsOpenToAnyoneAtAnyTime() public {
        uint256 state = vm.snapshotState();
        _walk.requireSettlements();
        vm.revertToState(state);
    }

    function invariant_attack25_INV2_strangersEndEveryJobAndNothingIsStuck() public {
        uint256 state = vm.snapshotState();
        _walk.requireEnds();
        vm.revertToState(state);
    }
}

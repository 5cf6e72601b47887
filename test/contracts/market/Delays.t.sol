// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {MarketOnJobs} from "./MarketOnJobs.sol";

/// @notice What a delay costs its author, all roles that it can play taken together (docs/jobs.md has the table).
contract DelaysTest is MarketOnJobs {
    uint256 private constant TENTH = WHOLE / 10;
    uint256 private constant LEAST_STAKE = 10 ether;
    uint256 private constant GRACE = 1 hours;

    uint256 private _before;

    /// @dev The provider's friends: whoever reports it, and the challenger.
    function setUp() public {
        setUpMarketOnJobs();
        _before = _wealth();
    }

    function test_attack_lockedAtPriceZeroAndNeverTrained_costsATenthOfTheDeposit() public {
        uint256 id = wonBy(provider, 0);
        _lock(id);
        market.settleBid(id, provider);
        _endTime(id, TRAINING_TIME);
        vm.prank(stranger);
        jobs.expire(id);
        vm.assertEq(_lost(), TENTH + LEAST_STAKE / 10, "a tenth of the deposit, and the late penalty");
    }

    function test_attack_lockedDirectlyAndNeverTrained_costsATenthOfTheDeposit() public {
        uint256 id = takenBy(provider, 0);
        _lock(id);
        _endTime(id, TRAINING_TIME);
        vm.prank(stranger);
        jobs.expire(id);
        vm.assertEq(_lost(), TENTH + LEAST_STAKE / 10, "a tenth of the deposit, and the late penalty");
    }

    function test_attack_commitmentToNothing_burnsATenthOfTheDepositToo() public {
        uint128[5] memory prices = [0, 5 ether, 300 ether, uint128(TENTH), 4_000 ether];
        uint256 state = vm.snapshotState();
        for (uint256 i = 0; i < 5; ++i) {
            _before = _wealth();
            uint256 id = takenBy(provider, prices[i]);
            uint256 coins = provider.balance + challenger.balance;
            _lock(id);
            vm.prank(provider);
            jobs.commit(id, commitment());
            // Its own challenger convicts it, for the reporter's part.
            convict(id);
            jobs.settle(id);
            uint256 stake = jobs.jobOf(id).stake;
            vm.assertGe(_lost(), TENTH, "no less than to be late");
            vm.assertGe(_lost(), stake / 2, "no less than half of the stake");
            vm.assertLt(provider.balance + challenger.balance, coins, "and coins");
            vm.assertEq(staking.lockedBy(provider, address(jobs)), 0, "nothing stays");
            vm.revertToState(state);
            state = vm.snapshotState();
        }
    }

    function test_attack_directMatchThatIsNotLocked_costsATenthOfTheDeposit() public {
        uint256 id = takenBy(provider, 0);
        _endTime(id, 1 hours);
        vm.prank(consumer);
        market.takeBack(id);
        vm.assertEq(_lost(), TENTH, "the performance bond");
        vm.assertEq(wealthOf(consumer), 1_000_000 ether, "the deposit is back, and no more");
    }

    function test_attack_winnerThatDoesNotLock_losesBothBonds_andNobodyGains() public {
        uint256 id = wonBy(provider, 0);
        _endTime(id, 1 hours);
        vm.prank(consumer);
        market.closeAuction(id);
        vm.assertEq(_lost(), 2 * TENTH, "the bid's bond and the performance bond");
        vm.assertEq(wealthOf(consumer), 1_000_000 ether, "the deposit is back, and no more");
    }

    function test_walkFromADatasetThatIsOver_costsNothing_onBothPaths() public {
        uint256 won = wonBy(provider, 100 ether);
        uint256 taken = takenBy(provider, 100 ether);
        datasets.end(DATASET);
        _endTime(won, 1 hours);
        jobs.callTimeout(taken);
        pass(GRACE + 1);
        market.closeAuction(won);
        vm.prank(consumer);
        market.takeBack(taken);
        vm.assertEq(_lost(), 0, "all back");
        vm.assertEq(staking.lockedBy(provider, address(jobs)), 0, "free");
    }

    function test_datasetThatIsOver_excusesNobodyWhoHasLocked() public {
        uint256 id = takenBy(provider, 0);
        _lock(id);
        datasets.end(DATASET);
        _endTime(id, TRAINING_TIME);
        jobs.expire(id);
        vm.assertEq(_lost(), TENTH + LEAST_STAKE / 10, "it holds the data");
    }

    function test_attack_latenessPaysNoReporter() public {
        uint256 id = takenBy(provider, 4_000 ether);
        _lock(id);
        _endTime(id, TRAINING_TIME);
        vm.prank(stranger);
        jobs.expire(id);
        vm.assertEq(staking.creditOf(stranger), 0, "whoever made it late could report it");
        vm.assertEq(_lost(), TENTH + 800 ether, "all of it burns");
    }

    function test_performanceBond_isLockedAtTheMatch_andBackAtTheCommitment_atAnyUsualPrice() public {
        uint256 id = takenBy(provider, uint128(TENTH));
        vm.assertEq(staking.lockedBy(provider, address(jobs)), 3 * TENTH, "from the match on");
        _lock(id);
        vm.assertEq(staking.lockedBy(provider, address(jobs)), 3 * TENTH, "beside the stake");
        vm.prank(provider);
        jobs.commit(id, commitment());
        vm.assertEq(staking.lockedBy(provider, address(jobs)), 2 * TENTH, "the stake alone");
        _finalise(id);
        vm.assertEq(staking.lockedBy(provider, address(jobs)), 0, "nothing stays");
        vm.assertEq(_wealth(), _before + TENTH, "paid");
    }

    function test_priceZero_keepsTheBondToTheEnd_andFreesIt() public {
        uint256 id = takenBy(provider, 0);
        _lock(id);
        vm.prank(provider);
        jobs.commit(id, commitment());
        vm.assertEq(
            staking.lockedBy(provider, address(jobs)),
            TENTH + LEAST_STAKE / 2,
            "half of the stake stands in for as much"
        );
        _finalise(id);
        vm.assertEq(staking.lockedBy(provider, address(jobs)), 0, "nothing stays");
        vm.assertEq(_lost(), 0, "honest work costs nothing");
    }

    function test_voidJob_returnsTheBond_whoeverWroteTheProgram() public {
        uint256 id = takenBy(provider, 0);
        _lock(id);
        game.showVoid(id, 0, 1, "", new bytes32[](0));
        jobs.settle(id);
        vm.assertEq(staking.lockedBy(provider, address(jobs)), 0, "free");
        vm.assertEq(_lost(), 0, "nothing is lost");
    }

    /// @dev What another module may lock in between, as a placement with a receipt that was signed earlier does, is what
    /// the match has left.
    function test_attack_stakeTakenByAnotherModuleAfterTheMatch_keepsNobodyFromLocking() public {
        vm.prank(provider);
        staking.approve(address(this), type(uint256).max);
        uint256 state = vm.snapshotState();
        for (uint256 i = 0; i < 2; ++i) {
            uint256 id = i == 0 ? takenBy(provider, 4_000 ether) : wonBy(provider, 4_000 ether);
            uint256 rest = staking.lockable(provider, address(this));
            vm.assertEq(rest, 1_000 ether, "the stake of the job and its performance bond are out of reach");
            staking.lock(provider, rest);
            _lock(id);
            vm.assertEq(staking.lockedBy(provider, address(jobs)), 9_000 ether, "both");
            vm.revertToState(state);
            state = vm.snapshotState();
        }
    }

    function test_stakeOfAMatchThatIsNotLocked_isFreeButForThePerformanceBond_onBothPaths() public {
        uint256 taken = takenBy(provider, 100 ether);
        _endTime(taken, 1 hours);
        vm.prank(stranger);
        market.takeBack(taken);
        vm.assertEq(
            staking.lockedBy(provider, address(jobs)),
            0,
            "taken back, also where the consumer is gone"
        );
        uint256 won = wonBy(provider, 100 ether);
        pass(8 days);
        jobs.callTimeout(won);
        pass(GRACE + 1);
        jobs.expire(won);
        vm.assertEq(staking.lockedBy(provider, address(jobs)), 0, "expired");
        vm.assertEq(staking.operatorOf(provider).stake, 10_000 ether - 2 * TENTH, "both bonds");
    }

    function test_capacity_isBoundedByStakeAndBondTogether() public {
        uint256 free = staking.operatorOf(provider).stake;
        // 2 · 4,500 + 1,000: all there is; a unit more of the price is too much.
        vm.assertEq(free, 10_000 ether, "stake");
        vm.expectRevert();
        this.take(4_500 ether + 1);
        uint256 id = takenBy(provider, 4_500 ether);
        _lock(id);
        vm.assertEq(staking.lockedBy(provider, address(jobs)), free, "all of it");
    }

    function take(uint128 price) external returns (uint256) {
        return takenBy(provider, price);
    }

    function _lock(uint256 id) private {
        vm.prank(provider);
        jobs.lock{value: 1 ether}(id);
    }

    /// @dev Lets a time and the grace after it pass.
    function _endTime(uint256 id, uint256 duration) private {
        pass(duration + 1);
        jobs.callTimeout(id);
        pass(GRACE + 1);
    }

    function _finalise(uint256 id) private {
        _endTime(id, 3 days);
        jobs.finalise(id);
    }

    function _wealth() private view returns (uint256) {
        return wealthOf(provider) + wealthOf(stranger) + wealthOf(challenger);
    }

    function _lost() private view returns (uint256) {
        return _before - _wealth();
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IBundleRegistry} from "../../../contracts/storage/interfaces/IBundleRegistry.sol";
import {IDatasetRegistry} from "../../../contracts/storage/interfaces/IDatasetRegistry.sol";
import {IRetrievalChallenges} from "../../../contracts/storage/interfaces/IRetrievalChallenges.sol";
import {CoverFixture} from "./CoverFixture.sol";

/// @dev Named .t.sol because the runner only walks over contracts of test files.
/// @notice Random walks over every call of the storage contracts: seven operators, two datasets, everybody may vanish
/// at any step. Calls that the contracts refuse change nothing and are part of the walk.
contract StorageWalk is CoverFixture {
    uint256 public constant OPERATORS = 7;

    address private immutable _creator;
    Anchored[] private _anchors;
    bytes32[] private _ids;
    uint256 public challenges;
    /// By operators.
    uint256 public bountiesWithdrawn;
    /// Answers that counted, by bundle.
    mapping(bytes32 bundleId => uint256) public answered;
    mapping(bytes32 bundleId => uint32[]) private _unpaid;
    bytes32[] private _covers;
    mapping(bytes32 coverId => bytes32[]) private _covered;

    /// @dev In the constructor, so that the walk itself cannot start anew.
    constructor(Deployed memory to) {
        connect(to);
        _creator = msg.sender;
        for (uint256 i = 0; i < OPERATORS; ++i) enlist(_name(i), 6 * STAKE);
        _anchors.push(anchorSmall(3, 6));
        _anchors.push(anchorSegments(2, 9));
        for (uint256 a = 0; a < _anchors.length; ++a) {
            for (uint256 i = 0; i < _anchors[a].bundles; ++i) _ids.push(bundleOf(_anchors[a], i));
        }
    }

    function placeOne(uint256 which, uint256 who) external {
        (Anchored memory made, uint256 index) = _bundle(which);
        string memory name = _name(who);
        IBundleRegistry.SignedReceipt memory signed = signReceipt(
            made,
            index,
            name,
            uint64(block.timestamp) + 1 days
        );
        if (bundles.holdingOf(_ids[which % _ids.length]).tenure == 0) {
            IBundleRegistry.SignedReceipt[] memory list = new IBundleRegistry.SignedReceipt[](1);
            list[0] = signed;
            vm.prank(owner);
            try bundles.place(list) {} catch {}
        } else {
            uint32 epoch = audit.currentEpoch();
            uint256[8] memory proof = proofOf(POSSESSION, placingSignals(made, index, actor(name), epoch));
            try bundles.placeProven(signed, epoch, 7, proof) {} catch {}
        }
    }

    function placeAll(uint256 shift) external {
        for (uint256 i = 0; i < _ids.length; ++i) this.placeOne(i, (i + (shift % OPERATORS)) % OPERATORS);
    }

    function surrender(uint256 which) external {
        bytes32 id = _ids[which % _ids.length];
        vm.prank(bundles.holdingOf(id).operator);
        try bundles.surrender(id) {} catch {}
    }

    function openEpoch() external {
        try audit.openEpoch() {} catch {}
    }

    function deliver(bytes32 seed) external {
        uint256 last = beacon.lastRequest();
        (, uint64 readyAt) = beacon.seedOf(last);
        if (last != 0 && readyAt == 0) beacon.deliver(last, seed);
    }

    function answerOne(uint256 which, uint256 back) external {
        _answerOne(_ids[which % _ids.length], _epoch(back));
    }

    function answerAll(uint256 back) external {
        for (uint256 i = 0; i < _ids.length; ++i) _answerOne(_ids[i], _epoch(back));
    }

    /// @dev Covers all uncovered bundles of one operator.
    function cover(uint256 who, uint256 root) external {
        address operator = actor(_name(who));
        bytes32[] memory mine = new bytes32[](_ids.length);
        uint256 count;
        for (uint256 i = 0; i < _ids.length; ++i) {
            if (bundles.holdingOf(_ids[i]).operator == operator) mine[count++] = _ids[i];
        }
        assembly ("memory-safe") {
            mstore(mine, count)
        }
        root %= FIELD;
        uint256[8] memory proof = proofOf(REGISTRATION, registrationSignals(mine, root));
        vm.prank(operator);
        try bundles.registerCover(mine, root, proof) returns (bytes32 coverId) {
            _covers.push(coverId);
            _covered[coverId] = mine;
        } catch {}
    }

    function answerOneCover(uint256 which, uint256 back) external {
        if (_covers.length == 0) return;
        bytes32 coverId = _covers[which % _covers.length];
        bytes32[] memory ids = _covered[coverId];
        uint32 epoch = _epoch(back);
        for (uint256 i = 0; i < ids.length; ++i) if (bundles.holdingOf(ids[i]).cells == 0) return;
        uint256[8] memory proof = proofOf(COVERING, coverSignals(coverId, ids, epoch));
        try audit.answerCover(coverId, epoch, 7, packedCells(ids), proof) {
            for (uint256 i = 0; i < ids.length; ++i) {
                bool counts = bundles.dutyOf(ids[i], epoch) == coverId && !audit.isAnswered(ids[i], epoch);
                if (counts) _count(ids[i], epoch);
            }
        } catch {}
    }

    function callTimeout(uint256 which, uint256 back) external {
        uint32 epoch = _epoch(back);
        vm.prank(actor("reporter"));
        try audit.callTimeout(_ids[which % _ids.length], epoch) {} catch {}
    }

    function slashMissed(uint256 which, uint256 back) external {
        try audit.slashMissed(_ids[which % _ids.length], _epoch(back)) {} catch {}
    }

    /// @dev A whole missed audit, which single steps seldom add up to.
    function miss(uint256 which) external {
        this.startEpoch(bytes32(which));
        skip(WINDOW + 1);
        this.callTimeout(which, 0);
        skip(GRACE + 1);
        this.slashMissed(which, 0);
    }

    /// @dev A whole repair: every vacant bundle placed again under a fresh seed, answered for, and claimed.
    function repair(uint256 shift) external {
        this.startEpoch(bytes32(shift));
        this.placeAll(shift);
        this.startEpoch(bytes32(shift));
        this.answerAll(0);
        for (uint256 i = 0; i < _ids.length; ++i) this.claim(i);
    }

    function startEpoch(bytes32 seed) external {
        toEpoch(audit.currentEpoch() + 1);
        this.openEpoch();
        this.deliver(seed);
    }

    function claim(uint256 which) external {
        try audit.claim(_ids[which % _ids.length]) {} catch {}
    }

    function challenge(uint256 which) external {
        (Anchored memory made, uint256 index) = _bundle(which);
        bytes32[] memory proof = bundleProof(made, index);
        vm.deal(actor("challenger"), RETRIEVAL_BOND);
        vm.prank(actor("challenger"));
        try
            retrieval.challenge{value: RETRIEVAL_BOND}(
                _ids[which % _ids.length],
                0,
                made.transportRoots[index],
                proof
            )
        returns (uint256 number) {
            challenges = number;
        } catch {}
    }

    /// @dev Only the first dataset's bundles are one cell long, with a known cell.
    function publish(uint256 number) external {
        if (challenges == 0) return;
        number = 1 + (number % challenges);
        IRetrievalChallenges.Challenge memory open = retrieval.challengeOf(number);
        bytes memory cell = cellOf(manifestOf(1), bundles.holdingOf(open.bundleId).bundleIndex);
        try retrieval.publish(number, cell, new bytes32[](0)) {} catch {}
    }

    function callRetrievalTimeout(uint256 number) external {
        if (challenges == 0) return;
        vm.prank(actor("reporter"));
        try retrieval.callTimeout(1 + (number % challenges)) {} catch {}
    }

    function slashFailed(uint256 number) external {
        if (challenges != 0) try retrieval.slashFailed(1 + (number % challenges)) {} catch {}
    }

    function release(uint256 which) external {
        try bundles.release(_ids[which % _ids.length]) {} catch {}
    }

    function close(uint256 which) external {
        vm.prank(owner);
        try datasets.close(_anchors[which % 2].id) {} catch {}
    }

    function addEpochs(uint256 which, uint256 count) external {
        token.mint(owner, 1e24);
        vm.startPrank(owner);
        token.approve(address(datasets), 1e24);
        bytes32 id = _anchors[which % 2].id;
        bool isAdded = true;
        try datasets.addEpochs(id, uint32(1 + (count % 8))) {} catch {
            isAdded = false;
        }
        vm.stopPrank();
        if (isAdded) _countPaid(id);
    }

    function convict(uint256 which, uint256 chance) external {
        if (chance % 16 != 0) return;
        vm.prank(address(fraud));
        try datasets.markFraudulent(_anchors[which % 2].id, actor("claimant")) {} catch {}
    }

    function withdraw(uint256 who) external {
        address account = who % 8 == 7 ? actor("reporter") : actor(_name(who));
        vm.startPrank(account);
        try datasets.withdrawCredit(account) {} catch {}
        try bundles.withdrawBounty(account) returns (uint256 amount) {
            if (account != actor("reporter")) bountiesWithdrawn += amount;
        } catch {}
        vm.stopPrank();
    }

    function wait(uint256 time) external {
        skip(bound(time, 1, 20 hours));
    }

    /// @dev What everyone can do on their own once all is over: afterwards no contract may hold anything.
    function windUp() external {
        // Not a step of a walk.
        if (msg.sender != _creator) return;
        vm.warp(block.timestamp + 400 days);
        for (uint256 i = 0; i < _ids.length; ++i) try bundles.release(_ids[i]) {} catch {}
        for (uint256 i = 1; i <= challenges; ++i) try retrieval.slashFailed(i) {} catch {}
        vm.startPrank(owner);
        for (uint256 a = 0; a < 2; ++a) try datasets.close(_anchors[a].id) {} catch {}
        vm.stopPrank();
        address[] memory all = accounts();
        for (uint256 i = 0; i < all.length; ++i) {
            vm.startPrank(all[i]);
            try datasets.withdrawCredit(all[i]) {} catch {}
            try bundles.withdrawBounty(all[i]) {} catch {}
            try retrieval.withdraw(payable(all[i])) {} catch {}
            uint256 stake = staking.operatorOf(all[i]).stake;
            if (stake != 0) staking.unbond(stake);
            vm.stopPrank();
        }
        try datasets.flushBurn() {} catch {}
        try bundles.flushBurn() {} catch {}
        try staking.flushBurn() {} catch {}
        vm.warp(block.timestamp + 8 days);
        for (uint256 i = 0; i < OPERATORS; ++i) {
            uint256[] memory tickets = staking.ticketsOf(all[i]);
            vm.startPrank(all[i]);
            for (uint256 t = 0; t < tickets.length; ++t) staking.withdraw(tickets[t], all[i]);
            vm.stopPrank();
        }
    }

    function bundleIds() external view returns (bytes32[] memory) {
        return _ids;
    }

    function datasetIds() external view returns (bytes32[2] memory) {
        return [_anchors[0].id, _anchors[1].id];
    }

    /// @dev Operators first.
    function accounts() public view returns (address[] memory all) {
        all = new address[](OPERATORS + 4);
        for (uint256 i = 0; i < OPERATORS; ++i) all[i] = actor(_name(i));
        all[OPERATORS] = owner;
        all[OPERATORS + 1] = actor("reporter");
        all[OPERATORS + 2] = actor("claimant");
        all[OPERATORS + 3] = actor("challenger");
    }

    function _answerOne(bytes32 id, uint32 epoch) private {
        if (bundles.holdingOf(id).operator == address(0)) return;
        uint256[8] memory proof = proofOf(POSSESSION, signalsFor(id, epoch, 7));
        bool covered = audit.isAnswered(bundles.dutyOf(id, epoch), epoch);
        try audit.answer(id, epoch, 7, proof) {
            if (!covered) _count(id, epoch);
        } catch {}
    }

    function _count(bytes32 id, uint32 epoch) private {
        IBundleRegistry.Holding memory holding = bundles.holdingOf(id);
        if (holding.operator == address(0) || epoch < holding.since) return;
        IDatasetRegistry.Dataset memory dataset = datasets.datasetOf(holding.datasetId);
        if (epoch < dataset.endEpoch) ++answered[id];
        else _unpaid[id].push(epoch);
    }

    /// @dev Answers given after the paid epochs had ended count once their epochs are paid for.
    function _countPaid(bytes32 datasetId) private {
        uint32 end = datasets.datasetOf(datasetId).endEpoch;
        for (uint256 i = 0; i < _ids.length; ++i) {
            if (bundles.holdingOf(_ids[i]).datasetId != datasetId) continue;
            uint32[] storage unpaid = _unpaid[_ids[i]];
            for (uint256 n = unpaid.length; n > 0; --n) {
                if (unpaid[n - 1] >= end) continue;
                ++answered[_ids[i]];
                unpaid[n - 1] = unpaid[unpaid.length - 1];
                unpaid.pop();
            }
        }
    }

    function _epoch(uint256 back) private view returns (uint32) {
        uint32 present = audit.currentEpoch();
        back %= 4;
        return back > present ? 0 : present - uint32(back);
    }

    function _bundle(uint256 which) private view returns (Anchored memory made, uint256 index) {
        index = which % _ids.length;
        if (index < _anchors[0].bundles) return (_anchors[0], index);
        return (_anchors[1], index - _anchors[0].bundles);
    }

    function _name(uint256 who) private pure returns (string memory) {
        return ["a", "b", "c", "d", "e", "f", "g"][who % OPERATORS];
    }
}

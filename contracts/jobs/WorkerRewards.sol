// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Credits} from "../libraries/Credits.sol";
import {ExactTransfer} from "../libraries/ExactTransfer.sol";
import {MerkleProofs} from "../libraries/MerkleProofs.sol";
import {IWorkerRewards} from "./interfaces/IWorkerRewards.sol";

/// @title Pay of the workers of a job
/// @notice Anyone may be a provider here: a round is between it and its workers, and binds nobody else.
contract WorkerRewards is IWorkerRewards, Credits, EIP712, ReentrancyGuardTransient {
    using ExactTransfer for IERC20;

    /// @notice Seconds without a root after which a round counts as abandoned.
    uint48 public constant ROUND_TIME = 90 days;
    /// @notice Seconds for demands after the root, for claims after it, and to answer a demand.
    uint48 public constant FORCE_TIME = 3 days;
    uint48 public constant CLAIM_TIME = 30 days;
    uint48 public constant ANSWER_TIME = 1 days;
    /// @notice What a demand that was not answered costs on top: a tenth of it.
    uint256 public constant PENALTY_SHARE = 10;

    bytes32 private constant RUNNING_TOTAL = keccak256(
        "RunningTotal(uint256 jobId,address worker,uint128 total)"
    );

    mapping(uint256 jobId => mapping(address provider => Round)) private _rounds;
    mapping(bytes32 key => Demand) private _demands;
    mapping(bytes32 key => uint256) private _paid;

    constructor(IERC20 token_) Credits(token_) EIP712("Assay Workers", "1") {}

    /// @inheritdoc IWorkerRewards
    function open(uint256 jobId, uint128 surety) external nonReentrant {
        Round storage round = _rounds[jobId][msg.sender];
        if (round.openedAt != 0) revert AlreadyOpen(jobId, msg.sender);
        round.openedAt = uint48(block.timestamp);
        round.surety = surety;
        token.pullExact(msg.sender, surety);
        emit RoundOpened(jobId, msg.sender, surety);
    }

    /// @inheritdoc IWorkerRewards
    function postRoot(uint256 jobId, bytes32 top, uint32 workers, uint128 deposit) external nonReentrant {
        Round storage round = _open(jobId, msg.sender);
        if (round.forceUntil != 0) revert AlreadyOpen(jobId, msg.sender);
        round.deposit = deposit;
        _postRoot(jobId, msg.sender, round, _boundRoot(top, deposit), workers);
        token.pullExact(msg.sender, deposit);
    }

    /// @inheritdoc IWorkerRewards
    function abandon(uint256 jobId, address provider) external {
        Round storage round = _open(jobId, provider);
        if (round.forceUntil != 0) revert AlreadyOpen(jobId, provider);
        uint256 from = uint256(round.openedAt) + ROUND_TIME;
        if (block.timestamp < from) revert WrongTime(from, type(uint256).max);
        _postRoot(jobId, provider, round, bytes32(0), 0);
    }

    /// @inheritdoc IWorkerRewards
    function claim(
        uint256 jobId,
        address provider,
        address worker,
        uint128 total,
        uint256 index,
        Sibling[] calldata proof
    ) external nonReentrant {
        Round storage round = _open(jobId, provider);
        if (block.timestamp > round.claimUntil) revert WrongTime(0, round.claimUntil);
        _claim(jobId, provider, round, worker, total, index, proof);
    }

    /// @inheritdoc IWorkerRewards
    function demand(
        uint256 jobId,
        address provider,
        uint128 total,
        bytes calldata signature
    ) external nonReentrant {
        Round storage round = _open(jobId, provider);
        if (block.timestamp > round.forceUntil) revert WrongTime(0, round.forceUntil);
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(RUNNING_TOTAL, jobId, msg.sender, total)));
        if (!SignatureChecker.isValidSignatureNowCalldata(provider, digest, signature)) {
            revert WrongSignature(provider);
        }
        bytes32 key = _keyOf(jobId, provider, msg.sender);
        Demand storage made = _demands[key];
        if (total <= _paid[key] || total <= made.total) revert NothingDue(msg.sender);
        if (made.answerUntil == 0) ++round.openDemands;
        made.total = total;
        made.answerUntil = uint48(block.timestamp) + ANSWER_TIME;
        emit Demanded(jobId, provider, msg.sender, total, made.answerUntil);
    }

    /// @inheritdoc IWorkerRewards
    function answer(
        uint256 jobId,
        address provider,
        address worker,
        uint128 total,
        uint256 index,
        Sibling[] calldata proof
    ) external nonReentrant {
        Round storage round = _open(jobId, provider);
        bytes32 key = _keyOf(jobId, provider, worker);
        Demand storage made = _demanded(key, worker);
        _claim(jobId, provider, round, worker, total, index, proof);
        if (_paid[key] < made.total) return;
        _endDemand(round, key);
        emit DemandAnswered(jobId, provider, worker);
    }

    /// @inheritdoc IWorkerRewards
    function include(uint256 jobId, address worker) external nonReentrant {
        Round storage round = _open(jobId, msg.sender);
        bytes32 key = _keyOf(jobId, msg.sender, worker);
        uint256 missing = _missing(key, _demanded(key, worker));
        _paid[key] += missing;
        _endDemand(round, key);
        _credit(worker, missing);
        token.pullExact(msg.sender, missing);
        emit Included(jobId, msg.sender, worker, missing);
    }

    /// @inheritdoc IWorkerRewards
    function execute(uint256 jobId, address provider, address worker) external nonReentrant {
        Round storage round = _open(jobId, provider);
        bytes32 key = _keyOf(jobId, provider, worker);
        Demand storage made = _demanded(key, worker);
        if (block.timestamp <= made.answerUntil) revert WrongTime(made.answerUntil + 1, type(uint256).max);
        uint256 missing = Math.min(_missing(key, made), round.surety);
        uint256 penalty = Math.min(missing / PENALTY_SHARE, round.surety - missing);
        uint256 burnt = penalty - penalty / 2;
        round.surety -= uint128(missing + penalty);
        _paid[key] += missing;
        _endDemand(round, key);
        _credit(worker, missing + penalty - burnt);
        _burn(burnt);
        emit Forced(jobId, provider, worker, missing + penalty - burnt, burnt);
    }

    /// @inheritdoc IWorkerRewards
    function close(uint256 jobId, address provider) external nonReentrant {
        Round storage round = _open(jobId, provider);
        if (round.claimUntil == 0 || block.timestamp <= round.claimUntil) {
            revert WrongTime(uint256(round.claimUntil) + 1, type(uint256).max);
        }
        if (round.openDemands != 0) revert DemandsOpen(round.openDemands);
        uint256 returned = uint256(round.deposit) + round.surety;
        (round.deposit, round.surety) = (0, 0);
        // Later than any claim or demand: nothing of the round can be called again.
        round.openedAt = type(uint48).max;
        _credit(provider, returned);
        emit RoundClosed(jobId, provider, returned);
    }

    /// @inheritdoc IWorkerRewards
    function withdraw(address to) external nonReentrant returns (uint256 amount) {
        amount = _payOut(to);
        emit Withdrawn(msg.sender, to, amount);
    }

    /// @inheritdoc IWorkerRewards
    function flushBurn() external nonReentrant returns (uint256) {
        return _flushBurn();
    }

    /// @inheritdoc IWorkerRewards
    function roundOf(uint256 jobId, address provider) external view returns (Round memory) {
        return _rounds[jobId][provider];
    }

    /// @inheritdoc IWorkerRewards
    function demandOf(uint256 jobId, address provider, address worker) external view returns (Demand memory) {
        return _demands[_keyOf(jobId, provider, worker)];
    }

    /// @inheritdoc IWorkerRewards
    function paidTo(uint256 jobId, address provider, address worker) external view returns (uint256) {
        return _paid[_keyOf(jobId, provider, worker)];
    }

    /// @inheritdoc IWorkerRewards
    function creditOf(address account) external view returns (uint256) {
        return _creditOf(account);
    }

    function _postRoot(
        uint256 jobId,
        address provider,
        Round storage round,
        bytes32 root,
        uint32 workers
    ) private {
        round.root = root;
        round.workers = workers;
        round.forceUntil = uint48(block.timestamp) + FORCE_TIME;
        round.claimUntil = uint48(block.timestamp) + CLAIM_TIME;
        emit RootPosted(jobId, provider, root, workers, round.deposit, round.forceUntil, round.claimUntil);
    }

    function _claim(
        uint256 jobId,
        address provider,
        Round storage round,
        address worker,
        uint128 total,
        uint256 index,
        Sibling[] calldata proof
    ) private {
        if (index >= round.workers) revert WrongProof(worker, total);
        uint256 depth = MerkleProofs.depthOf(round.workers);
        if (proof.length != depth) revert MerkleProofs.WrongProofLength(proof.length, depth);
        if (_rootOf(worker, total, index, proof) != round.root) revert WrongProof(worker, total);
        bytes32 key = _keyOf(jobId, provider, worker);
        uint256 paid = _paid[key];
        if (total <= paid) revert NothingDue(worker);
        uint256 due = total - paid;
        // Never below 0: what the root shows adds up to no more than the deposit.
        round.deposit -= uint128(due);
        _paid[key] = total;
        _credit(worker, due);
        emit Claimed(jobId, provider, worker, due);
    }

    function _endDemand(Round storage round, bytes32 key) private {
        delete _demands[key];
        --round.openDemands;
    }

    function _open(uint256 jobId, address provider) private view returns (Round storage round) {
        round = _rounds[jobId][provider];
        if (round.openedAt == 0 || round.openedAt == type(uint48).max) revert UnknownRound(jobId, provider);
    }

    function _demanded(bytes32 key, address worker) private view returns (Demand storage made) {
        made = _demands[key];
        if (made.answerUntil == 0) revert NoDemand(worker);
    }

    /// @dev What a demand is still for: the root may have paid some of it, or all.
    function _missing(bytes32 key, Demand storage made) private view returns (uint256) {
        return made.total > _paid[key] ? made.total - _paid[key] : 0;
    }

    /// @dev Root of a tree whose nodes add up: each hashes both children and the sum below each of them, so that all
    /// leaves that can be shown together promise no more than the sum at the top.
    function _rootOf(
        address worker,
        uint128 total,
        uint256 index,
        Sibling[] calldata proof
    ) private pure returns (bytes32) {
        bytes32 node = keccak256(abi.encodePacked(bytes1(0), worker, total));
        uint256 sum = total;
        for (uint256 i = 0; i < proof.length; ++i) {
            (bytes32 other, uint256 otherSum) = (proof[i].node, proof[i].sum);
            node =
                (index >> i) & 1 == 0
                    ? keccak256(abi.encodePacked(bytes1(0x01), node, sum, other, otherSum))
                    : keccak256(abi.encodePacked(bytes1(0x01), other, otherSum, node, sum));
            sum += otherSum;
        }
        return _boundRoot(node, sum);
    }

    function _boundRoot(bytes32 top, uint256 sum) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x02), top, sum));
    }

    function _keyOf(uint256 jobId, address provider, address worker) private pure returns (bytes32) {
        return keccak256(abi.encode(jobId, provider, worker));
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IJobRegistry} from "../../../contracts/jobs/interfaces/IJobRegistry.sol";

import {Order} from "../../../contracts/jobs/interfaces/Orders.sol";
import {IStaking} from "../../../contracts/staking/interfaces/IStaking.sol";

/// @notice Pulls deposits and gives them back.
contract EscrowDouble {
    using SafeERC20 for IERC20;

    IERC20 private immutable _token;

    constructor(IERC20 token_) {
        _token = token_;
    }

    function fund(address consumer, uint256 amount) external {
        _token.safeTransferFrom(consumer, address(this), amount);
    }

    function refund(address consumer, uint256 amount) external {
        _token.safeTransfer(consumer, amount);
    }
}

/// @notice Whether datasets are over, by decree.
contract DatasetsDouble {
    mapping(bytes32 datasetId => bool) public isOver;

    function end(bytes32 datasetId) external {
        isOver[datasetId] = true;
    }
}

/// @notice The rows of the registry's table that the market moves, and the provider's lock.
/// @dev Selectors are the registry's; what a market never calls is left out.
contract RegistryDouble {
    uint32 public constant LOCK_WINDOW = 1 hours;
    uint32 public constant GRACE = 1 hours;
    uint256 public constant MINIMUM_STAKE = 100;

    EscrowDouble private immutable _escrow;
    IStaking private immutable _staking;

    address public market;
    uint256 public count;
    /// Matches with a provider that could not have locked, or above the deposit.
    uint256 public badMatches;
    uint256 public stakePercent = 200;
    mapping(uint256 jobId => IJobRegistry.Job) private _jobs;
    mapping(uint256 jobId => uint256) public depositOf;

    error NotMarket(address caller);

    constructor(EscrowDouble escrow_, IStaking staking_) {
        _escrow = escrow_;
        _staking = staking_;
    }

    modifier onlyMarket() {
        if (msg.sender != market) revert NotMarket(msg.sender);
        _;
    }

    function setMarket(address market_) external {
        market = market_;
    }

    function setStakePercent(uint256 percent) external {
        stakePercent = percent;
    }

    function open(
        Order calldata order,
        bytes32 orderHash,
        bytes calldata
    ) external onlyMarket returns (uint256 jobId) {
        jobId = ++count;
        IJobRegistry.Job storage job = _jobs[jobId];
        job.consumer = order.consumer;
        job.status = IJobRegistry.Status.Open;
        job.expiry = uint48(order.expiry);
        job.orderHash = orderHash;
        depositOf[jobId] = order.conditions.deposit;
        _escrow.fund(order.consumer, order.conditions.deposit);
    }

    function matchJob(uint256 jobId, address provider, uint256 price) external onlyMarket {
        IJobRegistry.Job storage job = _require(jobId, IJobRegistry.Status.Open);
        if (block.timestamp > job.expiry) revert IJobRegistry.TooLate(jobId, job.expiry);
        uint256 performance = performanceFor(depositOf[jobId]);
        bool able = _staking.lockable(provider, address(this)) >= stakeFor(provider, price) + performance;
        if (!able || price > depositOf[jobId]) ++badMatches;
        job.status = IJobRegistry.Status.Matched;
        job.provider = provider;
        job.price = uint128(price);
        job.stake = uint128(stakeFor(provider, price));
        job.deadline = uint48(block.timestamp + LOCK_WINDOW);
        job.performance = uint128(performance);
        _staking.lock(provider, job.stake + performance);
    }

    function callTimeout(uint256 jobId) external {
        IJobRegistry.Job storage job = _require(jobId, IJobRegistry.Status.Matched);
        if (job.graceEnds != 0) revert IJobRegistry.TimeoutAlreadyCalled(jobId);
        if (block.timestamp <= job.deadline) revert IJobRegistry.TooEarly(jobId, job.deadline + 1);
        job.graceEnds = uint32(block.timestamp + GRACE);
    }

    function unmatch(uint256 jobId) external onlyMarket {
        IJobRegistry.Job storage job = _require(jobId, IJobRegistry.Status.Matched);
        _requireOver(jobId, job);
        _walk(job);
        job.status = IJobRegistry.Status.Open;
        (job.provider, job.graceEnds, job.stake, job.performance) = (address(0), 0, 0, 0);
    }

    function cancel(uint256 jobId) external onlyMarket {
        _end(jobId, _require(jobId, IJobRegistry.Status.Open), IJobRegistry.Status.Cancelled);
    }

    function lock(uint256 jobId) external {
        IJobRegistry.Job storage job = _require(jobId, IJobRegistry.Status.Matched);
        if (msg.sender != job.provider) revert IJobRegistry.NotProvider(jobId, msg.sender);
        bool isLate = job.graceEnds != 0 && block.timestamp > job.graceEnds;
        if (isLate) revert IJobRegistry.TooLate(jobId, job.graceEnds);
        (job.status, job.graceEnds) = (IJobRegistry.Status.Training, 0);
    }

    function expire(uint256 jobId) external {
        IJobRegistry.Job storage job = _jobs[jobId];
        bool isMatched = job.status == IJobRegistry.Status.Matched;
        if (isMatched) _requireOver(jobId, job);
        else _require(jobId, IJobRegistry.Status.Open);
        if (block.timestamp <= job.expiry) revert IJobRegistry.TooEarly(jobId, job.expiry);
        if (isMatched) _walk(job);
        _end(jobId, job, IJobRegistry.Status.Expired);
    }

    /// @notice Ends a job in training in some way.
    function end(uint256 jobId, IJobRegistry.Status status) external {
        _require(jobId, IJobRegistry.Status.Training).status = status;
        _staking.unlock(_jobs[jobId].provider, _jobs[jobId].stake + _jobs[jobId].performance);
    }

    function jobOf(uint256 jobId) external view returns (IJobRegistry.Job memory) {
        return _jobs[jobId];
    }

    function stakeFor(address, uint256 price) public view returns (uint256) {
        uint256 stake = (price * stakePercent) / 100;
        return stake < MINIMUM_STAKE ? MINIMUM_STAKE : stake;
    }

    function stakeForJob(uint256, address provider, uint256 price) external view returns (uint256) {
        return stakeFor(provider, price);
    }

    function performanceFor(uint256 deposit) public pure returns (uint256) {
        return (deposit + 9) / 10;
    }

    function _end(uint256 jobId, IJobRegistry.Job storage job, IJobRegistry.Status status) private {
        job.status = status;
        _escrow.refund(job.consumer, depositOf[jobId]);
    }

    function _walk(IJobRegistry.Job storage job) private {
        _staking.unlock(job.provider, job.stake);
        _staking.slash(job.provider, job.performance, address(0), "unlocked");
    }

    function _requireOver(uint256 jobId, IJobRegistry.Job storage job) private view {
        uint256 until = job.graceEnds == 0 ? job.deadline : job.graceEnds;
        if (job.graceEnds == 0 || block.timestamp <= until) revert IJobRegistry.TooEarly(jobId, until + 1);
    }

    function _require(
        uint256 jobId,
        IJobRegistry.Status status
    ) private view returns (IJobRegistry.Job storage job) {
        job = _jobs[jobId];
        if (job.status != status) revert IJobRegistry.WrongStatus(jobId, job.status);
    }
}

/// @notice A wallet that signs by approving digests (ERC-1271), and acts as it is told.
contract Wallet is IERC1271 {
    mapping(bytes32 digest => bool) private _approved;

    error CallFailed(bytes reason);

    function approve(bytes32 digest, bool isApproved) external {
        _approved[digest] = isApproved;
    }

    function act(address target, bytes calldata data) external {
        // solhint-disable-next-line avoid-low-level-calls
        (bool ok, bytes memory reason) = target.call(data);
        if (!ok) revert CallFailed(reason);
    }

    function isValidSignature(bytes32 digest, bytes calldata) external view override returns (bytes4) {
        return _approved[digest] ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }
}

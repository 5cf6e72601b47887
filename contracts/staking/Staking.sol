// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {ExactTransfer} from "../libraries/ExactTransfer.sol";
import {LapsingPause} from "../libraries/LapsingPause.sol";
import {IStaking} from "./interfaces/IStaking.sol";

/// @title Operators and their stake, in one ERC-20 token
/// @dev No role opens `lock` and `slash`: nobody's key, the administrator's included, reaches anybody's stake. Slashed
/// tokens are credited, so that no recipient can make a slash fail (but for the calling module itself), and burnt by a
/// transfer to a sink without a key. No function takes coins: `multicall` counts none twice.
contract Staking is IStaking, AccessManaged, LapsingPause, ReentrancyGuardTransient, Multicall {
    using Checkpoints for Checkpoints.Trace208;
    using ExactTransfer for IERC20;
    using SafeCast for uint256;
    using SafeERC20 for IERC20;

    /// @notice Where burnt tokens go.
    address public constant BURN_SINK = 0x000000000000000000000000000000000000dEaD;
    uint64 public constant MIN_UNBONDING_DELAY = 1 minutes;
    uint64 public constant MAX_UNBONDING_DELAY = 90 days;
    /// @notice Above one half, slashing oneself as one's own reporter would become cheap.
    uint16 public constant MAX_REPORTER_SHARE = 5_000;
    /// @notice Bounds the walk that closes a ticket.
    uint256 public constant MAX_TICKETS = 16;

    uint256 private constant BASIS_POINTS = 10_000;
    uint256 private constant MAX_PEER_ID = 64;
    uint256 private constant MAX_ENDPOINT = 256;
    uint8 private constant ALL_ROLES = uint8((1 << (uint8(type(Role).max) + 1)) - 1);

    struct Identity {
        bytes peerId;
        string endpoint;
    }

    /// @dev What one module may lock of an operator's stake, and what it has locked.
    struct Approval {
        uint128 cap;
        uint128 locked;
    }

    /// @notice The token that is staked.
    IERC20 public immutable token;

    uint64 private _unbondingDelay;
    uint16 private _reporterShare;
    uint64 private _lastTicket;

    address[] private _operators;
    mapping(address operator => Operator) private _accounts;
    mapping(address operator => Identity) private _identities;
    mapping(address operator => mapping(address module => Approval)) private _approvals;
    mapping(address operator => uint256[]) private _openTickets;
    mapping(uint256 ticket => Ticket) private _tickets;
    mapping(address account => uint256) private _credits;
    mapping(address operator => Checkpoints.Trace208) private _stakeHistory;
    Checkpoints.Trace208 private _totalHistory;

    constructor(
        address authority,
        IERC20 token_,
        uint64 unbondingDelay,
        uint16 reporterShare
    ) AccessManaged(authority) {
        token = token_;
        _setParameters(unbondingDelay, reporterShare);
    }

    /// @inheritdoc IStaking
    function register(
        uint8 roles,
        bytes calldata peerId,
        string calldata endpoint
    ) external override whenNotPaused {
        Operator storage account = _accounts[msg.sender];
        if (account.active) revert AlreadyRegistered(msg.sender);
        if (account.registeredAt == 0) _operators.push(msg.sender);
        account.active = true;
        account.registeredAt = uint64(block.timestamp);
        _describe(account, roles, peerId, endpoint);
        emit OperatorRegistered(msg.sender, roles, peerId, endpoint);
    }

    /// @inheritdoc IStaking
    function update(uint8 roles, bytes calldata peerId, string calldata endpoint) external override {
        _describe(_activeAccount(msg.sender), roles, peerId, endpoint);
        emit OperatorUpdated(msg.sender, roles, peerId, endpoint);
    }

    /// @inheritdoc IStaking
    function retire() external override {
        _activeAccount(msg.sender).active = false;
        emit OperatorRetired(msg.sender);
    }

    /// @inheritdoc IStaking
    function stake(uint256 amount) external override nonReentrant {
        _stake(amount);
    }

    /// @inheritdoc IStaking
    function stakeWithPermit(
        uint256 amount,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external override nonReentrant {
        // A permit that somebody else has submitted has done its work; the transfer tells whether it has.
        // solhint-disable-next-line no-empty-blocks
        try
            IERC20Permit(address(token)).permit(msg.sender, address(this), amount, deadline, v, r, s)
        {} catch {}
        _stake(amount);
    }

    /// @inheritdoc IStaking
    function approve(address module, uint256 cap) external override {
        Approval storage approval = _approvals[msg.sender][module];
        if (cap < approval.locked) revert CapBelowLock(module, cap, approval.locked);
        approval.cap = uint128(Math.min(cap, type(uint128).max));
        emit ModuleApproved(msg.sender, module, approval.cap);
    }

    /// @inheritdoc IStaking
    function unbond(uint256 amount) external override nonReentrant returns (uint256 ticket) {
        if (amount == 0) revert ZeroAmount();
        Operator storage account = _accounts[msg.sender];
        _requireUnlocked(msg.sender, account, amount);
        uint256[] storage open = _openTickets[msg.sender];
        if (open.length == MAX_TICKETS) revert TooManyTickets(MAX_TICKETS);

        uint128 units = amount.toUint128();
        uint64 availableAt = uint64(block.timestamp) + _unbondingDelay;
        account.stake -= units;
        account.unbonding += units;
        ticket = ++_lastTicket;
        _tickets[ticket] = Ticket(msg.sender, availableAt, units);
        open.push(ticket);
        _record(msg.sender, account.stake, _totalHistory.latest() - units);
        emit Unbonding(msg.sender, ticket, amount, availableAt);
    }

    /// @inheritdoc IStaking
    function withdraw(uint256 ticket, address to) external override nonReentrant returns (uint256 amount) {
        _requireRecipient(to);
        Ticket storage entry = _tickets[ticket];
        if (entry.operator != msg.sender) revert UnknownTicket(ticket, msg.sender);
        if (block.timestamp < entry.availableAt) revert TicketNotRipe(ticket, entry.availableAt);

        uint128 units = entry.amount;
        amount = units;
        _accounts[msg.sender].unbonding -= units;
        _closeTicket(msg.sender, ticket);
        emit Withdrawn(msg.sender, to, amount);
        token.safeTransfer(to, amount);
    }

    /// @inheritdoc IStaking
    function withdrawCredit(address to) external override nonReentrant returns (uint256 amount) {
        _requireRecipient(to);
        amount = _takeCredit(msg.sender);
        emit Withdrawn(msg.sender, to, amount);
        token.safeTransfer(to, amount);
    }

    /// @inheritdoc IStaking
    function flushBurn() external override nonReentrant returns (uint256 amount) {
        amount = _takeCredit(BURN_SINK);
        emit BurnFlushed(amount);
        token.safeTransfer(BURN_SINK, amount);
    }

    /// @inheritdoc IStaking
    function lock(address operator, uint256 amount) external override nonReentrant {
        Operator storage account = _activeAccount(operator);
        _requireUnlocked(operator, account, amount);
        Approval storage approval = _approvals[operator][msg.sender];
        uint256 free = approval.cap - approval.locked;
        if (amount > free) revert CapExceeded(operator, msg.sender, amount, free);
        account.locked += uint128(amount);
        approval.locked += uint128(amount);
        emit Locked(operator, msg.sender, amount);
    }

    /// @inheritdoc IStaking
    function unlock(address operator, uint256 amount) external override nonReentrant {
        Approval storage approval = _approvals[operator][msg.sender];
        uint256 held = approval.locked;
        if (amount > held) revert InsufficientLock(operator, msg.sender, amount, held);
        approval.locked = uint128(held - amount);
        _accounts[operator].locked -= uint128(amount);
        emit Unlocked(operator, msg.sender, amount);
    }

    /// @inheritdoc IStaking
    function slash(
        address operator,
        uint256 amount,
        address beneficiary,
        bytes32 reason
    ) external override nonReentrant returns (uint256 slashed, uint256 toBeneficiary) {
        Approval storage approval = _approvals[operator][msg.sender];
        slashed = Math.min(amount, approval.locked);
        if (slashed == 0) return (0, 0);
        approval.locked -= uint128(slashed);
        Operator storage account = _accounts[operator];
        account.locked -= uint128(slashed);
        account.stake -= uint128(slashed);
        _record(operator, account.stake, _totalHistory.latest() - slashed);
        // Rounds down: the burn gets the remainder.
        if (beneficiary != address(0)) toBeneficiary = (slashed * _reporterShare) / BASIS_POINTS;
        _credits[BURN_SINK] += slashed - toBeneficiary;
        emit Slashed(operator, msg.sender, beneficiary, slashed, slashed - toBeneficiary, reason);
        if (beneficiary != msg.sender) _credits[beneficiary] += toBeneficiary;
        else if (toBeneficiary != 0) token.safeTransfer(beneficiary, toBeneficiary);
    }

    /// @inheritdoc IStaking
    function setParameters(uint64 unbondingDelay, uint16 reporterShare) external override restricted {
        _setParameters(unbondingDelay, reporterShare);
    }

    /// @inheritdoc IStaking
    function pause() external override restricted {
        _pause();
    }

    /// @inheritdoc IStaking
    function unpause() external override restricted {
        _unpause();
    }

    /// @inheritdoc IStaking
    function operatorOf(address operator) external view override returns (Operator memory) {
        return _accounts[operator];
    }

    /// @inheritdoc IStaking
    function identityOf(
        address operator
    ) external view override returns (bytes memory peerId, string memory endpoint) {
        Identity storage identity = _identities[operator];
        return (identity.peerId, identity.endpoint);
    }

    /// @inheritdoc IStaking
    function isEligible(address operator, Role role, uint256 free) external view override returns (bool) {
        Operator storage account = _accounts[operator];
        return
            account.active &&
            account.roles & uint8(1 << uint8(role)) != 0 &&
            account.stake - account.locked >= free;
    }

    /// @inheritdoc IStaking
    function lockedBy(address operator, address module) external view override returns (uint256) {
        return _approvals[operator][module].locked;
    }

    /// @inheritdoc IStaking
    function capOf(address operator, address module) external view override returns (uint256) {
        return _approvals[operator][module].cap;
    }

    /// @inheritdoc IStaking
    function lockable(address operator, address module) external view override returns (uint256) {
        Operator storage account = _accounts[operator];
        if (!account.active) return 0;
        Approval storage approval = _approvals[operator][module];
        return Math.min(account.stake - account.locked, approval.cap - approval.locked);
    }

    /// @inheritdoc IStaking
    function stakeAt(address operator, uint64 timestamp) external view override returns (uint256) {
        return _stakeHistory[operator].upperLookupRecent(_past(timestamp));
    }

    /// @inheritdoc IStaking
    function totalStakeAt(uint64 timestamp) external view override returns (uint256) {
        return _totalHistory.upperLookupRecent(_past(timestamp));
    }

    /// @inheritdoc IStaking
    function operatorCount() external view override returns (uint256) {
        return _operators.length;
    }

    /// @inheritdoc IStaking
    function operators(uint256 offset, uint256 limit) external view override returns (address[] memory page) {
        uint256 start = Math.min(offset, _operators.length);
        page = new address[](Math.min(limit, _operators.length - start));
        for (uint256 i = 0; i < page.length; ++i) page[i] = _operators[start + i];
    }

    /// @inheritdoc IStaking
    function ticketsOf(address operator) external view override returns (uint256[] memory) {
        return _openTickets[operator];
    }

    /// @inheritdoc IStaking
    function ticketOf(uint256 ticket) external view override returns (Ticket memory) {
        return _tickets[ticket];
    }

    /// @inheritdoc IStaking
    function creditOf(address account) external view override returns (uint256) {
        return _credits[account];
    }

    /// @inheritdoc IStaking
    function parameters() external view override returns (uint64 unbondingDelay, uint16 reporterShare) {
        return (_unbondingDelay, _reporterShare);
    }

    function _stake(uint256 amount) private {
        if (amount == 0) revert ZeroAmount();
        Operator storage account = _activeAccount(msg.sender);
        uint128 units = amount.toUint128();
        account.stake += units;
        _record(msg.sender, account.stake, _totalHistory.latest() + units);
        emit Staked(msg.sender, msg.sender, amount);
        token.pullExact(msg.sender, amount);
    }

    function _closeTicket(address operator, uint256 ticket) private {
        uint256[] storage open = _openTickets[operator];
        uint256 last = open.length - 1;
        uint256 i = 0;
        while (open[i] != ticket) ++i;
        if (i != last) open[i] = open[last];
        open.pop();
        delete _tickets[ticket];
    }

    function _takeCredit(address account) private returns (uint256 amount) {
        amount = _credits[account];
        if (amount == 0) revert ZeroAmount();
        delete _credits[account];
    }

    function _describe(
        Operator storage account,
        uint8 roles,
        bytes calldata peerId,
        string calldata endpoint
    ) private {
        if (roles == 0 || roles & ~ALL_ROLES != 0) revert InvalidRoles(roles);
        uint256 endpointLength = bytes(endpoint).length;
        if (peerId.length == 0 || peerId.length > MAX_PEER_ID || endpointLength > MAX_ENDPOINT) {
            revert InvalidIdentity(peerId.length, endpointLength);
        }
        account.roles = roles;
        _identities[msg.sender] = Identity(peerId, endpoint);
    }

    function _setParameters(uint64 unbondingDelay, uint16 reporterShare) private {
        if (unbondingDelay < MIN_UNBONDING_DELAY || unbondingDelay > MAX_UNBONDING_DELAY) {
            revert OutOfBounds(unbondingDelay, MIN_UNBONDING_DELAY, MAX_UNBONDING_DELAY);
        }
        if (reporterShare > MAX_REPORTER_SHARE) revert OutOfBounds(reporterShare, 0, MAX_REPORTER_SHARE);
        _unbondingDelay = unbondingDelay;
        _reporterShare = reporterShare;
        emit ParametersSet(unbondingDelay, reporterShare);
    }

    function _record(address operator, uint128 stakeNow, uint256 totalNow) private {
        _stakeHistory[operator].push(uint48(block.timestamp), stakeNow);
        _totalHistory.push(uint48(block.timestamp), totalNow.toUint208());
    }

    function _activeAccount(address operator) private view returns (Operator storage account) {
        account = _accounts[operator];
        if (!account.active) revert OperatorInactive(operator);
    }

    function _requireUnlocked(address operator, Operator storage account, uint256 amount) private view {
        uint256 available = account.stake - account.locked;
        if (amount > available) revert InsufficientUnlocked(operator, amount, available);
    }

    function _requireRecipient(address to) private view {
        if (to == address(0) || to == address(this)) revert InvalidRecipient(to);
    }

    function _past(uint64 timestamp) private view returns (uint48) {
        if (timestamp >= block.timestamp) revert FutureLookup(timestamp, uint64(block.timestamp));
        return uint48(timestamp);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Operators and their stake
/// @notice Operators register, stake, approve the modules that may lock stake for duties, each up to a cap, unbond
/// with a delay, and are slashed out of what was locked. A module is any contract that an operator approves; a mended
/// one is a new deployment, which operators approve or do not.
/// INV-1: Σ stake + Σ unbonding + Σ credits == token.balanceOf(this), tokens sent here unasked aside
/// INV-2: ∀ operator: Σ_module locked[operator][module] ≤ stake[operator]
/// INV-3: burnt + paid to beneficiaries == Σ slashed
/// INV-4: ∀ operator, module: locked[operator][module] ≤ cap[operator][module], and no slash by a module takes more
/// than it had locked
interface IStaking {
    /// @notice Bits of the role mask of an operator.
    enum Role {
        Storage,
        Provider,
        Validator,
        Challenger
    }

    struct Operator {
        /// Staked tokens that are not unbonding, locked ones included.
        uint128 stake;
        /// Part of `stake` that modules have locked for duties.
        uint128 locked;
        /// Tokens on their way out: never locked, so out of reach of slashes.
        uint128 unbonding;
        /// Mask of `1 << uint8(Role)`.
        uint8 roles;
        uint64 registeredAt;
        bool active;
    }

    /// @dev Stake on its way out.
    struct Ticket {
        address operator;
        /// From then on ready to withdraw.
        uint64 availableAt;
        uint128 amount;
    }

    /// @notice Thrown when an active operator registers again.
    error AlreadyRegistered(address operator);
    /// @notice Thrown when the account is no operator, or one that has retired where only active ones may act.
    error OperatorInactive(address operator);
    /// @notice Thrown when a role mask is empty or names roles that do not exist.
    error InvalidRoles(uint8 roles);
    /// @notice Thrown when a peer id is empty or longer than 64 bytes, or an endpoint longer than 256.
    error InvalidIdentity(uint256 peerIdLength, uint256 endpointLength);
    /// @notice Thrown when an amount that must move something is zero.
    error ZeroAmount();
    /// @notice Thrown when more unlocked stake is asked for than there is.
    error InsufficientUnlocked(address operator, uint256 requested, uint256 available);
    /// @notice Thrown when a module unlocks more than it has locked.
    error InsufficientLock(address operator, address module, uint256 requested, uint256 available);
    /// @notice Thrown when a module would lock more than the operator has approved for it; `available` is what is
    /// left.
    error CapExceeded(address operator, address module, uint256 requested, uint256 available);
    /// @notice Thrown when a cap is set below what the module has locked already.
    error CapBelowLock(address module, uint256 cap, uint256 locked);
    /// @notice Thrown when an operator has as many open unbonding tickets as it may have.
    error TooManyTickets(uint256 limit);
    /// @notice Thrown when a ticket does not exist, was withdrawn, or belongs to someone else.
    error UnknownTicket(uint256 ticket, address caller);
    /// @notice Thrown when a ticket is withdrawn before its time.
    error TicketNotRipe(uint256 ticket, uint64 availableAt);
    /// @notice Thrown when tokens are to be sent to nobody or to this contract.
    error InvalidRecipient(address to);
    /// @notice Thrown when history is asked for a time that has not passed.
    error FutureLookup(uint64 timestamp, uint64 present);
    /// @notice Thrown when a parameter is outside its hard bounds.
    error OutOfBounds(uint256 value, uint256 low, uint256 high);

    event OperatorRegistered(address indexed operator, uint8 roles, bytes peerId, string endpoint);
    event OperatorUpdated(address indexed operator, uint8 roles, bytes peerId, string endpoint);
    event OperatorRetired(address indexed operator);
    event ModuleApproved(address indexed operator, address indexed module, uint256 cap);
    event Staked(address indexed operator, address indexed from, uint256 amount);
    event Unbonding(address indexed operator, uint256 indexed ticket, uint256 amount, uint64 availableAt);
    event Withdrawn(address indexed account, address indexed to, uint256 amount);
    event Locked(address indexed operator, address indexed module, uint256 amount);
    event Unlocked(address indexed operator, address indexed module, uint256 amount);
    event Slashed(
        address indexed operator,
        address indexed module,
        address indexed beneficiary,
        uint256 amount,
        uint256 burnt,
        bytes32 reason
    );
    event BurnFlushed(uint256 amount);
    event ParametersSet(uint64 unbondingDelay, uint16 reporterShare);

    /// @notice Registers the caller as an operator. `peerId` is the libp2p peer id (multihash bytes, ≤ 64 bytes),
    /// `endpoint` a multiaddr or URL (≤ 256 bytes).
    function register(uint8 roles, bytes calldata peerId, string calldata endpoint) external;

    /// @notice Replaces what `register` said.
    function update(uint8 roles, bytes calldata peerId, string calldata endpoint) external;

    /// @notice Stops new duties for the caller; stake leaves through `unbond` as duties end.
    function retire() external;

    /// @notice Adds `amount` of the token to the caller's stake. Tokens that take a fee on transfer are refused.
    function stake(uint256 amount) external;

    /// @notice As `stake`, with an EIP-2612 permit for the allowance.
    function stakeWithPermit(uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external;

    /// @notice Lets `module` lock up to `cap` units of the caller's stake in all, and slash what it has locked. The
    /// cap replaces the one before; it can be lowered down to what is locked, and from there as duties end. An
    /// approval binds no stake by itself: several modules may be approved up to the whole stake.
    /// @param module the contract: read it before you approve it, nothing else limits what it takes of its locks
    /// @param cap in units of the token; what exceeds 2^128 − 1 counts as that
    function approve(address module, uint256 cap) external;

    /// @notice Starts to take `amount` of unlocked stake out; it is paid by `withdraw` from `availableAt` on. The
    /// delay keeps the same tokens from weighing in draws under one account after another.
    function unbond(uint256 amount) external returns (uint256 ticket);

    /// @notice Moves a ripe unbonding ticket to `to`.
    function withdraw(uint256 ticket, address to) external returns (uint256 amount);

    /// @notice Pays out credits (rewards of reporters) of the caller.
    function withdrawCredit(address to) external returns (uint256 amount);

    /// @notice Locks unlocked stake of an active operator for a duty of the calling module, within the operator's cap.
    function lock(address operator, uint256 amount) external;

    /// @notice Gives back what the calling module has locked. Works for retired operators, too.
    function unlock(address operator, uint256 amount) external;

    /// @notice Takes up to `amount` out of what the calling module has locked of the operator's stake, and nothing
    /// else: neither unlocked stake, nor what other modules have locked, nor what is unbonding. Part is burnt, the
    /// rest credited to `beneficiary` (transferred at once when the beneficiary is the calling module; burnt too when
    /// it is nobody). One fault is one call: that a fault is not reported twice is for the module to see to. Where
    /// nothing is locked it does nothing.
    /// @return slashed what was really taken
    /// @return toBeneficiary the unburnt part
    function slash(
        address operator,
        uint256 amount,
        address beneficiary,
        bytes32 reason
    ) external returns (uint256 slashed, uint256 toBeneficiary);

    /// @notice All zeros for an account that never registered.
    function operatorOf(address operator) external view returns (Operator memory);

    /// @notice How to reach the operator: libp2p peer id (multihash bytes) and multiaddr or URL.
    function identityOf(address operator) external view returns (bytes memory peerId, string memory endpoint);

    /// @notice Whether the operator is active, has the role, and at least `free` unlocked stake. What a module could
    /// lock of it is `lockable`.
    function isEligible(address operator, Role role, uint256 free) external view returns (bool);

    /// @notice What one module has locked of an operator's stake.
    function lockedBy(address operator, address module) external view returns (uint256);

    /// @notice Up to how much one module may lock of an operator's stake in all.
    function capOf(address operator, address module) external view returns (uint256);

    /// @notice How much one module could lock of an operator's stake now: zero for operators that are not active.
    function lockable(address operator, address module) external view returns (uint256);

    /// @notice Stake as of `timestamp` (a time in the past), for draws that must not see later moves.
    function stakeAt(address operator, uint64 timestamp) external view returns (uint256);

    /// @notice Stake of all operators as of `timestamp` (a time in the past).
    function totalStakeAt(uint64 timestamp) external view returns (uint256);

    /// @notice Accounts that ever registered, retired ones included.
    function operatorCount() external view returns (uint256);

    /// @notice A page of them, in order of first registration.
    function operators(uint256 offset, uint256 limit) external view returns (address[] memory);

    /// @notice Open unbonding tickets of an operator, at most 16, in no order.
    function ticketsOf(address operator) external view returns (uint256[] memory);

    /// @notice One ticket; all zeros when it is not open.
    function ticketOf(uint256 ticket) external view returns (Ticket memory);

    /// @notice What the account can withdraw as credit. The credit of the burn sink is burnt by `flushBurn`.
    function creditOf(address account) external view returns (uint256);

    /// @notice Sends what slashes have burnt to the burn sink. Anyone may call it.
    /// @dev Not part of a slash: a token that refuses the sink as a recipient would otherwise make slashes impossible.
    function flushBurn() external returns (uint256 amount);

    /// @notice Delay of `unbond` in seconds and the reporter's share of a slash in basis points.
    function parameters() external view returns (uint64 unbondingDelay, uint16 reporterShare);

    /// @notice Sets both, within hard bounds; open tickets keep the delay they began with. Only AccessManager.
    function setParameters(uint64 unbondingDelay, uint16 reporterShare) external;

    /// @notice Stops registrations; nothing else, so that who has a duty can stake and lock for it. Only
    /// AccessManager.
    function pause() external;

    /// @notice Ends `pause`. Only AccessManager.
    function unpause() external;
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Operators and their stake
/// @notice Operators register, stake, have stake locked per duty by authorised modules, unbond with a delay, and are slashed.
/// INV-1: Σ stake + Σ unbonding + Σ credits == token.balanceOf(this)
/// INV-2: ∀ operator: Σ_module locked[operator][module] ≤ stake[operator]
/// INV-3: burnt + paid to beneficiaries == Σ slashed
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
        /// Tokens on their way out, still within reach of a slash.
        uint128 unbonding;
        /// Mask of `1 << uint8(Role)`.
        uint8 roles;
        uint64 registeredAt;
        bool active;
    }

    event OperatorRegistered(address indexed operator, uint8 roles, bytes peerId, string endpoint);
    event OperatorUpdated(address indexed operator, uint8 roles, bytes peerId, string endpoint);
    event OperatorRetired(address indexed operator);
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

    /// @notice Registers the caller as an operator. `peerId` is the libp2p peer id (multihash bytes, ≤ 64 bytes),
    /// `endpoint` a multiaddr or URL (≤ 256 bytes).
    function register(uint8 roles, bytes calldata peerId, string calldata endpoint) external;

    function update(uint8 roles, bytes calldata peerId, string calldata endpoint) external;

    /// @notice Stops new duties for the caller; stake leaves through `unbond` as duties end.
    function retire() external;

    function stake(uint256 amount) external;

    function stakeWithPermit(uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external;

    /// @notice Starts to take `amount` of unlocked stake out; it stays slashable until `availableAt`.
    function unbond(uint256 amount) external returns (uint256 ticket);

    /// @notice Moves a ripe unbonding ticket (less what was slashed) to `to`.
    function withdraw(uint256 ticket, address to) external returns (uint256 amount);

    /// @notice Pays out credits (rewards of reporters) of the caller.
    function withdrawCredit(address to) external returns (uint256 amount);

    /// @notice Locks unlocked stake for a duty of the calling module. Only modules authorised by AccessManager.
    function lock(address operator, uint256 amount) external;

    function unlock(address operator, uint256 amount) external;

    /// @notice Takes up to `amount` from the operator: first the calling module's lock, then unlocked stake, then
    /// unbonding stake; never what other modules have locked. Part is burnt, the rest credited to `beneficiary`
    /// (transferred at once when the beneficiary is the calling module).
    /// @return slashed what was really taken
    /// @return toBeneficiary the unburnt part
    function slash(address operator, uint256 amount, address beneficiary, bytes32 reason)
        external
        returns (uint256 slashed, uint256 toBeneficiary);

    function operatorOf(address operator) external view returns (Operator memory);

    function identityOf(address operator) external view returns (bytes memory peerId, string memory endpoint);

    /// @notice Whether the operator is active, has the role, and at least `free` unlocked stake.
    function isEligible(address operator, Role role, uint256 free) external view returns (bool);

    function lockedBy(address operator, address module) external view returns (uint256);

    /// @notice Stake as of `timestamp` (a time in the past), for draws that must not see later moves.
    function stakeAt(address operator, uint64 timestamp) external view returns (uint256);

    function totalStakeAt(uint64 timestamp) external view returns (uint256);

    function operatorCount() external view returns (uint256);

    function operators(uint256 offset, uint256 limit) external view returns (address[] memory);
}

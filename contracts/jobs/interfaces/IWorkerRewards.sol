// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Pay of the workers of a job
/// @notice A provider owes each of its workers a running total, which it countersigns before the worker gets its next
/// chunk. It settles with one Merkle root over (worker, total) and the tokens for it; whoever was left out, or counted
/// short, shows its last countersigned total within the window and is paid from the provider's surety.
/// INV-1: Σ deposits not yet claimed + Σ sureties + Σ credits == token.balanceOf(this), tokens sent here unasked aside
/// INV-2: a worker is paid at most the highest total that was ever countersigned for it, once
interface IWorkerRewards {
    struct Round {
        address provider;
        /// Last second in which a total can be forced in.
        uint48 forceUntil;
        /// Last second in which claims by proof are taken; the rest then goes back to the provider.
        uint48 claimUntil;
        /// Workers that the root covers.
        uint32 workers;
        bytes32 root;
        /// Tokens that are neither claimed nor returned.
        uint128 deposit;
        /// What forced claims are paid from, with a penalty of a tenth on top of each, half to the worker, half burnt.
        uint128 surety;
    }

    /// @notice Thrown when a round of the provider and job exists already.
    error AlreadyOpen(uint256 jobId, address provider);
    /// @notice Thrown when a round does not exist.
    error UnknownRound(uint256 jobId, address provider);
    /// @notice Thrown when a call comes outside its time.
    error WrongTime(uint256 from, uint256 until);
    /// @notice Thrown when a proof does not lead to the root.
    error WrongProof(address worker, uint256 total);
    /// @notice Thrown when a worker has its due already.
    error AlreadyPaid(address worker);
    /// @notice Thrown when a total is not signed by the provider.
    error WrongSignature(address provider);
    /// @notice Thrown when tokens do not suffice for what they stand for.
    error InsufficientDeposit(uint256 asked, uint256 held);

    event RoundOpened(uint256 indexed jobId, address indexed provider, uint256 surety);
    event RootPosted(
        uint256 indexed jobId,
        address indexed provider,
        bytes32 root,
        uint256 workers,
        uint256 deposit,
        uint256 forceUntil,
        uint256 claimUntil
    );
    event Claimed(uint256 indexed jobId, address indexed provider, address indexed worker, uint256 amount);
    event Forced(
        uint256 indexed jobId,
        address indexed provider,
        address indexed worker,
        uint256 amount,
        uint256 penalty
    );
    event RoundClosed(uint256 indexed jobId, address indexed provider, uint256 returned);
    event Withdrawn(address indexed account, address indexed to, uint256 amount);

    /// @notice Opens the caller's round of a job with its surety; workers begin only for a round that is open.
    function open(uint256 jobId, uint128 surety) external;

    /// @notice Posts the root over the leaves keccak256(0x00 ‖ worker ‖ total), total of 16 bytes, sorted by worker, and the tokens
    /// for all of them.
    function postRoot(uint256 jobId, bytes32 root, uint32 workers, uint128 deposit) external;

    /// @notice Credits a worker with its total. Anyone may call for it.
    function claim(
        uint256 jobId,
        address provider,
        address worker,
        uint128 total,
        uint256 index,
        bytes32[] calldata proof
    ) external;

    /// @notice Credits the caller with a total that the provider countersigned, less what the root gives it by `claim`.
    /// @param signature EIP-712 message RunningTotal(uint256 jobId,address worker,uint128 total), by account or ERC-1271
    function force(uint256 jobId, address provider, uint128 total, bytes calldata signature) external;

    /// @notice Returns what is left, when the time to claim is over, or a round without a root is older than its time.
    function close(uint256 jobId, address provider) external;

    /// @notice Pays the caller's credit out.
    function withdraw(address to) external returns (uint256 amount);

    function roundOf(uint256 jobId, address provider) external view returns (Round memory);

    function creditOf(address account) external view returns (uint256);
}

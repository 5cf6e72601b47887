// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Pay of the workers of a job
/// @notice A provider owes each of its workers a running total, which it countersigns before the worker gets its next
/// chunk. It settles with one Merkle root over (worker, total) and the tokens for all of it. A worker that was left
/// out, or counted short, demands its last countersigned total while `forceUntil` has not passed; the provider then
/// shows that the root pays it, pays the rest, or loses it out of its surety with a tenth on top. All workers of a job
/// share the surety, and a provider that means to cheat can empty it: a worker risks what it has computed unpaid.
///
/// | call | who, when | tokens |
/// |---|---|---|
/// | `open` | the provider | surety in |
/// | `postRoot` | the provider, once | deposit in |
/// | `abandon` | anyone, `ROUND_TIME` after `open` without a root | as a root over nobody |
/// | `claim` | anyone, from the root until `claimUntil` | from the deposit to a worker |
/// | `demand` | a worker, from the root until `forceUntil` | – |
/// | `answer` | anyone, until the demand is executed | as `claim`; ends a demand that it covers |
/// | `include` | the provider, until the demand is executed | what is missing, from the provider to the worker |
/// | `execute` | anyone, when the time to answer is over | what is missing and a tenth, from the surety |
/// | `close` | anyone, after `claimUntil`, when no demand is open | the rest to the provider |
///
/// INV-1: Σ deposits + Σ sureties of open rounds + Σ credits == token.balanceOf(this), tokens sent here unasked aside
/// INV-2: a worker is credited with at most max(total in the root, highest total countersigned) and the penalties
interface IWorkerRewards {
    struct Round {
        /// keccak256(0x02 ‖ top ‖ deposit) of what was posted.
        bytes32 root;
        /// Workers that the root covers.
        uint32 workers;
        uint48 openedAt;
        /// Last seconds of demands and of claims; 0 until a root is posted.
        uint48 forceUntil;
        uint48 claimUntil;
        uint32 openDemands;
        /// Tokens that are neither claimed nor returned.
        uint128 deposit;
        uint128 surety;
    }

    /// @dev What stands beside the path from a leaf to the top; zeros where there is no worker.
    struct Sibling {
        bytes32 node;
        /// Sum of the totals below it.
        uint128 sum;
    }

    struct Demand {
        uint128 total;
        /// Last second to answer; 0 when there is no demand.
        uint48 answerUntil;
    }

    /// @notice Thrown when a round of the provider and job exists already.
    error AlreadyOpen(uint256 jobId, address provider);
    /// @notice Thrown when a round does not exist or is closed.
    error UnknownRound(uint256 jobId, address provider);
    /// @notice Thrown when a call comes outside its time.
    error WrongTime(uint256 from, uint256 until);
    /// @notice Thrown when a proof does not lead to the root.
    error WrongProof(address worker, uint256 total);
    /// @notice Thrown when nothing is due that was not paid.
    error NothingDue(address worker);
    /// @notice Thrown when a total is not signed by the provider.
    error WrongSignature(address provider);
    /// @notice Thrown when a worker has no demand open.
    error NoDemand(address worker);
    /// @notice Thrown when demands are open.
    error DemandsOpen(uint256 count);

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
    event Demanded(
        uint256 indexed jobId,
        address indexed provider,
        address indexed worker,
        uint256 total,
        uint256 answerUntil
    );
    event DemandAnswered(uint256 indexed jobId, address indexed provider, address indexed worker);
    event Included(uint256 indexed jobId, address indexed provider, address indexed worker, uint256 amount);
    event Forced(
        uint256 indexed jobId,
        address indexed provider,
        address indexed worker,
        uint256 amount,
        uint256 burnt
    );
    event RoundClosed(uint256 indexed jobId, address indexed provider, uint256 returned);
    event Withdrawn(address indexed account, address indexed to, uint256 amount);

    /// @notice Opens the caller's round of a job with its surety; workers begin only for a round that is open.
    function open(uint256 jobId, uint128 surety) external;

    /// @notice Posts the top of the tree over the leaves keccak256(0x00 ‖ worker (20 bytes) ‖ total (16 bytes)), and
    /// the tokens for all of them. A node is keccak256(0x01 ‖ left ‖ sum below it ‖ right ‖ sum below it), sums in 32
    /// bytes; claims count only when all totals add up to `deposit`, so that none of them runs dry.
    function postRoot(uint256 jobId, bytes32 top, uint32 workers, uint128 deposit) external;

    /// @notice Ends the wait for a root that never comes.
    function abandon(uint256 jobId, address provider) external;

    /// @notice Credits a worker with what the root gives it and it was not paid yet.
    /// @param index of the worker's leaf
    function claim(
        uint256 jobId,
        address provider,
        address worker,
        uint128 total,
        uint256 index,
        Sibling[] calldata proof
    ) external;

    /// @notice Demands a total of the caller's that the provider has countersigned.
    /// @param signature EIP-712 message RunningTotal(uint256 jobId,address worker,uint128 total), by account or
    /// ERC-1271
    function demand(uint256 jobId, address provider, uint128 total, bytes calldata signature) external;

    /// @notice As `claim`; ends the worker's demand if it has all of it then.
    function answer(
        uint256 jobId,
        address provider,
        address worker,
        uint128 total,
        uint256 index,
        Sibling[] calldata proof
    ) external;

    /// @notice Pays what a worker demands of the caller and was not paid yet.
    function include(uint256 jobId, address worker) external;

    /// @notice Pays a demand that was not answered from the surety.
    function execute(uint256 jobId, address provider, address worker) external;

    /// @notice Returns what is left to the provider.
    function close(uint256 jobId, address provider) external;

    /// @notice Pays the caller's credit out.
    function withdraw(address to) external returns (uint256 amount);

    /// @notice Sends what was burnt to where nobody can fetch it. Anyone may.
    function flushBurn() external returns (uint256 amount);

    function roundOf(uint256 jobId, address provider) external view returns (Round memory);

    function demandOf(uint256 jobId, address provider, address worker) external view returns (Demand memory);

    /// @notice What a worker was paid in a round, penalties aside.
    function paidTo(uint256 jobId, address provider, address worker) external view returns (uint256);

    function creditOf(address account) external view returns (uint256);
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Money of jobs
/// @notice A job has two purses: the price, and the fees of its committee. Only the registry fills and empties the
/// first; the committee pays its members out of the second. Everyone fetches what is theirs.
/// INV-1: Σ prices + Σ fees + Σ credits == token.balanceOf(this), tokens sent here unasked aside
/// INV-2: what was ever paid out of a job's purses never exceeds what was paid into them
interface IEscrow {
    /// @notice Thrown when a job is funded twice.
    error AlreadyFunded(uint256 jobId);
    /// @notice Thrown when more is asked for than a purse holds.
    error InsufficientFunds(uint256 jobId, uint256 asked, uint256 held);
    /// @notice Thrown when a purse of a job that is closed, or that never was, is asked for.
    error NoPurse(uint256 jobId);

    event Funded(uint256 indexed jobId, address indexed from, uint256 price, uint256 fees);
    event PricePaid(uint256 indexed jobId, address indexed to, uint256 amount);
    event FeePaid(uint256 indexed jobId, address indexed to, uint256 amount);
    event Refunded(uint256 indexed jobId, address indexed to, uint256 amount);
    event Withdrawn(address indexed account, address indexed to, uint256 amount);

    /// @notice Pulls both purses of a job from the consumer, exactly. The registry alone.
    function fund(uint256 jobId, address consumer, uint256 price, uint256 fees) external;

    /// @notice Credits part of the price. The registry alone.
    function payPrice(uint256 jobId, address to, uint256 amount) external;

    /// @notice Gives part of the price back. The registry alone.
    function refundPrice(uint256 jobId, uint256 amount) external;

    /// @notice Credits a member of the job's committee. The committee alone.
    function payFee(uint256 jobId, address to, uint256 amount) external;

    /// @notice Gives both purses' rest back to the consumer; the job takes no more. The registry alone.
    /// @return refunded tokens credited to the consumer
    function close(uint256 jobId) external returns (uint256 refunded);

    /// @notice Pays the caller's credit out.
    function withdraw(address to) external returns (uint256 amount);

    /// @notice What a job's purses hold.
    function pursesOf(uint256 jobId) external view returns (uint256 price, uint256 fees);

    /// @notice What an account may withdraw.
    function creditOf(address account) external view returns (uint256);
}

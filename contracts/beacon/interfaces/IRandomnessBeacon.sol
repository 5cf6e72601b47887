// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Public randomness that nobody who profits can choose, grind or withhold
/// @notice A request is bound to randomness that does not exist yet when the request is made. Implementations: drand
/// (threshold BLS on BN254), Chainlink VRF v2.5, commit–reveal among staked operators.
/// `seed = keccak256(abi.encode(domain, requestId, raw))`, where `raw` is the implementation's random value and
/// `domain = keccak256(abi.encode("assay/beacon", chainId, address(beacon)))`.
interface IRandomnessBeacon {
    /// @notice Thrown when a request id was never given out.
    error UnknownRequest(uint256 requestId);
    /// @notice Thrown when a request is redrawn although its randomness is there, or may still come in time.
    error RedrawNotDue(uint256 requestId, uint64 dueAt);

    event RandomnessRequested(uint256 indexed requestId, address indexed requester, uint64 earliest);
    event RandomnessRedrawn(uint256 indexed requestId, uint64 earliest);
    event RandomnessReady(uint256 indexed requestId, bytes32 seed);

    /// @notice Binds a new request to future randomness. Only modules authorised by AccessManager.
    /// @return requestId from 1: of request 0 no seed is ever known
    function request() external returns (uint256 requestId);

    /// @notice The seed and when it became known; `(0, 0)` until then.
    function seedOf(uint256 requestId) external view returns (bytes32 seed, uint64 readyAt);

    /// @notice Binds a request whose randomness was not delivered in time (24 hours by default) to a later one.
    /// Anyone may call it; nobody is slashed by it, work goes on.
    function redraw(uint256 requestId) external;
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IRandomnessBeacon} from "./IRandomnessBeacon.sol";

/// @title Randomness of a drand network with BLS signatures on BN254's G1 (evmnet)
/// @notice A request is bound to the first round after block time plus a margin. Anyone submits that round's
/// signature; it is verified here. `raw` is drand's randomness, sha256(signature).
/// INV-1: a round that a request is bound to was not published when it was bound, as far as clocks differ by less than
/// the margin
interface IDrandBeacon is IRandomnessBeacon {
    struct Request {
        uint64 round;
        /// When the signature of `round` arrived; 0 until then.
        uint64 readyAt;
    }

    /// @notice Thrown when the constructor's key is no point of G2, or a duration is zero or out of bounds.
    error InvalidConfiguration();
    /// @notice Thrown when no open request is bound to the round.
    error RoundNotRequested(uint64 round);
    /// @notice Thrown when a round was already submitted.
    error RoundAlreadySubmitted(uint64 round);
    /// @notice Thrown when a round is submitted before its time.
    error RoundNotDue(uint64 round, uint64 dueAt);
    /// @notice Thrown when a signature is not 64 bytes long.
    error InvalidSignatureLength(uint256 length);
    /// @notice Thrown when a signature is not that of the network's key for the round.
    error InvalidSignature(uint64 round);

    event RoundSubmitted(uint64 indexed round, bytes32 randomness, address indexed submitter);

    /// @notice Submits the signature (64 bytes, x ‖ y) of a requested round. Anyone may.
    function submitRound(uint64 round, bytes calldata signature) external;

    /// @notice The round a request is bound to, and when its randomness came.
    function requestOf(uint256 requestId) external view returns (Request memory);

    /// @notice sha256(signature) of a submitted round and when it came; zeros otherwise.
    function roundOf(uint64 round) external view returns (bytes32 randomness, uint64 submittedAt);

    /// @notice Requests that were bound to a round, at most 16.
    function requestsOf(uint64 round) external view returns (uint256[] memory);

    /// @notice When the network publishes a round.
    function timeOf(uint64 round) external view returns (uint64);

    /// @notice The first round published strictly after `timestamp`.
    function roundAfter(uint64 timestamp) external view returns (uint64);

    /// @notice The network's key in EIP-197 order.
    function publicKey() external view returns (uint256[4] memory);
}

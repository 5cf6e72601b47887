// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Forced retrieval of one cell
/// @notice Anyone posts a bond in the native coin and names a cell; the holder publishes it within the window (and takes
/// the bond for its gas) or is slashed as for a missed audit (and the bond returns).
/// INV-1: Σ open bonds + Σ credits == address(this).balance
interface IRetrievalChallenges {
    struct Challenge {
        address challenger;
        uint64 deadline;
        uint64 graceEnds;
        address operator;
        uint32 cellIndex;
        uint16 cells;
        bytes32 bundleId;
        bytes32 transportRoot;
        uint96 bond;
    }

    event RetrievalChallenged(
        uint256 indexed challengeId,
        bytes32 indexed bundleId,
        address indexed operator,
        address challenger,
        uint32 cellIndex,
        uint64 deadline
    );
    event CellPublished(uint256 indexed challengeId, bytes cell);
    event RetrievalTimeoutCalled(uint256 indexed challengeId, uint64 graceEnds);
    event RetrievalFailed(uint256 indexed challengeId, bytes32 indexed bundleId, address indexed operator);

    function challenge(
        bytes32 bundleId,
        uint32 cellIndex,
        bytes32 transportRoot,
        bytes32[] calldata bundleProof
    ) external payable returns (uint256 challengeId);

    /// @notice Publishes the cell (496 bytes) with its path in the transport tree.
    function publish(uint256 challengeId, bytes calldata cell, bytes32[] calldata proof) external;

    function callTimeout(uint256 challengeId) external;

    function slashFailed(uint256 challengeId) external;

    function withdraw(address payable to) external returns (uint256 amount);

    function bond() external view returns (uint256);

    function challengeOf(uint256 challengeId) external view returns (Challenge memory);
}

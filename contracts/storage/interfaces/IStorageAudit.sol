// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Epochs of possession proofs
/// INV-1: a duty counts at most one answer per epoch
/// INV-2: answers paid for a bundle ≤ epochs in which its duty was answered while it was held and paid for
interface IStorageAudit {
    struct Epoch {
        uint256 requestId;
        /// When the seed was requested.
        uint64 openedAt;
    }

    event EpochOpened(uint32 indexed epoch, uint256 indexed requestId);
    event AuditAnswered(bytes32 indexed dutyId, uint32 indexed epoch, address indexed operator, uint256 evaluation);
    event TimeoutCalled(bytes32 indexed dutyId, uint32 indexed epoch, address indexed caller, uint64 graceEnds);
    event AuditMissed(bytes32 indexed bundleId, uint32 indexed epoch, address indexed operator);
    event FeesClaimed(bytes32 indexed bundleId, address indexed operator, uint256 answers, uint256 amount);

    /// @notice Opens the current epoch by requesting its seed. Anyone may, once per epoch.
    function openEpoch() external returns (uint32 epoch);

    /// @notice Answers for a single bundle.
    function answer(bytes32 bundleId, uint32 epoch, uint256 evaluation, uint256[8] calldata proof) external;

    /// @notice Answers for all bundles of a cover. `cells` are the packed uint16 cell counts of its bundles.
    function answerCover(
        bytes32 coverId,
        uint32 epoch,
        uint256 evaluation,
        bytes calldata cells,
        uint256[8] calldata proof
    ) external;

    /// @notice After the window: starts the hour of grace in which the late operator may still answer.
    function callTimeout(bytes32 bundleId, uint32 epoch) external;

    /// @notice After the grace: slashes the holder of a bundle whose duty was not answered, and opens repair.
    function slashMissed(bytes32 bundleId, uint32 epoch) external;

    /// @notice Credits the holder the fees of the answered audits since the last claim.
    function claim(bytes32 bundleId) external returns (uint256 amount);

    function currentEpoch() external view returns (uint32);

    function epochOf(uint32 epoch) external view returns (Epoch memory);

    /// @notice Seed of an epoch, when its window opened and when it closes; zeros until the seed is known.
    function windowOf(uint32 epoch) external view returns (bytes32 seed, uint64 opensAt, uint64 closesAt);

    function isAnswered(bytes32 dutyId, uint32 epoch) external view returns (bool);

    /// @notice When a called timeout takes effect; 0 when none was called.
    function graceEndsAt(bytes32 dutyId, uint32 epoch) external view returns (uint64);

    /// @notice Chainlink Automation: opens epochs when due. `checkData` is ignored.
    function checkUpkeep(bytes calldata checkData) external returns (bool needed, bytes memory performData);

    function performUpkeep(bytes calldata performData) external;
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Epochs of possession proofs
/// INV-1: a duty counts at most one answer per epoch
/// INV-2: answers paid for a bundle ≤ epochs that are paid for in which its duty was answered while it was held
interface IStorageAudit {
    /// @dev All in seconds. Copied into an epoch when it is opened.
    struct Windows {
        /// A seed that comes later than this after its request opens no window: nobody is paid or slashed.
        uint32 seedDelay;
        /// From the seed to the regular end of the window.
        uint32 auditWindow;
        /// From the end of the window: how long a timeout can be called.
        uint32 timeoutWindow;
        /// From a called timeout: how long the late operator may still answer.
        uint32 grace;
    }

    struct Epoch {
        uint256 requestId;
        /// When the seed was requested; 0 when the epoch was never opened.
        uint64 openedAt;
        Windows windows;
    }

    /// @notice Thrown when an epoch is opened twice.
    error AlreadyOpen(uint32 epoch);
    /// @notice Thrown when an epoch was not opened, or its seed is not known, or came too late.
    error NoSeed(uint32 epoch);
    /// @notice Thrown when the window, and the grace after a called timeout (0 when none was called), are over.
    error WindowClosed(bytes32 dutyId, uint32 epoch, uint64 closesAt, uint64 graceEnds);
    /// @notice Thrown when a timeout is called, or executed, outside [from, until].
    error NotTimely(bytes32 dutyId, uint32 epoch, uint64 from, uint64 until);
    /// @notice Thrown when a duty has answered the epoch already.
    error AlreadyAnswered(bytes32 dutyId, uint32 epoch);
    /// @notice Thrown when a duty need not, and cannot, answer an epoch.
    error NotDue(bytes32 dutyId, uint32 epoch);
    /// @notice Thrown when a proof does not verify.
    error WrongProof(bytes32 dutyId, uint32 epoch);
    /// @notice Thrown when the cell counts are not those of the cover.
    error WrongCells(bytes32 coverId);
    /// @notice Thrown when a timeout is called twice.
    error TimeoutAlreadyCalled(bytes32 dutyId, uint32 epoch);
    /// @notice Thrown when a slash is asked for without a called timeout.
    error NoTimeout(bytes32 dutyId, uint32 epoch);
    /// @notice Thrown when a parameter is outside its hard bounds.
    error OutOfBounds(bytes32 parameter, uint256 value, uint256 low, uint256 high);

    event EpochOpened(uint32 indexed epoch, uint256 indexed requestId);
    event AuditAnswered(
        bytes32 indexed dutyId,
        uint32 indexed epoch,
        address indexed operator,
        uint256 evaluation
    );
    event TimeoutCalled(
        bytes32 indexed dutyId,
        uint32 indexed epoch,
        address indexed caller,
        uint64 graceEnds
    );
    event AuditMissed(bytes32 indexed bundleId, uint32 indexed epoch, address indexed operator);
    event FeesClaimed(bytes32 indexed bundleId, address indexed operator, uint256 answers, uint256 amount);
    event WindowsSet(Windows windows);

    /// @notice Opens the current epoch by requesting its seed. Anyone may, once per epoch. While the beacon refuses it
    /// fails, and may be tried again until the epoch ends: nothing else waits for it, and an epoch without a seed asks
    /// nobody for an answer.
    function openEpoch() external returns (uint32 epoch);

    /// @notice Answers for a single bundle, whether it belongs to a cover or not. Anyone may carry the proof: it is
    /// bound to the operator.
    function answer(bytes32 bundleId, uint32 epoch, uint256 evaluation, uint256[8] calldata proof) external;

    /// @notice Answers for all bundles of a cover. `cells` are the packed uint16 cell counts of its bundles.
    function answerCover(
        bytes32 coverId,
        uint32 epoch,
        uint256 evaluation,
        bytes calldata cells,
        uint256[8] calldata proof
    ) external;

    /// @notice After the window: starts the hour of grace in which the late operator may still answer. The caller is
    /// the reporter if it comes to a slash. For a bundle in a cover it holds for the cover.
    function callTimeout(bytes32 bundleId, uint32 epoch) external;

    /// @notice After the grace: slashes the holder of a bundle whose duty was not answered, and opens repair.
    function slashMissed(bytes32 bundleId, uint32 epoch) external;

    /// @notice Credits the holder the fees of the answered audits since the last claim, and the bounty of a repair
    /// once it has answered for the first time. Anyone may call it; it also runs before a holding ends.
    function claim(bytes32 bundleId) external returns (uint256 amount);

    function currentEpoch() external view returns (uint32);

    function epochOf(uint32 epoch) external view returns (Epoch memory);

    /// @notice Seed of an epoch, when its window opened and when it closes; zeros until the seed is known.
    function windowOf(uint32 epoch) external view returns (bytes32 seed, uint64 opensAt, uint64 closesAt);

    /// @notice What the holder of a bundle owes answers for, over the epochs whose deadlines may not be over.
    /// @return isDue a window is open, or was missed, and the bundle's duty is not answered
    /// @return isMissed a window closed without an answer, and its timeout was called or can still be
    /// @return reporter who called the timeout of the latest missed epoch that has one; zero for none
    function unansweredOf(
        bytes32 bundleId
    ) external view returns (bool isDue, bool isMissed, address reporter);

    function isAnswered(bytes32 dutyId, uint32 epoch) external view returns (bool);

    /// @notice When a called timeout takes effect; 0 when none was called.
    function graceEndsAt(bytes32 dutyId, uint32 epoch) external view returns (uint64);

    /// @notice Chainlink Automation: opens epochs when due. `checkData` is ignored.
    function checkUpkeep(bytes calldata checkData) external returns (bool needed, bytes memory performData);

    /// @notice Chainlink Automation: opens the current epoch. `performData` is ignored.
    function performUpkeep(bytes calldata performData) external;

    /// @notice Sets the windows of epochs that are opened from now on, within hard bounds. Only AccessManager.
    function setWindows(Windows calldata windows) external;

    /// @notice The windows that the next opened epoch gets.
    function windows() external view returns (Windows memory);

    /// @notice Answers of the present holder that have been paid.
    function paidAnswersOf(bytes32 bundleId) external view returns (uint256);
}

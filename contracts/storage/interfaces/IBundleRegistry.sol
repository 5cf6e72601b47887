// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Who holds which bundle: signed receipts, locked stake, surrender, repair, covers
/// INV-1: Σ open bounties == token.balanceOf(this)
/// INV-2: a bundle has at most one holder; within a segment all holders differ
interface IBundleRegistry {
    /// @dev EIP-712 receipt, see docs/storage-protocol.md section 5.
    struct Receipt {
        bytes32 datasetId;
        uint32 bundleIndex;
        bytes32 poseidonRoot;
        bytes32 transportRoot;
        address operator;
        uint64 validUntil;
    }

    struct SignedReceipt {
        Receipt receipt;
        /// Siblings of the bundle's leaf under the dataset's bundlesRoot.
        bytes32[] proof;
        bytes signature;
    }

    struct Holding {
        address operator;
        /// First epoch the operator answers for.
        uint32 since;
        uint16 cells;
        uint32 bundleIndex;
        bytes32 datasetId;
        uint256 poseidonRoot;
        /// Cover the bundle belongs to from `coverSince` on; 0 when none.
        bytes32 coverId;
        uint32 coverSince;
    }

    struct Cover {
        address operator;
        uint32 since;
        uint8 count;
        uint256 root;
        /// keccak256 of the packed uint16 cell counts, in bundle order.
        bytes32 cellsHash;
    }

    event BundlePlaced(
        bytes32 indexed bundleId,
        bytes32 indexed datasetId,
        address indexed operator,
        uint32 bundleIndex,
        uint32 since,
        bool repair
    );
    event BundleSurrendered(bytes32 indexed bundleId, address indexed operator, uint256 penalty);
    event BundleVacated(bytes32 indexed bundleId, address indexed operator, bytes32 reason, uint256 bounty);
    event BundleReleased(bytes32 indexed bundleId, address indexed operator);
    event RepairPaid(bytes32 indexed bundleId, address indexed operator, uint256 amount);
    event CoverRegistered(bytes32 indexed coverId, address indexed operator, uint256 root, bytes32[] bundleIds);
    event BountyWithdrawn(address indexed account, address indexed to, uint256 amount);

    /// @notice Places bundles on the operators that signed for them. Anyone may submit; partial sets are fine and the
    /// rest can follow. Reverts as a whole when one receipt is bad.
    function place(SignedReceipt[] calldata receipts) external;

    /// @notice Gives a held bundle up, for less than a missed audit costs; opens its repair.
    function surrender(bytes32 bundleId) external;

    /// @notice Ends the duty and unlocks the stake once the dataset is past its paid epochs, closed or fraudulent.
    function release(bytes32 bundleId) external;

    /// @notice Registers one covering root for bundles of the caller (1 to 64), with its Groth16 proof.
    function registerCover(bytes32[] calldata bundleIds, uint256 coveringRoot, uint256[8] calldata proof)
        external
        returns (bytes32 coverId);

    /// @notice Slashes the holder for a fault and opens repair. Only the audit and retrieval modules.
    /// @return bounty what was put up for the repair
    function vacate(bytes32 bundleId, address reporter, bytes32 reason) external returns (uint256 bounty);

    /// @notice Pays the repairer after its first proven possession. Only the audit module.
    function settleRepair(bytes32 bundleId) external;

    function withdrawBounty(address to) external returns (uint256 amount);

    function holdingOf(bytes32 bundleId) external view returns (Holding memory);

    function coverOf(bytes32 coverId) external view returns (Cover memory);

    /// @notice What one proof answers for this bundle at this epoch: the bundle itself or its cover.
    function dutyOf(bytes32 bundleId, uint32 epoch) external view returns (bytes32 dutyId);

    function bountyOf(bytes32 bundleId) external view returns (uint256);

    function bundleIdOf(bytes32 datasetId, uint32 bundleIndex) external view returns (bytes32);
}

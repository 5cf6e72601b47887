// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Who holds which bundle: signed receipts, locked stake, surrender, repair, covers
/// INV-1: Σ open bounties + Σ credits == token.balanceOf(this), tokens sent here unasked aside
/// INV-2: a bundle has at most one holder; within a segment all holders differ
/// INV-3: an open bounty, and what the reporter got with it, never exceed half of one missed audit's penalty
/// INV-4: staking.lockedBy(operator, this) == Σ bundleStake of the bundles the operator holds
/// INV-5: whoever holds a bundle has agreed to all epochs that its dataset's anchor paid for: until >= agreedEnd
interface IBundleRegistry {
    /// @dev EIP-712 receipt, see docs/storage-protocol.md section 5.
    struct Receipt {
        bytes32 datasetId;
        uint32 bundleIndex;
        bytes32 poseidonRoot;
        bytes32 transportRoot;
        address operator;
        uint64 validUntil;
        /// The operator agrees to answer for epochs before this one, whatever is paid for later.
        uint32 latestEnd;
    }

    struct SignedReceipt {
        Receipt receipt;
        /// Siblings of the bundle's leaf under the dataset's bundlesRoot.
        bytes32[] proof;
        bytes signature;
        /// The owner's EIP-712 signature that gives the bundle to the operator, see docs/storage-protocol.md section 5.
        /// Empty where the owner itself calls.
        bytes approval;
    }

    struct Holding {
        /// 0 when nobody holds the bundle.
        address operator;
        /// First epoch the operator answers for.
        uint32 since;
        /// First epoch that the operator has not agreed to: it need not answer from then on. Once the deadlines of the
        /// epochs before it are over, the operator may surrender without a penalty, and anyone may release it.
        uint32 until;
        uint16 cells;
        uint32 bundleIndex;
        /// Counts the holders of this bundle, modulo 256.
        uint8 tenure;
        bytes32 datasetId;
        uint256 poseidonRoot;
        /// Cover the bundle belongs to from `coverSince` on (the latest one); 0 when none.
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

    /// @notice Thrown when a receipt is past its time, or promises for longer than a day ahead.
    error ReceiptNotValid(uint64 validUntil, uint64 present, uint64 latest);
    /// @notice Thrown when the operator was placed in the segment with, or left it after, this receipt's time.
    error ReceiptOutdated(address operator, uint64 validUntil, uint64 floor);
    /// @notice Thrown when a dataset is paid for longer than the operator has agreed to serve.
    error TermTooLong(bytes32 datasetId, uint32 endEpoch, uint32 latestEnd);
    /// @notice Thrown when a duty is extended to an epoch that it reaches already.
    error NotLonger(bytes32 bundleId, uint32 until, uint32 latestEnd);
    /// @notice Thrown when the operator of a receipt has not signed it.
    error WrongSignature(address operator, bytes32 digest);
    /// @notice Thrown when a bundle that nobody has held yet is placed without the owner's word.
    error NotByOwner(bytes32 datasetId, uint32 bundleIndex, address owner);
    /// @notice Thrown when a bundle that somebody has held before is placed without a proof that it is there.
    error ProofNeeded(bytes32 bundleId);
    /// @notice Thrown when the epoch of a possession proof is not in [earliest, present], or more than one epoch ago:
    /// its seed could have been known before the bundle was free, or the bytes be gone since. `earliest` is later for
    /// an operator that the owner has not named, where it has named others.
    error EpochNotFit(bytes32 bundleId, uint32 epoch, uint32 earliest, uint32 present);
    /// @notice Thrown when an epoch has no seed.
    error NoSeed(uint32 epoch);
    /// @notice Thrown when the operator had not staked what the bundle takes before the epoch's seed was asked for: its
    /// address could have been chosen to fit the seed.
    error StakedTooLate(address operator, uint64 openedAt);
    /// @notice Thrown when a proof of possession does not verify.
    error WrongPossession(bytes32 bundleId, uint32 epoch);
    /// @notice Thrown when the roots of a receipt are not the bundle's roots under the dataset's anchor.
    error NotAnchored(bytes32 datasetId, uint32 bundleIndex);
    /// @notice Thrown when a bundle index is not below the dataset's number of bundles.
    error UnknownBundle(bytes32 datasetId, uint32 bundleIndex);
    /// @notice Thrown when a bundle already has a holder.
    error AlreadyHeld(bytes32 bundleId, address operator);
    /// @notice Thrown when a bundle has no holder where one is needed.
    error NotHeld(bytes32 bundleId);
    /// @notice Thrown when the operator holds another bundle of the same segment.
    error SegmentTaken(bytes32 datasetId, uint256 segment, address operator);
    /// @notice Thrown when the operator is retired, lacks the role, or has less than `stake` unlocked.
    error NotEligible(address operator, uint256 stake);
    /// @notice Thrown when the dataset's placement policy refuses the operator.
    error RefusedByPolicy(address policy, address operator);
    /// @notice Thrown when a dataset is not active, or has no paid epoch left to hold a bundle for.
    error NothingToHold(bytes32 datasetId, uint32 since, uint32 endEpoch);
    /// @notice Thrown when someone else than the holder acts for it.
    error NotHolder(bytes32 bundleId, address operator, address caller);
    /// @notice Thrown when a bundle is released while its dataset still runs.
    error StillOnDuty(bytes32 bundleId);
    /// @notice Thrown when a cover has no bundles, or more than 64.
    error WrongCoverSize(uint256 count);
    /// @notice Thrown when a bundle's repair is not proven yet: it must first answer on its own.
    error RepairUnproven(bytes32 bundleId);
    /// @notice Thrown when a bundle changes covers twice in one epoch (also when it is listed twice), or more than 32
    /// times under one holder.
    error CoverTooSoon(bytes32 bundleId, uint32 since, uint256 covers);
    /// @notice Thrown when the registration proof of a cover does not verify.
    error WrongCoverProof(uint256 coveringRoot);
    /// @notice Thrown when more than `MAX_STANDBYS` operators are named.
    error TooManyStandbys(uint256 count);
    /// @notice Thrown when the modules are named a second time.
    error ModulesAlreadySet(address audit);
    /// @notice Thrown when a bundle is to be given up while a cell of it is asked for: it is to be published first.
    error RetrievalOpen(bytes32 bundleId);

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
    event DutyExtended(bytes32 indexed bundleId, address indexed operator, uint32 until);
    event BundleReleased(bytes32 indexed bundleId, address indexed operator);
    event RepairPaid(bytes32 indexed bundleId, address indexed operator, uint256 amount);
    event CoverRegistered(
        bytes32 indexed coverId,
        address indexed operator,
        uint256 root,
        bytes32[] bundleIds
    );
    event StandbysSet(bytes32 indexed datasetId, address[] operators);
    event BountyWithdrawn(address indexed account, address indexed to, uint256 amount);

    /// @notice Places bundles that nobody has held yet on the operators that signed for them, by the word of the
    /// dataset's owner: it calls, or has signed. Partial sets are fine and the rest can follow. Reverts as a whole when
    /// one receipt is bad.
    function place(SignedReceipt[] calldata receipts) external;

    /// @notice Places a bundle on an operator that proves that it has it: one that lost its holder, or one that was
    /// never placed once `exclusiveEpochs` are over. The proof is a possession proof of the bundle under the seed of
    /// `epoch`, with this contract in the evaluation point. That seed was asked for after the bundle became free and
    /// after the operator had staked, so that neither could be chosen to fit it. Anyone may submit.
    function placeProven(
        SignedReceipt calldata signed,
        uint32 epoch,
        uint256 evaluation,
        uint256[8] calldata proof
    ) external;

    /// @notice Names the operators that come first where a bundle of the caller's dataset loses its holder: for
    /// `STANDBY_EPOCHS` nobody else may take it over. Who leaves does not come back before whom the owner trusts,
    /// however fast it is with its proof. In force at once, also for bundles that are free already; replaces those
    /// named before.
    /// @param operators at most `MAX_STANDBYS`; none, and again whoever is first takes a bundle over
    function setStandbys(bytes32 datasetId, address[] calldata operators) external;

    /// @notice Gives a held bundle up, for less than a missed audit costs; opens its repair. Costs nothing once all
    /// epochs are settled that the operator has agreed to, as long as no audit asks for it. An audit whose window
    /// closed without an answer costs as much as if it had been slashed, and pays whoever called its timeout: leaving
    /// settles what is due, it does not void it. While a retrieval
    /// challenge of it is open a bundle cannot be given up.
    function surrender(bytes32 bundleId) external;

    /// @notice Agrees to answer for a held bundle until `latestEnd`, which must be later than what was agreed to
    /// before. Without it, epochs that are added later bind nobody who did not sign for them.
    function extend(bytes32 bundleId, uint32 latestEnd) external;

    /// @notice Ends the duty and unlocks the stake once the dataset is past its paid epochs, closed or fraudulent: a
    /// bounty that nobody has earned by then is burnt. Also once all epochs are settled that the operator has agreed
    /// to, so that its place in a dataset that runs longer goes to somebody who answers. Anyone may call it.
    function release(bytes32 bundleId) external;

    /// @notice Registers one covering root for bundles of the caller (1 to 64), with its Groth16 proof. It serves from
    /// the next epoch on. `coverId = keccak256(abi.encode(chainId, registry, operator, coveringRoot, since, cellsHash,
    /// bundleIds))`, so that it commits to every field of the cover: roots alone do not tell two covers apart, since
    /// datasets of different shapes can have the same ones.
    /// An operator that lost one bundle of a cover answers for the others one by one until it registers a new cover.
    function registerCover(
        bytes32[] calldata bundleIds,
        uint256 coveringRoot,
        uint256[8] calldata proof
    ) external returns (bytes32 coverId);

    /// @notice Slashes the holder for a fault and opens repair. Only the audit and retrieval modules. A tenth of the
    /// unburnt part is credited to the reporter, the rest is the bounty.
    /// @return bounty what was put up for the repair
    function vacate(bytes32 bundleId, address reporter, bytes32 reason) external returns (uint256 bounty);

    /// @notice Pays the repairer after its first proven possession. Only the audit module.
    function settleRepair(bytes32 bundleId) external;

    /// @notice Pays out what the caller has been credited: bounties and rewards of reporters.
    function withdrawBounty(address to) external returns (uint256 amount);

    /// @notice Sends what was burnt to the burn sink. Anyone may call it.
    function flushBurn() external returns (uint256 amount);

    /// @notice Names the modules of audits and of retrieval challenges, once. Only AccessManager.
    function setModules(address audit, address retrieval) external;

    function holdingOf(bytes32 bundleId) external view returns (Holding memory);

    /// @notice The part of a holding that an answer needs.
    function dutyTermsOf(
        bytes32 bundleId
    ) external view returns (address operator, uint32 since, uint16 cells, uint256 poseidonRoot);

    function coverOf(bytes32 coverId) external view returns (Cover memory);

    /// @notice All covers of the present holding, in the order of the epochs from which they serve.
    function coversOf(
        bytes32 bundleId
    ) external view returns (bytes32[] memory coverIds, uint32[] memory sinces);

    /// @notice What one proof answers for this bundle at this epoch: the bundle itself or its cover.
    function dutyOf(bytes32 bundleId, uint32 epoch) external view returns (bytes32 dutyId);

    function bountyOf(bytes32 bundleId) external view returns (uint256);

    function creditOf(address account) external view returns (uint256);

    /// @notice Receipts of this operator for this segment must expire later than that.
    function receiptFloorOf(
        bytes32 datasetId,
        uint256 segment,
        address operator
    ) external view returns (uint64);

    function bundleIdOf(bytes32 datasetId, uint32 bundleIndex) external view returns (bytes32);

    /// @notice The first epoch whose seed a proof may use that places the bundle with the operator; 0 while somebody
    /// holds it.
    function provableFrom(
        bytes32 datasetId,
        uint32 bundleIndex,
        address operator
    ) external view returns (uint32);

    /// @notice Whether the dataset's owner has named the operator (`setStandbys`).
    function isStandby(bytes32 datasetId, address operator) external view returns (bool);

    /// @notice Epochs for which only the owner places what nobody has held yet.
    function exclusiveEpochs() external view returns (uint32);

    /// @notice EIP-712 digest that the owner signs to give a bundle to an operator.
    function assignmentDigest(
        bytes32 datasetId,
        uint32 bundleIndex,
        address operator
    ) external view returns (bytes32);

    /// @notice EIP-712 digest that the operator signs.
    function receiptDigest(Receipt calldata receipt) external view returns (bytes32);
}

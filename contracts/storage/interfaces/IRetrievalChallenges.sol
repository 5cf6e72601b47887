// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Forced retrieval of one cell
/// @notice Anyone posts a bond in the native coin and names a cell; the holder publishes it before the grace of a
/// called timeout is over (and takes the bond for its gas) or is slashed as for a missed audit (and the bond returns).
/// Nothing limits how many cells of a holder are asked for: whoever did could keep others from asking. Each adds to the
/// time for the next instead, so that a holder that publishes soonest deadline first is never asked for more than it
/// can.
/// INV-1: Σ open bonds + Σ credits == address(this).balance, coins forced in aside
interface IRetrievalChallenges {
    struct Challenge {
        /// 0 when the challenge does not exist, or is over.
        address challenger;
        /// Of one whose cell was published: the last second in which it counts as asked (`release`).
        uint64 deadline;
        /// 0 until a timeout is called.
        uint64 graceEnds;
        /// Who owes the cell: the holder, or the dataset's owner.
        address operator;
        uint32 cellIndex;
        uint16 cells;
        /// Which holder of the bundle is meant (IBundleRegistry.Holding).
        uint8 tenure;
        /// Whether the dataset's owner is asked, because no holder owes the bundle.
        bool isOwners;
        /// Seconds of grace in force when the challenge was made.
        uint32 grace;
        uint40 madeAt;
        /// Those of the same dataset's list that were made next before and next after it; 0 for none.
        uint64 previous;
        uint64 next;
        /// Bytes of the bundle's last cell that follow its content.
        uint16 filler;
        bytes32 bundleId;
        bytes32 datasetId;
        bytes32 transportRoot;
        uint96 bond;
        /// Who called the timeout.
        address reporter;
    }

    /// @notice Thrown when a challenge does not carry exactly the bond.
    error WrongBond(uint256 sent, uint256 required);
    /// @notice Thrown when nobody owes the bundle: it has no holder, or its dataset's paid epochs are over.
    error NothingOwed(bytes32 bundleId);
    /// @notice Thrown when the owner is asked for what a holder owes.
    error OwedByHolder(bytes32 bundleId, address operator);
    /// @notice Thrown when an owner is asked for a cell that it has published.
    error AlreadyPublished(bytes32 bundleId, uint32 cellIndex);
    /// @notice Thrown when a question is to be released that is open.
    error NotPublished(uint256 challengeId);
    /// @notice Thrown when a cell index is not below the bundle's number of cells.
    error UnknownCell(bytes32 bundleId, uint32 cellIndex, uint256 cells);
    /// @notice Thrown when the roots are not the bundle's under the dataset's anchor.
    error NotAnchored(bytes32 bundleId, bytes32 transportRoot);
    /// @notice Thrown when the same cell of the same bundle is under challenge already.
    error AlreadyChallenged(bytes32 bundleId, uint32 cellIndex, uint256 challengeId);
    /// @notice Thrown when a challenge does not exist or is over.
    error UnknownChallenge(uint256 challengeId);
    /// @notice Thrown when published bytes are not the challenged cell.
    error WrongCell(uint256 challengeId);
    /// @notice Thrown when what follows a bundle's content is not zero: bytes of its last cell, or leaves behind it.
    error WrongFiller(uint256 challengeId);
    /// @notice Thrown when a cell is published after the grace of a called timeout.
    error TooLate(uint256 challengeId, uint64 deadline, uint64 graceEnds);
    /// @notice Thrown when a timeout is called or executed before `from`.
    error TooEarly(uint256 challengeId, uint64 from);
    /// @notice Thrown when a timeout is called twice.
    error TimeoutAlreadyCalled(uint256 challengeId);
    /// @notice Thrown when a slash is asked for without a called timeout.
    error NoTimeout(uint256 challengeId);
    /// @notice Thrown when a parameter is outside its hard bounds.
    error OutOfBounds(bytes32 parameter, uint256 value, uint256 low, uint256 high);
    /// @notice Thrown when there is nothing to pay out.
    error NoCredit(address account);
    /// @notice Thrown when coins are to be sent to nobody or to this contract.
    error InvalidRecipient(address to);
    /// @notice Thrown when the recipient does not take the payment.
    error TransferFailed(address to, uint256 amount);

    event RetrievalChallenged(
        uint256 indexed challengeId,
        bytes32 indexed bundleId,
        address indexed operator,
        address challenger,
        uint32 cellIndex,
        uint64 deadline
    );
    /// @notice The owner of a dataset is asked for a cell of a bundle that no holder owes.
    event OwnerChallenged(
        uint256 indexed challengeId,
        bytes32 indexed datasetId,
        address indexed owner,
        address challenger,
        uint32 bundleIndex,
        uint32 cellIndex,
        uint64 deadline
    );
    /// @param proof path of the cell: with it anyone can show what it contradicts
    event CellPublished(uint256 indexed challengeId, bytes cell, bytes32[] proof);
    event RetrievalTimeoutCalled(uint256 indexed challengeId, uint64 graceEnds);
    event RetrievalFailed(uint256 indexed challengeId, bytes32 indexed bundleId, address indexed operator);
    /// @notice The dataset was over before the challenge was decided: nobody is slashed, the bond returns.
    event RetrievalVoided(uint256 indexed challengeId);
    event CreditWithdrawn(address indexed account, address indexed to, uint256 amount);
    event ParametersSet(uint96 bond, uint32 window, uint32 grace);

    /// @notice Opens a challenge with exactly `bond()` coins. Its window is a 360th longer for each challenge that the
    /// holder has open already, four times as long at most. `bundleProof` are the siblings of the bundle's leaf under
    /// the dataset's bundlesRoot.
    function challenge(
        bytes32 bundleId,
        uint32 cellIndex,
        bytes32 transportRoot,
        bytes32[] calldata bundleProof
    ) external payable returns (uint256 challengeId);

    /// @notice As `challenge`, of the owner of a dataset in an epoch that is paid: for a cell of a bundle that
    /// nobody holds, or whose holder has not agreed to the epoch, as long as no segment is short of holders, and not
    /// twice for one that it has published. The owner is not slashed here: what it leaves unanswered stays open until
    /// the dataset is over, and fails the job whose result it is (`IResultShortfalls.failUnanswered`). Its window is
    /// longer for other open questions to the owner about the same dataset.
    function challengeOwner(
        bytes32 datasetId,
        uint32 bundleIndex,
        uint32 cellIndex,
        bytes32 poseidonRoot,
        bytes32 transportRoot,
        bytes32[] calldata bundleProof
    ) external payable returns (uint256 challengeId);

    /// @notice Publishes the cell (496 bytes) with its path in the transport tree, until the grace of a called timeout
    /// is over. The last cell counts only if zeros follow the bundle's content: with anything else no reader finds the
    /// anchored root, whatever else is published. Anyone may; of the bond up to twice what a publication costs at the
    /// block's base fee goes to the operator, the rest back to the challenger. The question counts as asked for one
    /// window more (`askedSince`), so that what the cell convicts of comes before what it was asked for is paid.
    function publish(uint256 challengeId, bytes calldata cell, bytes32[] calldata proof) external;

    /// @notice Takes published questions out of their datasets' lists, a window after the publication. Anyone may;
    /// those that are released already are passed over.
    function release(uint256[] calldata challengeIds) external;

    /// @notice After the deadline: starts the hour of grace in which the cell may still be published. The caller is the
    /// reporter if it comes to a slash.
    function callTimeout(uint256 challengeId) external;

    /// @notice After the grace: slashes the holder and returns the bond. When the holder was put out for another fault
    /// since the challenge, the challenge has failed as well, and its bond returns at once; so it does when the dataset
    /// is over, and then nobody has failed. Of a question to an owner the bond returns after the grace; the question
    /// itself stays open until the dataset is over.
    function slashFailed(uint256 challengeId) external;

    /// @notice Pays out the caller's credit in the chain's native coin, to an account that is neither zero nor this
    /// contract.
    function withdraw(address payable to) external returns (uint256 amount);

    /// @notice Sets bond, window and grace of new challenges, within hard bounds. Only AccessManager.
    function setParameters(uint96 bond, uint32 window, uint32 grace) external;

    /// @notice Coins that a new challenge must carry.
    function bond() external view returns (uint256);

    /// @notice Seconds that a new challenge leaves for publishing where no other is open, and of grace after a called
    /// timeout.
    function deadlines() external view returns (uint32 window, uint32 grace);

    function challengeOf(uint256 challengeId) external view returns (Challenge memory);

    /// @notice Whether a challenge exists and is not decided.
    function isOpen(uint256 challengeId) external view returns (bool);

    /// @notice Open challenges of a bundle's cells; as long as there are any it cannot be surrendered.
    function openOf(bytes32 bundleId) external view returns (uint256);

    /// @notice Open challenges of all bundles that an operator held when they were made.
    function openAgainst(address operator) external view returns (uint256);

    /// @notice When the oldest question about a dataset's cells was asked that is open, or was not released; 0 when
    /// there is none. What is decided by it cannot be held up by new questions without end.
    function askedSince(bytes32 datasetId) external view returns (uint256);

    /// @notice Questions about a dataset's cells that are open, or were not released, in the order in which they were
    /// asked.
    /// @param after_ the one to begin after; 0 for the oldest
    /// @param most how many at most
    function questionsOf(
        bytes32 datasetId,
        uint256 after_,
        uint256 most
    ) external view returns (uint256[] memory);

    /// @notice When a holder of the dataset last failed to publish a cell; 0 when none has. What it was asked for, its
    /// owner can be asked for from then on.
    function failedAt(bytes32 datasetId) external view returns (uint256);

    /// @notice The open challenge of a cell of the bundle's holder, or 0.
    function openChallengeOf(bytes32 bundleId, uint32 cellIndex) external view returns (uint256 challengeId);

    /// @notice Whether an owner has let its time, and the grace of a called timeout, go by without publishing a cell of
    /// the dataset that it was asked for.
    function isUnanswered(uint256 challengeId, bytes32 datasetId) external view returns (bool);

    function creditOf(address account) external view returns (uint256);
}

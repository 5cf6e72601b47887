// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {DisputeTerms, IDisputedClaims} from "../../disputes/interfaces/IDisputedClaims.sol";
import {TraceLeaf} from "../../disputes/interfaces/IDisputeRules.sol";
import {IAttestedJobs} from "../../attestation/interfaces/IAttestedJobs.sol";
import {ICheckpointedJobs} from "./ICheckpointedJobs.sol";
import {Order} from "./Orders.sol";

/// @title The life of a job, from the order to the payment
/// @notice
/// | from | call | who, when | to | money |
/// |---|---|---|---|---|
/// | – | `open` | the market | Open | deposit and committee's fees into escrow |
/// | Open | `matchJob` | the market, until the order's expiry | Matched | stake and performance bond in |
/// | Open | `cancel` | the market, for the consumer | Cancelled | all back |
/// | Open | `expire` | anyone, after the expiry | Expired | all back |
/// | Matched | `lock` | the provider, within `lockWindow` * | Training | bond in, deposit − price back |
/// | Matched | `unmatch` | the market, after that | Open | stake free, performance bond burnt, the deposit stays |
/// | Matched | `expire` | anyone, after that and the expiry | Expired | stake free, performance bond burnt, all back |
/// | Training | `commit` | the provider, until `trainingTime` is over * | Committed | performance bond back |
/// | Training | `openClaim` | the instalments, for a checkpoint | Training | another bond in |
/// | Training, Committed, Attested | `closeClaim` | the instalments | as before | instalment paid, that bond back |
/// | Training | `refundRest` | anyone, after that | Training | what no checkpoint can earn any more |
/// | Training | `expire` | anyone, later, if none waits | Failed | late penalty, performance bond; the rest back |
/// | Committed | `onAttested` | the committee | Attested | – |
/// | Committed, Attested | `finalise` | anyone, see there * | Finalised | rest of the price, stake free, certificate |
/// | Training, Committed, Attested | `onConvicted` | the game | Failed | none yet |
/// | Committed, Attested | `onWithheld` | the committee | Failed | none yet |
/// | Training, Committed, Attested | `onResultFault` | whoever watches results | Failed | none yet |
/// | Training, Committed, Attested | `onVoid` | the game | Void | none yet |
/// | Failed | `settle` | anyone, once | Failed | stake slashed, the rest back |
/// | Void | `settle` | anyone, once | Void | what is committed to is paid; the rest back |
///
/// \* Each of these times ends by the same clock: when its deadline has passed, anyone may call the timeout
/// (`callTimeout`), and only when the grace after that is over, the next row counts. Until then the provider may still
/// lock or commit, and challenges are still taken.
///
/// Stake and performance bond are locked in `Staking` by the match itself: whatever else the provider has signed for,
/// it can lock the job. The performance bond is a tenth of the deposit, rounded up, and burnt whole;
/// who walks away from a dataset that is over has it back. What it exceeds half of the stake by stays locked after the
/// commitment (below a price of a tenth of the deposit), so that a commitment to nothing burns no less than none.
/// The rest is the price less the instalments that were paid for checkpoints. `expire` in training and `finalise` need
/// every checkpoint that was posted closed, and `finalise` a result that can be retrieved.
///
/// INV-1: every status that is not named in `from` of a row refuses its call
/// INV-2: from every status on, some call that needs neither consumer nor provider leads to an end
/// INV-3: terms and parameters of a job are those of when it was opened
/// INV-4: Σ stake locked by this contract == Σ (stake + `performance`) of jobs in Matched, Training, Committed or
/// Attested, or not settled yet
/// INV-5: at every end, what the provider was paid and what the consumer got back of the price is the deposit
/// INV-6: from the report of an end to its settlement stake, purses and the reward's owner stay as they are, no member
/// of the committee becomes late, and anyone can settle at any time
interface IJobRegistry is IDisputedClaims, IAttestedJobs, ICheckpointedJobs {
    enum Status {
        None,
        Open,
        Matched,
        Training,
        Committed,
        Attested,
        Finalised,
        Expired,
        Cancelled,
        Failed,
        Void
    }

    struct Job {
        address consumer;
        /// When the provider is to lock by, then when it is to commit by (seconds since 1970).
        uint48 deadline;
        /// Last second in which the order can be matched.
        uint48 expiry;
        address provider;
        Status status;
        /// Last second in which a challenge is taken. As long as a committee works it is only a bound: it comes nearer
        /// when the committee attests.
        uint48 challengeUntil;
        /// Equal parts in which the price may be paid (`IInstalments`); 0 or 1: at the end alone.
        uint8 instalments;
        /// Last second of the grace for what is due in this status; 0 as long as no timeout was called.
        uint32 graceEnds;
        /// Tokens.
        uint128 price;
        /// Stake that the provider locks.
        uint128 stake;
        /// Tokens of the provider that are locked beside the stake: from the match to the commitment, and what of them
        /// exceeds half of the stake to the end.
        uint128 performance;
        /// EIP-712 hash of the order's struct.
        bytes32 orderHash;
        bytes32 traceRoot;
        /// Root of the last state; of the order's initial one until the commitment.
        bytes32 stateRoot;
        /// The anchored dataset that holds the last state.
        bytes32 resultId;
    }

    /// @notice Parameters, copied into each job when it is opened.
    struct Parameters {
        /// Seconds from the match to the provider's lock.
        uint32 lockWindow;
        /// Seconds in which challenges are taken after the commitment; as long again when a committee fell silent.
        uint32 challengeWindow;
        /// Stake of a job in hundredths of its price, at least 200, and at least `minimumStake` tokens.
        uint16 stakePercent;
        uint128 minimumStake;
        /// Part of the stake that is slashed when nothing is committed in time, in basis points.
        uint16 latePenalty;
        DisputeTerms dispute;
        /// Native coin that the provider puts up in the game.
        uint96 providerBond;
    }

    /// @notice What a provider commits to.
    struct Commitment {
        bytes32 traceRoot;
        /// Leaf 0 holds the order's initial state, the last one the result.
        TraceLeaf first;
        TraceLeaf last;
        /// SHA-256 of the file with all leaves; its CIDv1 (raw) follows from it. Zero: they are withheld.
        bytes32 leavesDigest;
        /// The anchored dataset that holds the last state; it is not encrypted, and k bundles of each segment are held.
        bytes32 resultId;
    }

    /// @notice Thrown when a job is not in a status that the call needs.
    error WrongStatus(uint256 jobId, Status status);
    /// @notice Thrown when a call comes before its time.
    error TooEarly(uint256 jobId, uint256 from);
    /// @notice Thrown when a call comes after its time.
    error TooLate(uint256 jobId, uint256 until);
    /// @notice Thrown when a timeout is called twice.
    error TimeoutAlreadyCalled(uint256 jobId);
    /// @notice Thrown when someone else than the job's provider calls what is the provider's.
    error NotProvider(uint256 jobId, address caller);
    /// @notice Thrown when someone else than the game, the committee or the instalments calls what is theirs.
    error NotAuthorised(address caller);
    /// @notice Thrown when the training order contradicts the order, the dataset, or what a dispute can handle.
    error UnfitTraining(bytes32 field);
    /// @notice Thrown when committee, threshold, fee and scheme do not fit each other.
    error UnfitCommittee(uint8 size, uint8 threshold);
    /// @notice Thrown when a price exceeds the deposit.
    error PriceAboveDeposit(uint256 price, uint256 deposit);
    /// @notice Thrown when a leaf of the commitment is not under its root, or holds another state.
    error WrongLeaf(uint256 leaf);
    /// @notice Thrown when the result is not stored as it has to be.
    error ResultNotStored(bytes32 resultId);
    /// @notice Thrown when a bundle of the result was placed so lately that its new holder cannot have been asked for
    /// it.
    error ResultJustPlaced(bytes32 resultId, uint256 from);
    /// @notice Thrown when a cell of the result is asked for since a time that counts (`IJobRules.requirePayable`).
    error ResultAskedFor(bytes32 resultId, uint256 since);
    /// @notice Thrown when challenges are open.
    error ChallengesOpen(uint256 jobId, uint256 challenges);
    /// @notice Thrown when the committee has not decided.
    error NotAttested(uint256 jobId);
    /// @notice Thrown when the bond sent is not the job's.
    error WrongBond(uint256 sent, uint256 required);
    /// @notice Thrown when a parameter is outside its hard bounds.
    error OutOfBounds(bytes32 parameter);

    event JobOpened(
        uint256 indexed jobId,
        bytes32 indexed orderHash,
        address indexed consumer,
        Order order,
        bytes training
    );
    event JobMatched(
        uint256 indexed jobId,
        address indexed provider,
        uint256 price,
        uint256 stake,
        uint256 lockUntil
    );
    event JobUnmatched(uint256 indexed jobId, address indexed provider);
    /// @notice A deadline has passed; what was due may be done until `graceEnds`.
    event TimeoutCalled(uint256 indexed jobId, uint256 graceEnds);
    event JobLocked(uint256 indexed jobId, address indexed provider, uint256 stake, uint256 commitUntil);
    event JobCommitted(
        uint256 indexed jobId,
        address indexed provider,
        bytes32 traceRoot,
        bytes32 stateRoot,
        bytes32 leavesDigest,
        bytes32 resultId,
        uint256 challengeUntil
    );
    event JobAttested(uint256 indexed jobId);
    /// @param paid the whole price, instalments included
    event JobFinalised(uint256 indexed jobId, address indexed provider, uint256 paid, uint256 certificateId);
    event JobExpired(uint256 indexed jobId);
    event JobCancelled(uint256 indexed jobId);
    /// @param reason "late", "convicted", "withheld", "lost", "misstored" or "stranded"
    event JobFailed(
        uint256 indexed jobId,
        address indexed provider,
        bytes32 reason,
        uint256 slashed,
        uint256 refunded
    );
    /// @param paid now, beside instalments
    event JobVoided(uint256 indexed jobId, uint256 paid, uint256 refunded);
    event ParametersSet(Parameters parameters);

    /// @notice Opens a job for an order whose signature the market has checked. The market alone.
    /// @param orderHash EIP-712 hash of the order's struct
    /// @param training encoded training order behind `problem.trainingHash`, at most 8 KiB
    function open(
        Order calldata order,
        bytes32 orderHash,
        bytes calldata training
    ) external returns (uint256 jobId);

    /// @notice Gives an open job to a provider, and locks its stake and its performance bond. The market alone.
    /// @param price in tokens, at most the deposit
    function matchJob(uint256 jobId, address provider, uint256 price) external;

    /// @notice Takes a job from a provider that did not lock in time, after the grace. The market alone.
    function unmatch(uint256 jobId) external;

    /// @notice Ends an open job. The market alone.
    function cancel(uint256 jobId) external;

    /// @notice Takes on a job that was matched: the caller puts up its bond, exactly; training begins.
    function lock(uint256 jobId) external payable;

    /// @notice Commits to the trace and the result.
    function commit(uint256 jobId, Commitment calldata commitment) external;

    /// @notice Says that the time to lock, to commit or to challenge is over: the grace (`DisputeTerms.grace`) begins,
    /// so that a sequencer that was down or censored costs nobody a bond, nor a consumer its challenge. Anyone. The
    /// time to challenge a commitment is over
    /// - without a committee, or when it has attested: after `challengeUntil`;
    /// - when it fell silent: after twice the challenge window;
    /// - when it has not decided: 30 days later.
    function callTimeout(uint256 jobId) external;

    /// @notice Ends a job that nobody took, or whose provider is late and has had its grace. Anyone.
    function expire(uint256 jobId) external;

    /// @notice Gives back what is left of the deposit of a job that is too late to be committed to, but for what its
    /// checkpoints may still earn. Those that wait for their payment keep the job from its end (`expire`), and how long
    /// they wait is in their provider's hands. Anyone.
    function refundRest(uint256 jobId) external;

    /// @notice Pays. Anyone, when no challenge is open and the grace after `callTimeout` is over.
    function finalise(uint256 jobId) external returns (uint256 certificateId);

    /// @notice All zeros for a job that never was.
    function jobOf(uint256 jobId) external view returns (Job memory);

    /// @notice Where a job stands: `None` for one that never was.
    function statusOf(uint256 jobId) external view returns (Status);

    /// @notice Parameters of a job.
    function parametersOf(uint256 jobId) external view returns (Parameters memory);

    /// @notice Stake that a job at this price would lock of this provider: it grows with every conviction and
    /// shrinks again with time, so that capacity follows conduct.
    function stakeFor(address provider, uint256 price) external view returns (uint256);

    /// @notice As `stakeFor`, for a job that is open: by the parameters that were in force then.
    function stakeForJob(uint256 jobId, address provider, uint256 price) external view returns (uint256);

    /// @notice Tokens that are locked of a provider, beside its stake, for a job with this deposit.
    function performanceFor(uint256 deposit) external pure returns (uint256);
}

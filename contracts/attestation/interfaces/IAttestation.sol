// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ICommittee} from "./ICommittee.sol";

/// @notice Where the committee of a job stands.
enum Phase {
    None,
    /// The seed of the draw is awaited.
    Seeding,
    /// Members check their intervals and sign.
    Signing,
    /// The provider opens the witness commitments of their intervals.
    Opening,
    /// The members' digests are revealed.
    Revealing,
    Attested,
    Silent,
    Closed
}

/// @notice Times and slashes, fixed for a job when its committee is asked for. Seconds and tokens.
struct CommitteeTerms {
    /// From the draw to the signed root.
    uint32 signingWindow;
    /// For the provider to open what the members checked.
    uint32 openingWindow;
    /// For the digests.
    uint32 revealWindow;
    /// In which a late party may still move after a timeout was called.
    uint32 grace;
    /// In which the verdict stays pending after the digests were revealed, so that what they show can be disputed.
    uint32 disputeTime;
    /// In which what a member has signed can be accused, from when it was signed, or revealed.
    uint32 accusableFor;
    /// For a move in a game over what a member has signed.
    uint32 moveWindow;
    uint128 silentSlash;
    uint128 lieSlash;
    /// For each interval that a member checks: an order that offers less gets no committee.
    uint128 leastFee;
}

/// @notice What members sign, and who did.
struct Statement {
    /// Mask of the positions whose digests are under the root.
    uint256 members;
    /// Merkle root over their leaves: position by position, interval by interval.
    bytes32 root;
    /// Mask of those who signed: all members when it is posted.
    uint256 signers;
    uint256[2] signature;
    /// Sum of the signers' keys in G2, `[x1, x0, y1, y0]`.
    uint256[4] key;
}

/// @notice What stands behind leaf `interval + 1` of a trace.
struct Opening {
    bytes32 stateRoot;
    bytes32 salt;
    /// Witness commitments of the interval's steps.
    bytes32[] witnesses;
    /// Of the trace's leaf.
    bytes32[] siblings;
}

/// @notice A digest that is not the one of what the provider opened.
struct Difference {
    /// Number of the leaf under the signed root.
    uint256 leaf;
    bytes32 digest;
}

/// @notice A leaf under a signed root.
struct SwornLeaf {
    Statement statement;
    bytes32 digest;
    bytes32[] siblings;
}

/// @title Committees that check samples of a trace
/// @notice
/// | phase | call | who, when | to |
/// |---|---|---|---|
/// | – | `open` | the registry | Seeding |
/// | Seeding | `draw` | anyone, when the seed is there | Signing; the next attempt when too few can be drawn |
/// | Seeding | `renew` | anyone, when the seed came too late to be used, or the beacon took no request | Seeding |
/// | Signing | `attest` | anyone, with the signatures of at least `threshold` members | Opening |
/// | Opening | `openWitnesses` | anyone, the provider as a rule | Opening, Revealing when all are open |
/// | Revealing | `reveal` | anyone | Attested; the next attempt when too few agree |
/// | Signing, Revealing | `executeTimeout` | anyone, after window, call and grace | the next attempt |
/// | Opening | `executeTimeout` | likewise | Closed: the registry convicts the provider |
/// | any but – | `close` | the registry | Closed |
///
/// The next attempt is Seeding again, twice; after that it is Silent. A member makes sure, before it signs, that its
/// own leaves are right and that it holds all others: then it can reveal when nobody else does. One that could not get
/// its signature collected, or that was not shown what it was to check, says so with `appear`: it is not silent, and is
/// paid its fee divided by `PRESENCE_DIVISOR` when nothing is signed in time.
/// INV-1: a root is taken only with the signatures of at least `threshold` distinct members of the draw
/// INV-2: no member is slashed that appeared or signed, saw to the reveal, signed one digest for each of its intervals,
/// and answers in time for those of which it computed the digest rightly, whatever anybody else says or does not say
/// INV-3: members are on duty until nothing that they signed can be accused any more and no accusation is open
/// INV-4: terms of a job are those of when its committee was asked for
/// INV-5: fees paid for a job ≤ feesFor(intervals, size, feePerInterval)
/// INV-6: a fault of a member in a draw is slashed once
interface IAttestation is ICommittee {
    struct Job {
        address provider;
        uint32 intervals;
        uint8 size;
        /// From here on in a slot of its own, which every step writes.
        uint112 feePerInterval;
        uint8 threshold;
        /// Index of its terms.
        uint16 terms;
        /// Draw that is on, from 1.
        uint8 attempt;
        Phase phase;
        /// Last second of the phase.
        uint40 deadline;
        /// Last second of the grace, 0 as long as no timeout was called.
        uint40 graceEnds;
        /// Leaves whose witnesses are open.
        uint16 opened;
    }

    /// @dev Masks are of positions.
    struct Draw {
        /// 0 when the beacon refused: there is nothing to wait for, and `renew` may ask at once.
        uint64 requestId;
        uint32 rotation;
        /// Last second in which the seed can be used; before the present when none was asked for.
        uint40 drawUntil;
        uint40 signedAt;
        /// Members drawn.
        uint8 count;
        /// The members' duties have ended.
        bool isDismissed;
        uint64 signers;
        uint64 appeared;
        /// Still to be slashed for silence.
        uint64 silent;
        /// Found to have lied.
        uint64 liars;
        uint40 revealedAt;
        /// Accusations of members that are open.
        uint24 accusations;
        /// What was signed; before that the seed, which the beacon keeps, so that signing writes no fresh slot.
        bytes32 root;
        /// Hash chain over what was opened.
        bytes32 openings;
    }

    /// @notice Thrown when someone else than the registry calls what is the registry's.
    error NotRegistry(address caller);
    /// @notice Thrown when a job is not in the phase that a call needs.
    error WrongPhase(uint256 jobId, Phase phase);
    /// @notice Thrown when a size, a threshold, a number of intervals or a fee (below 2^112) is none that a committee
    /// can have.
    error UnfitCommittee(uint256 size, uint256 threshold, uint256 intervals);
    /// @notice Thrown when the seed is not there, or the beacon takes no request for one.
    error NoSeed(uint256 jobId);
    /// @notice Thrown when a call comes before its time.
    error TooEarly(uint256 jobId, uint256 from);
    /// @notice Thrown when a call comes after its time.
    error TooLate(uint256 jobId, uint256 until);
    /// @notice Thrown when a timeout is called or executed for a job that has ended.
    error JobOver(uint256 jobId);
    /// @notice Thrown when a timeout is called twice in one phase.
    error TimeoutAlreadyCalled(uint256 jobId);
    /// @notice Thrown when fewer members sign than must, or a mask names others.
    error WrongSigners(uint256 signers);
    /// @notice Thrown when a signature is not that of the members.
    error WrongSignature();
    /// @notice Thrown when an opening is not that of the trace.
    error WrongOpening(uint256 leaf);
    /// @notice Thrown when more is opened than was asked for.
    error NothingToOpen();
    /// @notice Thrown when what is revealed is not what was signed, or opened.
    error WrongReveal();
    /// @notice Thrown when a position is not the caller's.
    error NotMember(uint256 position, address caller);
    /// @notice Thrown when a member did not do what it is accused of, or was slashed for it.
    error NoFault(uint256 position);
    /// @notice Thrown when a member is accused that has not signed, or was found to have lied.
    error NotAccusable(uint256 position);
    /// @notice Thrown when members are to be dismissed before their work is over, while what they signed can be or is
    /// accused, or twice.
    error NotOver(uint256 jobId);
    /// @notice Thrown when an order offers a committee less for each interval than the least.
    error FeeTooLow(uint256 fee, uint256 least);
    /// @notice Thrown when a term is outside its hard bounds.
    error OutOfBounds(bytes32 term);

    /// @param requestId 0 when the beacon refused
    event CommitteeAsked(
        uint256 indexed jobId,
        uint256 indexed attempt,
        uint256 requestId,
        uint256 rotation,
        uint256 terms
    );
    event CommitteeDrawn(
        uint256 indexed jobId,
        uint256 indexed attempt,
        bytes32 seed,
        uint256[] members,
        uint256 deadline
    );
    event MemberAppeared(
        uint256 indexed jobId,
        uint256 indexed attempt,
        uint256 position,
        bytes32 commitment
    );
    event RootSigned(
        uint256 indexed jobId,
        uint256 indexed attempt,
        uint256 signers,
        bytes32 root,
        uint256 deadline
    );
    /// @param first leaf of the signed root to which the first of these belongs
    /// @param witnessHashes keccak256 of the witness commitments of each interval
    event WitnessesOpened(
        uint256 indexed jobId,
        uint256 indexed attempt,
        uint256 first,
        bytes32[] witnessHashes
    );
    /// @param differing mask of the members of which a digest differs; `differences` says which
    event DigestsRevealed(
        uint256 indexed jobId,
        uint256 indexed attempt,
        uint256 differing,
        Difference[] differences
    );
    event CommitteeAttested(uint256 indexed jobId, uint256 indexed attempt, uint256 feePerMember);
    event AttemptFailed(uint256 indexed jobId, uint256 indexed attempt, uint256 silent);
    /// @param until last second in which the verdict is still pending, so that differing digests can be disputed
    event CommitteeSilent(uint256 indexed jobId, uint256 until);
    event CommitteeClosed(uint256 indexed jobId);
    event TimeoutCalled(uint256 indexed jobId, uint256 graceEnds);
    event WitnessesWithheld(uint256 indexed jobId, address indexed reporter);
    /// @param reason "silent", "wrong" or "equivocation"
    event MemberSlashed(
        uint256 indexed jobId,
        uint256 indexed attempt,
        uint256 indexed member,
        bytes32 reason
    );
    event CommitteeDismissed(uint256 indexed jobId, uint256 indexed attempt);
    event TermsSet(uint256 indexed index, CommitteeTerms terms);

    /// @notice Draws the members, when the seed is there; anyone.
    function draw(uint256 jobId) external;

    /// @notice Asks for another seed when the one asked for came too late to be used, or when the beacon took no
    /// request; anyone. Fails while the beacon refuses.
    function renew(uint256 jobId) external;

    /// @notice Says that a member is there; only its operator. Members outside a posted root lose their fee alone;
    /// where no root is posted in time, those that have appeared are paid a part of it.
    /// @param commitment root over the member's leaves, for others to collect
    function appear(uint256 jobId, uint256 position, bytes32 commitment) external;

    /// @notice Posts the root that members signed; anyone.
    function attest(uint256 jobId, Statement calldata statement) external;

    /// @notice Opens the witness commitments behind the next leaves of the signed root; anyone.
    function openWitnesses(uint256 jobId, Opening[] calldata openings) external;

    /// @notice Reveals the digests behind the signed root, pays the members that agree; anyone.
    /// @param witnessHashes as in the events `WitnessesOpened`, one for each leaf
    /// @param differences digests of the leaves that differ, in ascending order
    function reveal(
        uint256 jobId,
        bytes32[] calldata witnessHashes,
        Difference[] calldata differences
    ) external;

    /// @notice Calls the timeout of a phase that is over; anyone.
    function callTimeout(uint256 jobId) external;

    /// @notice Ends a phase whose timeout stands, and pays the members that were there where none was signed; anyone.
    function executeTimeout(uint256 jobId) external;

    /// @notice Slashes a member that was silent; anyone.
    function slashSilent(uint256 jobId, uint256 attempt, uint256 position) external;

    /// @notice Slashes a member that signed two digests for one of its intervals; anyone. Another root alone is no
    /// fault: when a member drops out, the others sign again.
    function slashEquivocation(
        uint256 jobId,
        uint256 attempt,
        uint256 position,
        uint256 number,
        SwornLeaf calldata one,
        SwornLeaf calldata other
    ) external;

    /// @notice Ends the duties of a draw's members, when nothing that they signed can be accused any more; anyone.
    function dismiss(uint256 jobId, uint256 attempt) external;

    /// @notice Sets the terms of future committees. Only AccessManager.
    function setTerms(CommitteeTerms calldata terms) external;

    /// @notice All zeros for a job without a committee.
    function jobOf(uint256 jobId) external view returns (Job memory);

    function drawOf(uint256 jobId, uint256 attempt) external view returns (Draw memory);

    /// @notice Ids of the validators drawn; their places in this list are their positions.
    function membersOf(uint256 jobId, uint256 attempt) external view returns (uint256[] memory);

    /// @notice Intervals of a member, in ascending order.
    function intervalsOf(
        uint256 jobId,
        uint256 attempt,
        uint256 position
    ) external view returns (uint256[] memory);

    /// @notice What the members sign.
    function messageOf(
        uint256 jobId,
        uint256 attempt,
        uint256 members,
        bytes32 root
    ) external view returns (bytes32);

    /// @notice Terms of a job.
    function termsOf(uint256 jobId) external view returns (CommitteeTerms memory);

    /// @notice Terms of future committees, and their index.
    function terms() external view returns (CommitteeTerms memory, uint256 index);
}

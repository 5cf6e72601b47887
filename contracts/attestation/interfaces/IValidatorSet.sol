// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice A BLS key in both groups of BN254.
struct BlsKey {
    uint256[2] g1;
    /// `[x1, x0, y1, y0]`, as EIP-197 has it.
    uint256[4] g2;
}

/// @title Validators: keys, stake and rotations
/// @notice Time is cut into rotations. What changes in one takes effect in the next, so that a draw whose seed is asked
/// for in a rotation sees only who was enrolled, and with which weight, before that. A weight is a number of units of
/// stake, all of which this contract locks.
/// INV-1: Σ stake locked by this contract for an operator, and slashed since ≥ weight · unit, for each weight of a
/// rotation from which it can still be drawn, or from which a duty of it is on
/// INV-2: whoever can be drawn, is on duty, or was within the exit delay, has its stake locked
/// INV-3: no two validators ever have the same key
interface IValidatorSet {
    struct Validator {
        address operator;
        /// Committees on which it has to stay accountable.
        uint24 duties;
        /// Where it stands in the tree of weights.
        uint16 place;
        /// Units of stake, from the next rotation on.
        uint16 weight;
        /// First second after which stake beyond its weight can be unlocked; 0 when none is to be. When its weight is
        /// 0 then, it has left, or was slashed to nothing: its place is free after that.
        uint40 exitAt;
    }

    /// @notice Thrown when an operator that is enrolled, or not yet released, enrols.
    error AlreadyEnrolled(address operator);
    /// @notice Thrown when an operator that is not enrolled, or has left, calls what is a validator's.
    error NotEnrolled(address operator);
    /// @notice Thrown when an operator lacks the validator's role or the stake.
    error NotEligible(address operator, uint256 stake);
    /// @notice Thrown when a weight is zero, too large, or not on the side of the present one that a call asks for.
    error UnfitWeight(uint256 weight);
    /// @notice Thrown when a key was registered before.
    error KeyTaken(bytes32 key);
    /// @notice Thrown when a proof of possession does not hold, or the two halves of a key do not belong together.
    error WrongPossession();
    /// @notice Thrown when there is no place left.
    error SetFull();
    /// @notice Thrown when a validator's stake is not free yet, because of its time or of duties from before.
    error StillBound(uint256 id, uint256 duties, uint256 exitAt);
    /// @notice Thrown when a duration or the unit is outside its hard bounds.
    error OutOfBounds(bytes32 parameter);

    event Enrolled(uint256 indexed id, address indexed operator, uint256 place, BlsKey key);
    event WeightSet(uint256 indexed id, uint256 weight, uint256 fromRotation);
    event Lowered(uint256 indexed id, uint256 exitAt);
    event Resigned(uint256 indexed id, uint256 exitAt);
    /// @notice A duty that bound leaving stake has ended: what it did wrong can be shown for the exit delay more.
    event ExitDelayed(uint256 indexed id, uint256 exitAt);
    event Released(uint256 indexed id, address indexed operator, uint256 amount);
    event DutiesBegun(uint256[] ids);
    event DutiesEnded(uint256[] ids);
    event Punished(uint256 indexed id, address indexed operator, uint256 amount, bytes32 reason);

    /// @notice Enrols the caller from the next rotation on and locks `weight` units of its stake.
    /// @param possession the key's signature of `possessionMessage`, in the domain of possessions
    function enrol(
        uint256 weight,
        BlsKey calldata key,
        uint256[2] calldata possession
    ) external returns (uint256 id);

    /// @notice Locks more stake of the caller; it counts from the next rotation on. Who was slashed to nothing keeps
    /// its place that way, as long as nobody has released it; who has resigned does not.
    function raise(uint256 weight) external;

    /// @notice Gives the caller a lower weight, from the next rotation on. What it had locked beyond that stays locked
    /// until `release`; lowering again begins that time anew.
    function lower(uint256 weight) external;

    /// @notice Takes the caller out of the draws from the next rotation on.
    function resign() external;

    /// @notice Unlocks the stake of a validator beyond its weight, all of it when it has left, once it can no longer be
    /// drawn with a larger weight and is dismissed from all committees that were. The place of one without weight is
    /// free then, whether it has resigned or was slashed to nothing. Anyone.
    function release(uint256 id) external;

    /// @notice Draws distinct validators by weight, and puts them on duty. Only the committee.
    /// @param rotation the one in which the seed was asked for
    /// @param excluded operator that is not to be drawn
    /// @return ids at most `size` of them, in the order in which they were drawn
    function draw(
        bytes32 seed,
        uint48 rotation,
        uint256 size,
        address excluded
    ) external returns (uint256[] memory ids);

    /// @notice Ends a duty of each; stake that leaves is bound for the exit delay after it. Only the committee.
    /// @param rotation the one that they were drawn from
    function excuse(uint48 rotation, uint256[] calldata ids) external;

    /// @notice Slashes a validator, whether it has left or not. What is left counts as its weight from the next
    /// rotation on; where that is less than a unit, its exit begins. Only the committee.
    function punish(uint256 id, uint256 amount, address reporter, bytes32 reason) external;

    /// @notice Stops enrolments; nothing else: a member that was slashed may raise its weight again. Only
    /// AccessManager.
    function pause() external;

    /// @notice Ends `pause`. Only AccessManager.
    function unpause() external;

    /// @notice Whether all of these validators have signed a message, in the domain of attestations.
    /// @param ids distinct ones: it is for the caller to see to that
    /// @param key sum of their keys in G2
    function isSignedBy(
        uint256[] calldata ids,
        bytes32 message,
        uint256[2] calldata signature,
        uint256[4] calldata key
    ) external view returns (bool);

    /// @notice All zeros for an id that was never given out.
    function validatorOf(uint256 id) external view returns (Validator memory);

    /// @notice Id of an operator that is enrolled or not yet released, else 0.
    function idOf(address operator) external view returns (uint256);

    /// @notice Key in G1; that in G2 is in the event `Enrolled`.
    function keyOf(uint256 id) external view returns (uint256[2] memory);

    /// @notice Sum of the weights in a rotation.
    function totalWeight(uint48 from) external view returns (uint256);

    /// @notice The rotation that is on.
    function rotation() external view returns (uint48);

    /// @notice Seconds after the end of a rotation in which draws from it are possible.
    function exitDelay() external view returns (uint40);

    /// @notice What an operator signs to enrol with a key.
    function possessionMessage(address operator, BlsKey calldata key) external view returns (bytes32);
}

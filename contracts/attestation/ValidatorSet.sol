// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {BN254} from "../libraries/BN254.sol";
import {LapsingPause} from "../libraries/LapsingPause.sol";
import {IStaking} from "../staking/interfaces/IStaking.sol";
import {AggregateBLS} from "./AggregateBLS.sol";
import {AttestationMath} from "./AttestationMath.sol";
import {BlsKey, IValidatorSet} from "./interfaces/IValidatorSet.sol";
import {WeightTree} from "./WeightTree.sol";

/// @title Validators: keys, stake and rotations
/// @dev An operator has one enrolment at a time, so all that this contract has locked of its stake is that one's.
contract ValidatorSet is IValidatorSet, AccessManaged, LapsingPause {
    using Checkpoints for Checkpoints.Trace208;
    using WeightTree for WeightTree.Tree;

    struct Configuration {
        IStaking staking;
        /// Tokens behind a weight of 1.
        uint128 unit;
        /// Seconds of a rotation.
        uint40 period;
        /// Seconds after the end of a rotation in which draws from it are possible.
        uint40 exitDelay;
    }

    /// @dev Stake that leaves, of a validator or with it.
    struct Leaving {
        /// First rotation in which the lower weight counts.
        uint48 from;
        /// Duties from draws of rotations before that.
        uint24 duties;
        /// It leaves by its own will.
        bool isResigned;
    }

    uint256 private constant SHORTEST = 1 minutes;
    uint256 private constant LONGEST = 30 days;
    uint256 private constant MAX_UNIT = 1e25;

    IStaking public immutable staking;
    uint128 public immutable unit;
    uint40 public immutable period;
    /// @inheritdoc IValidatorSet
    uint40 public immutable override exitDelay;

    /// @notice Validators ever enrolled; ids run from 1.
    uint256 public validatorCount;
    uint256 private _places;
    uint256[] private _freePlaces;
    WeightTree.Tree private _weights;
    /// @dev Who stands where, by rotation.
    mapping(uint256 place => Checkpoints.Trace208) private _holders;
    mapping(uint256 id => Validator) private _validators;
    mapping(uint256 id => Leaving) private _leaving;
    mapping(uint256 id => uint256[2]) private _keys;
    mapping(address operator => uint256 id) private _idOf;
    mapping(bytes32 key => bool) private _isTaken;

    constructor(address authority, Configuration memory configuration) AccessManaged(authority) {
        if (configuration.unit == 0 || configuration.unit > MAX_UNIT) revert OutOfBounds("unit");
        _requireDuration(configuration.period, "period");
        _requireDuration(configuration.exitDelay, "exitDelay");
        staking = configuration.staking;
        unit = configuration.unit;
        period = configuration.period;
        exitDelay = configuration.exitDelay;
    }

    /// @inheritdoc IValidatorSet
    function enrol(
        uint256 weight,
        BlsKey calldata key,
        uint256[2] calldata possession
    ) external override whenNotPaused returns (uint256 id) {
        if (_idOf[msg.sender] != 0) revert AlreadyEnrolled(msg.sender);
        bytes32 hash = keccak256(abi.encode(key.g1));
        if (_isTaken[hash]) revert KeyTaken(hash);
        bytes32 message = AttestationMath.possessionOf(msg.sender, key.g1, key.g2);
        bool isPossessed = AggregateBLS.verify(
            AttestationMath.POSSESSION_DOMAIN,
            message,
            possession,
            key.g1,
            key.g2
        );
        if (!isPossessed) revert WrongPossession();

        _isTaken[hash] = true;
        id = ++validatorCount;
        _idOf[msg.sender] = id;
        _keys[id] = key.g1;
        Validator storage v = _validators[id];
        uint256 place = _takePlace();
        (v.operator, v.place) = (msg.sender, uint16(place));
        _holders[place].push(rotation() + 1, uint208(id));
        emit Enrolled(id, msg.sender, place, key);
        _lock(id, v, weight);
    }

    /// @inheritdoc IValidatorSet
    function raise(uint256 weight) external override {
        (uint256 id, Validator storage v) = _enrolled(msg.sender);
        _lock(id, v, weight);
    }

    /// @inheritdoc IValidatorSet
    function lower(uint256 weight) external override {
        (uint256 id, Validator storage v) = _enrolled(msg.sender);
        if (weight == 0 || weight >= v.weight) revert UnfitWeight(weight);
        _reduce(id, v, weight);
        emit Lowered(id, v.exitAt);
    }

    /// @inheritdoc IValidatorSet
    function resign() external override {
        (uint256 id, Validator storage v) = _enrolled(msg.sender);
        _reduce(id, v, 0);
        _leaving[id].isResigned = true;
        emit Resigned(id, v.exitAt);
    }

    /// @inheritdoc IValidatorSet
    function release(uint256 id) external override {
        Validator storage v = _validators[id];
        address operator = v.operator;
        if (_idOf[operator] != id || id == 0) revert NotEnrolled(operator);
        (uint256 exitAt, uint256 weight, uint256 duties) = (v.exitAt, v.weight, _leaving[id].duties);
        if (exitAt == 0 || block.timestamp <= exitAt || duties != 0) revert StillBound(id, duties, exitAt);
        if (weight == 0) {
            delete _idOf[operator];
            _freePlaces.push(v.place);
        } else {
            v.exitAt = 0;
        }
        uint256 held = staking.lockedBy(operator, address(this));
        uint256 kept = weight * unit;
        uint256 amount = held > kept ? held - kept : 0;
        emit Released(id, operator, amount);
        staking.unlock(operator, amount);
    }

    /// @inheritdoc IValidatorSet
    function draw(
        bytes32 seed,
        uint48 from,
        uint256 size,
        address excluded
    ) external override restricted returns (uint256[] memory ids) {
        (uint256[] memory words, uint256 total) = _weights.load(from);
        ids = new uint256[](size);
        uint256 count = 0;
        for (uint256 i = 0; count < size && total != 0; ++i) {
            uint256 point = uint256(keccak256(abi.encode(seed, i))) % total;
            (uint256 place, uint256 weight) = _weights.take(from, words, point);
            total -= weight;
            uint256 id = _holders[place].upperLookupRecent(from);
            Validator storage v = _validators[id];
            if (v.operator == excluded) continue;
            ++v.duties;
            if (v.exitAt != 0 && from < _leaving[id].from) ++_leaving[id].duties;
            ids[count++] = id;
        }
        assembly ("memory-safe") {
            mstore(ids, count)
        }
        emit DutiesBegun(ids);
    }

    /// @inheritdoc IValidatorSet
    function excuse(uint48 from, uint256[] calldata ids) external override restricted {
        for (uint256 i = 0; i < ids.length; ++i) {
            Validator storage v = _validators[ids[i]];
            --v.duties;
            if (v.exitAt != 0 && from < _leaving[ids[i]].from) _freeLeaving(ids[i], v);
        }
        emit DutiesEnded(ids);
    }

    /// @inheritdoc IValidatorSet
    function punish(
        uint256 id,
        uint256 amount,
        address reporter,
        bytes32 reason
    ) external override restricted {
        address operator = _validators[id].operator;
        (uint256 slashed, ) = staking.slash(operator, amount, reporter, reason);
        emit Punished(id, operator, slashed, reason);
        uint256 present = _idOf[operator];
        if (present == 0) return;
        Validator storage v = _validators[present];
        uint256 covered = staking.lockedBy(operator, address(this)) / unit;
        if (covered >= v.weight) return;
        if (covered != 0) {
            _setWeight(present, v, covered);
        } else {
            // A place is for who has stake: anyone releases it after the exit, unless its holder is raised before.
            _reduce(present, v, 0);
            emit Lowered(present, v.exitAt);
        }
    }

    /// @inheritdoc IValidatorSet
    function pause() external override restricted {
        _pause();
    }

    /// @inheritdoc IValidatorSet
    function unpause() external override restricted {
        _unpause();
    }

    /// @inheritdoc IValidatorSet
    function isSignedBy(
        uint256[] calldata ids,
        bytes32 message,
        uint256[2] calldata signature,
        uint256[4] calldata key
    ) external view override returns (bool) {
        uint256[2] memory sum;
        for (uint256 i = 0; i < ids.length; ++i) {
            bool ok;
            (ok, sum) = BN254.add(sum, _keys[ids[i]]);
            // Registered keys are on the curve: gas ran out.
            if (!ok) return false;
        }
        return AggregateBLS.verify(AttestationMath.SIGNATURE_DOMAIN, message, signature, sum, key);
    }

    /// @inheritdoc IValidatorSet
    function validatorOf(uint256 id) external view override returns (Validator memory) {
        return _validators[id];
    }

    /// @inheritdoc IValidatorSet
    function idOf(address operator) external view override returns (uint256) {
        return _idOf[operator];
    }

    /// @inheritdoc IValidatorSet
    function keyOf(uint256 id) external view override returns (uint256[2] memory) {
        return _keys[id];
    }

    /// @inheritdoc IValidatorSet
    function totalWeight(uint48 from) external view override returns (uint256 total) {
        (, total) = _weights.load(from);
    }

    /// @inheritdoc IValidatorSet
    function possessionMessage(
        address operator,
        BlsKey calldata key
    ) external view override returns (bytes32) {
        return AttestationMath.possessionOf(operator, key.g1, key.g2);
    }

    /// @inheritdoc IValidatorSet
    function rotation() public view override returns (uint48) {
        return uint48(block.timestamp / period);
    }

    /// @dev Locks what the weight needs beyond what is locked.
    function _lock(uint256 id, Validator storage v, uint256 weight) private {
        if (weight <= v.weight || weight > WeightTree.MAX_WEIGHT) revert UnfitWeight(weight);
        uint256 needed = weight * unit;
        uint256 held = staking.lockedBy(msg.sender, address(this));
        uint256 more = needed > held ? needed - held : 0;
        if (!staking.isEligible(msg.sender, IStaking.Role.Validator, more)) {
            revert NotEligible(msg.sender, more);
        }
        _setWeight(id, v, weight);
        staking.lock(msg.sender, more);
    }

    /// @dev Every duty that is on was drawn before the lower weight counts; those that are yet to be drawn from such a
    /// rotation are counted as they come.
    function _reduce(uint256 id, Validator storage v, uint256 weight) private {
        uint256 next = uint256(rotation()) + 1;
        _leaving[id] = Leaving(uint48(next), v.duties, false);
        v.exitAt = uint40(next * period + exitDelay);
        _setWeight(id, v, weight);
    }

    /// @dev Some faults can be shown only once a job is over: the stake stays where a slash finds it until they were.
    function _freeLeaving(uint256 id, Validator storage v) private {
        --_leaving[id].duties;
        uint40 exitAt = uint40(block.timestamp) + exitDelay;
        if (exitAt <= v.exitAt) return;
        v.exitAt = exitAt;
        emit ExitDelayed(id, exitAt);
    }

    function _setWeight(uint256 id, Validator storage v, uint256 weight) private {
        uint48 next = rotation() + 1;
        _weights.set(v.place, v.weight, weight, next);
        v.weight = uint16(weight);
        emit WeightSet(id, weight, next);
    }

    function _takePlace() private returns (uint256 place) {
        uint256 free = _freePlaces.length;
        if (free != 0) {
            place = _freePlaces[free - 1];
            _freePlaces.pop();
        } else {
            if (_places == WeightTree.PLACES) revert SetFull();
            place = _places++;
        }
    }

    function _enrolled(address operator) private view returns (uint256 id, Validator storage v) {
        id = _idOf[operator];
        v = _validators[id];
        if (id == 0 || _leaving[id].isResigned) revert NotEnrolled(operator);
    }

    function _requireDuration(uint256 duration, bytes32 parameter) private pure {
        if (duration < SHORTEST || duration > LONGEST) revert OutOfBounds(parameter);
    }
}

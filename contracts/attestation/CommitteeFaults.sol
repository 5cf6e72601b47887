// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Bits} from "../libraries/Bits.sol";
import {MerkleProofs} from "../libraries/MerkleProofs.sol";
import {AttestationMath} from "./AttestationMath.sol";
import {CommitteeTable} from "./CommitteeTable.sol";
import {CommitteeTerms, IAttestation, Opening, Statement, SwornLeaf} from "./interfaces/IAttestation.sol";
import {IMemberClaims, MemberClaim} from "./interfaces/IMemberClaims.sol";

/// @title What members are slashed for
/// @dev For what they did themselves: were silent, signed two digests, or lost a game over a claim of theirs. A lie is
/// slashed once in a draw, whichever of its proofs comes first.
abstract contract CommitteeFaults is IMemberClaims, CommitteeTable {
    /// @dev One interval of one member.
    struct Assignment {
        uint256 position;
        uint256 number;
        /// Intervals of each member.
        uint256 count;
        uint256 member;
        uint256 interval;
    }

    bytes32 private constant SILENT = "silent";
    bytes32 private constant WRONG = "wrong";
    bytes32 private constant EQUIVOCATION = "equivocation";

    /// @inheritdoc IAttestation
    function slashSilent(uint256 jobId, uint256 attempt, uint256 position) external override {
        Draw storage d = _draws[jobId][attempt];
        uint256 silent = d.silent;
        if (!_has(silent, position)) revert NoFault(position);
        d.silent = uint64(silent & ~(1 << position));
        _punish(jobId, attempt, position, _termsOf(_jobs[jobId]).silentSlash, SILENT, msg.sender);
    }

    /// @inheritdoc IMemberClaims
    function onAccused(
        uint256 jobId,
        uint256 attempt,
        uint256 position,
        uint256 number
    ) external override restricted returns (MemberClaim memory claim) {
        Draw storage d = _draws[jobId][attempt];
        uint256 signers = d.signers;
        if (!_has(signers, position) || _has(d.liars, position)) revert NotAccusable(position);
        CommitteeTerms storage inForce = _termsOf(_jobs[jobId]);
        uint256 until = _accusableUntil(d, inForce);
        if (block.timestamp > until) revert TooLate(jobId, until);
        ++d.accusations;
        Assignment memory own = _assignmentOf(jobId, attempt, position, number);
        (uint256 leaf, uint256 leaves) = _placeOf(own, signers);
        claim = MemberClaim({
            operator: validators.validatorOf(own.member).operator,
            member: uint32(own.member),
            interval: uint32(own.interval),
            leaf: uint16(leaf),
            leaves: uint16(leaves),
            until: uint64(until),
            prefix: AttestationMath.prefixOf(jobId, own.member, own.interval),
            root: d.root
        });
    }

    /// @inheritdoc IMemberClaims
    function onEnded(
        uint256 jobId,
        uint256 attempt,
        uint256 position,
        bool isLie
    ) external override restricted returns (address operator, bool wasLiar) {
        Draw storage d = _draws[jobId][attempt];
        uint256 liars = d.liars;
        wasLiar = _has(liars, position);
        --d.accusations;
        if (isLie) d.liars = uint64(liars | (1 << position));
        operator = validators.validatorOf(_memberAt(jobId, attempt, position)).operator;
    }

    /// @inheritdoc IMemberClaims
    function punishLiar(
        uint256 jobId,
        uint256 attempt,
        uint256 position,
        address reporter
    ) external override restricted {
        if (!isLiar(jobId, attempt, position)) revert NoFault(position);
        uint256 amount = _termsOf(_jobs[jobId]).lieSlash;
        _punish(jobId, attempt, position, amount, WRONG, reporter);
    }

    /// @inheritdoc IAttestation
    function slashEquivocation(
        uint256 jobId,
        uint256 attempt,
        uint256 position,
        uint256 number,
        SwornLeaf calldata one,
        SwornLeaf calldata other
    ) external override {
        if (one.digest == other.digest) revert NoFault(position);
        Assignment memory own = _assignmentOf(jobId, attempt, position, number);
        _requireSworn(jobId, attempt, own, one);
        _requireSworn(jobId, attempt, own, other);
        Draw storage d = _draws[jobId][attempt];
        uint256 liars = d.liars;
        if (_has(liars, position)) revert NoFault(position);
        d.liars = uint64(liars | (1 << position));
        uint256 amount = _termsOf(_jobs[jobId]).lieSlash;
        _punish(jobId, attempt, position, amount, EQUIVOCATION, msg.sender);
    }

    /// @inheritdoc IMemberClaims
    function isLiar(uint256 jobId, uint256 attempt, uint256 position) public view override returns (bool) {
        return _has(_draws[jobId][attempt].liars, position);
    }

    /// @inheritdoc IAttestation
    function messageOf(
        uint256 jobId,
        uint256 attempt,
        uint256 members,
        bytes32 root
    ) public view override returns (bytes32) {
        (bytes32 traceRoot, ) = registry.traceOf(jobId);
        return AttestationMath.messageOf(jobId, attempt, traceRoot, members, root);
    }

    /// @dev The signers are members, the members were drawn, and the signature is theirs.
    /// @return ids of the signers
    function _requireSigned(
        uint256 jobId,
        uint256 attempt,
        Statement calldata statement
    ) internal view returns (uint256[] memory ids) {
        (uint256 members, uint256 signers) = (statement.members, statement.signers);
        bool isDrawn = members >> uint256(_draws[jobId][attempt].count) == 0;
        if (!isDrawn || signers == 0 || signers & ~members != 0) revert WrongSigners(signers);
        ids = _select(_membersOf(jobId, attempt), signers);
        bytes32 message = messageOf(jobId, attempt, members, statement.root);
        bool isSigned = validators.isSignedBy(ids, message, statement.signature, statement.key);
        if (!isSigned) revert WrongSignature();
    }

    function _requireInTrace(uint256 jobId, uint256 interval, Opening calldata opening) internal view {
        (bytes32 traceRoot, uint256 leaves) = registry.traceOf(jobId);
        bytes32 leaf = AttestationMath.traceLeafOf(opening.stateRoot, opening.salt, opening.witnesses);
        uint256 depth = MerkleProofs.depthOf(leaves);
        bool isThere = MerkleProofs.rootOf(leaf, interval + 1, opening.siblings, depth) == traceRoot;
        if (!isThere) revert WrongOpening(interval);
    }

    /// @dev Those of `values` whose positions are in the mask.
    function _select(
        uint256[] memory values,
        uint256 mask
    ) internal pure returns (uint256[] memory selected) {
        selected = new uint256[](Bits.count(mask));
        uint256 count = 0;
        for (uint256 i = 0; i < values.length; ++i) {
            if ((mask >> i) & 1 == 1) selected[count++] = values[i];
        }
    }

    function _has(uint256 mask, uint256 position) internal pure returns (bool) {
        return position < MAX_SIZE && (mask >> position) & 1 == 1;
    }

    function _assignmentOf(
        uint256 jobId,
        uint256 attempt,
        uint256 position,
        uint256 number
    ) private view returns (Assignment memory own) {
        uint256 intervals = _jobs[jobId].intervals;
        own.count = _checksOf(intervals);
        if (position >= _draws[jobId][attempt].count || number >= own.count) revert NoFault(position);
        bytes32 seed = _seedOf(_draws[jobId][attempt]);
        (own.position, own.number) = (position, number);
        own.member = _memberAt(jobId, attempt, position);
        own.interval = AttestationMath.intervalOf(seed, intervals, own.count, position, number);
    }

    function _requireSworn(
        uint256 jobId,
        uint256 attempt,
        Assignment memory own,
        SwornLeaf calldata sworn
    ) private view {
        Statement calldata statement = sworn.statement;
        if (!_has(statement.signers, own.position)) revert NoFault(own.position);
        _requireSigned(jobId, attempt, statement);
        _requireLeaf(own, statement.members, statement.root, sworn.digest, sworn.siblings);
    }

    /// @dev The digest stands under the root where those of the members of the mask put it.
    function _requireLeaf(
        Assignment memory own,
        uint256 members,
        bytes32 root,
        bytes32 digest,
        bytes32[] calldata siblings
    ) private pure {
        bytes32 leaf = AttestationMath.leafOf(own.member, own.interval, digest);
        (uint256 number, uint256 leaves) = _placeOf(own, members);
        if (MerkleProofs.rootOf(leaf, number, siblings, MerkleProofs.depthOf(leaves)) != root) {
            revert WrongReveal();
        }
    }

    /// @dev Where a leaf stands under a root over those of the members of the mask.
    function _placeOf(
        Assignment memory own,
        uint256 members
    ) private pure returns (uint256 leaf, uint256 leaves) {
        uint256 rank = Bits.count(members & ((1 << own.position) - 1));
        return (rank * own.count + own.number, Bits.count(members) * own.count);
    }

    function _punish(
        uint256 jobId,
        uint256 attempt,
        uint256 position,
        uint256 amount,
        bytes32 reason,
        address reporter
    ) private {
        uint256 member = _memberAt(jobId, attempt, position);
        emit MemberSlashed(jobId, attempt, member, reason);
        validators.punish(member, amount, reporter, reason);
    }
}

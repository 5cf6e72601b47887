// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {JobStatus} from "../disputes/interfaces/IDisputeGame.sol";
import {Bits} from "../libraries/Bits.sol";
import {MerkleProofs} from "../libraries/MerkleProofs.sol";
import {AttestationMath} from "./AttestationMath.sol";
import {CommitteeTable} from "./CommitteeTable.sol";
import {IAttestation, Opening, Phase, Statement, SwornLeaf} from "./interfaces/IAttestation.sol";

/// @title What members are slashed for
/// @dev A lie is slashed once in a draw, whichever of its three proofs comes first.
abstract contract CommitteeFaults is CommitteeTable {
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
    bytes32 private constant DIFFERING = "differing";
    bytes32 private constant OVERTURNED = "overturned";
    bytes32 private constant EQUIVOCATION = "equivocation";

    /// @inheritdoc IAttestation
    function slashSilent(uint256 jobId, uint256 attempt, uint256 position) external override {
        Draw storage d = _draws[jobId][attempt];
        uint256 silent = d.silent;
        if (!_has(silent, position)) revert NoFault(position);
        d.silent = uint64(silent & ~(1 << position));
        _punish(jobId, attempt, position, _termsOf(_jobs[jobId]).silentSlash, SILENT);
    }

    /// @inheritdoc IAttestation
    function slashDiffering(uint256 jobId, uint256 attempt, uint256 position) external override {
        Draw storage d = _draws[jobId][attempt];
        Job storage job = _jobs[jobId];
        if (!_has(d.differing, position)) revert NoFault(position);
        (JobStatus status, ) = _outcomeOf(jobId);
        // A job that failed or was void says nothing about who was right.
        if (job.phase == Phase.Closed || status != JobStatus.Released) revert NoFault(position);
        uint256 until = registry.challengeUntilOf(jobId);
        if (until < uint256(d.revealedAt) + _termsOf(job).disputeTime) revert NoFault(position);
        _punishLie(jobId, attempt, position, DIFFERING);
    }

    /// @inheritdoc IAttestation
    function slashOverturned(
        uint256 jobId,
        uint256 attempt,
        uint256 position,
        uint256 number,
        Opening calldata opening,
        bytes32[] calldata siblings
    ) external override {
        Draw storage d = _draws[jobId][attempt];
        if (!_has(d.signers, position)) revert NoFault(position);
        Assignment memory own = _assignmentOf(jobId, attempt, position, number);
        (JobStatus status, uint256 convicted) = _outcomeOf(jobId);
        if (status != JobStatus.Convicted || own.interval != convicted) revert NoFault(position);
        _requireInTrace(jobId, own.interval, opening);
        bytes32 witnessHash = keccak256(abi.encodePacked(opening.witnesses));
        bytes32 digest = AttestationMath.digestOf(jobId, own.member, own.interval, witnessHash);
        _requireLeaf(own, d.signers, d.root, digest, siblings);
        _punishLie(jobId, attempt, position, OVERTURNED);
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
        _punishLie(jobId, attempt, position, EQUIVOCATION);
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
        uint256 rank = Bits.count(members & ((1 << own.position) - 1));
        uint256 depth = MerkleProofs.depthOf(Bits.count(members) * own.count);
        if (MerkleProofs.rootOf(leaf, rank * own.count + own.number, siblings, depth) != root) {
            revert WrongReveal();
        }
    }

    function _memberAt(uint256 jobId, uint256 attempt, uint256 position) private view returns (uint256) {
        return _membersOf(jobId, attempt)[position];
    }

    function _punishLie(uint256 jobId, uint256 attempt, uint256 position, bytes32 reason) private {
        Draw storage d = _draws[jobId][attempt];
        uint256 liars = d.liars;
        if (_has(liars, position)) revert NoFault(position);
        d.liars = uint64(liars | (1 << position));
        _punish(jobId, attempt, position, _termsOf(_jobs[jobId]).lieSlash, reason);
    }

    function _punish(
        uint256 jobId,
        uint256 attempt,
        uint256 position,
        uint256 amount,
        bytes32 reason
    ) private {
        uint256 member = _memberAt(jobId, attempt, position);
        emit MemberSlashed(jobId, attempt, member, reason);
        validators.punish(member, amount, msg.sender, reason);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Bits} from "../libraries/Bits.sol";
import {MerkleProofs} from "../libraries/MerkleProofs.sol";
import {AttestationMath} from "./AttestationMath.sol";
import {CommitteeFaults} from "./CommitteeFaults.sol";
import {CommitteeTable} from "./CommitteeTable.sol";
import {
    CommitteeTerms,
    Difference,
    IAttestation,
    Opening,
    Phase,
    Statement
} from "./interfaces/IAttestation.sol";

/// @title Committees that check samples of a trace
/// @notice See `IAttestation` for the table of calls. This contract holds no tokens: fees are in the escrow, stakes
/// with the validators.
contract Committee is CommitteeFaults {
    /// @dev What a reveal reads of a job.
    struct Sample {
        uint256 jobId;
        bytes32 seed;
        uint256 intervals;
        /// Intervals of a member.
        uint256 own;
        /// Members that signed, and their positions.
        uint256[] ids;
        uint256[] positions;
    }

    constructor(
        address authority,
        Configuration memory configuration,
        CommitteeTerms memory terms_
    ) CommitteeTable(authority, configuration, terms_) {}

    /// @inheritdoc IAttestation
    function appear(uint256 jobId, uint256 position, bytes32 commitment) external override {
        Job storage job = _inTime(jobId, Phase.Signing);
        uint256 attempt = job.attempt;
        Draw storage d = _draws[jobId][attempt];
        bool isMember =
            position < d.count &&
                validators.validatorOf(_membersOf(jobId, attempt)[position]).operator == msg.sender;
        if (!isMember) revert NotMember(position, msg.sender);
        d.appeared |= uint64(1 << position);
        emit MemberAppeared(jobId, attempt, position, commitment);
    }

    /// @inheritdoc IAttestation
    function attest(uint256 jobId, Statement calldata statement) external override {
        Job storage job = _inTime(jobId, Phase.Signing);
        uint256 attempt = job.attempt;
        uint256 signers = statement.signers;
        if (signers != statement.members || Bits.count(signers) < job.threshold) revert WrongSigners(signers);
        _requireSigned(jobId, attempt, statement);
        Draw storage d = _draws[jobId][attempt];
        (d.signers, d.signedAt, d.root) = (uint64(signers), uint40(block.timestamp), statement.root);
        _enter(job, Phase.Opening, _termsOf(job).openingWindow);
        emit RootSigned(jobId, attempt, signers, statement.root, job.deadline);
    }

    /// @inheritdoc IAttestation
    function openWitnesses(uint256 jobId, Opening[] calldata openings) external override {
        Job storage job = _inTime(jobId, Phase.Opening);
        uint256 attempt = job.attempt;
        Draw storage d = _draws[jobId][attempt];
        Sample memory sample = _sampleOf(jobId, job, attempt, d);
        uint256 first = job.opened;
        uint256 total = sample.ids.length * sample.own;
        uint256 count = openings.length;
        if (count == 0 || first + count > total) revert NothingToOpen();
        bytes32 chain = d.openings;
        bytes32[] memory witnessHashes = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            (, uint256 interval) = _assignment(sample, first + i);
            _requireInTrace(jobId, interval, openings[i]);
            witnessHashes[i] = keccak256(abi.encodePacked(openings[i].witnesses));
            chain = keccak256(abi.encode(chain, witnessHashes[i]));
        }
        (d.openings, job.opened) = (chain, uint16(first + count));
        emit WitnessesOpened(jobId, attempt, first, witnessHashes);
        if (first + count == total) _enter(job, Phase.Revealing, _termsOf(job).revealWindow);
    }

    /// @inheritdoc IAttestation
    function reveal(
        uint256 jobId,
        bytes32[] calldata witnessHashes,
        Difference[] calldata differences
    ) external override {
        Job storage job = _inTime(jobId, Phase.Revealing);
        uint256 attempt = job.attempt;
        Draw storage d = _draws[jobId][attempt];
        Sample memory sample = _sampleOf(jobId, job, attempt, d);
        _requireOpened(d.openings, witnessHashes, sample.ids.length * sample.own);
        (bytes32 root, uint256 differing) = _rootOf(sample, witnessHashes, differences);
        if (root != d.root) revert WrongReveal();
        d.revealedAt = uint40(block.timestamp);
        emit DigestsRevealed(jobId, attempt, differing, differences);
        if (sample.ids.length - Bits.count(differing) < job.threshold) {
            _fail(jobId, job, 0);
        } else {
            _succeed(job, attempt, sample, differing);
        }
    }

    /// @dev Pays whoever agrees, before the registry can close the purse.
    function _succeed(Job storage job, uint256 attempt, Sample memory sample, uint256 differing) private {
        job.phase = Phase.Attested;
        uint256 fee = sample.own * job.feePerInterval;
        emit CommitteeAttested(sample.jobId, attempt, fee);
        for (uint256 i = 0; fee != 0 && i < sample.ids.length; ++i) {
            if (_has(differing, sample.positions[i])) continue;
            escrow.payFee(sample.jobId, validators.validatorOf(sample.ids[i]).operator, fee);
        }
        registry.onAttested(sample.jobId);
    }

    function _sampleOf(
        uint256 jobId,
        Job storage job,
        uint256 attempt,
        Draw storage d
    ) private view returns (Sample memory sample) {
        uint256 signers = d.signers;
        uint256[] memory positions = new uint256[](d.count);
        for (uint256 i = 0; i < positions.length; ++i) positions[i] = i;
        (sample.jobId, sample.seed, sample.intervals) = (jobId, _seedOf(d), job.intervals);
        sample.own = _checksOf(sample.intervals);
        sample.ids = _select(_membersOf(jobId, attempt), signers);
        sample.positions = _select(positions, signers);
    }

    /// @dev Root over the leaves, and the mask of the members of whom one is not what was opened.
    function _rootOf(
        Sample memory sample,
        bytes32[] calldata witnessHashes,
        Difference[] calldata differences
    ) private view returns (bytes32 root, uint256 differing) {
        bytes32[] memory leaves = new bytes32[](witnessHashes.length);
        uint256 next = 0;
        for (uint256 i = 0; i < leaves.length; ++i) {
            (uint256 rank, uint256 interval) = _assignment(sample, i);
            bytes32 digest = _digestOf(sample, rank, interval, witnessHashes[i]);
            if (next < differences.length && differences[next].leaf == i) {
                if (differences[next].digest == digest) revert WrongReveal();
                digest = differences[next++].digest;
                differing |= 1 << sample.positions[rank];
            }
            leaves[i] = AttestationMath.leafOf(sample.ids[rank], interval, digest);
        }
        if (next != differences.length) revert WrongReveal();
        root = MerkleProofs.rootOfAll(leaves);
    }

    function _digestOf(
        Sample memory sample,
        uint256 rank,
        uint256 interval,
        bytes32 witnessHash
    ) private view returns (bytes32) {
        return AttestationMath.digestOf(sample.jobId, sample.ids[rank], interval, witnessHash);
    }

    /// @dev Whose a leaf is, and of which interval.
    function _assignment(
        Sample memory sample,
        uint256 leaf
    ) private pure returns (uint256 rank, uint256 interval) {
        uint256 own = sample.own;
        rank = leaf / own;
        interval = AttestationMath.intervalOf(
            sample.seed,
            sample.intervals,
            own,
            sample.positions[rank],
            leaf % own
        );
    }

    function _requireOpened(bytes32 openings, bytes32[] calldata witnessHashes, uint256 total) private pure {
        bytes32 chain = bytes32(0);
        for (uint256 i = 0; i < witnessHashes.length; ++i) {
            chain = keccak256(abi.encode(chain, witnessHashes[i]));
        }
        if (witnessHashes.length != total || chain != openings) revert WrongReveal();
    }
}

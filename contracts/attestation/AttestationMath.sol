// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title What members compute, hash and sign
/// @notice The same formulas stand in keepers/src/core/attestation. `address(this)` is the contract that uses them.
library AttestationMath {
    /// @notice Domain of attestations.
    bytes internal constant SIGNATURE_DOMAIN = "ASSAY_SIG_BN254G1_XMD:KECCAK-256_SVDW_RO_ATTEST_";
    /// @notice Domain of proofs of possession: no attestation is ever one.
    bytes internal constant POSSESSION_DOMAIN = "ASSAY_SIG_BN254G1_XMD:KECCAK-256_SVDW_RO_POSSESS_";

    bytes32 private constant STATEMENT_TAG = keccak256("assay/attestation/v1");
    bytes32 private constant DIGEST_TAG = keccak256("assay/digest/v2");
    bytes32 private constant POSSESSION_TAG = keccak256("assay/possession/v1");
    bytes32 private constant TRACE_TAG = keccak256("assay/trace/v1");

    /// @notice Interval `number` of the member at `position`. The trace is cut into `checks` equal parts, and each
    /// gives one interval: a member's intervals are distinct, those of different members may coincide. A lie in a
    /// fraction f of the intervals is seen by one member with at least 1 − (1 − f)^checks, wherever it is put.
    /// @param checks at least 1, at most `intervals`
    function intervalOf(
        bytes32 seed,
        uint256 intervals,
        uint256 checks,
        uint256 position,
        uint256 number
    ) internal pure returns (uint256) {
        uint256 first = (number * intervals) / checks;
        uint256 width = ((number + 1) * intervals) / checks - first;
        return first + (uint256(keccak256(abi.encode(seed, position, number))) % width);
    }

    /// @notice What a member's word on an interval is bound to, known to all.
    /// @param member id of the validator
    function prefixOf(uint256 jobId, uint256 member, uint256 interval) internal view returns (bytes32) {
        return keccak256(abi.encode(DIGEST_TAG, block.chainid, address(this), jobId, member, interval));
    }

    /// @notice A member's word on an interval.
    /// @param prefix `prefixOf` the interval
    /// @param witnessHash keccak256 of the witness commitments of the interval's steps
    function boundTo(bytes32 prefix, bytes32 witnessHash) internal pure returns (bytes32) {
        return keccak256(abi.encode(prefix, witnessHash));
    }

    /// @notice A member's word on an interval.
    /// @param member id of the validator
    /// @param witnessHash keccak256 of the witness commitments of the interval's steps
    function digestOf(
        uint256 jobId,
        uint256 member,
        uint256 interval,
        bytes32 witnessHash
    ) internal view returns (bytes32) {
        return boundTo(prefixOf(jobId, member, interval), witnessHash);
    }

    /// @notice Leaf under the root that members sign.
    function leafOf(uint256 member, uint256 interval, bytes32 digest) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0), member, interval, digest));
    }

    /// @notice What members sign: one message for all.
    /// @param signers mask of the positions whose digests are under the root, in ascending order
    function messageOf(
        uint256 jobId,
        uint256 attempt,
        bytes32 traceRoot,
        uint256 signers,
        bytes32 root
    ) internal view returns (bytes32) {
        return
            keccak256(
                abi.encode(
                    STATEMENT_TAG,
                    block.chainid,
                    address(this),
                    jobId,
                    attempt,
                    traceRoot,
                    signers,
                    root
                )
            );
    }

    /// @notice What an operator signs with its key to show that it has the secret.
    function possessionOf(
        address operator,
        uint256[2] memory g1,
        uint256[4] memory g2
    ) internal view returns (bytes32) {
        return keccak256(abi.encode(POSSESSION_TAG, block.chainid, address(this), operator, g1, g2));
    }

    /// @notice Hash of leaf `interval + 1` of a trace (docs/exact-ops.md, section 2).
    /// @param witnesses commitments of the interval's steps
    function traceLeafOf(
        bytes32 stateRoot,
        bytes32 salt,
        bytes32[] calldata witnesses
    ) internal pure returns (bytes32) {
        bytes32 h = keccak256(abi.encodePacked(salt, witnesses));
        bytes32 leaf = keccak256(abi.encode(TRACE_TAG, stateRoot, h));
        return keccak256(abi.encodePacked(bytes1(0), leaf));
    }
}

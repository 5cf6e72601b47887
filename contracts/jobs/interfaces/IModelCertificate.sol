// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice Everything that re-verifies a trained model.
struct Certificate {
    uint256 jobId;
    address provider;
    bytes32 orderHash;
    bytes32 datasetId;
    bytes32 programRoot;
    bytes32 trainingHash;
    bytes32 traceRoot;
    bytes32 stateRoot;
    /// The anchored dataset whose object is the model's last state.
    bytes32 resultId;
    /// SHA-256 of the program's file, and of the file with all leaves of the trace (zero: they were withheld); a CIDv1
    /// (raw) follows from each.
    bytes32 programDigest;
    bytes32 leavesDigest;
    /// Whether a committee has attested.
    bool isAttested;
    uint64 finalisedAt;
}

/// @title Certificates of trained models
/// @notice An ERC-721 token for each finalised job, given to its consumer. Its metadata is made on chain and names all
/// that is needed to check the model again.
interface IModelCertificate {
    /// @notice Thrown when someone else than the registry of jobs issues a certificate.
    error NotRegistry(address caller);

    event CertificateIssued(
        uint256 indexed certificateId,
        uint256 indexed jobId,
        address indexed consumer,
        Certificate certificate
    );

    /// @notice Issues the certificate of a job; its id is the job's. The registry alone.
    function issue(
        address consumer,
        Certificate calldata certificate
    ) external returns (uint256 certificateId);

    /// @notice What a certificate says; the registry keeps it.
    function certificateOf(uint256 certificateId) external view returns (Certificate memory);
}

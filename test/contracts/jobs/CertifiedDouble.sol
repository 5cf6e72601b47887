// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ModelCertificate} from "../../../contracts/jobs/ModelCertificate.sol";
import {ICertifiedJobs} from "../../../contracts/jobs/interfaces/ICertifiedJobs.sol";
import {Certificate} from "../../../contracts/jobs/interfaces/IModelCertificate.sol";

/// @notice A registry of jobs that certifies what it is told.
contract CertifiedDouble is ICertifiedJobs {
    ModelCertificate public immutable certificates = new ModelCertificate(this);
    mapping(uint256 jobId => Certificate) private _certificates;

    function issue(address consumer, Certificate calldata certificate) external {
        _certificates[certificate.jobId] = certificate;
        certificates.issue(consumer, certificate);
    }

    function certificateOf(uint256 jobId) external view returns (Certificate memory) {
        return _certificates[jobId];
    }
}

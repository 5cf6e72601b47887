// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

// JSON has double quotes of its own.
// solhint-disable quotes

import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {Base64} from "@openzeppelin/contracts/utils/Base64.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {ICertifiedJobs} from "./interfaces/ICertifiedJobs.sol";
import {Certificate, IModelCertificate} from "./interfaces/IModelCertificate.sol";

/// @title Certificates of trained models
/// @dev What a certificate says is what the registry holds of a finalised job, which never changes: it is kept once.
contract ModelCertificate is IModelCertificate, ERC721 {
    ICertifiedJobs public immutable registry;

    constructor(ICertifiedJobs registry_) ERC721("Assay Model Certificate", "ASSAY-MODEL") {
        registry = registry_;
    }

    /// @inheritdoc IModelCertificate
    function issue(
        address consumer,
        Certificate calldata certificate
    ) external returns (uint256 certificateId) {
        if (msg.sender != address(registry)) revert NotRegistry(msg.sender);
        certificateId = certificate.jobId;
        // Not the safe one: a consumer that does not take tokens must not stand between a provider and its pay.
        _mint(consumer, certificateId);
        emit CertificateIssued(certificateId, certificate.jobId, consumer, certificate);
    }

    /// @inheritdoc IModelCertificate
    function certificateOf(uint256 certificateId) public view returns (Certificate memory) {
        _requireOwned(certificateId);
        return registry.certificateOf(certificateId);
    }

    /// @notice Metadata as a data URI: nothing has to be hosted for it to be read.
    function tokenURI(uint256 tokenId) public view override returns (string memory) {
        Certificate memory c = certificateOf(tokenId);
        string memory head = string.concat(
            '{"name":"Assay model ',
            Strings.toString(tokenId),
            '","description":"A trained model of which every step can be computed again, bit for bit.",'
        );
        string memory json = string.concat(head, '"attributes":[', _facts(c), _origin(c), _result(c), "]}");
        return string.concat("data:application/json;base64,", Base64.encode(bytes(json)));
    }

    function _facts(Certificate memory c) private pure returns (string memory) {
        return
            string.concat(
                _plain("job", Strings.toString(c.jobId)),
                _text("provider", Strings.toChecksumHexString(c.provider)),
                _text("attested", c.isAttested ? "yes" : "no"),
                _plain("finalised", Strings.toString(c.finalisedAt))
            );
    }

    function _origin(Certificate memory c) private pure returns (string memory) {
        return
            string.concat(
                _hash("order", c.orderHash),
                _hash("dataset", c.datasetId),
                _hash("training order", c.trainingHash),
                _hash("program root", c.programRoot),
                _hash("program file (SHA-256)", c.programDigest)
            );
    }

    function _result(Certificate memory c) private pure returns (string memory) {
        return
            string.concat(
                _hash("trace root", c.traceRoot),
                _hash("trace leaves (SHA-256)", c.leavesDigest),
                _hash("state root", c.stateRoot),
                // The last entry has no comma behind it.
                _entry("stored model", string.concat('"', Strings.toHexString(uint256(c.resultId), 32), '"'))
            );
    }

    function _hash(string memory name, bytes32 value) private pure returns (string memory) {
        return _text(name, Strings.toHexString(uint256(value), 32));
    }

    function _text(string memory name, string memory value) private pure returns (string memory) {
        return _plain(name, string.concat('"', value, '"'));
    }

    function _plain(string memory name, string memory value) private pure returns (string memory) {
        return string.concat(_entry(name, value), ",");
    }

    function _entry(string memory name, string memory value) private pure returns (string memory) {
        return string.concat('{"trait_type":"', name, '","value":', value, "}");
    }
}

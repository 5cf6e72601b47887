// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {MerkleProofs} from "../libraries/MerkleProofs.sol";
import {IBundleRegistry} from "./interfaces/IBundleRegistry.sol";
import {IDatasetRegistry} from "./interfaces/IDatasetRegistry.sol";
import {Limits} from "./Limits.sol";

/// @title What operators sign when they take a bundle, and owners who give it (docs/storage-protocol.md section 5)
/// @notice A signature binds to this chain and contract through its EIP-712 domain. Operators may be contracts
/// (ERC-1271).
abstract contract Receipts is IBundleRegistry, EIP712 {
    bytes32 private constant RECEIPT_TYPEHASH = keccak256(
        "Receipt(bytes32 datasetId,uint32 bundleIndex,bytes32 poseidonRoot,bytes32 transportRoot,"
        "address operator,uint64 validUntil,uint32 latestEnd)"
    );

    bytes32 private constant ASSIGNMENT_TYPEHASH = keccak256(
        "Assignment(bytes32 datasetId,uint32 bundleIndex,address operator)"
    );

    constructor() EIP712("Assay BundleRegistry", "1") {}

    /// @inheritdoc IBundleRegistry
    function receiptDigest(Receipt calldata receipt) public view override returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(RECEIPT_TYPEHASH, receipt)));
    }

    /// @inheritdoc IBundleRegistry
    function assignmentDigest(
        bytes32 datasetId,
        uint32 bundleIndex,
        address operator
    ) public view override returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(ASSIGNMENT_TYPEHASH, datasetId, bundleIndex, operator)));
    }

    /// @dev The owner calls, or has named the operator.
    function _requireApproval(SignedReceipt calldata signed, address owner) internal view {
        if (msg.sender == owner) return;
        Receipt calldata receipt = signed.receipt;
        bytes32 digest = assignmentDigest(receipt.datasetId, receipt.bundleIndex, receipt.operator);
        if (!SignatureChecker.isValidSignatureNow(owner, digest, signed.approval)) {
            revert NotByOwner(receipt.datasetId, receipt.bundleIndex, owner);
        }
    }

    function _requireSigned(SignedReceipt calldata signed) internal view {
        Receipt calldata receipt = signed.receipt;
        uint64 present = uint64(block.timestamp);
        uint64 latest = present + Limits.RECEIPT_VALIDITY;
        if (receipt.validUntil < present || receipt.validUntil > latest) {
            revert ReceiptNotValid(receipt.validUntil, present, latest);
        }
        bytes32 digest = receiptDigest(receipt);
        if (!SignatureChecker.isValidSignatureNow(receipt.operator, digest, signed.signature)) {
            revert WrongSignature(receipt.operator, digest);
        }
    }

    function _requireAnchored(
        SignedReceipt calldata signed,
        IDatasetRegistry.Dataset memory dataset
    ) internal pure {
        Receipt calldata receipt = signed.receipt;
        uint32 index = receipt.bundleIndex;
        bytes32 leaf = MerkleProofs.bundleLeaf(index, receipt.poseidonRoot, receipt.transportRoot);
        uint256 depth = MerkleProofs.depthOf(dataset.bundles);
        if (MerkleProofs.rootOf(leaf, index, signed.proof, depth) != dataset.bundlesRoot) {
            revert NotAnchored(receipt.datasetId, index);
        }
    }
}

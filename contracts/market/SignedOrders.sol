// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {BitMaps} from "@openzeppelin/contracts/utils/structs/BitMaps.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {Bid, Order} from "../jobs/interfaces/Orders.sol";
import {IMarket} from "./interfaces/IMarket.sol";
import {OrderHashing} from "./OrderHashing.sol";

/// @title Who said what, and that it counts once
/// @notice A signature binds to this chain and contract through its EIP-712 domain. Authors may be contracts
/// (ERC-1271); who calls need not sign.
abstract contract SignedOrders is IMarket, EIP712 {
    using BitMaps for BitMaps.BitMap;
    using OrderHashing for Bid;
    using OrderHashing for Order;

    /// @notice Most bytes of a training order, as the registry takes it, of a package, and of a signature that is
    /// published.
    uint256 public constant MAX_TRAINING = 8_192;
    uint256 public constant MAX_PACKAGE = 16_384;
    uint256 public constant MAX_SIGNATURE = 4_096;

    mapping(address author => BitMaps.BitMap) private _nonces;
    /// @dev An order's hash commits to its training and package: one posting of it is as good as any.
    mapping(bytes32 orderHash => bool) private _posted;

    constructor() EIP712("Assay Market", "1") {}

    /// @inheritdoc IMarket
    function cancelNonce(uint256 nonce) external override {
        _useNonce(msg.sender, nonce);
        emit NonceCancelled(msg.sender, nonce);
    }

    /// @inheritdoc IMarket
    function isNonceUsed(address author, uint256 nonce) public view override returns (bool) {
        return _nonces[author].get(nonce);
    }

    /// @inheritdoc IMarket
    function hashOrder(Order calldata order) external pure override returns (bytes32) {
        return order.hash();
    }

    /// @inheritdoc IMarket
    function hashBid(Bid calldata bid) external pure override returns (bytes32) {
        return bid.hash();
    }

    function _useNonce(address author, uint256 nonce) internal {
        _requireUnused(author, nonce);
        _nonces[author].set(nonce);
    }

    function _requireUnused(address author, uint256 nonce) internal view {
        if (isNonceUsed(author, nonce)) revert NonceUsed(author, nonce);
    }

    function _requireAuthor(address author, bytes32 structHash, bytes calldata signature) internal view {
        if (signature.length == 0 && author == msg.sender) return;
        bytes32 digest = _hashTypedDataV4(structHash);
        if (!SignatureChecker.isValidSignatureNowCalldata(author, digest, signature)) {
            revert WrongSignature(author);
        }
    }

    /// @dev Whoever is to check a job compiles it from what was published: nobody could challenge it otherwise.
    function _requirePosted(bytes32 orderHash) internal view {
        if (!_posted[orderHash]) revert NotPosted(orderHash);
    }

    /// @dev Shows an order to everyone, so that it can be accepted.
    function _post(
        Order calldata order,
        bytes32 orderHash,
        bytes calldata training,
        bytes calldata package,
        bytes calldata signature
    ) internal {
        _posted[orderHash] = true;
        _publish(order, orderHash, training, package, signature);
    }

    function _publish(
        Order calldata order,
        bytes32 orderHash,
        bytes calldata training,
        bytes calldata package,
        bytes calldata signature
    ) internal {
        if (training.length > MAX_TRAINING) revert TooLong(training.length, MAX_TRAINING);
        if (package.length > MAX_PACKAGE) revert TooLong(package.length, MAX_PACKAGE);
        if (signature.length > MAX_SIGNATURE) revert TooLong(signature.length, MAX_SIGNATURE);
        bytes32 digest = keccak256(training);
        bytes32 expected = order.problem.trainingHash;
        if (digest != expected) revert WrongTraining(digest, expected);
        digest = sha256(package);
        expected = order.problem.programDigest;
        if (digest != expected) revert WrongPackage(digest, expected);
        emit OrderPosted(orderHash, order.consumer, order, training, package, signature);
    }

    function _requireLive(uint256 expiry) internal view {
        if (block.timestamp > expiry) revert Expired(expiry);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {DataContract} from "../libraries/DataContract.sol";
import {LocalChain} from "../libraries/LocalChain.sol";
import {DevelopmentKeys} from "./DevelopmentKeys.sol";
import {Groth16} from "./Groth16.sol";
import {ProofCompression} from "./ProofCompression.sol";
import {IVerifierRegistry} from "./interfaces/IVerifierRegistry.sol";

/// @title Verifying keys as on-chain data, and the verifier that reads them
contract VerifierRegistry is IVerifierRegistry, AccessManaged {
    /// @notice Bounds the gas of a registration; the widest circuit has 5 inputs.
    uint256 public constant MAX_INPUTS = 64;
    uint256 private constant IC_BYTES = 64;

    struct Key {
        address data;
        uint16 inputs;
        bool development;
        bytes32 circuit;
    }

    mapping(bytes32 keyHash => Key) private _keys;

    constructor(address authority) AccessManaged(authority) {}

    /// @inheritdoc IVerifierRegistry
    function register(
        bytes32 circuit,
        bytes calldata key
    ) external override restricted returns (bytes32 keyHash) {
        uint256 points = key.length < Groth16.HEAD ? 0 : (key.length - Groth16.HEAD) / IC_BYTES;
        if (points == 0 || points > MAX_INPUTS + 1 || key.length != Groth16.HEAD + points * IC_BYTES) {
            revert InvalidKeyLength(key.length);
        }
        bool development = DevelopmentKeys.isKnown(key);
        if (development && !LocalChain.isHere()) revert DevelopmentKeyOnPublicChain(block.chainid);
        keyHash = keccak256(key);
        if (_keys[keyHash].data != address(0)) revert KeyExists(keyHash);
        if (!Groth16.isKey(key)) revert InvalidKeyPoint();
        address data = DataContract.write(key);
        _keys[keyHash] = Key(data, uint16(points - 1), development, circuit);
        emit KeyRegistered(keyHash, circuit, development, points - 1, data);
    }

    /// @inheritdoc IVerifierRegistry
    function keyInfo(
        bytes32 keyHash
    ) external view override returns (address data, bytes32 circuit, bool development, uint256 inputs) {
        Key storage key = _keys[keyHash];
        return (key.data, key.circuit, key.development, key.inputs);
    }

    /// @inheritdoc IVerifierRegistry
    function verify(
        bytes32 keyHash,
        uint256[8] calldata proof,
        uint256[] calldata inputs
    ) external view override returns (bool) {
        address data = _usable(keyHash, inputs.length);
        return data != address(0) && Groth16.verify(data, proof, inputs);
    }

    /// @inheritdoc IVerifierRegistry
    function verifyCompressed(
        bytes32 keyHash,
        uint256[4] calldata proof,
        uint256[] calldata inputs
    ) external view override returns (bool) {
        address data = _usable(keyHash, inputs.length);
        if (data == address(0)) return false;
        (bool ok, uint256[8] memory words) = ProofCompression.decompress(proof);
        return ok && Groth16.verify(data, words, inputs);
    }

    /// @dev The key's code, or nobody when it is not registered, takes another number of inputs, or must not be used.
    function _usable(bytes32 keyHash, uint256 inputs) private view returns (address) {
        Key storage key = _keys[keyHash];
        if (key.inputs != inputs || (key.development && !LocalChain.isHere())) return address(0);
        return key.data;
    }
}

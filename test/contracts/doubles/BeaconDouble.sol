// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IRandomnessBeacon} from "../../../contracts/beacon/interfaces/IRandomnessBeacon.sol";

/// @notice A beacon whose seeds the test delivers, when and as it likes.
contract BeaconDouble is IRandomnessBeacon {
    struct Seed {
        bytes32 value;
        uint64 readyAt;
    }

    error Refused();

    uint256 public lastRequest;
    bool public isRefusing;
    mapping(uint256 requestId => Seed) private _seeds;

    function refuse(bool isRefusing_) external {
        isRefusing = isRefusing_;
    }

    function deliver(uint256 requestId, bytes32 value) external {
        _seeds[requestId] = Seed(value, uint64(block.timestamp));
        emit RandomnessReady(requestId, value);
    }

    function request() external override returns (uint256 requestId) {
        if (isRefusing) revert Refused();
        requestId = ++lastRequest;
        emit RandomnessRequested(requestId, msg.sender, uint64(block.timestamp));
    }

    function redraw(uint256 requestId) external override {
        emit RandomnessRedrawn(requestId, uint64(block.timestamp));
    }

    function seedOf(uint256 requestId) external view override returns (bytes32 seed, uint64 readyAt) {
        return (_seeds[requestId].value, _seeds[requestId].readyAt);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Bytes kept as the code of a contract
/// @notice Cheaper to read than storage, and nothing can change them. The code starts with STOP, so that calling it
/// does nothing; that byte is not part of the data.
library DataContract {
    /// @notice Thrown when the data is longer than code may be (EIP-170).
    error DataTooLong(uint256 length);
    /// @notice Thrown when the contract could not be created, for lack of gas.
    error CreationFailed();

    uint256 private constant MAX_LENGTH = 0x6000 - 1;

    /// @notice Creates a contract that holds `content`.
    function write(bytes memory content) internal returns (address data) {
        if (content.length > MAX_LENGTH) revert DataTooLong(content.length);
        // PUSH2 length+1, DUP1, PUSH1 10, RETURNDATASIZE (0), CODECOPY, RETURNDATASIZE (0), RETURN; then the code.
        bytes memory creation = abi.encodePacked(
            hex"61",
            uint16(content.length + 1),
            hex"80600a3d393df3",
            hex"00",
            content
        );
        assembly ("memory-safe") {
            data := create(0, add(creation, 0x20), mload(creation))
        }
        if (data == address(0)) revert CreationFailed();
    }
}

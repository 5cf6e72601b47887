// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Outcome, Round, Stage} from "./interfaces/IDisputeRules.sol";
import {Position} from "./Position.sol";

/// @title The round after a move, laid down as it is given back
/// @notice A round is words only, and so is its encoding: outcome, stage, interval, the position's words, the claim's.
/// Taking it from calldata word for word, and giving it back from where it lies, spares each move decoding and encoding
/// it twice.
library NextRound {
    /// @notice Bytes of an encoded round.
    uint256 internal constant LENGTH = 35 * 32;
    /// @dev Bytes of stage, interval and position.
    uint256 private constant LOGGED = 22 * 32;

    /// @notice A copy of a round that is to become the next one: its position may be written to.
    function copy(Round calldata round) internal pure returns (Position memory p) {
        uint256 length = LENGTH;
        assembly ("memory-safe") {
            let at := mload(0x40)
            mstore(0x40, add(add(at, 32), length))
            calldatacopy(add(at, 32), round, length)
            p := add(at, 96)
        }
    }

    /// @notice Sets the interval of the next round.
    function setInterval(Position memory p, uint256 interval) internal pure {
        assembly ("memory-safe") {
            mstore(sub(p, 32), interval)
        }
    }

    /// @notice Ends the call: the dispute goes on with this position at a stage.
    function goOn(Position memory p, Stage stage) internal pure {
        assembly ("memory-safe") {
            mstore(sub(p, 64), stage)
        }
        _giveBack(p, Outcome.Continued);
    }

    /// @notice Ends the call: the dispute is decided.
    function decide(Round calldata round, Outcome outcome) internal pure {
        _giveBack(copy(round), outcome);
    }

    /// @notice Reads what a move gave back.
    /// @param result encoded outcome and round
    /// @return stage what is due
    /// @return interval number of the interval in dispute
    /// @return hash keccak256 of the encoded round
    function read(bytes memory result) internal pure returns (Stage stage, uint256 interval, bytes32 hash) {
        uint256 length = LENGTH;
        assembly ("memory-safe") {
            let at := add(result, 64)
            stage := mload(at)
            interval := mload(add(at, 32))
            hash := keccak256(at, length)
        }
    }

    /// @notice Emits what is due as `Moved(id, jobId, stage, interval, position)`: its data lie in the result as they
    /// are to be logged.
    /// @param topic selector of that event
    function announce(bytes memory result, bytes32 topic, uint256 id, uint256 jobId) internal {
        uint256 length = LOGGED;
        assembly ("memory-safe") {
            log3(add(result, 64), length, topic, id, jobId)
        }
    }

    function _giveBack(Position memory p, Outcome outcome) private pure {
        uint256 length = LENGTH + 32;
        assembly ("memory-safe") {
            mstore(sub(p, 96), outcome)
            return(sub(p, 96), length)
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Stage} from "./interfaces/IDisputeRules.sol";

/// @notice Whose turn an accusation is, and since when, in one word: it is read and written by every move.
type Turn is uint256;

using Turns for Turn global;

/// @title The word of an accusation
/// @notice From the lowest bits up: the accuser (160), the id of the accused validator (32), when the turn began, or
/// when its grace ends, in seconds since 1970 (32, until 2106), the other accusations that the member had to answer
/// then (16), the stage (8), and whether the member is to be slashed (8).
library Turns {
    uint256 private constant MEMBER = 160;
    uint256 private constant TIME = 192;
    uint256 private constant OTHERS = 224;
    uint256 private constant STAGE = 240;
    uint256 private constant DUE = 248;

    /// @notice A turn that begins, or whose grace does.
    function pack(
        address accuser_,
        uint32 member_,
        uint32 time_,
        uint16 others_,
        Stage stage_
    ) internal pure returns (Turn) {
        uint256 parties = uint256(uint160(accuser_)) | (uint256(member_) << MEMBER);
        uint256 clock = (uint256(time_) << TIME) | (uint256(others_) << OTHERS);
        return Turn.wrap(parties | clock | (uint256(stage_) << STAGE));
    }

    /// @notice What is left of it when the accusation has ended.
    function close(Turn turn, bool isDue_) internal pure returns (Turn) {
        Turn closed = pack(turn.accuser(), turn.member(), turn.time(), turn.others(), Stage.Closed);
        return Turn.wrap(Turn.unwrap(closed) | (isDue_ ? 1 << DUE : 0));
    }

    /// @notice Who accuses.
    function accuser(Turn turn) internal pure returns (address) {
        return address(uint160(Turn.unwrap(turn)));
    }

    /// @notice Id of the validator.
    function member(Turn turn) internal pure returns (uint32) {
        return uint32(Turn.unwrap(turn) >> MEMBER);
    }

    /// @notice When the turn began; once its timeout was called, when the grace ends.
    function time(Turn turn) internal pure returns (uint32) {
        return uint32(Turn.unwrap(turn) >> TIME);
    }

    /// @notice Other accusations that the member had to answer when its turn began.
    function others(Turn turn) internal pure returns (uint16) {
        return uint16(Turn.unwrap(turn) >> OTHERS);
    }

    /// @notice The move that is due.
    function stage(Turn turn) internal pure returns (Stage) {
        return Stage(uint8(Turn.unwrap(turn) >> STAGE));
    }

    /// @notice Whether the member is to be slashed.
    function isDue(Turn turn) internal pure returns (bool) {
        return Turn.unwrap(turn) >> DUE != 0;
    }
}

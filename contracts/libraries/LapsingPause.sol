// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title A pause of new work that ends by itself
/// @dev Whoever may pause can be wrong, or gone, or a thief: nothing under way asks `whenNotPaused`, a pause lapses,
/// and the next one has to wait, so that new work is stopped for at most a fifth of the time.
abstract contract LapsingPause {
    /// @dev Seconds after which a pause is over.
    uint256 private constant LONGEST_PAUSE = 7 days;
    /// @dev Seconds from the time at which a pause lapses until there can be another one, also where it was ended
    /// early.
    uint256 private constant PAUSE_REST = 30 days;

    uint48 private _pausedUntil;
    uint48 private _pausableFrom;

    event Paused(address account, uint256 until);
    event Unpaused(address account);

    /// @notice Thrown when new work is asked for during a pause.
    error EnforcedPause();
    /// @notice Thrown when there was a pause a short time ago; the next is possible from that time on.
    error PausedLately(uint256 from);

    modifier whenNotPaused() {
        _requireRunning();
        _;
    }

    /// @notice Whether new work is stopped now.
    function paused() public view returns (bool) {
        return block.timestamp < _pausedUntil;
    }

    function _pause() internal {
        if (block.timestamp < _pausableFrom) revert PausedLately(_pausableFrom);
        uint256 until = block.timestamp + LONGEST_PAUSE;
        _pausedUntil = uint48(until);
        _pausableFrom = uint48(until + PAUSE_REST);
        emit Paused(msg.sender, until);
    }

    function _unpause() internal {
        _pausedUntil = 0;
        emit Unpaused(msg.sender);
    }

    /// @dev Once in the code, not once in each function.
    function _requireRunning() private view {
        if (paused()) revert EnforcedPause();
    }
}

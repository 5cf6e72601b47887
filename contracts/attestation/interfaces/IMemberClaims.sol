// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice What a member has signed for one of its intervals, and who answers for it.
struct MemberClaim {
    /// The member's operator.
    address operator;
    /// Id of the validator.
    uint32 member;
    uint32 interval;
    /// Number of the leaf under the signed root, and how many there are.
    uint16 leaf;
    uint16 leaves;
    /// Last second in which it can be accused.
    uint64 until;
    /// What the digest is bound to (`AttestationMath.prefixOf`).
    bytes32 prefix;
    /// The signed root.
    bytes32 root;
}

/// @title What the game over members' claims asks of the committee
/// @notice Only the game may call these.
interface IMemberClaims {
    /// @notice A claim is accused: its draw's members stay on duty until the accusation has ended.
    /// @param number which of the member's intervals it is
    function onAccused(
        uint256 jobId,
        uint256 attempt,
        uint256 position,
        uint256 number
    ) external returns (MemberClaim memory claim);

    /// @notice An accusation has ended.
    /// @param isLie whether the member was silent or wrong
    /// @return operator the member's
    /// @return wasLiar whether the member was found to have lied in this draw before
    function onEnded(
        uint256 jobId,
        uint256 attempt,
        uint256 position,
        bool isLie
    ) external returns (address operator, bool wasLiar);

    /// @notice Slashes a member that was found to have lied: once for each first `onEnded` that said so.
    /// @param reporter whose the reporter's share is
    function punishLiar(uint256 jobId, uint256 attempt, uint256 position, address reporter) external;

    /// @notice Whether a member was found to have lied in a draw.
    function isLiar(uint256 jobId, uint256 attempt, uint256 position) external view returns (bool);
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {LowLevelCall} from "@openzeppelin/contracts/utils/LowLevelCall.sol";
import {RuleBook} from "./interfaces/IDisputeGame.sol";
import {
    IDescentRules,
    IElementRules,
    IInputRules,
    IRangeRules,
    ISumRules,
    IVoidRules,
    Stage
} from "./interfaces/IDisputeRules.sol";
import {NextRound} from "./NextRound.sol";

/// @title The contracts that judge moves, as every game asks them
abstract contract RuleBooks {
    /// @notice Thrown when a move has more bytes than anybody should have to read.
    error MoveTooLong(uint256 length);
    /// @notice Thrown when a move does not begin with the round that is due.
    error WrongRound(uint256 id);
    /// @notice Thrown when nothing is void.
    error NothingVoid();

    /// @dev Bytes of a move. Rules do not look behind its arguments, the other side has to read all of it.
    uint256 private constant LONGEST_MOVE = 1 << 17;

    IDescentRules public immutable descentRules;
    IElementRules public immutable elementRules;
    ISumRules public immutable sumRules;
    IRangeRules public immutable rangeRules;
    IInputRules public immutable inputRules;
    IVoidRules public immutable voidRules;

    constructor(
        IDescentRules descentRules_,
        IElementRules elementRules_,
        ISumRules sumRules_,
        IRangeRules rangeRules_,
        IInputRules inputRules_,
        IVoidRules voidRules_
    ) {
        descentRules = descentRules_;
        elementRules = elementRules_;
        sumRules = sumRules_;
        rangeRules = rangeRules_;
        inputRules = inputRules_;
        voidRules = voidRules_;
    }

    /// @dev Reverts unless a move is made in this round.
    function _requireRound(uint256 id, bytes calldata move, bytes32 round) internal pure {
        if (move.length > LONGEST_MOVE) revert MoveTooLong(move.length);
        if (move.length < 4 + NextRound.LENGTH || keccak256(move[4:4 + NextRound.LENGTH]) != round) {
            revert WrongRound(id);
        }
    }

    /// @dev What a contract of rules says to a move: the encoded outcome and the next round.
    function _judge(RuleBook book, bytes memory move) internal view returns (bytes memory result) {
        result = _ask(_rulesOf(book), move);
    }

    function _ask(address rules, bytes memory move) internal view returns (bytes memory result) {
        bool isRight;
        (isRight, result) = rules.staticcall(move);
        if (!isRight) LowLevelCall.bubbleRevert(result);
    }

    /// @dev Whether a stage is that of the party whose claim is disputed: one bit for each.
    function _isClaimants(Stage stage) internal pure returns (bool) {
        uint256 claimants =
            (1 << uint256(Stage.States)) |
                (1 << uint256(Stage.Tensors)) |
                (1 << uint256(Stage.TensorNodes)) |
                (1 << uint256(Stage.Hashes)) |
                (1 << uint256(Stage.HashNodes)) |
                (1 << uint256(Stage.OpenLeaf)) |
                (1 << uint256(Stage.Sums)) |
                (1 << uint256(Stage.Witness)) |
                (1 << uint256(Stage.Link)) |
                (1 << uint256(Stage.TraceLeaves)) |
                (1 << uint256(Stage.TraceRoots)) |
                (1 << uint256(Stage.StateNodes)) |
                (1 << uint256(Stage.MemberLeaves));
        return (claimants >> uint256(stage)) & 1 == 1;
    }

    function _rulesOf(RuleBook book) private view returns (address) {
        if (book == RuleBook.Element) return address(elementRules);
        if (book == RuleBook.Sum) return address(sumRules);
        if (book == RuleBook.Range) return address(rangeRules);
        if (book == RuleBook.Input) return address(inputRules);
        return address(descentRules);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ExactDot} from "../../../contracts/disputes/ExactDot.sol";
import {Opcodes} from "../../../contracts/disputes/Opcodes.sol";
import {Tensor, TensorLeaves} from "../../../contracts/disputes/TensorLeaves.sol";
import {MiniTest} from "../MiniTest.sol";

/// @notice Runs of products whose operands were opened in pieces that do not lie beside each other in calldata: what lies
/// between them is never taken for what was opened.
contract ExactRunsTest is MiniTest {
    /// @dev Bytes between two pieces, which read as −1 at every element.
    uint256 private constant GAP = 64;

    function test_runs_whoseLastRowWasOpenedApart_areFound() public view {
        // Three rows of 16 elements, the first two opened together: rows 1 and 2 are asked for.
        ExactDot.Lines memory pairs = ExactDot.Lines(16, 0, 16, 0, 2, 1, 16);
        vm.assertEq(this.dotLines(_pieces(96, 64), 96, 64, 16, pairs), _expected(16, 32), "rows");
    }

    function test_runs_whoseLastLineWasOpenedApart_areFound() public view {
        // One row of 32 elements, opened by halves: three runs of eight.
        ExactDot.Lines memory pairs = ExactDot.Lines(0, 8, 0, 8, 1, 3, 8);
        vm.assertEq(this.dotLines(_pieces(64, 32), 64, 32, 32, pairs), _expected(0, 24), "lines");
    }

    function test_attack_aRunThatEndsBeyondWhatWasOpened_isNotReadOn() public {
        // The second run begins in the first half and ends in the other.
        ExactDot.Lines memory pairs = ExactDot.Lines(4, 8, 4, 8, 1, 2, 8);
        bytes memory pieces = _pieces(64, 32);
        vm.expectRevert(abi.encodeWithSelector(TensorLeaves.NotOpened.selector, 12));
        this.dotLines(pieces, 64, 32, 32, pairs);
    }

    /// @notice Σ a·b over the lines, a opened in the two pieces that meet at `cut`, b as a whole behind them.
    function dotLines(
        bytes calldata pieces,
        uint256 size,
        uint256 cut,
        uint256 rowLength,
        ExactDot.Lines memory pairs
    ) external pure returns (int256) {
        uint256 start;
        assembly ("memory-safe") {
            start := pieces.offset
        }
        Tensor memory a = _tensor(size, rowLength);
        a.spans = new uint256[](2);
        a.spans[0] = (cut << 128) | start;
        a.spans[1] = (cut << 192) | (size << 128) | (start + cut + GAP);
        Tensor memory b = _tensor(size, rowLength);
        b.spans = new uint256[](1);
        b.spans[0] = (size << 128) | (start + size + 2 * GAP);
        return ExactDot.dotLines(a, b, pairs);
    }

    function _tensor(uint256 size, uint256 rowLength) private pure returns (Tensor memory tensor) {
        (tensor.dtype, tensor.width, tensor.elements) = (Opcodes.I16, 2, size / 2);
        (tensor.rowLength, tensor.rowBytes) = (rowLength, 2 * rowLength);
    }

    /// @dev Both operands hold 1, 2, 3 …
    function _pieces(uint256 size, uint256 cut) private pure returns (bytes memory) {
        bytes memory whole = new bytes(size);
        for (uint256 i = 0; i < size / 2; ++i) whole[2 * i + 1] = bytes1(uint8(i + 1));
        bytes memory first = new bytes(cut);
        bytes memory second = new bytes(size - cut);
        for (uint256 i = 0; i < size; ++i) {
            if (i < cut) first[i] = whole[i];
            else second[i - cut] = whole[i];
        }
        bytes memory gap = new bytes(GAP);
        for (uint256 i = 0; i < GAP; ++i) gap[i] = 0xff;
        return bytes.concat(first, gap, second, gap, whole);
    }

    /// @dev Σ (i + 1)² over `count` elements from `from` on.
    function _expected(uint256 from, uint256 count) private pure returns (int256 sum) {
        for (uint256 i = from; i < from + count; ++i) sum += int256((i + 1) ** 2);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Bits} from "../../../contracts/libraries/Bits.sol";
import {DataContract} from "../../../contracts/libraries/DataContract.sol";
import {GF256} from "../../../contracts/libraries/GF256.sol";
import {MerkleProofs} from "../../../contracts/libraries/MerkleProofs.sol";
import {MiniTest} from "../MiniTest.sol";

contract StorageLibrariesTest is MiniTest {
    function testFuzz_bits_count(uint256 word) public pure {
        uint256 expected;
        for (uint256 i = 0; i < 256; ++i) expected += (word >> i) & 1;
        vm.assertEq(Bits.count(word), expected, "count");
    }

    function test_dataContract_tooLong_orWithTooLittleGas_isRefused() public {
        vm.expectRevert(abi.encodeWithSelector(DataContract.DataTooLong.selector, 0x6000));
        this.write(0x6000);
        // Of what the creation is given, nothing comes back: 200 gas a byte are missing.
        vm.expectRevert(DataContract.CreationFailed.selector);
        this.write{gas: 2_000_000}(0x5fff);
        vm.assertEq(this.write(0x5fff).code.length, 0x6000, "with the STOP in front");
    }

    function write(uint256 length) external returns (address) {
        return DataContract.write(new bytes(length));
    }

    function test_bits_countOfAllOnesNoneAndOne() public pure {
        vm.assertEq(Bits.count(type(uint256).max), 256, "all");
        vm.assertEq(Bits.count(0), 0, "none");
        for (uint256 i = 0; i < 256; ++i) vm.assertEq(Bits.count(1 << i), 1, "one");
    }

    function testFuzz_bits_rangeHoldsExactlyTheNumbersFromTo(
        uint16 index,
        uint32 from,
        uint32 to
    ) public pure {
        index %= 8;
        from %= 2_100;
        to %= 2_100;
        uint256 mask = Bits.range(index, from, to);
        for (uint256 i = 0; i < 256; ++i) {
            uint256 number = uint256(index) * 256 + i;
            vm.assertEq((mask >> i) & 1 != 0, number >= from && number < to, "bit");
        }
    }

    function test_gf256_tablesAgreeWithMultiplicationByShifts() public pure {
        (bytes memory powers, bytes memory logs) = GF256.tables();
        uint256 value = 1;
        for (uint256 i = 0; i < 255; ++i) {
            vm.assertEq(uint8(powers[i]), value, "power");
            vm.assertEq(uint8(logs[value]), i, "logarithm");
            value = _multiply(value, 2);
        }
        vm.assertEq(value, 1, "order 255");
    }

    function testFuzz_gf256_combinationIsZeroForCodewordsAndForNothingElse(
        uint256 seed,
        uint256 k,
        uint256 wrong,
        uint8 by
    ) public view {
        k = bound(k, 1, 36);
        uint256[] memory data = new uint256[](k);
        for (uint256 j = 0; j < k; ++j) data[j] = uint8(uint256(keccak256(abi.encode(seed, j))));
        // k + 1 of the positions from `first` on, in falling order.
        uint256 first = seed % (254 - k);
        uint256[] memory positions = new uint256[](k + 1);
        uint256[] memory symbols = new uint256[](k + 1);
        for (uint256 i = 0; i <= k; ++i) {
            positions[i] = first + k - i;
            symbols[i] = _symbol(data, positions[i]);
        }
        vm.assertEq(this.combination(k, positions, symbols), 0, "codeword");
        symbols[wrong % (k + 1)] ^= bound(by, 1, 255);
        vm.assertNotEq(this.combination(k, positions, symbols), 0, "one wrong symbol");
    }

    function test_gf256_refusesARepeatedPosition() public {
        uint256[] memory positions = new uint256[](3);
        (positions[0], positions[1], positions[2]) = (1, 4, 1);
        vm.expectRevert(abi.encodeWithSelector(GF256.RepeatedPosition.selector, 1));
        this.combination(2, positions, new uint256[](3));
    }

    function testFuzz_merkle_everyLeafHasOneProofUnderTheRoot(
        uint256 seed,
        uint256 count,
        uint256 index
    ) public view {
        count = bound(count, 1, 70);
        index %= count;
        bytes32[] memory leaves = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) leaves[i] = keccak256(abi.encode(seed, i));
        uint256 depth;
        while (2 ** depth < count) ++depth;
        vm.assertEq(MerkleProofs.depthOf(count), depth, "depth");
        (bytes32 root, bytes32[] memory proof) = _tree(leaves, depth, index);
        vm.assertEq(this.rootOf(leaves[index], index, proof, depth), root, "proof");
        if (count > 1) {
            vm.assertNotEq(this.rootOf(leaves[index], index ^ 1, proof, depth), root, "other place");
        }
        vm.assertEq(MerkleProofs.rootOfAll(leaves), root, "list");
    }

    function test_merkle_refusesProofsOfAnotherLength() public {
        vm.expectRevert(abi.encodeWithSelector(MerkleProofs.WrongProofLength.selector, 2, 3));
        this.rootOf(bytes32(0), 0, new bytes32[](2), 3);
    }

    function testFuzz_merkle_hashesArePrefixed(bytes calldata data, bytes32 left, bytes32 right) public pure {
        vm.assertEq(MerkleProofs.leafOf(data), keccak256(abi.encodePacked(bytes1(0x00), data)), "leaf");
        bytes32 node = keccak256(abi.encodePacked(bytes1(0x01), left, right));
        vm.assertEq(MerkleProofs.nodeOf(left, right), node, "node");
    }

    function combination(
        uint256 k,
        uint256[] memory positions,
        uint256[] memory symbols
    ) external pure returns (uint256) {
        return GF256.combination(k, positions, symbols);
    }

    function rootOf(
        bytes32 leaf,
        uint256 index,
        bytes32[] calldata siblings,
        uint256 depth
    ) external pure returns (bytes32) {
        return MerkleProofs.rootOf(leaf, index, siblings, depth);
    }

    function _tree(
        bytes32[] memory leaves,
        uint256 depth,
        uint256 index
    ) private pure returns (bytes32 root, bytes32[] memory proof) {
        bytes32[] memory level = new bytes32[](2 ** depth);
        for (uint256 i = 0; i < leaves.length; ++i) level[i] = leaves[i];
        proof = new bytes32[](depth);
        for (uint256 d = 0; d < depth; ++d) {
            proof[d] = level[index ^ 1];
            bytes32[] memory above = new bytes32[](level.length / 2);
            for (uint256 i = 0; i < above.length; ++i) {
                above[i] = keccak256(abi.encodePacked(bytes1(0x01), level[2 * i], level[2 * i + 1]));
            }
            (level, index) = (above, index / 2);
        }
        root = level[0];
    }

    function _symbol(uint256[] memory data, uint256 position) private pure returns (uint256 sum) {
        if (position < data.length) return data[position];
        for (uint256 j = 0; j < data.length; ++j) sum ^= _multiply(_inverse(position ^ j), data[j]);
    }

    function _multiply(uint256 a, uint256 b) private pure returns (uint256 product) {
        for (; b != 0; b >>= 1) {
            if (b & 1 != 0) product ^= a;
            a = a < 128 ? a << 1 : (a << 1) ^ 0x11d;
        }
    }

    /// @dev a^254
    function _inverse(uint256 a) private pure returns (uint256 inverse) {
        inverse = 1;
        for (uint256 i = 0; i < 7; ++i) {
            a = _multiply(a, a);
            inverse = _multiply(inverse, a);
        }
    }
}

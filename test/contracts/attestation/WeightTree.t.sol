// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {WeightTree} from "../../../contracts/attestation/WeightTree.sol";
import {MiniTest} from "../MiniTest.sol";

/// @notice The tree against a plain list of weights.
contract WeightTreeTest is MiniTest {
    using WeightTree for WeightTree.Tree;

    WeightTree.Tree private _tree;
    uint256[1_000] private _list;

    function testFuzz_take_equalsAWalkOverTheList(uint256 seed) public {
        uint256[] memory places = new uint256[](12);
        for (uint256 i = 0; i < 12; ++i) {
            places[i] = uint256(keccak256(abi.encode(seed, "place", i))) % WeightTree.PLACES;
            _put(places[i], uint256(keccak256(abi.encode(seed, "weight", i))) % 10_001, 1);
        }
        uint256[1_000] memory list = _list;
        // What changes in a later rotation is not seen, whether it grows or shrinks.
        for (uint256 i = 0; i < 12; i += 3) _put(places[i], i % 2 == 0 ? 10_000 : 0, 2);

        (uint256[] memory words, uint256 total) = _tree.load(1);
        uint256 sum = 0;
        for (uint256 i = 0; i < list.length; ++i) sum += list[i];
        vm.assertEq(total, sum, "total");
        for (uint256 draw = 0; total != 0; ++draw) {
            uint256 point = uint256(keccak256(abi.encode(seed, draw))) % total;
            uint256 rest = point;
            uint256 expected = 0;
            while (rest >= list[expected]) rest -= list[expected++];
            (uint256 place, uint256 weight) = _tree.take(1, words, point);
            vm.assertEq(place, expected, "place");
            vm.assertEq(weight, list[expected], "weight");
            list[expected] = 0;
            total -= weight;
        }
    }

    function test_load_ofAFullTree_holdsTheLargestSum() public {
        for (uint256 place = 0; place < WeightTree.PLACES; ++place) {
            _tree.set(place, 0, WeightTree.MAX_WEIGHT, 1);
        }
        (uint256[] memory words, uint256 total) = _tree.load(1);
        vm.assertEq(total, WeightTree.PLACES * WeightTree.MAX_WEIGHT, "total");
        (uint256 last, ) = _tree.take(1, words, total - 1);
        vm.assertEq(last, 999, "last");
        (uint256 first, ) = _tree.take(1, words, 0);
        vm.assertEq(first, 0, "first");
    }

    /// @dev Fields of one word: what one loses must not reach its neighbours.
    function testFuzz_set_lowersOnePlaceOnly(uint256 place, uint16[3] memory weights) public {
        place = 1 + (place % (WeightTree.PLACES - 2));
        for (uint256 i = 0; i < 3; ++i) _put(place - 1 + i, weights[i] % 10_001, 1);
        uint256 lower = _list[place] / 2;
        _put(place, lower, 2);
        (uint256[] memory words, uint256 total) = _tree.load(2);
        vm.assertEq(total, _list[place - 1] + lower + _list[place + 1], "total");
        uint256 point = _list[place - 1];
        if (lower == 0) return;
        (uint256 found, uint256 weight) = _tree.take(2, words, point);
        vm.assertEq(found, place, "place");
        vm.assertEq(weight, lower, "weight");
    }

    function _put(uint256 place, uint256 weight, uint48 rotation) private {
        _tree.set(place, _list[place], weight, rotation);
        _list[place] = weight;
    }
}

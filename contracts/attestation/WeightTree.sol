// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";

/// @title Up to 1,000 weights with their past, and draws without replacement
/// @notice A tree of radix 10 and depth 3; a node is a word of ten sums of 20 bits. Every word keeps its history by
/// rotation, so that a draw sees the weights of the rotation in which its seed was asked for.
library WeightTree {
    using Checkpoints for Checkpoints.Trace208;

    struct Tree {
        mapping(uint256 node => Checkpoints.Trace208) words;
    }

    /// @notice Number of places.
    uint256 internal constant PLACES = 1_000;
    /// @notice Largest weight: a hundred of them stay below 2^20.
    uint256 internal constant MAX_WEIGHT = 10_000;

    uint256 private constant RADIX = 10;
    uint256 private constant BITS = 20;
    uint256 private constant MASK = (1 << BITS) - 1;
    uint256 private constant NODES = 111;
    uint256 private constant LOADED = 1 << 208;

    /// @notice Sets the weight of a place from `rotation` on. Rotations never go down.
    function set(
        Tree storage tree,
        uint256 place,
        uint256 previous,
        uint256 weight,
        uint48 rotation
    ) internal {
        uint256 divisor = PLACES;
        uint256 base = 0;
        while (divisor != 1) {
            uint256 node = base + place / divisor;
            uint256 shift = BITS * ((place / (divisor / RADIX)) % RADIX);
            uint256 word = tree.words[node].latest();
            word = word + (weight << shift) - (previous << shift);
            // Ten fields fill 200 bits.
            tree.words[node].push(rotation, uint208(word));
            base = base * RADIX + 1;
            divisor /= RADIX;
        }
    }

    /// @notice Begins draws from the weights of a rotation.
    function load(
        Tree storage tree,
        uint48 rotation
    ) internal view returns (uint256[] memory words, uint256 total) {
        words = new uint256[](NODES);
        uint256 root = _wordAt(tree, rotation, words, 0);
        for (uint256 i = 0; i < RADIX; ++i) total += (root >> (BITS * i)) & MASK;
    }

    /// @notice The place in whose weight `point` falls; the place is taken out of `words`.
    /// @param point below the sum of the weights that are left
    function take(
        Tree storage tree,
        uint48 rotation,
        uint256[] memory words,
        uint256 point
    ) internal view returns (uint256 place, uint256 weight) {
        uint256[3] memory nodes;
        uint256[3] memory shifts;
        uint256 base = 0;
        for (uint256 level = 0; level < 3; ++level) {
            uint256 node = base + place;
            uint256 word = _wordAt(tree, rotation, words, node);
            uint256 shift = 0;
            weight = word & MASK;
            while (point >= weight) {
                point -= weight;
                shift += BITS;
                weight = (word >> shift) & MASK;
            }
            (nodes[level], shifts[level]) = (node, shift);
            place = place * RADIX + shift / BITS;
            base = base * RADIX + 1;
        }
        for (uint256 level = 0; level < 3; ++level) words[nodes[level]] -= weight << shifts[level];
    }

    function _wordAt(
        Tree storage tree,
        uint48 rotation,
        uint256[] memory words,
        uint256 node
    ) private view returns (uint256 word) {
        word = words[node];
        if (word != 0) return word;
        word = tree.words[node].upperLookupRecent(rotation) | LOADED;
        words[node] = word;
    }
}

pragma circom 2.1.6;

include "circomlib/circuits/poseidon.circom";
include "./select.circom";

/*
 * Proves:  leaf stands at the index given by bits in the 4-ary Poseidon tree of this depth and root.
 * Public:  nothing.
 * Private: leaf; bits of the index, low bit first, each proved 0 or 1 by the caller;
 *          children, all four of each node from the leaf's parent up to the root.
 */
template PoseidonPath(depth) {
    signal input leaf;
    signal input bits[2 * depth];
    signal input children[depth][4];
    signal output root;

    component select[depth];
    component node[depth];
    for (var level = 0; level < depth; level++) {
        select[level] = Select4();
        select[level].bits[0] <== bits[2 * level];
        select[level].bits[1] <== bits[2 * level + 1];
        node[level] = Poseidon(4);
        for (var child = 0; child < 4; child++) {
            select[level].children[child] <== children[level][child];
            node[level].inputs[child] <== children[level][child];
        }
        if (level == 0) {
            select[level].out === leaf;
        } else {
            select[level].out === node[level - 1].out;
        }
    }
    root <== node[depth - 1].out;
}

pragma circom 2.1.6;

include "circomlib/circuits/poseidon.circom";
include "./evaluate.circom";

/*
 * Proves:  coveringRoot is the root of the 4-ary Poseidon tree over exactly 4^depth roots, and
 *          evaluation = Σ_i roots_i · rho^i. With rho drawn from the roots after they are fixed, a contract that
 *          recomputes the sum knows that the leaves are the roots it was given, without hashing one Poseidon.
 * Public:  coveringRoot (output), evaluation (output), rho, in this order.
 * Private: roots.
 */
template Registration(depth) {
    var leaves = 4 ** depth;
    var nodes = (leaves - 1) \ 3;
    signal input rho;
    signal input roots[leaves];
    signal output coveringRoot;
    signal output evaluation;

    // Nodes from the bottom level to the top, each level after the one below it.
    component node[nodes];
    for (var n = 0; n < nodes; n++) {
        node[n] = Poseidon(4);
        for (var child = 0; child < 4; child++) {
            var source = 4 * n + child;
            if (source < leaves) {
                node[n].inputs[child] <== roots[source];
            } else {
                node[n].inputs[child] <== node[source - leaves].out;
            }
        }
    }
    coveringRoot <== node[nodes - 1].out;

    component evaluate = Evaluate(leaves);
    evaluate.elements <== roots;
    evaluate.rho <== rho;
    evaluation <== evaluate.out;
}

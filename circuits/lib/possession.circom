pragma circom 2.1.6;

include "circomlib/circuits/poseidon.circom";
include "./evaluate.circom";
include "./indices.circom";
include "./path.circom";

/*
 * Proves:  the prover knows the cells that stand at the asked indices of the 4-ary Poseidon tree with this root, and
 *          evaluation = Σ_j Σ_i x_{j,i} · rho^(16·j + i) over their elements.
 * Public:  evaluation (output), root, indices (challenges/perWord words of perWord indices, 2·depth bits each, first index
 *          lowest), rho, in this order.
 * Private: cells, 16 elements each; children, the four children of each node on each cell's path.
 *
 * Elements are not range-checked here: who registers a root computes it from bytes, so its cells are 31-byte elements
 * and Poseidon binds them.
 */
template Possession(challenges, depth, perWord) {
    assert(challenges % perWord == 0);
    var words = challenges \ perWord;
    signal input root;
    signal input indices[words];
    signal input rho;
    signal input cells[challenges][16];
    signal input children[challenges][depth][4];
    signal output evaluation;

    component unpack[words];
    for (var w = 0; w < words; w++) {
        unpack[w] = UnpackIndices(perWord, 2 * depth);
        unpack[w].word <== indices[w];
    }

    component leaf[challenges];
    component path[challenges];
    component evaluate = Evaluate(16 * challenges);
    for (var j = 0; j < challenges; j++) {
        leaf[j] = Poseidon(16);
        for (var i = 0; i < 16; i++) {
            leaf[j].inputs[i] <== cells[j][i];
            evaluate.elements[16 * j + i] <== cells[j][i];
        }
        path[j] = PoseidonPath(depth);
        path[j].leaf <== leaf[j].out;
        for (var b = 0; b < 2 * depth; b++) {
            path[j].bits[b] <== unpack[j \ perWord].out[j % perWord][b];
        }
        path[j].children <== children[j];
        path[j].root === root;
    }
    evaluate.rho <== rho;
    evaluation <== evaluate.out;
}

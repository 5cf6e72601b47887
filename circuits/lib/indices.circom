pragma circom 2.1.6;

include "circomlib/circuits/bitify.circom";

/*
 * Proves:  word = Σ index_j · 2^(bits·j) for `count` indices of exactly `bits` bits, and nothing above them: a word with a
 *          stray high bit has no witness. count · bits ≤ 253 keeps the sum below r, so the bits are unique.
 * Public:  nothing.
 * Private: word.
 */
template UnpackIndices(count, bits) {
    assert(count * bits <= 253);
    signal input word;
    signal output out[count][bits];

    component split = Num2Bits(count * bits);
    split.in <== word;
    for (var j = 0; j < count; j++) {
        for (var i = 0; i < bits; i++) {
            out[j][i] <== split.out[j * bits + i];
        }
    }
}

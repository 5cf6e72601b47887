pragma circom 2.1.6;

/*
 * Proves:  out = Σ elements_i · rho^i over i = 0 … count − 1, by Horner's rule.
 * Public:  nothing.
 * Private: elements; rho.
 */
template Evaluate(count) {
    signal input elements[count];
    signal input rho;
    signal output out;

    signal partial[count];
    partial[count - 1] <== elements[count - 1];
    for (var i = count - 2; i >= 0; i--) {
        partial[i] <== partial[i + 1] * rho + elements[i];
    }
    out <== partial[0];
}

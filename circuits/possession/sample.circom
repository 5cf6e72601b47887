pragma circom 2.1.6;

include "../lib/evaluate.circom";

/*
 * Proves:  evaluation = Σ elements_i · rho^i over one cell: what a key ceremony is rehearsed on, for its set-up takes
 *          seconds where that of the real circuits takes hours.
 * Public:  evaluation, rho.
 * Private: the cell's 16 elements.
 */
component main {public [rho]} = Evaluate(16);

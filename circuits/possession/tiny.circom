pragma circom 2.1.6;

include "../lib/possession.circom";

/*
 * Proves:  what possession.circom proves, with 2 cells of a tree of 16: small enough to mutate every signal in a test.
 * Public:  evaluation, root, indices (2 of 4 bits), rho.
 * Private: the cells and their paths of depth 2.
 */
component main {public [root, indices, rho]} = Possession(2, 2, 2);

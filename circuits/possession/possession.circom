pragma circom 2.1.6;

include "../lib/possession.circom";

/*
 * Proves:  possession of 16 cells of one bundle (storage protocol, section 6).
 * Public:  evaluation, root of the bundle, indices (16 of 14 bits), rho.
 * Private: the cells and their paths of depth 7.
 */
component main {public [root, indices, rho]} = Possession(16, 7, 16);

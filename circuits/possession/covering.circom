pragma circom 2.1.6;

include "../lib/possession.circom";

/*
 * Proves:  possession of 16 cells of up to 64 bundles under one covering root (storage protocol, section 6). An index is
 *          bundle · 2^14 + cell; that samples are spread over the bundles is the business of who derives the indices.
 * Public:  evaluation, covering root, indices (two words of 8, 20 bits each), rho.
 * Private: the cells and their paths of depth 10.
 */
component main {public [root, indices, rho]} = Possession(16, 10, 8);

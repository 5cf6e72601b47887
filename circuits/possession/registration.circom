pragma circom 2.1.6;

include "../lib/registration.circom";

/*
 * Proves:  a covering root has exactly the 64 leaves that a contract was given (storage protocol, section 6).
 * Public:  covering root, evaluation, rho.
 * Private: the 64 bundle roots, unused ones 0.
 */
component main {public [rho]} = Registration(3);

pragma circom 2.1.6;

/*
 * Proves:  out is the child that the two bits name.
 * Public:  nothing.
 * Private: children; bits, low bit first. The caller proves that each bit is 0 or 1.
 */
template Select4() {
    signal input children[4];
    signal input bits[2];
    signal output out;

    signal low <== children[0] + bits[0] * (children[1] - children[0]);
    signal high <== children[2] + bits[0] * (children[3] - children[2]);
    out <== low + bits[1] * (high - low);
}

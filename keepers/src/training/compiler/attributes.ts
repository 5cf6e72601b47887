import type { Window } from "./graph.ts";

/** Attributes that a convolution and its gradients have in common. */
export function strideAndPads({ stride, pads }: Window) {
  return {
    strideH: stride[0],
    strideW: stride[1],
    padTop: pads[0],
    padLeft: pads[1],
    padBottom: pads[2],
    padRight: pads[3],
  };
}

/** Attributes of a pool. */
export function windowAttributes(window: Window) {
  return { kernelH: window.kernel[0], kernelW: window.kernel[1], ...strideAndPads(window) };
}

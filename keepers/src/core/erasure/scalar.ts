import { multiply } from "./field.ts";

/**
 * The definition the kernel is tested against: output r is the sum over j of rows[r][j] · inputs[j], byte by byte.
 * All inputs and outputs have the same length.
 */
export function combineScalar(
  rows: readonly Uint8Array[],
  inputs: readonly Uint8Array[],
  outputs: readonly Uint8Array[],
): void {
  rows.forEach((row, r) => {
    const output = outputs[r]!;
    for (let at = 0; at < output.length; at++) {
      let sum = 0;
      for (let j = 0; j < inputs.length; j++) sum ^= multiply(row[j]!, inputs[j]![at]!);
      output[at] = sum;
    }
  });
}

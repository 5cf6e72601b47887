import type { File } from "snarkjs";
import { wtns } from "snarkjs";
import type { CircuitInput } from "../../core/groth16/inputs.ts";

const witnessSection = 2;

/**
 * Runs circom's witness generator.
 * @returns all wires, 32 bytes each, little-endian.
 * @throws the generator's own error when the input does not satisfy the circuit.
 */
export async function calculateWitness(input: CircuitInput, wasm: string): Promise<Uint8Array> {
  const file: Extract<File, { type: "mem" }> = { type: "mem" };
  await wtns.calculate(input, wasm, file);
  const bytes = file.data!;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let position = 12;
  for (;;) {
    const length = Number(view.getBigUint64(position + 4, true));
    const start = position + 12;
    if (view.getUint32(position, true) === witnessSection) return bytes.slice(start, start + length);
    position = start + length;
  }
}

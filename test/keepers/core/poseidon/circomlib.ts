import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(import.meta.url);

type Circomlibjs = {
  buildPoseidon(): Promise<
    ((inputs: readonly bigint[]) => Uint8Array) & { F: { toObject(element: Uint8Array): bigint } }
  >;
};

/** circomlibjs' Poseidon on big integers; an implementation that shares nothing with ours. */
export async function circomlibPoseidon(): Promise<(inputs: readonly bigint[]) => bigint> {
  const poseidon = await (require("circomlibjs") as Circomlibjs).buildPoseidon();
  return (inputs) => poseidon.F.toObject(poseidon(inputs));
}

/** The published constants as circomlibjs ships them: `C[t − 2]` round constants and `M[t − 2]` matrices. */
export function circomlibConstants(): { C: string[][]; M: string[][][] } {
  const entry = pathToFileURL(require.resolve("circomlibjs"));
  return JSON.parse(readFileSync(new URL("../src/poseidon_constants.json", entry), "utf8"));
}

import { readFileSync } from "node:fs";
import { bn254 } from "@noble/curves/bn254.js";
import { decodeProof256 } from "../../../../keepers/src/core/groth16/encode.ts";
import type { G2Point, Proof } from "../../../../keepers/src/core/groth16/types.ts";

type VectorFile = {
  verifyingKey: string;
  publicSignals: string[];
  proofs: { proof256: string; proof128: string }[];
};

export type Vector = { proof256: Uint8Array; proof128: Uint8Array; proof: Proof };

const file = JSON.parse(
  readFileSync(new URL("../../../vectors/groth16-compressed.json", import.meta.url), "utf8"),
) as VectorFile;

export const keyBytes = fromHex(file.verifyingKey);
export const publicSignals = file.publicSignals.map(BigInt);
export const vectors: Vector[] = file.proofs.map(({ proof256, proof128 }) => ({
  proof256: fromHex(proof256),
  proof128: fromHex(proof128),
  proof: decodeProof256(fromHex(proof256)),
}));

/** A copy of the bytes with the word at `index` replaced by what `change` makes of it. */
export function changeWord(bytes: Uint8Array, index: number, change: (word: bigint) => bigint): Uint8Array {
  const hex = Buffer.from(bytes).toString("hex");
  const word = BigInt(`0x${hex.slice(64 * index, 64 * index + 64)}`);
  const changed = BigInt.asUintN(256, change(word)).toString(16).padStart(64, "0");
  return Uint8Array.from(Buffer.from(hex.slice(0, 64 * index) + changed + hex.slice(64 * index + 64), "hex"));
}

function fromHex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.slice(2), "hex"));
}

/** A point of the twist that is outside the subgroup of order r, as almost all of its points are. */
export function strayPoint(): G2Point {
  const { Fp2 } = bn254.fields;
  const constant = Fp2.div(Fp2.fromBigTuple([3n, 0n]), Fp2.fromBigTuple([9n, 1n]));
  for (let c0 = 1n; ; c0++) {
    const x = Fp2.fromBigTuple([c0, 0n]);
    const right = Fp2.add(Fp2.mul(Fp2.sqr(x), x), constant);
    try {
      const y = Fp2.sqrt(right);
      return { x: { c0: x.c0, c1: x.c1 }, y: { c0: y.c0, c1: y.c1 } };
    } catch {
      // Not a square: try the next x.
    }
  }
}

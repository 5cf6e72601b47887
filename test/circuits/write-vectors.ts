/**
 * Writes test/vectors/groth16-compressed.json: one proof of the tiny circuit and re-randomised ones, so that every
 * combination of the encoding's four flags occurs. Run by hand when the circuit or the encoding changes:
 * `node test/circuits/write-vectors.ts`.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { groth16 } from "snarkjs";
import { repository } from "../../circuits/setup/circuits.ts";
import { setupCircuits } from "../../circuits/setup/setup.ts";
import { compressProof } from "../../keepers/src/core/groth16/compress.ts";
import { encodeProof256 } from "../../keepers/src/core/groth16/encode.ts";
import { proofFromSnarkjs } from "../../keepers/src/core/groth16/snarkjs.ts";
import { decodeVerifyingKey } from "../../keepers/src/core/groth16/verifying-key.ts";
import { rerandomise } from "./rerandomise.ts";
import { sampleNumber, tinyInput } from "./samples.ts";
import { referencePoseidon } from "./tree.ts";

const hex = (bytes: Uint8Array): string => `0x${Buffer.from(bytes).toString("hex")}`;

const [tiny] = await setupCircuits({ only: ["tiny"] });
const keyBytes = await readFile(tiny!.verifyingKeyBytes);
const key = decodeVerifyingKey(keyBytes);
const result = await groth16.fullProve(
  tinyInput(await referencePoseidon(), "vectors"),
  tiny!.wasm,
  tiny!.zkey,
  undefined,
  undefined,
  { singleThread: true },
);
const first = proofFromSnarkjs(result.proof);
const found = new Map<number, { proof256: string; proof128: string }>();
for (let i = 0; found.size < 16; i++) {
  const proof =
    i === 0 ? first : rerandomise(first, key, sampleNumber(`scale/${i}`), sampleNumber(`shift/${i}`));
  const bytes = compressProof(proof);
  const flags = ((bytes[0]! >> 7) << 3) | ((bytes[32]! >> 6) << 1) | (bytes[96]! >> 7);
  found.set(flags, { proof256: hex(encodeProof256(proof)), proof128: hex(bytes) });
}
const vectors = {
  description:
    "Groth16 proofs of one statement in both encodings; together they have every combination of sign(A), sign(B), hint(B), sign(C).",
  verifyingKey: hex(keyBytes),
  publicSignals: result.publicSignals,
  proofs: [...found.entries()].sort(([a], [b]) => a - b).map(([, encodings]) => encodings),
};
const path = join(repository, "test/vectors/groth16-compressed.json");
await writeFile(path, `${JSON.stringify(vectors, undefined, 2)}\n`);

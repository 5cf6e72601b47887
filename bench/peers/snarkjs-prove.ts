import { type SpawnOptions, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { CircuitInput } from "../../keepers/src/core/groth16/inputs.ts";
import type { CircuitFiles } from "../../keepers/src/storage/prover/messages.ts";

export type SnarkjsProving = { seconds: number; peakMemory: number };

/** snarkjs' own prover in a process of its own: wall time of witness and proof, and the peak of its resident memory. */
export function proveWithSnarkjs(
  files: CircuitFiles,
  input: CircuitInput,
  singleThread: boolean,
): Promise<SnarkjsProving> {
  const script = fileURLToPath(new URL("./snarkjs-prove-process.ts", import.meta.url));
  const options: SpawnOptions = { stdio: ["ignore", "ignore", "inherit", "ipc"], serialization: "advanced" };
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script], options);
    child.on("message", (result: SnarkjsProving) => resolve(result));
    child.on("exit", (code) => reject(new Error(`snarkjs' prover ended with ${code}`)));
    child.on("error", reject);
    child.send({ files, input, singleThread });
  });
}

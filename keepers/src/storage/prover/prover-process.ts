/**
 * Runs as a process of its own, with an IPC channel: a proof takes all cores and hundreds of megabytes for seconds, and
 * the WASM under it can abort. snarkjs cannot run in a worker thread: its own worker shim refuses to be loaded there.
 */
import { setPriority } from "node:os";
import type { File } from "snarkjs";
import { groth16, wtns } from "snarkjs";
import type { ProveReply, ProveRequest } from "./messages.ts";

/** Proofs are due in hours: the keeper that answers peers goes first. */
const backgroundPriority = 10;

setPriority(backgroundPriority);
process.on("disconnect", () => process.exit());
process.on("message", (request: ProveRequest) => {
  void answer(request).then((reply) => process.send?.(reply));
});

async function answer({ id, files, input }: ProveRequest): Promise<ProveReply> {
  const witness: File = { type: "mem" };
  try {
    await wtns.calculate(input, files.wasm, witness);
  } catch (error) {
    return { id, failure: "witness", message: String(error) };
  }
  try {
    const { proof, publicSignals } = await groth16.prove(files.zkey, witness);
    return { id, proof, publicSignals, peakMemory: process.resourceUsage().maxRSS * 1024 };
  } catch (error) {
    return { id, failure: "proof", message: String(error) };
  }
}

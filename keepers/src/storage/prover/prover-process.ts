/**
 * Runs as a process of its own, with an IPC channel: a proof takes all cores and hundreds of megabytes for seconds, and
 * the WASM under it can abort. snarkjs cannot run in a worker thread: its own worker shim refuses to be loaded there.
 */
import { setPriority } from "node:os";
import { proveGroth16 } from "./groth16-prove.ts";
import type { ProveReply, ProveRequest } from "./messages.ts";
import { calculateWitness } from "./witness.ts";

// What is due on chain has the keeper's own priority: with less, whatever else the machine does could keep it from its deadline.
const niceness = Number(process.argv[2]);
if (niceness > 0) setPriority(niceness);
// ffjavascript waits for ever for a thread that has failed or is gone: without all its threads this process is of no use.
process.on("worker", (thread) => {
  thread.once("error", (error) => {
    throw error;
  });
  thread.once("exit", (code) => {
    throw new Error(`a thread that computes the proof ended with code ${code}`);
  });
});
process.on("disconnect", () => process.exit());
process.on("message", (request: ProveRequest) => {
  void answer(request).then((reply) => {
    process.send?.(reply);
    globalThis.gc?.();
  });
});

async function answer({ id, files, input }: ProveRequest): Promise<ProveReply> {
  let witness: Uint8Array;
  try {
    witness = await calculateWitness(input, files.wasm);
  } catch (error) {
    return { id, failure: "witness", message: String(error) };
  }
  try {
    // The generator's memory is garbage now, and buffers outside the heap do not hurry the collector.
    globalThis.gc?.();
    const result = await proveGroth16(files.zkey, witness);
    return { id, ...result, peakMemory: process.resourceUsage().maxRSS * 1024 };
  } catch (error) {
    return { id, failure: "proof", message: String(error) };
  }
}

import type { CircuitInput } from "../../core/groth16/inputs.ts";
import type { ProveResult } from "./prover.ts";

/** Paths of what a circuit is proved with. */
export type CircuitFiles = { wasm: string; zkey: string };

export type ProveRequest = { id: number; files: CircuitFiles; input: CircuitInput };

/** `peakMemory` is the highest resident memory of the process so far, in bytes. */
export type ProveReply =
  | ({ id: number; peakMemory: number } & ProveResult)
  | { id: number; failure: "witness" | "proof"; message: string };

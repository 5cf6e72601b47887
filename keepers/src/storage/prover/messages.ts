import type { CircuitInput } from "../../core/groth16/inputs.ts";
import type { SnarkjsProof } from "../../core/groth16/snarkjs.ts";

/** Paths of what a circuit is proved with. */
export type CircuitFiles = { wasm: string; zkey: string };

export type ProveRequest = { id: number; files: CircuitFiles; input: CircuitInput };

export type ProveReply =
  | { id: number; proof: SnarkjsProof; publicSignals: string[]; peakMemory: number }
  | { id: number; failure: "witness" | "proof"; message: string };

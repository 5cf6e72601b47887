import { AssayError, exitCode } from "../../core/errors.ts";
import type { CircuitInput, OpeningCircuit } from "../../core/groth16/inputs.ts";
import type { Proof } from "../../core/groth16/types.ts";

/** The circuits of the storage protocol, section 6. */
export type ProverCircuit = OpeningCircuit | "registration";

export type ProveOptions = {
  /** Takes the proof out of the queue, or ends the process that works on it; the promise rejects with its reason. */
  signal?: AbortSignal;
  /** "duty", the default: it is due on chain and comes first, always. "client": somebody would like to see it. */
  lane?: "duty" | "client";
};

export type ProveResult = {
  proof: Proof;
  /** In the order of the storage protocol, section 6. */
  publicSignals: bigint[];
};

/** Makes Groth16 proofs, one at a time, what is due on chain first, each kind in the order asked. */
export interface Prover<Circuit extends string = ProverCircuit> {
  /**
   * @throws ProverBusyError when too many clients wait, UnprovableError when the inputs do not satisfy the circuit, ProverError when no proof could be made for another
   * reason, the signal's reason when aborted.
   */
  prove(circuit: Circuit, input: CircuitInput, options?: ProveOptions): Promise<ProveResult>;
  /** Rejects what is queued or under way and ends the process. */
  close(): Promise<void>;
}

/** No proof could be made, for a reason that does not lie in the inputs. */
export class ProverError extends AssayError {
  override readonly name: string = "ProverError";

  constructor(message: string, options: { cause?: unknown; next?: string } = {}) {
    super(message, { exitCode: exitCode.unavailable, ...options });
  }
}

/** Too many proofs that clients asked for wait already. */
export class ProverBusyError extends ProverError {
  override readonly name: string = "ProverBusyError";

  constructor() {
    super("Too many proofs for clients wait already.", { next: "Ask again later." });
  }
}

/** The inputs do not satisfy the circuit: the cells are not those under the root, or an index is wrong. */
export class UnprovableError extends AssayError {
  override readonly name: string = "UnprovableError";

  constructor(circuit: string, cause: string) {
    super(`The ${circuit} circuit cannot be satisfied: what is stored is not what the root commits to.`, {
      exitCode: exitCode.badInput,
      next: "Check the bundle against its roots and repair it.",
      cause,
    });
  }
}

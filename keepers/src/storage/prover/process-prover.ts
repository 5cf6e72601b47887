import type { CircuitInput } from "../../core/groth16/inputs.ts";
import {
  type ProveOptions,
  type ProveResult,
  type Prover,
  ProverBusyError,
  type ProverCircuit,
} from "./prover.ts";
import { type LaneOptions, ProvingLane } from "./proving-lane.ts";

export type ProcessProverOptions<Circuit extends string> = Pick<
  LaneOptions<Circuit>,
  "circuits" | "idleTime" | "leastTimeLimit" | "onPeakMemory"
> & {
  /** Proofs for clients that may wait or be under way. */
  mostForClients?: number;
};

/** How much the keeper's answers to peers come before proofs that clients ask for; as `nice` has it. */
const clientNiceness = 5;
const defaultMostForClients = 64;

/**
 * A {@link Prover} in child processes. Proofs that are due on chain have one of their own, at the keeper's own priority: a busy
 * machine must not keep it from its deadlines. Clients' proofs are made in another while there is nothing due, and are
 * stopped as soon as there is.
 */
export class ProcessProver<Circuit extends string = ProverCircuit> implements Prover<Circuit> {
  readonly #duties: ProvingLane<Circuit>;
  readonly #clients: ProvingLane<Circuit>;
  readonly #mostForClients: number;
  #setAside = 0;

  constructor({ mostForClients = defaultMostForClients, ...options }: ProcessProverOptions<Circuit>) {
    this.#mostForClients = mostForClients;
    this.#duties = new ProvingLane({ ...options, niceness: 0, onIdle: () => this.#clients.resume() });
    this.#clients = new ProvingLane({ ...options, niceness: clientNiceness });
  }

  /** Proofs asked for and not yet answered. */
  get pending(): number {
    return this.#duties.pending + this.#clients.pending;
  }

  /** Proofs of each kind that are not answered yet, and how often one for a client had to make way since the start. */
  get stats(): { readonly duties: number; readonly clients: number; readonly setAside: number } {
    return { duties: this.#duties.pending, clients: this.#clients.pending, setAside: this.#setAside };
  }

  /** The process that proves what is due, while there is one. */
  get processId(): number | undefined {
    return this.#duties.processId;
  }

  /** The process that proves for clients, while there is one. */
  get clientProcessId(): number | undefined {
    return this.#clients.processId;
  }

  async prove(
    circuit: Circuit,
    input: CircuitInput,
    { signal, lane = "duty" }: ProveOptions = {},
  ): Promise<ProveResult> {
    if (lane === "client") {
      if (this.#clients.pending >= this.#mostForClients) throw new ProverBusyError();
      return this.#clients.prove(circuit, input, signal);
    }
    const proving = this.#duties.prove(circuit, input, signal);
    if (this.#duties.pending > 0 && this.#clients.pause()) this.#setAside++;
    return proving;
  }

  async close(): Promise<void> {
    await Promise.all([this.#duties.close(), this.#clients.close()]);
  }
}

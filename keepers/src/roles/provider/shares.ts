import type { Address } from "viem";
import { type Contributions, contributionsOf, type ProvenShare } from "../../core/market/contributions.ts";
import type { Payroll } from "./payroll.ts";

/** Trees that are kept: workers ask for their shares of the jobs that ended last. */
const mostTrees = 16;

/**
 * Where workers stand under the roots of jobs. Anybody may ask, and a tree over many workers takes long to build: only for one
 * that has a share, and once, as what a root is posted over does not change.
 */
export class Shares {
  readonly #payroll: Pick<Payroll, "settled" | "settledFor">;
  /** By job; those asked for last come last. */
  readonly #trees = new Map<bigint, Contributions>();

  constructor(payroll: Pick<Payroll, "settled" | "settledFor">) {
    this.#payroll = payroll;
  }

  /** The tree that the root of a job is posted over; undefined when that is nothing, or not fixed. */
  of(jobId: bigint): Contributions | undefined {
    const known = this.#trees.get(jobId);
    const tree = known ?? treeOf(this.#payroll, jobId);
    if (tree === undefined) return undefined;
    this.#trees.delete(jobId);
    this.#trees.set(jobId, tree);
    if (this.#trees.size > mostTrees) this.#trees.delete(this.#trees.keys().next().value!);
    return tree;
  }

  find(jobId: bigint, worker: Address): ProvenShare | undefined {
    if (this.#payroll.settledFor(jobId, worker) === undefined) return undefined;
    return this.of(jobId)?.find(worker);
  }
}

function treeOf(payroll: Pick<Payroll, "settled">, jobId: bigint): Contributions | undefined {
  const totals = payroll.settled(jobId) ?? [];
  return totals.length === 0 ? undefined : contributionsOf(totals);
}

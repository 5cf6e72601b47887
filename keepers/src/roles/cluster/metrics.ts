import { Counter, Gauge, type Registry } from "prom-client";
import { formatUnits } from "viem";
import type { ClusterObserver, Outcome, Verdict } from "../../training/cluster/session.ts";

/** What a provider counts of its workers. */
export class ClusterMetrics implements ClusterObserver {
  readonly #results: Counter<"outcome">;
  readonly #computed: Counter;
  readonly #rewinds: Counter;

  /** @param desk where workers join */
  constructor(registry: Registry, desk: { readonly members: number }) {
    const registers = [registry];
    new Gauge({
      name: "assay_workers",
      help: "Workers that are connected",
      registers,
      collect() {
        this.set(desk.members);
      },
    });
    this.#results = new Counter({
      name: "assay_worker_results_total",
      help: "Results of workers, by what became of them",
      labelNames: ["outcome"],
      registers,
    });
    this.#computed = new Counter({
      name: "assay_own_chunks_total",
      help: "Chunks that the provider computed itself: not settled by workers, drawn, or suspect",
      registers,
    });
    this.#rewinds = new Counter({
      name: "assay_rewinds_total",
      help: "Times that a run went back to a checkpoint because workers had lied",
      registers,
    });
  }

  result(outcome: Outcome | "late"): void {
    this.#results.inc({ outcome });
  }

  computed(): void {
    this.#computed.inc();
  }

  rewound(): void {
    this.#rewinds.inc();
  }
}

/** What a worker counts. */
export class WorkMetrics {
  readonly #delivered: Counter<"verdict">;

  /** @param owed base units of the token that were countersigned and are not settled */
  constructor(registry: Registry, owed: () => bigint) {
    const registers = [registry];
    this.#delivered = new Counter({
      name: "assay_delivered_chunks_total",
      help: "Chunks that this worker computed, by what the provider said",
      labelNames: ["verdict"],
      registers,
    });
    new Gauge({
      name: "assay_countersigned_tokens",
      help: "Pay that providers have countersigned, of jobs that are not settled",
      registers,
      collect() {
        this.set(Number(formatUnits(owed(), 18)));
      },
    });
  }

  delivered(verdict: Verdict): void {
    this.#delivered.inc({ verdict });
  }
}

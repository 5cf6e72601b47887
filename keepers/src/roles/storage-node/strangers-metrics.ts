import { Gauge, type Registry } from "prom-client";
import type { ProcessProver } from "../../storage/prover/process-prover.ts";
import type { ByteBudget } from "../../storage/transport/byte-budget.ts";
import type { ShardServer } from "../../storage/transport/shard-service.ts";
import type { StorageService } from "./service.ts";

export type StrangersParts = {
  readonly budget: ByteBudget;
  readonly server: Pick<ShardServer, "stats">;
  readonly service: Pick<StorageService, "stats">;
  /** Connections that are open. */
  readonly connections: () => number;
};

/** Shows what peers make a storage node keep and wait for, and what was turned away. */
export function measureStrangers(registry: Registry, parts: StrangersParts): void {
  const { budget, server, service, connections } = parts;
  const registers = [registry];
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  };
  const family = (name: string, help: string, label: string, read: () => Record<string, number>): void => {
    new Gauge({
      name,
      help,
      registers,
      labelNames: [label],
      collect() {
        for (const [value, count] of Object.entries(read())) this.set({ [label]: value }, count);
      },
    });
  };
  gauge("assay_peer_connections", "Connections that are open", connections);
  gauge("assay_peer_memory_bytes", "Bytes that peers make this node keep in memory", () => budget.used);
  gauge("assay_peer_memory_limit_bytes", "What they may be at most", () => budget.total);
  gauge("assay_peer_streams", "Streams of peers that are open", () => server.stats.streams);
  gauge("assay_peer_requests", "Requests of peers under way", () => server.stats.requests);
  gauge("assay_offers", "Manifests of which no bundle is here", () => service.stats.offers);
  gauge("assay_arriving_bundles", "Bundles that are arriving", () => service.stats.arriving);
  family("assay_peer_waiting", "Work of peers that waits", "what", () => service.stats.waiting);
  family("assay_peer_refused", "What was turned away since the start", "what", () => ({
    memory: budget.refused,
    ...server.stats.refused,
    ...service.stats.refused,
  }));
}

/** Shows what a prover has to do. */
export function measureProver(registry: Registry, prover: Pick<ProcessProver, "stats">): void {
  new Gauge({
    name: "assay_prover_pending",
    help: "Proofs asked for and not made yet",
    registers: [registry],
    labelNames: ["lane"],
    collect() {
      const { duties, clients } = prover.stats;
      this.set({ lane: "duty" }, duties);
      this.set({ lane: "client" }, clients);
    },
  });
  new Gauge({
    name: "assay_prover_set_aside",
    help: "Proofs for clients that made way for one that was due, since the start",
    registers: [registry],
    collect() {
      this.set(prover.stats.setAside);
    },
  });
}

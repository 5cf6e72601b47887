import { Counter, Gauge } from "prom-client";
import type { ChainClient } from "../chain/client.ts";
import { systemClock } from "../chain/clock.ts";
import type { FollowerObserver } from "../chain/follower/follower.ts";
import type { QueueObserver } from "../chain/transactions/queue.ts";
import type { Telemetry } from "./telemetry.ts";

/** Where observers write to. */
export type Observed = Pick<Telemetry, "log" | "metrics">;

/** Logs and counts what a follower does. */
export function observeFollower({ log, metrics }: Observed): FollowerObserver {
  const registers = [metrics];
  const block = new Gauge({ name: "assay_follower_block", help: "Last block followed", registers });
  const head = new Gauge({ name: "assay_chain_head", help: "Newest block of the chain", registers });
  const events = new Counter({ name: "assay_follower_events_total", help: "Events taken over", registers });
  const reorgs = new Counter({ name: "assay_follower_reorgs_total", help: "Reorganisations", registers });
  const failures = new Counter({ name: "assay_follower_failures_total", help: "Steps to repeat", registers });
  return {
    advanced(position) {
      block.set(Number(position.number));
      head.set(Number(position.head));
      events.inc(position.events);
      log.debug(position, "followed the chain");
    },
    reorganised(depth, taken) {
      reorgs.inc();
      log.warn({ depth, events: taken }, "the chain was reorganised");
    },
    split: (range) => log.debug({ range }, "asked for fewer blocks at a time"),
    failed(error) {
      failures.inc();
      log.warn({ err: error }, "could not follow the chain; trying again");
    },
    ignored: ({ address, topics }) => log.debug({ address, topic: topics[0] }, "an event of an unknown kind"),
  };
}

/** Logs and counts what a transaction queue does. */
export function observeQueue({ log, metrics }: Observed): QueueObserver {
  const registers = [metrics];
  const sent = new Counter({ name: "assay_transactions_sent_total", help: "Transactions sent", registers });
  const settled = new Counter({
    name: "assay_transactions_settled_total",
    help: "Transactions that are final, by outcome",
    labelNames: ["status"],
    registers,
  });
  const gas = new Counter({ name: "assay_gas_used_total", help: "Gas used", registers });
  const cost = new Counter({ name: "assay_fees_paid_wei_total", help: "Fees paid, in wei", registers });
  return {
    sent(event) {
      sent.inc();
      log.info(event, event.replaces ? "replaced a transaction" : "sent a transaction");
    },
    settled(event) {
      settled.inc({ status: event.status });
      gas.inc(Number(event.gasUsed));
      cost.inc(Number(event.cost));
      log.info(event, event.status === "mined" ? "a transaction is final" : "a transaction had no effect");
    },
    waiting: (event) => log.warn(event, "a transaction waits"),
    failed: (error) => log.warn({ err: error }, "could not look after transactions; trying again"),
  };
}

/** Health of the RPC endpoints: ok while at least one is not resting. */
export function checkChain(client: ChainClient, now: () => number = systemClock.now) {
  return () => {
    const endpoints = client.health();
    return { ok: endpoints.some(({ restingUntil }) => restingUntil <= now()), endpoints };
  };
}

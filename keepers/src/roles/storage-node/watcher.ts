import { setTimeout as delay } from "node:timers/promises";
import type { Hex } from "viem";
import { chainTime, type DutyContext, tryCall } from "./context.ts";
import { AwaitedEpochs, type LiveEpoch, liveEpochs } from "./epochs.ts";
import type { Ledger } from "./ledger.ts";
import { isRedrawDue, redraw } from "./redraw.ts";
import { turnOf } from "./turn.ts";

export type WatcherParts = DutyContext & {
  ledger: Ledger;
  /** Chain seconds between the turns of two operators for work that one of them is enough for. */
  stagger: bigint;
  /** Milliseconds between two looks at the epochs while time-outs are called; 10 seconds by default. */
  lookEvery?: number;
};

/** A beacon's rounds take tens of seconds: a look each ten notices in time that one was missed, and costs a few reads. */
const defaultLookEvery = 10_000;

/**
 * Work that keeps the audits going and that any keeper may do: opens epochs, has seeds redrawn that do not come, calls
 * time-outs, slashes missed audits.
 */
export class Watcher {
  readonly #parts: WatcherParts;
  readonly #awaited: AwaitedEpochs;
  /** When requests of seeds were first seen to be due for a redraw, chain seconds. */
  readonly #dueSince = new Map<bigint, bigint>();

  constructor(parts: WatcherParts) {
    this.#parts = parts;
    this.#awaited = new AwaitedEpochs(parts);
  }

  /**
   * Looks at everything once. To see who has not answered takes several reads for each bundle of the network, half an hour in a
   * large one: what keeps the epochs going is looked at again and again meanwhile, and neither waits for the other.
   *
   * @throws what went wrong first, once everything was tried
   */
  async tick(): Promise<void> {
    const { log, lookEvery = defaultLookEvery } = this.#parts;
    const failures: unknown[] = [];
    const done = new AbortController();
    await this.#keepEpochs().catch((error: unknown) => failures.push(error));
    const calling = this.#callTimeouts()
      .catch((error: unknown) => failures.push(error))
      .finally(() => done.abort());
    for (;;) {
      await delay(lookEvery, undefined, { signal: done.signal }).catch(() => undefined);
      if (done.signal.aborted) break;
      try {
        await this.#keepEpochs();
      } catch (error) {
        log.warn({ reason: (error as Error).message }, "epochs were not looked after, and will be again");
        failures[0] ??= error;
      }
    }
    await calling;
    if (failures.length > 0) throw failures[0];
  }

  /** Opens an epoch and has seeds redrawn, where that is due; if one fails, the other is tried all the same. */
  async #keepEpochs(): Promise<void> {
    try {
      await this.#openEpoch();
    } finally {
      await this.#redrawSeeds();
    }
  }

  /** An epoch whose seed does not come in time is audited by nobody: a later one may still be in time. */
  async #redrawSeeds(): Promise<void> {
    const { client, stagger } = this.#parts;
    const due = new Set<bigint>();
    for (const { requestId } of await this.#awaited.list()) {
      if (await isRedrawDue(this.#parts, requestId)) due.add(requestId);
    }
    for (const requestId of this.#dueSince.keys()) if (!due.has(requestId)) this.#dueSince.delete(requestId);
    if (due.size === 0) return;
    const now = await chainTime(client);
    for (const requestId of due) {
      const since = this.#dueSince.get(requestId) ?? now;
      this.#dueSince.set(requestId, since);
      const turn = turnOf(this.#parts, `redraw:${requestId}`);
      if (now >= since + turn * stagger) await redraw(this.#parts, requestId);
    }
  }

  async #openEpoch(): Promise<void> {
    const { contracts, client, stagger } = this.#parts;
    const { StorageAudit, DatasetRegistry } = contracts;
    const epoch = await StorageAudit.read.currentEpoch();
    if ((await StorageAudit.read.epochOf([epoch])).openedAt !== 0n) return;
    const [needed] = await StorageAudit.read.checkUpkeep(["0x"]);
    if (!needed) return;
    const [genesis, length] = await Promise.all([
      DatasetRegistry.read.genesis(),
      DatasetRegistry.read.epochLength(),
    ]);
    const started = BigInt(genesis) + BigInt(epoch) * BigInt(length);
    const turn = turnOf(this.#parts, `epoch:${epoch}`);
    if ((await chainTime(client)) < started + turn * stagger) return;
    await tryCall(this.#parts, `open:${epoch}`, "StorageAudit", "openEpoch", []);
  }

  async #callTimeouts(): Promise<void> {
    for (const live of await liveEpochs(this.#parts)) await this.#callTimeoutsOf(live);
  }

  async #callTimeoutsOf({ epoch, closesAt, lastCall }: LiveEpoch): Promise<void> {
    const { contracts, client, ledger, stagger, operator, log } = this.#parts;
    const { StorageAudit, BundleRegistry } = contracts;
    const now = await chainTime(client);
    if (now < closesAt) return;
    const called = new Set<Hex>();
    for (const holding of ledger.holdings()) {
      // Reporting oneself only costs: an operator that knows it lost a bundle surrenders it.
      if (holding.since > epoch || holding.operator.toLowerCase() === operator.toLowerCase()) continue;
      const { bundleId } = holding;
      const duty = await BundleRegistry.read.dutyOf([bundleId, epoch]);
      if (await StorageAudit.read.isAnswered([duty, epoch])) continue;
      if (duty !== bundleId && (await StorageAudit.read.isAnswered([bundleId, epoch]))) continue;
      const graceEnds = await StorageAudit.read.graceEndsAt([duty, epoch]);
      const turn = turnOf(this.#parts, `timeout:${epoch}:${duty}`);
      if (graceEnds === 0n) {
        if (now >= lastCall || now < closesAt + turn * stagger || called.has(duty)) continue;
        called.add(duty);
        const ours = await tryCall(this.#parts, `timeout:${epoch}:${duty}`, "StorageAudit", "callTimeout", [
          bundleId,
          epoch,
        ]);
        if (ours) log.info({ bundleId, epoch, operator: holding.operator }, "timeout called");
      } else if (now >= graceEnds + turn * stagger) {
        const ours = await tryCall(this.#parts, `slash:${epoch}:${bundleId}`, "StorageAudit", "slashMissed", [
          bundleId,
          epoch,
        ]);
        if (ours) log.warn({ bundleId, epoch, operator: holding.operator }, "missed audit slashed");
      }
    }
  }
}

import type { Hex } from "viem";
import { chainTime, type DutyContext, tryCall } from "./context.ts";
import type { Ledger } from "./ledger.ts";
import { turnOf } from "./turn.ts";

export type WatcherParts = DutyContext & {
  ledger: Ledger;
  /** Chain seconds between the turns of two operators for work that one of them is enough for. */
  stagger: bigint;
};

/** Epochs whose timeouts may still be called. */
const epochsBack = 3;

/** Work that keeps the audits going and that any keeper may do: opens epochs, calls time-outs, slashes missed audits. */
export class Watcher {
  readonly #parts: WatcherParts;

  constructor(parts: WatcherParts) {
    this.#parts = parts;
  }

  async tick(): Promise<void> {
    await this.#openEpoch();
    await this.#callTimeouts();
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
    const turn = await turnOf(this.#parts, `epoch:${epoch}`);
    if ((await chainTime(client)) < started + turn * stagger) return;
    await tryCall(this.#parts, `open:${epoch}`, "StorageAudit", "openEpoch", []);
  }

  async #callTimeouts(): Promise<void> {
    const { contracts } = this.#parts;
    const current = await contracts.StorageAudit.read.currentEpoch();
    for (let epoch = Math.max(0, current - epochsBack); epoch <= current; epoch++) {
      const [, opensAt, closesAt] = await contracts.StorageAudit.read.windowOf([epoch]);
      if (opensAt === 0n) continue;
      await this.#callTimeoutsOf(epoch, closesAt);
    }
  }

  async #callTimeoutsOf(epoch: number, closesAt: bigint): Promise<void> {
    const { contracts, client, ledger, stagger, operator, log } = this.#parts;
    const { StorageAudit, BundleRegistry } = contracts;
    const now = await chainTime(client);
    if (now < closesAt) return;
    const { windows } = await StorageAudit.read.epochOf([epoch]);
    const lastCall = closesAt + BigInt(windows.timeoutWindow);
    const called = new Set<Hex>();
    for (const holding of ledger.holdings()) {
      // Reporting oneself only costs: an operator that knows it lost a bundle surrenders it.
      if (holding.since > epoch || holding.operator.toLowerCase() === operator.toLowerCase()) continue;
      const { bundleId } = holding;
      const duty = await BundleRegistry.read.dutyOf([bundleId, epoch]);
      if (await StorageAudit.read.isAnswered([duty, epoch])) continue;
      if (duty !== bundleId && (await StorageAudit.read.isAnswered([bundleId, epoch]))) continue;
      const graceEnds = await StorageAudit.read.graceEndsAt([duty, epoch]);
      const turn = await turnOf(this.#parts, `timeout:${epoch}:${duty}`);
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

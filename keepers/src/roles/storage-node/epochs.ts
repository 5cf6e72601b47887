import type { Hex } from "viem";
import { agreedOrUsual } from "./agreement.ts";
import { chainTime, type DutyContext, type Reading } from "./context.ts";
import { reorganisable } from "./seed-age.ts";

/** An epoch whose audits can still be answered, be timed out, or be slashed in time. */
export type LiveEpoch = {
  epoch: number;
  seed: Hex;
  /** Chain seconds in which answers are taken without a timeout: before `closesAt`. */
  opensAt: bigint;
  closesAt: bigint;
  /** Last second in which a timeout can be called. */
  lastCall: bigint;
};

type Chain = Pick<DutyContext, "contracts" | "client" | "agreed" | "log">;

/** The chain's time, the epoch that it is, and whether all windows of an epoch are over, its graces among them. */
async function calendar({ contracts: { StorageAudit, DatasetRegistry }, client }: Reading) {
  const [now, current, genesis, length, closeDelay] = await Promise.all([
    chainTime(client),
    StorageAudit.read.currentEpoch(),
    DatasetRegistry.read.genesis(),
    DatasetRegistry.read.epochLength(),
    DatasetRegistry.read.closeDelay(),
  ]);
  // The contract sets no windows that are longer.
  const isOver = (epoch: number) =>
    BigInt(genesis) + BigInt(epoch + 1) * BigInt(length) + BigInt(closeDelay) < now;
  return { now, current, isOver };
}

/**
 * The epochs that still matter, oldest first. How far back that is, the contracts say: a timeout may be called until the end of
 * an epoch's timeout window, and its grace is counted twice, once to answer in and once to execute the slash in. A chain that
 * stood still for hours leaves several epochs whose answers its operators still owe.
 */
export async function liveEpochs(chain: Reading): Promise<LiveEpoch[]> {
  const { StorageAudit } = chain.contracts;
  const { now, current, isOver } = await calendar(chain);
  const live: LiveEpoch[] = [];
  for (let epoch = current; epoch >= 0 && !isOver(epoch); epoch--) {
    const [seed, opensAt, closesAt] = await StorageAudit.read.windowOf([epoch]);
    if (opensAt === 0n) continue;
    const { windows } = await StorageAudit.read.epochOf([epoch]);
    const lastCall = closesAt + BigInt(windows.timeoutWindow);
    if (lastCall + 2n * BigInt(windows.grace) >= now)
      live.unshift({ epoch, seed, opensAt, closesAt, lastCall });
  }
  return live;
}

/** An epoch that was opened and has no seed, though one that came now would still open its window. */
export type AwaitedEpoch = { epoch: number; requestId: bigint };

/** Epochs whose seeds are waited for. */
export class AwaitedEpochs {
  readonly #chain: Chain;
  /** Epochs that have their seed, or can have none any more. */
  readonly #settled = new Set<number>();

  constructor(chain: Chain) {
    this.#chain = chain;
  }

  /** Newest first. */
  async list(): Promise<AwaitedEpoch[]> {
    const looked = await agreedOrUsual(this.#chain, "the epochs that wait for a seed", (chain) =>
      this.#look(chain),
    );
    const { awaited, settled } = looked.value;
    if (looked.isAgreed) for (const epoch of settled) this.#settled.add(epoch);
    return awaited;
  }

  async #look(chain: Reading): Promise<{ awaited: AwaitedEpoch[]; settled: number[] }> {
    const { StorageAudit, RandomnessBeacon } = chain.contracts;
    const { now, current, isOver } = await calendar(chain);
    const awaited: AwaitedEpoch[] = [];
    const settled: number[] = [];
    for (let epoch = current; epoch >= 0 && !isOver(epoch); epoch--) {
      if (this.#settled.has(epoch)) continue;
      const { openedAt, requestId, windows } = await StorageAudit.read.epochOf([epoch]);
      const isOpen = openedAt !== 0n && now <= openedAt + BigInt(windows.seedDelay);
      const [, readyAt] = isOpen ? await RandomnessBeacon.read.seedOf([requestId]) : [undefined, 0n];
      if (isOpen && readyAt === 0n) awaited.push({ epoch, requestId });
      // What a reorganisation may take back is looked at again.
      const isSettled = isOpen ? readyAt !== 0n && readyAt + reorganisable < now : epoch < current - 1;
      if (isSettled) settled.push(epoch);
    }
    return { awaited, settled };
  }
}

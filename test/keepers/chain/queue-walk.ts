import assert from "node:assert/strict";
import { BaseError, type Hex, pad, toHex } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { type ChainClient, connectChain } from "../../../keepers/src/chain/client.ts";
import { TransactionFailedError } from "../../../keepers/src/chain/transactions/errors.ts";
import {
  createTransactionQueue,
  type Intent,
  type TransactionQueue,
} from "../../../keepers/src/chain/transactions/queue.ts";
import { transactionSchema } from "../../../keepers/src/chain/transactions/store.ts";
import { AssayError } from "../../../keepers/src/core/errors.ts";
import { openState, type State } from "../../../keepers/src/storage/state/state.ts";
import { ByzantineChain, type Manners } from "./byzantine-chain.ts";
import { ManualClock } from "./fixtures.ts";
import { seeded } from "./random.ts";

const account = privateKeyToAccount(pad("0xa11ce", { size: 32 }));
const target = "0x00000000000000000000000000000000000057a1";
/** Blocks that no reorganisation reaches. */
export const finality = 6;
export const intentOf = (index: number): Intent => ({
  key: `k${index}`,
  to: target,
  data: toHex(index + 1, { size: 4 }),
  value: 0n,
});

/** One account, its queue on disk, and a chain seen through endpoints of which fewer than the quorum lie. */
export class Walk {
  readonly chain: ByzantineChain;
  readonly clock = new ManualClock();
  readonly state: State = openState({ path: ":memory:", schemas: [transactionSchema] });
  readonly random;
  readonly submitted = new Set<number>();
  manners: Manners[];
  /** Blocks by which endpoints may differ. */
  maximumLag: number | undefined;
  client!: ChainClient;
  queue!: TransactionQueue;
  #dead = { isDead: false };

  constructor(seed: number, manners: Manners[]) {
    this.random = seeded(seed);
    this.chain = new ByzantineChain(account, seed);
    this.manners = manners;
  }

  /** Starts the process, or starts it again after it was killed in the middle of whatever it was doing. */
  async start(): Promise<void> {
    this.#dead.isDead = true;
    const life = { isDead: false };
    this.#dead = life;
    const endpoints = this.manners.map((_, i) => {
      const endpoint = this.chain.endpoint(`n${i}`, () => this.manners[i]!, this.random.below(1e9));
      return {
        ...endpoint,
        request: async (...args: Parameters<typeof endpoint.request>) => {
          if (life.isDead) return new Promise<never>(() => {});
          const answer = await endpoint.request(...args);
          return life.isDead ? new Promise<never>(() => {}) : answer;
        },
      };
    });
    const { clock, maximumLag } = this;
    this.client = await connectChain({ chainId: 1, endpoints, clock, finality, maximumLag });
    this.queue = createTransactionQueue({
      client: this.client,
      state: this.state,
      account,
      clock: this.clock,
      replaceAfter: { milliseconds: 60_000, blocks: 5 },
      maximumFeePerGas: 10n ** 30n,
    });
  }

  async submit(index: number): Promise<void> {
    try {
      await this.queue.submit(intentOf(index));
      this.submitted.add(index);
    } catch (error) {
      // A refusal, or endpoints in disagreement: whoever asked tries again.
      if (!(error instanceof AssayError || error instanceof BaseError)) throw error;
      if (error instanceof TransactionFailedError && error.hash !== undefined) this.submitted.add(index);
    }
  }

  async look(): Promise<void> {
    await this.queue.tick().catch((error: unknown) => {
      if (!(error instanceof AssayError || error instanceof BaseError)) throw error;
    });
  }

  /** What a killed process has begun goes on until its next request, and never comes to its end. */
  async kill(): Promise<void> {
    const work = this.random.chance(0.5) ? this.queue.tick() : this.submit(this.random.below(4));
    work.catch(() => undefined);
    for (let i = this.random.below(30); i > 0; i--) await new Promise((resolve) => setImmediate(resolve));
    await this.start();
  }

  mustHold(where: string): void {
    for (const index of [0, 1, 2, 3]) {
      const { data } = intentOf(index);
      assert.ok(this.chain.effects(data) <= 1, `${where}: ${index} took effect twice`);
    }
  }
}

/** Lets all behave until everything that was asked for is done. */
export async function settle(walk: Walk): Promise<void> {
  for (let round = 0; round < 90; round++) {
    walk.clock.time += 15_000;
    for (const index of walk.submitted) await walk.submit(index);
    await walk.look();
    walk.chain.mine();
    const isDone = [...walk.submitted].every((index) => walk.chain.effects(intentOf(index).data) === 1);
    if (isDone && walk.queue.pending().length === 0) return;
  }
}

/** A transaction that another program of the account signs. */
export function foreign(chain: ByzantineChain): Promise<Hex> {
  return account.signTransaction({
    type: "eip1559",
    chainId: 1,
    nonce: chain.countAt(chain.head),
    to: account.address,
    gas: 21_000n,
    maxFeePerGas: 10n,
    maxPriorityFeePerGas: 1n,
  });
}

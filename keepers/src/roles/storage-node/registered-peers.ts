import type { Address, Hex } from "viem";
import type { ChainClient } from "../../chain/client.ts";
import { type Contracts, connectContracts } from "../../chain/contracts.ts";
import type { Deployment } from "../../chain/deployment.ts";
import { peerIdText } from "../../storage/client/peers.ts";
import type { State } from "../../storage/state/state.ts";

/** Operators read in one call, and in one look; the next look goes on behind them. */
const pageSize = 100n;
const mostOfLook = 2_000n;
/** Operators that hold bundles and are read in one look, out of those above. */
const mostHolders = 1_000;
/** Operators that are read at a time: so few reads are before that of a duty at most. */
const atOnce = 4;
/** Milliseconds between two looks, and before one that failed goes on. */
const lookEvery = 600_000;
const retryAfter = 5_000;

/** The table of what was read last, so that a node knows its peers before it reads anything. */
export const registeredSchema = {
  name: "registered",
  migrations: ["CREATE TABLE registered_peers (operator TEXT PRIMARY KEY, peer TEXT NOT NULL) STRICT;"],
} as const;

export type RegisteredPeersParts = {
  /** Read in the lane of duties: what is there against strangers must not queue with them. */
  readonly contracts: Pick<Contracts, "Staking" | "DatasetRegistry">;
  /** Operators that hold bundles, which have most at stake: anybody may register, and they come first. */
  readonly holders?: () => readonly Address[];
  /** Where what was read is kept. */
  readonly state?: State;
  /** Milliseconds between two looks; 600,000 by default. */
  readonly lookEvery?: number;
  /** Milliseconds before a look that failed goes on; 5,000 by default. */
  readonly retryAfter?: number;
};

/**
 * Peers of the operators that have staked for a bundle at least, as the chain has them. What they ask for comes before what
 * strangers do: their number is bounded by what they have at stake, and identities alone cost nothing.
 */
export class RegisteredPeers {
  readonly #parts: RegisteredPeersParts;
  readonly #peers = new Map<Address, string>();
  /** How many operators have named each peer. */
  readonly #known = new Map<string, number>();
  /** Operators of the look under way that were not read yet. */
  #unread: Address[] = [];
  #offset = 0n;
  /** Where the look under way ends; undefined while there is none. One that failed goes on where it was. */
  #end: bigint | undefined;
  /** First of the holders that the next look reads. */
  #holder = 0;
  #next = 0;

  constructor(parts: RegisteredPeersParts) {
    this.#parts = parts;
    for (const { operator, peer } of parts.state?.all("SELECT operator, peer FROM registered_peers") ?? []) {
      this.#set(operator as Address, peer as string);
    }
  }

  /** Those of a deployment, read in the lane of duties. */
  static of({
    client,
    deployment,
    ...parts
  }: Omit<RegisteredPeersParts, "contracts"> & {
    readonly client: Pick<ChainClient, "public">;
    readonly deployment: Deployment;
  }): RegisteredPeers {
    return new RegisteredPeers({ contracts: connectContracts(client.public, deployment), ...parts });
  }

  has(peer: string): boolean {
    return this.#known.has(peer);
  }

  /**
   * Reads the operators again when it is time to. What was read holds at once; what failed is tried again soon.
   * @throws whatever a read throws
   */
  async tick(): Promise<void> {
    if (performance.now() < this.#next) return;
    this.#next = performance.now() + (this.#parts.retryAfter ?? retryAfter);
    const { Staking, DatasetRegistry } = this.#parts.contracts;
    const { bundleStake } = await DatasetRegistry.read.parameters();
    if (this.#end === undefined) {
      const count = await Staking.read.operatorCount();
      if (this.#offset >= count) this.#offset = 0n;
      this.#unread = this.#nextHolders();
      const most = this.#offset + mostOfLook - BigInt(this.#unread.length);
      this.#end = most < count ? most : count;
    }
    for (;;) {
      await this.#readAll(bundleStake);
      if (this.#offset >= this.#end) break;
      this.#unread = [...(await Staking.read.operators([this.#offset, pageSize]))];
      this.#offset += pageSize;
    }
    this.#end = undefined;
    this.#next = performance.now() + (this.#parts.lookEvery ?? lookEvery);
  }

  #nextHolders(): Address[] {
    const all = this.#parts.holders?.() ?? [];
    if (this.#holder >= all.length) this.#holder = 0;
    const some = all.slice(this.#holder, this.#holder + mostHolders);
    this.#holder += some.length;
    return some;
  }

  /** Reads what was not read yet. Where a read fails the rest stays, with that one. */
  async #readAll(least: bigint): Promise<void> {
    const read = async () => {
      for (let operator = this.#unread.shift(); operator !== undefined; operator = this.#unread.shift()) {
        try {
          await this.#read(operator, least);
        } catch (error) {
          this.#unread.push(operator);
          throw error;
        }
      }
    };
    const results = await Promise.allSettled(Array.from({ length: atOnce }, read));
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  async #read(operator: Address, least: bigint): Promise<void> {
    const { read } = this.#parts.contracts.Staking;
    const { active, stake } = await read.operatorOf([operator]);
    const [bytes] = active && stake >= least ? await read.identityOf([operator]) : [];
    const peer = bytes && textOf(bytes);
    if (peer === this.#peers.get(operator)) return;
    this.#set(operator, peer);
    const { state } = this.#parts;
    if (peer === undefined) state?.run("DELETE FROM registered_peers WHERE operator = ?", operator);
    else state?.run("INSERT OR REPLACE INTO registered_peers VALUES (?, ?)", operator, peer);
  }

  #set(operator: Address, peer: string | undefined): void {
    const before = this.#peers.get(operator);
    if (before !== undefined) {
      const left = this.#known.get(before)! - 1;
      if (left > 0) this.#known.set(before, left);
      else this.#known.delete(before);
    }
    if (peer === undefined) {
      this.#peers.delete(operator);
      return;
    }
    this.#peers.set(operator, peer);
    this.#known.set(peer, (this.#known.get(peer) ?? 0) + 1);
  }
}

/** Anybody registers what it likes. */
function textOf(peerId: Hex): string | undefined {
  try {
    return peerIdText(peerId);
  } catch {
    return undefined;
  }
}

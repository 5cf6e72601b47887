import type { Address, Hex } from "viem";
import type { Contracts } from "../../chain/contracts.ts";
import { peerIdText } from "../../storage/client/peers.ts";

/** Operators read in one call, and in one look; the next look goes on behind them. */
const pageSize = 100n;
const mostOfLook = 2_000n;
/** Milliseconds between two looks. */
const lookEvery = 600_000;

export type RegisteredPeersParts = {
  /** Read in the lane of strangers: no duty waits for it. */
  readonly contracts: Pick<Contracts, "Staking" | "DatasetRegistry">;
  /** Milliseconds between two looks; 600,000 by default. */
  readonly lookEvery?: number;
};

/**
 * Peers of the operators that have staked for a bundle at least, as the chain has them. What they ask for comes before what
 * strangers do: their number is bounded by what they have at stake, and identities alone cost nothing.
 */
export class RegisteredPeers {
  readonly #parts: RegisteredPeersParts;
  readonly #peers = new Map<Address, string>();
  #known: ReadonlySet<string> = new Set();
  #offset = 0n;
  #next = 0;

  constructor(parts: RegisteredPeersParts) {
    this.#parts = parts;
  }

  has(peer: string): boolean {
    return this.#known.has(peer);
  }

  /** Reads the operators again when it is time to. */
  async tick(): Promise<void> {
    if (performance.now() < this.#next) return;
    this.#next = performance.now() + (this.#parts.lookEvery ?? lookEvery);
    const { Staking, DatasetRegistry } = this.#parts.contracts;
    const { bundleStake } = await DatasetRegistry.read.parameters();
    const count = await Staking.read.operatorCount();
    if (this.#offset >= count) this.#offset = 0n;
    const end = this.#offset + mostOfLook < count ? this.#offset + mostOfLook : count;
    while (this.#offset < end) {
      const page = await Staking.read.operators([this.#offset, pageSize]);
      await Promise.all(page.map((operator) => this.#read(operator, bundleStake)));
      this.#offset += pageSize;
    }
    this.#known = new Set(this.#peers.values());
  }

  async #read(operator: Address, least: bigint): Promise<void> {
    const { read } = this.#parts.contracts.Staking;
    const { active, stake } = await read.operatorOf([operator]);
    if (!active || stake < least) {
      this.#peers.delete(operator);
      return;
    }
    const [bytes] = await read.identityOf([operator]);
    const peer = textOf(bytes);
    if (peer === undefined) this.#peers.delete(operator);
    else this.#peers.set(operator, peer);
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

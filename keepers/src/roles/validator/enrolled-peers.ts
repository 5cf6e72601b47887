import type { Address } from "viem";
import type { ChainClient } from "../../chain/client.ts";
import { type Contracts, connectContracts } from "../../chain/contracts.ts";
import type { Deployment } from "../../chain/deployment.ts";
import { peerIdText } from "../../storage/client/peers.ts";
import type { CommitteeLedger } from "./committee-ledger.ts";

/** Milliseconds between two looks at operators that are known: they may move to other peers. */
const lookEvery = 600_000;
/** Operators that are read at a time. */
const atOnce = 4;

export type EnrolledPeersParts = {
  /** Read in the lane of duties: what is there against strangers must not queue with them. */
  readonly contracts: Pick<Contracts, "Staking">;
  /** Milliseconds between two looks; 600,000 by default. */
  readonly lookEvery?: number;
};

/**
 * Peers of the operators of validators: what they ask for comes before what strangers do. Their number is bounded by the
 * places of validators, each of which has a unit of stake behind it.
 */
export class EnrolledPeers {
  readonly #parts: EnrolledPeersParts;
  /** By operator; undefined where what is registered is no peer id. */
  readonly #peers = new Map<Address, string | undefined>();
  #known: ReadonlySet<string> = new Set();
  /** Those of members of draws. */
  #onDuty: ReadonlySet<string> = new Set();
  #unread = new Set<Address>();
  #next = 0;

  constructor(parts: EnrolledPeersParts) {
    this.#parts = parts;
  }

  /** Those of a deployment. */
  static of(client: Pick<ChainClient, "public">, deployment: Deployment): EnrolledPeers {
    return new EnrolledPeers({ contracts: connectContracts(client.public, deployment) });
  }

  has(peer: string): boolean {
    return this.#known.has(peer);
  }

  /** Whether a peer is that of a member of a draw: what members ask each other nobody else, enrolled or not, may keep from being heard. */
  isOnDuty(peer: string): boolean {
    return this.#onDuty.has(peer);
  }

  /**
   * Reads the peers of operators that are new, and now and then of all. What was read holds at once, and what failed is read at
   * the next look.
   * @param onDuty those of them that are members of draws; they are read first
   * @throws whatever a read throws
   */
  async look(operators: readonly Address[], onDuty: readonly Address[] = []): Promise<void> {
    const present = new Set(operators);
    for (const gone of this.#peers.keys()) if (!present.has(gone)) this.#peers.delete(gone);
    const isDue = performance.now() >= this.#next;
    if (isDue) this.#next = performance.now() + (this.#parts.lookEvery ?? lookEvery);
    this.#unread = this.#unread.intersection(present);
    for (const each of [...onDuty, ...operators]) {
      if (present.has(each) && (isDue || !this.#peers.has(each))) this.#unread.add(each);
    }
    try {
      const results = await Promise.allSettled(Array.from({ length: atOnce }, () => this.#read()));
      const failed = results.find((result) => result.status === "rejected");
      if (failed !== undefined) throw failed.reason;
    } finally {
      const peersOf = (some: Iterable<Address>) =>
        new Set([...some].map((each) => this.#peers.get(each)).filter((peer) => peer !== undefined));
      this.#known = peersOf(this.#peers.keys());
      this.#onDuty = peersOf(onDuty);
    }
  }

  /** Reads what was not read yet, as long as nothing fails. */
  async #read(): Promise<void> {
    for (;;) {
      const [operator] = this.#unread;
      if (operator === undefined) return;
      this.#unread.delete(operator);
      try {
        this.#peers.set(operator, await this.#peerOf(operator));
      } catch (error) {
        this.#unread.add(operator);
        throw error;
      }
    }
  }

  async #peerOf(operator: Address): Promise<string | undefined> {
    const [peerId] = await this.#parts.contracts.Staking.read.identityOf([operator]);
    try {
      return peerIdText(peerId);
    } catch {
      // Anybody registers what it likes.
      return undefined;
    }
  }
}

/** Operators of the validators that can be drawn, and of the members of draws that are on duty. */
export function operatorsOf(committees: CommitteeLedger): Address[] {
  const present = committees.present().map(({ operator }) => operator);
  return [...new Set([...present, ...onDutyOf(committees)])];
}

/** Operators of the members of draws that are on duty. */
export function onDutyOf(committees: CommitteeLedger): Address[] {
  const onDuty = new Set(committees.undismissed().flatMap(({ members }) => members));
  const members = committees.enrolled().filter(({ id }) => onDuty.has(id));
  return [...new Set(members.map(({ operator }) => operator))];
}

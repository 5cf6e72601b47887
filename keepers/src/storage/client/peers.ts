import type { Libp2p } from "@libp2p/interface";
import { peerIdFromMultihash, peerIdFromString } from "@libp2p/peer-id";
import { decode } from "multiformats/hashes/digest";
import { type Address, type Hex, hexToBytes } from "viem";
import type { Contracts } from "../../chain/contracts.ts";
import { BadInputError } from "../../core/errors.ts";
import { TransportError } from "../transport/errors.ts";
import { ShardClient } from "../transport/shard-client.ts";

/** What an operator registered: its peer id, as multihash bytes, and its endpoint. */
type Identity = readonly [peerId: Hex, endpoint: string];

type Known = {
  client: Promise<ShardClient> | undefined;
  /** What the client was made of, once that is known. */
  identity: Identity | undefined;
  /** Whether a call to it has failed since, for want of a connection or an answer. */
  isBroken: boolean;
};

/** Milliseconds after which an operator that is not reached is looked up again. */
const lookUpEvery = 60_000;

export type OperatorPeersOptions = {
  /** Milliseconds between two looks for an operator that is not reached; 60,000 by default. */
  readonly lookUpEvery?: number;
};

/**
 * Reaches operators by the identity they registered on chain, over one connection each. One that is not reached where it was may
 * have moved: its identity is read again.
 */
export class OperatorPeers {
  readonly #contracts: Contracts;
  readonly #host: Libp2p;
  readonly #lookUpEvery: number;
  readonly #known = new Map<string, Known>();
  /** When an operator that was not reached may be looked up again, in milliseconds of this process. */
  readonly #next = new Map<string, number>();

  constructor(contracts: Contracts, host: Libp2p, options: OperatorPeersOptions = {}) {
    this.#contracts = contracts;
    this.#host = host;
    this.#lookUpEvery = options.lookUpEvery ?? lookUpEvery;
  }

  /**
   * @param signal ends the wait; the connection is made for everybody who waits for it
   * @throws BadInputError when the registered identity makes no sense; WrongPeerError, TransportError
   */
  async connect(operator: Address, signal?: AbortSignal): Promise<ShardClient> {
    const key = operator.toLowerCase();
    const known: Known = this.#known.get(key) ?? { client: undefined, identity: undefined, isBroken: false };
    this.#known.set(key, known);
    if (known.client === undefined || (known.isBroken && this.#mayLookUp(key))) {
      known.isBroken = false;
      const client = this.#open(operator, known);
      known.client = client;
      // The next call tries anew: the node may be back, or have registered another address.
      client.catch(() => {
        if (known.client === client) known.client = undefined;
      });
    }
    return await unlessAborted(known.client, signal);
  }

  async close(): Promise<void> {
    const clients = await Promise.allSettled([...this.#known.values()].map(({ client }) => client));
    this.#known.clear();
    await Promise.all(
      clients.map((result) => (result.status === "fulfilled" ? result.value?.close() : undefined)),
    );
  }

  #mayLookUp(key: string): boolean {
    const now = performance.now();
    if (now < (this.#next.get(key) ?? 0)) return false;
    this.#next.set(key, now + this.#lookUpEvery);
    return true;
  }

  /** Connects to an operator, or finds that it is registered as it was before. */
  async #open(operator: Address, known: Known): Promise<ShardClient> {
    const { client: before, identity: last } = known;
    const reading = this.#contracts.Staking.read.identityOf([operator]);
    if (before === undefined || last === undefined) return await this.#dial(operator, known, await reading);
    const old = await before;
    // While the chain cannot be asked, it is where it was.
    const identity = await reading.catch(() => last);
    if (identity[0] === last[0] && identity[1] === last[1]) return old;
    await old.close();
    // A connection to where it is no more may look open for long: it would be used for where it is now.
    const reason = new TransportError("the operator has moved");
    for (const connection of this.#host.getConnections(peerIdFromString(old.peer))) connection.abort(reason);
    return await this.#dial(operator, known, identity);
  }

  #dial(operator: Address, known: Known, identity: Identity): Promise<ShardClient> {
    known.identity = identity;
    const onBroken = () => {
      known.isBroken = true;
    };
    const [peerId, endpoint] = identity;
    return ShardClient.connect(this.#host, endpoint, { peer: peerText(operator, peerId), onBroken });
  }
}

/** What some work gives, or the reason of the signal once that is aborted. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await work;
  signal.throwIfAborted();
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort!);
  }
}

function peerText(operator: Address, peerId: Hex): string {
  try {
    return peerIdText(peerId);
  } catch (cause) {
    throw new BadInputError(`operator ${operator} registered a peer id that is none`, { cause });
  }
}

/** The text form of a peer id from the multihash bytes that stand on chain. Throws when they are none. */
export function peerIdText(bytes: Hex): string {
  return peerIdFromMultihash(decode(hexToBytes(bytes))).toString();
}

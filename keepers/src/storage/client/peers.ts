import type { Libp2p } from "@libp2p/interface";
import { peerIdFromMultihash } from "@libp2p/peer-id";
import { decode } from "multiformats/hashes/digest";
import { type Address, type Hex, hexToBytes } from "viem";
import type { Contracts } from "../../chain/contracts.ts";
import { BadInputError } from "../../core/errors.ts";
import { ShardClient } from "../transport/shard-client.ts";

/** Reaches operators by the identity they registered on chain, over one connection each. */
export class OperatorPeers {
  readonly #contracts: Contracts;
  readonly #host: Libp2p;
  readonly #clients = new Map<string, Promise<ShardClient>>();

  constructor(contracts: Contracts, host: Libp2p) {
    this.#contracts = contracts;
    this.#host = host;
  }

  /**
   * @throws BadInputError when the registered identity makes no sense; WrongPeerError, TransportError
   */
  async connect(operator: Address, signal?: AbortSignal): Promise<ShardClient> {
    const key = operator.toLowerCase();
    const known = this.#clients.get(key);
    if (known !== undefined) return known;
    const connecting = this.#dial(operator, signal);
    this.#clients.set(key, connecting);
    try {
      return await connecting;
    } catch (error) {
      // The next call tries anew: the node may be back, or have registered another address.
      this.#clients.delete(key);
      throw error;
    }
  }

  async close(): Promise<void> {
    const clients = await Promise.allSettled(this.#clients.values());
    this.#clients.clear();
    await Promise.all(
      clients.map((result) => (result.status === "fulfilled" ? result.value.close() : undefined)),
    );
  }

  async #dial(operator: Address, signal: AbortSignal | undefined): Promise<ShardClient> {
    const [peerId, endpoint] = await this.#contracts.Staking.read.identityOf([operator]);
    return ShardClient.connect(this.#host, endpoint, { peer: peerText(operator, peerId), signal });
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

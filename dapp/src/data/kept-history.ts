import type { Address, Hex } from "viem";
import type { AssayEvent, ReadClient } from "../../../keepers/src/chain/contracts.ts";
import type { DeployedName, Deployment } from "../../../keepers/src/chain/deployment-format.ts";
import { decodeEvent, type Followed, followedContracts } from "../../../keepers/src/chain/follower/decode.ts";
import { LogReader } from "../../../keepers/src/chain/follower/logs.ts";
import { InconsistentAnswerError } from "../../../keepers/src/chain/rpc/errors.ts";

export type Block = { readonly number: bigint; readonly hash: Hex; readonly timestamp: bigint };

/** Everything that the contracts said, up to a block. */
export type History = {
  readonly block: Block;
  /** In the chain's order. */
  readonly events: readonly AssayEvent[];
  /** Those that an earlier reading had and that were taken back since: their blocks are not the chain's any more. */
  readonly takenBack: readonly AssayEvent[];
};

/** Blocks of one request, at most, unless an endpoint gives fewer. */
const maximumRange = 2_000n;

/** Blocks after which what was read is kept, should a later request fail. */
const stride = 20_000n;

/** Blocks whose hashes are kept. When none of them is the chain's any more, everything is read again. */
const mostAnchors = 128;

/**
 * Keeps what it has read of the contracts' events, and reads what came since. Blocks up to which it has read are known by their
 * hashes: what follows the newest of them that still is the chain's is read again.
 */
export class KeptHistory {
  readonly #client: ReadClient;
  readonly #start: bigint;
  readonly #followed: Followed;
  readonly #logs: LogReader;
  /** Blocks up to which everything was read, the oldest first. */
  #anchors: Block[] = [];
  #events: AssayEvent[] = [];
  /** Not told to anybody yet. */
  #takenBack: AssayEvent[] = [];

  constructor(client: ReadClient, deployment: Deployment) {
    this.#client = client;
    this.#start = deployment.startBlock;
    this.#followed = followedContracts(deployment, Object.keys(deployment.addresses) as DeployedName[]);
    const addresses = [...this.#followed.keys()] as Address[];
    this.#logs = new LogReader({ client, addresses, maximumRange });
  }

  /**
   * What there is up to the newest block.
   *
   * @throws what the endpoint throws, or InconsistentAnswerError when the chain moved meanwhile; what was read until then is kept
   */
  async read(): Promise<History> {
    const head: Block = await this.#client.getBlock();
    await this.#takeBack(head);
    // An endpoint that is behind another one says nothing new.
    while ((this.#anchors.at(-1)?.number ?? this.#start - 1n) < head.number) await this.#step(head);
    const takenBack = this.#takenBack;
    this.#takenBack = [];
    return { block: this.#anchors.at(-1) ?? head, events: [...this.#events], takenBack };
  }

  /** Forgets what follows the newest block that was read up to and still is the chain's. */
  async #takeBack(head: Block): Promise<void> {
    for (let at = this.#anchors.length - 1; at >= 0; at--) {
      const anchor = this.#anchors[at]!;
      // Of blocks that this endpoint does not have yet, it cannot say that they are none.
      if (anchor.number > head.number) continue;
      if ((await this.#hashAt(anchor.number, head)) !== anchor.hash) continue;
      if (at === this.#anchors.length - 1 || this.#anchors[at + 1]!.number > head.number) return;
      this.#keepUpTo(at + 1);
      return;
    }
    if (this.#anchors.some(({ number }) => number <= head.number)) this.#keepUpTo(0);
  }

  #keepUpTo(anchors: number): void {
    this.#anchors = this.#anchors.slice(0, anchors);
    const last = this.#anchors.at(-1)?.number ?? this.#start - 1n;
    const first = this.#events.findIndex(({ blockNumber }) => blockNumber > last);
    if (first >= 0) this.#takenBack.push(...this.#events.splice(first));
  }

  /** Reads some of what follows, between two blocks that are the chain's at the same time. */
  async #step(head: Block): Promise<void> {
    const last = this.#anchors.at(-1);
    const from = last === undefined ? this.#start : last.number + 1n;
    const to = from + stride - 1n < head.number ? from + stride - 1n : head.number;
    const end = to === head.number ? head : await this.#client.getBlock({ blockNumber: to });
    const logs = await this.#logs.read(from, to);
    const [again, before] = await Promise.all([
      this.#client.getBlock({ blockNumber: to }),
      last === undefined ? undefined : this.#client.getBlock({ blockNumber: last.number }),
    ]);
    if (again.hash !== end.hash || before?.hash !== last?.hash)
      throw new InconsistentAnswerError(`the chain moved at block ${to} while it was read`);
    this.#events.push(...logs.flatMap((log) => decodeEvent(this.#followed, log) ?? []));
    this.#anchors.push({ number: end.number, hash: end.hash, timestamp: end.timestamp });
    if (this.#anchors.length > mostAnchors) this.#anchors.shift();
  }

  async #hashAt(number: bigint, head: Block): Promise<Hex> {
    if (number === head.number) return head.hash;
    return (await this.#client.getBlock({ blockNumber: number })).hash;
  }
}

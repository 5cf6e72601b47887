import type { Chain, PublicClient, Transport } from "viem";
import type { ChainClient } from "../../../keepers/src/chain/client.ts";
import type { Deployment } from "../../../keepers/src/chain/deployment-format.ts";
import { readHistory, StampReader } from "../../../keepers/src/roles/audit/history.ts";
import type { Meta, Tables } from "./answer.ts";
import { tablesOf } from "./chain-tables.ts";

/** Everything that was read from the chain, and up to which block. */
export type ChainReading = { readonly tables: Tables; readonly meta: Meta };

/** Reads the contracts' events from the chain itself: slower than an index, and nobody has to be believed but the endpoint. */
export class ChainReader {
  readonly #client: Pick<ChainClient, "public" | "chainId">;
  readonly #deployment: Deployment;
  readonly #stamps: StampReader;
  #last: ChainReading | undefined;
  #running: Promise<ChainReading> | undefined;

  constructor(client: PublicClient<Transport, Chain>, deployment: Deployment) {
    this.#client = { public: client, chainId: deployment.chainId };
    this.#deployment = deployment;
    this.#stamps = new StampReader(this.#client);
  }

  /**
   * What there is up to the newest block; whoever asks meanwhile gets the same reading.
   *
   * @throws what the endpoint throws, or InconsistentAnswerError when the chain moved meanwhile
   */
  read(): Promise<ChainReading> {
    this.#running ??= this.#read().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #read(): Promise<ChainReading> {
    const head = await this.#client.public.getBlockNumber({ cacheTime: 0 });
    if (this.#last !== undefined && BigInt(this.#last.meta.number) === head) return this.#last;
    const { events, block } = await readHistory(this.#client, this.#deployment);
    const stamps = await this.#stamps.read(events);
    this.#last = {
      tables: tablesOf(events, stamps),
      meta: { number: Number(block.number), hash: block.hash, timestamp: Number(block.timestamp) },
    };
    return this.#last;
  }
}

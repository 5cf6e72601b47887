import type { ReadClient } from "../../../keepers/src/chain/contracts.ts";
import type { Deployment } from "../../../keepers/src/chain/deployment-format.ts";
import { StampReader } from "../../../keepers/src/roles/audit/history.ts";
import type { Meta, Tables } from "./answer.ts";
import { tablesOf } from "./chain-tables.ts";
import { KeptHistory } from "./kept-history.ts";

/** Everything that was read from the chain, and up to which block. */
export type ChainReading = { readonly tables: Tables; readonly meta: Meta };

/**
 * Reads the contracts' events from the chain itself: slower than an index, and nobody has to be believed but the endpoint. What
 * was read is kept; of a new block only what is new in it is asked for.
 */
export class ChainReader {
  readonly #history: KeptHistory;
  readonly #stamps: StampReader;
  #last: ChainReading | undefined;
  #running: Promise<ChainReading> | undefined;

  constructor(client: ReadClient, deployment: Deployment) {
    this.#history = new KeptHistory(client, deployment);
    this.#stamps = new StampReader({ public: client });
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
    const { events, block, takenBack } = await this.#history.read();
    this.#stamps.forget(takenBack);
    if (this.#last?.meta.hash === block.hash) return this.#last;
    const stamps = await this.#stamps.read(events);
    this.#last = {
      tables: tablesOf(events, stamps),
      meta: { number: Number(block.number), hash: block.hash, timestamp: Number(block.timestamp) },
    };
    return this.#last;
  }
}

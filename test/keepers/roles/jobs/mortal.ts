import type { ChainClient } from "../../../../keepers/src/chain/client.ts";

/** When a keeper dies: once a transaction is signed and on record, or once it has been handed to the chain. */
export type DeathPoint = "before sending" | "after sending";

/**
 * A life of a keeper that ends at its next new transaction: from then on no call of it is ever answered, as after kill -9.
 * What it has written to its disk is there for the next life.
 */
export class Life {
  readonly chain: ChainClient;
  readonly #died: Promise<"died">;
  #die!: () => void;
  #isDead = false;

  /** @param seen transactions of earlier lives, which may be sent again */
  constructor(client: ChainClient, point: DeathPoint, seen: Set<unknown>) {
    this.#died = new Promise((resolve) => {
      this.#die = () => resolve("died");
    });
    const request: ChainClient["request"] = async (method, params) => {
      await this.#breathe();
      const [raw] = params ?? [];
      if (method === "eth_sendRawTransaction" && !seen.has(raw)) {
        seen.add(raw);
        this.#isDead = true;
        if (point === "after sending") await client.request(method, params);
        this.#die();
        await this.#breathe();
      }
      return await client.request(method, params);
    };
    this.chain = {
      ...client,
      request,
      public: this.#mortal(client.public),
      strangers: this.#mortal(client.strangers),
      confirmed: this.#mortal(client.confirmed),
    };
  }

  #mortal(client: ChainClient["public"]): ChainClient["public"] {
    const mortal = client.extend(() => ({}));
    const transport = mortal.transport.request;
    const request = async (args: never, options: never) => {
      await this.#breathe();
      return await transport(args, options);
    };
    return Object.assign(mortal, { request: request as typeof client.request });
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  /** Does some work, until it is done or this life is over. */
  async live(work: () => Promise<void>): Promise<"died" | "lives"> {
    return await Promise.race([work().then(() => "lives" as const), this.#died]);
  }

  /** Nothing comes after death. */
  async #breathe(): Promise<void> {
    if (this.#isDead) await new Promise(() => undefined);
  }
}

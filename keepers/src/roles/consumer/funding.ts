import type { Hex, LocalAccount } from "viem";
import { addressOf } from "../../chain/contracts.ts";
import { type Permit, permitVersion, signPermit } from "../../storage/client/permit.ts";
import type { JobContext } from "../jobs/duty.ts";
import { allow } from "../storage-node/allowance.ts";
import { chainTime } from "../storage-node/context.ts";
import type { DescribedOrder } from "./describe-order.ts";
import { costOf, type Priced } from "./order-cost.ts";

/** What the escrow may pull from a consumer: an allowance is one number, and each order that is out needs its part of it. */
export class Funding {
  readonly #context: JobContext;
  readonly #account: LocalAccount;

  constructor(context: JobContext, account: LocalAccount) {
    this.#context = context;
    this.#account = account;
  }

  /** Lets the escrow pull what an order costs, beside what the other orders that are out cost. @throws TransactionFailedError */
  async approve(priced: Priced & Pick<DescribedOrder, "orderHash">): Promise<void> {
    const amount = await this.#needed(priced);
    await allow(this.#context, { key: `order:${priced.orderHash}`, spender: "Escrow", amount });
  }

  /**
   * A permit that does what {@link approve} does within the transaction that needs it.
   *
   * @returns undefined when the token takes none, or when the escrow may pull enough already
   */
  async permit(
    priced: Priced & Pick<DescribedOrder, "orderHash">,
  ): Promise<(Permit & { value: bigint }) | undefined> {
    const { contracts, client, deployment } = this.#context;
    const value = await this.#needed(priced);
    if ((await this.#allowance()) >= value) return undefined;
    const parts = { account: this.#account, contracts, chain: client, deployment };
    const version = await permitVersion(parts);
    if (version === undefined) return undefined;
    return { value, ...(await signPermit(parts, this.#escrow, value, version)) };
  }

  get #escrow() {
    return addressOf(this.#context.deployment, "Escrow");
  }

  async #needed(priced: Priced & Pick<DescribedOrder, "orderHash">): Promise<bigint> {
    const { ledger, contracts, client, operator } = this.#context;
    const now = await chainTime(client);
    // Without a signature it was only shown; nobody but the consumer matches it.
    const out = new Map<Hex, Priced>();
    for (const posted of ledger.postedBy(operator, now))
      if (posted.signature !== "0x") out.set(posted.orderHash, posted);
    out.set(priced.orderHash, priced);
    let needed = 0n;
    for (const each of out.values()) {
      const isUsed = await contracts.Market.read.isNonceUsed([operator, each.order.nonce]);
      if (!isUsed) needed += await costOf(contracts, each);
    }
    return needed;
  }

  #allowance(): Promise<bigint> {
    return this.#context.contracts.AssayToken.read.allowance([this.#account.address, this.#escrow]);
  }
}

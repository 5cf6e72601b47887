import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { type Hex, zeroAddress } from "viem";
import { Bidder, type BidderParts } from "../../../../keepers/src/roles/provider/bidder.ts";
import { contextOf, word } from "../doubles.ts";
import { LiedTo } from "../lied-to.ts";

const orderHash = word(4);
const conditions = { deposit: 10n, priceFeed: zeroAddress };
const posted = { orderHash, order: { expiry: 2_000n, conditions, consumer: zeroAddress }, signature: "0x" };

describe("the data that a provider keeps for an order", () => {
  let scene: LiedTo;

  beforeEach(() => {
    scene = new LiedTo({});
  });

  /** What is said of the order when data is swept. */
  async function needed(parts: object): Promise<string> {
    let need = "";
    const sweep = async (needOf: (hash: Hex) => string) => {
      need = needOf(orderHash);
    };
    const ledger = {
      ...{ orderRounds: () => ({ next: () => [] }), openJobs: () => [], jobsOfProvider: () => [] },
      ...{ order: () => posted, job: () => undefined },
    };
    const bidder = new Bidder({
      ...{ ledger, held: { sweep, has: async () => true }, mostJobs: 9, takesOrders: false },
      ...parts,
    } as unknown as BidderParts);
    await bidder.tick(new AbortController().signal);
    await bidder.tick(new AbortController().signal);
    return need;
  }

  it("attack: stays although the clock of the endpoint that is asked first says that the order has expired", async () => {
    scene.liar.now = () => 1_000_000n;
    assert.equal(await needed(await scene.context()), "open");
  });

  it("goes once the endpoints agree that the order has expired", async () => {
    for (const each of scene.endpoints) each.now = () => 2_001n;
    assert.equal(await needed(await scene.context()), "none");
  });

  it("stays after its order has expired when a bid was sent in its auction that is not seen on chain yet", async () => {
    let now = 1_000n;
    const { context } = contextOf(
      scene.operator,
      {
        Staking: { operatorOf: () => ({ stake: 100n, locked: 0n }) },
        JobRegistry: {
          ...{ stakeFor: () => 1n, performanceFor: () => 1n },
          parameters: () => ({ providerBond: 1n }),
        },
        AssayToken: { allowance: () => 100n },
      },
      () => now,
    );
    const client = { public: { ...context.client.public, getBalance: async () => 100n } };
    const terms = { bond: 1n };
    const auction = { terms, commitUntil: 1_500n, bids: new Map() };
    const job = { jobId: 7n, orderHash, status: "Open", auction };
    const ledger = {
      ...{ orderRounds: () => ({ next: () => [] }), openJobs: () => [job], jobsOfProvider: () => [] },
      ...{ order: () => posted, job: () => job },
    };
    const decided = { kind: "bid", bid: { price: 5n, provider: scene.operator }, salt: word(1) };
    const abilities = { compute: 1, region: 1n, regulations: 0n, privacyTier: 0 };
    const bid = {
      ...abilities,
      provider: scene.operator,
      order: orderHash,
      price: 5n,
      nonce: 1n,
      expiry: 1n,
    };
    const queue = Object.assign(context.queue, { address: scene.operator, isBegun: () => false });
    const send = queue.send.bind(queue);
    queue.send = async (intent) => {
      now = 3_000n;
      return await send(intent);
    };
    const need = await needed({
      ...{ ...context, client, agreed: { client, contracts: context.contracts }, queue, ledger },
      appraiser: { known: () => decided },
      prices: { rateOf: async () => ({ rate: 0n }), priced: () => ({ bid, worth: 5n }) },
    });
    assert.equal(need, "bound");
  });
});

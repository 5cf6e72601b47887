import { keccak256 } from "viem";
import { encodeOrder } from "../../../keepers/src/core/exact/order.ts";
import { packageDigest } from "../../../keepers/src/core/market/package.ts";
import { bidTypedData, orderHash } from "../../../keepers/src/core/market/typed-data.ts";
import { type Bid, type Order, schemes } from "../../../keepers/src/core/market/types.ts";
import { defaultConditions } from "../../../keepers/src/roles/consumer/compose-order.ts";
import { problemOf } from "../../../keepers/src/roles/jobs/published-program.ts";
import type { Party } from "../cast.ts";
import type { Plan } from "../conduct.ts";
import { jobOn } from "../runs.ts";
import type { Scene } from "../scene.ts";
import { day, hour, someHash, tokens } from "../world.ts";
import type { Agent } from "./agent.ts";

/** Most that the consumer pays for a job. */
export const deposit = 1_000n * tokens;
const checkFee = 2n * tokens;
/** Members of a committee, and how many must agree. */
const committee = { committeeSize: 4, threshold: 3 };
export const trainingTime = day;
const auction = { commitWindow: hour, revealWindow: hour, bond: deposit / 10n };

/** A provider's bid on an order, at so many hundredths of the deposit. */
export function bidOn(scene: Scene, order: Order, provider: Party, hundredths: number): Bid {
  return {
    ...{ provider: scene.world.address(provider), order: orderHash(order) },
    price: (deposit * BigInt(hundredths)) / 100n,
    ...{ compute: 1, region: 1n, regulations: 0n, privacyTier: 0 },
    ...{ nonce: BigInt(someHash(`bid ${provider}`)), expiry: order.expiry },
  };
}

/** Orders one job on the stored data. */
export class Consumer implements Agent {
  readonly #scene: Scene;
  readonly #plan: Plan;
  #isDone = false;

  constructor(scene: Scene, plan: Plan) {
    this.#scene = scene;
    this.#plan = plan;
  }

  async act(): Promise<boolean> {
    const { sale } = this.#plan;
    if (this.#isDone || sale === "none") return false;
    const data = [...this.#scene.datasets.values()].find(({ name }) => name === "trained");
    if (data === undefined) return false;
    this.#isDone = true;
    const { order, training } = this.#orderOn(data.id);
    return sale === "auction" ? await this.#auction(order, training) : await this.#accept(order, training);
  }

  #orderOn(datasetId: `0x${string}`) {
    const { program, order: trainingOrder } = jobOn(datasetId);
    const training = encodeOrder(trainingOrder);
    const { instalments } = this.#plan;
    const conditions = { ...defaultConditions, maximumPrice: deposit, deposit, trainingTime, instalments };
    const order: Order = {
      consumer: this.#scene.world.address("consumer"),
      problem: {
        ...{ datasetId, trainingHash: keccak256(training), programRoot: trainingOrder.programRoot },
        ...problemOf(program),
        programDigest: packageDigest(new Uint8Array()),
      },
      conditions: this.#plan.hasCommittee
        ? { ...conditions, scheme: schemes.both, ...committee, checkFee }
        : conditions,
      nonce: BigInt(someHash("order")),
      expiry: BigInt(this.#scene.now + day),
    };
    return { order, training };
  }

  async #auction(order: Order, training: `0x${string}`): Promise<boolean> {
    return await this.#scene.send("consumer", "Market", "openAuction", [order, training, "0x", auction]);
  }

  async #accept(order: Order, training: `0x${string}`): Promise<boolean> {
    const { world } = this.#scene;
    const bid = bidOn(this.#scene, order, "provider", this.#plan.providers.provider?.asks ?? 100);
    const { chainId, addresses } = world.deployment;
    const typed = bidTypedData(bid, { chainId, market: addresses.Market! });
    const signature = await world.account("provider").signTypedData(typed);
    const posted = [order, training, "0x", "0x"] as const;
    if (!this.#plan.hidesOrder && !(await this.#scene.send("consumer", "Market", "post", posted)))
      return false;
    return await this.#scene.send("consumer", "Market", "accept", [order, training, "0x", bid, signature]);
  }
}

import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { bytesToHex, type Hex, zeroAddress } from "viem";
import { BadInputError } from "../../core/errors.ts";
import { samplesOf } from "../../core/exact/order.ts";
import { initialState } from "../../core/exact/random/initialize.ts";
import { unmetAbility } from "../../core/market/conditions.ts";
import { type CostModel, priceOf } from "../../core/market/cost.ts";
import type { Abilities, Order } from "../../core/market/types.ts";
import { readSteps } from "../../training/trainer/batches.ts";
import { measureCosts } from "../../training/trainer/measure.ts";
import type { ComputeParts, JobContext } from "../jobs/duty.ts";
import { OrderRefusedError } from "../jobs/errors.ts";
import type { PostedOrder } from "../jobs/job-ledger.ts";
import { compileJob, type OpenJob, openJob } from "../jobs/job-program.ts";
import type { Decision, Decisions } from "./decisions.ts";

export type AppraiserParts = JobContext &
  ComputeParts & {
    readonly decisions: Decisions;
    readonly abilities: Abilities;
    readonly costs: CostModel;
    /** Seconds that an order's program and data may take to arrive. */
    readonly fetchTime: number;
  };

/** Seconds that a bid stays good after the order's own expiry. */
const bidMargin = 3_600n;

/** Decides which orders to bid for, and at what price: once for each order, by doing what it asks for a few steps. */
export class Appraiser {
  readonly #parts: AppraiserParts;
  /** Two that were measured at once would seem dearer than they are. */
  #measuring: Promise<unknown> = Promise.resolve();

  constructor(parts: AppraiserParts) {
    this.#parts = parts;
  }

  /** The decision about an order that was made before. */
  known({ orderHash }: PostedOrder): Decision | undefined {
    return this.#parts.decisions.find(orderHash);
  }

  /**
   * The decision about an order, with the price in tokens whatever the order counts in. The program is compiled, the dataset fetched, and every commitment of the order computed
   * anew, before anything is staked on it.
   *
   * @throws what storage and chain throw for reasons that may pass
   */
  async decide(posted: PostedOrder, signal: AbortSignal): Promise<Decision> {
    const { decisions, log } = this.#parts;
    const known = this.known(posted);
    if (known !== undefined) return known;
    const decision = await this.#appraise(posted, signal);
    decisions.add(posted.orderHash, decision);
    if (decision.kind === "refused")
      log.info({ order: posted.orderHash, reason: decision.reason }, "order refused");
    else log.info({ order: posted.orderHash, price: String(decision.bid.price) }, "order appraised");
    return decision;
  }

  async #appraise(posted: PostedOrder, signal: AbortSignal): Promise<Decision> {
    const { abilities, folder } = this.#parts;
    const { conditions } = posted.order;
    const unmet = unmetAbility(conditions, abilities);
    if (unmet !== undefined) return { kind: "refused", reason: `it asks for another ${unmet}` };
    const own = join(folder, "orders", posted.orderHash);
    try {
      const job = await this.#open(posted, own, signal);
      try {
        return await this.#alone(() => this.#price(posted, job));
      } finally {
        await job.close();
      }
    } catch (error) {
      const isRefusal = error instanceof OrderRefusedError || error instanceof BadInputError;
      if (!isRefusal) throw error;
      return { kind: "refused", reason: error.message };
    } finally {
      await rm(own, { recursive: true, force: true });
    }
  }

  async #open(posted: PostedOrder, folder: string, stop: AbortSignal): Promise<OpenJob> {
    const { storage, limits, fetchTime } = this.#parts;
    const late = AbortSignal.timeout(fetchTime * 1000);
    const signal = AbortSignal.any([stop, late]);
    try {
      const program = await compileJob(posted, { storage, folder, limits, signal });
      return await openJob(program, { storage, folder, limits, signal });
    } catch (error) {
      stop.throwIfAborted();
      if (late.aborted) throw new OrderRefusedError("data", `it did not arrive in ${fetchTime} s`);
      throw error;
    }
  }

  /** Does its work when what came before has ended, however that did. */
  async #alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#measuring.then(work);
    this.#measuring = done.catch(() => undefined);
    return done;
  }

  async #price({ order, orderHash }: PostedOrder, job: OpenJob): Promise<Decision> {
    const { costs } = this.#parts;
    const seconds = await this.#secondsPerStep(job);
    const { steps } = job.order;
    const { trainingTime } = order.conditions;
    const price = priceOf(costs, steps, seconds);
    const most = mostTokens(order);
    if (price > most) return { kind: "refused", reason: `it costs ${price} here, more than ${most}` };
    if (2 * steps * seconds > trainingTime) {
      return {
        kind: "refused",
        reason: `it would take ${Math.ceil(steps * seconds)} s of the ${trainingTime} s`,
      };
    }
    return { kind: "bid", bid: this.#bid(order, orderHash, price), salt: bytesToHex(randomBytes(32)) };
  }

  #bid(order: Order, orderHash: Hex, price: bigint) {
    const { operator, abilities } = this.#parts;
    return {
      provider: operator,
      order: orderHash,
      price,
      ...abilities,
      nonce: BigInt(bytesToHex(randomBytes(32))),
      expiry: order.expiry + bidMargin,
    };
  }

  /** What a step takes on this machine. */
  async #secondsPerStep({ compiled, order, source, options }: OpenJob): Promise<number> {
    const session = await this.#parts.executor.open(compiled.program, options);
    try {
      const [objects] = await readSteps({ source, order: samplesOf(order) }, 0, 1);
      const input = { objects: objects!, learningRate: order.schedule.table[0]! };
      const state = initialState(compiled.program, order.seed);
      return (await measureCosts(session, compiled.program, state, [input])).step;
    } finally {
      await session.close();
    }
  }
}

/** Most tokens that an order can pay, whatever its feed will say. */
function mostTokens({ conditions }: Order): bigint {
  const { maximumPrice, deposit, priceFeed } = conditions;
  return priceFeed === zeroAddress && maximumPrice < deposit ? maximumPrice : deposit;
}

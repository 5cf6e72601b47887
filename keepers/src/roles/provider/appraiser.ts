import { type Hex, hashTypedData, zeroAddress } from "viem";
import { addressOf } from "../../chain/contracts.ts";
import type { OperatorSecrets } from "../../chain/secrets.ts";
import { BadInputError } from "../../core/errors.ts";
import { unmetAbility } from "../../core/market/conditions.ts";
import { type CostModel, openingsOf, priceOf } from "../../core/market/cost.ts";
import { bidTypedData } from "../../core/market/typed-data.ts";
import type { Abilities, Bid, Order } from "../../core/market/types.ts";
import type { ComputeParts, FetchParts, JobContext } from "../jobs/duty.ts";
import { OrderRefusedError } from "../jobs/errors.ts";
import { limited, TooLateError } from "../jobs/in-time.ts";
import type { PostedOrder } from "../jobs/job-ledger.ts";
import { compileJob, type OpenJob, openJob } from "../jobs/job-program.ts";
import { clocksOf, measuredSpacing, roomIn } from "../jobs/move-time.ts";
import { OneAtATime } from "../jobs/one-at-a-time.ts";
import { secondsPerStep } from "../jobs/step-time.ts";
import type { Decision, Decisions } from "./decisions.ts";
import type { HeldData } from "./held-data.ts";
import { problemOfTime } from "./training-time.ts";

export type AppraiserParts = JobContext &
  ComputeParts &
  FetchParts & {
    readonly decisions: Decisions;
    readonly held: HeldData;
    readonly abilities: Abilities;
    readonly costs: CostModel;
    readonly secrets: OperatorSecrets;
  };

/** Seconds that a bid stays good after the order's own expiry. */
const bidMargin = 3_600n;

/** Decides which orders to bid for, and at what price: once for each order, by doing what it asks for a few steps. */
export class Appraiser {
  readonly #parts: AppraiserParts;
  /** Two that were measured at once would seem dearer than they are. */
  readonly #measuring = new OneAtATime();

  constructor(parts: AppraiserParts) {
    this.#parts = parts;
  }

  /** The decision about an order that was made before. */
  known({ orderHash }: Pick<PostedOrder, "orderHash">): Decision | undefined {
    return this.#parts.decisions.find(orderHash);
  }

  /**
   * The decision about an order, with the price in tokens whatever the order counts in. The program is compiled, the dataset
   * fetched whole, and every commitment of the order computed anew, before anything is staked on it; the data of an order that
   * is to be bid for is kept.
   *
   * @throws what storage and chain throw for reasons that may pass
   */
  async decide(posted: PostedOrder, signal: AbortSignal): Promise<Decision> {
    const { decisions, log } = this.#parts;
    const known = this.known(posted);
    if (known?.kind === "refused") return known;
    if (known !== undefined && (await this.#parts.held.has(posted.orderHash))) return known;
    const decision = await this.#appraise(posted, known, signal);
    if (known !== undefined) return known;
    decisions.add(posted.orderHash, decision);
    if (decision.kind === "refused")
      log.info({ order: posted.orderHash, reason: decision.reason }, "order refused");
    else log.info({ order: posted.orderHash, price: String(decision.bid.price) }, "order appraised");
    return decision;
  }

  /** @param known what was decided before, when only the data is not here any more */
  async #appraise(posted: PostedOrder, known: Decision | undefined, signal: AbortSignal): Promise<Decision> {
    const { abilities, held } = this.#parts;
    const { orderHash, order } = posted;
    const unmet = unmetAbility(order.conditions, abilities);
    if (unmet !== undefined) return { kind: "refused", reason: `it asks for another ${unmet}` };
    let decision = known;
    try {
      const job = await this.#open(posted, await held.begin(orderHash), signal);
      try {
        decision ??= await this.#measuring.run(() => this.#price(posted, job, signal));
      } finally {
        await job.close();
      }
      if (decision.kind === "bid") await held.keep(orderHash);
      return decision;
    } catch (error) {
      const isRefusal = error instanceof OrderRefusedError || error instanceof BadInputError;
      if (!isRefusal) throw error;
      return { kind: "refused", reason: error.message };
    } finally {
      await held.drop(orderHash);
    }
  }

  async #open(posted: PostedOrder, folder: string, stop: AbortSignal): Promise<OpenJob> {
    const { storage, limits, fetchTime } = this.#parts;
    const open = async (signal: AbortSignal) => {
      const program = await compileJob(posted, { storage, folder, limits, signal });
      return await openJob(program, { storage, folder, limits, signal });
    };
    try {
      return await limited(open, { seconds: fetchTime, signal: stop });
    } catch (error) {
      if (error instanceof TooLateError) throw new OrderRefusedError("data", error.message);
      throw error;
    }
  }

  async #price({ order, orderHash }: PostedOrder, job: OpenJob, signal: AbortSignal): Promise<Decision> {
    const { costs } = this.#parts;
    const seconds = await secondsPerStep(this.#parts.executor, job, signal);
    const { steps } = job.order;
    const { trainingTime } = order.conditions;
    const openings = await this.#openings(job, order.conditions);
    const price = priceOf(costs, { steps, secondsPerStep: seconds, openings });
    const most = mostTokens(order);
    if (price > most) return { kind: "refused", reason: `it costs ${price} here, more than ${most}` };
    const problem =
      problemOfTime({ steps, secondsPerStep: seconds, trainingTime }) ??
      (await this.#problemOfMoves(job, seconds, signal));
    if (problem !== undefined) return { kind: "refused", reason: problem };
    const bid = this.#bid(order, orderHash, price);
    return { kind: "bid", bid, salt: this.#salt(bid) };
  }

  /** Why the challenges of a job could not be answered in their time and memory, by whoever computed it rightly. */
  async #problemOfMoves(
    job: OpenJob,
    secondsPerStep: number,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { order, compiled } = job;
    const [clocks, room] = await Promise.all([clocksOf(this.#parts), roomIn(this.#parts.folder)]);
    const parameters = { order, program: compiled.program, secondsPerStep, clocks, room };
    return (await measuredSpacing(this.#parts.executor, job, parameters, signal)).problem;
  }

  /** What a committee would have this provider open, in transactions that nobody pays back. */
  async #openings({ order }: OpenJob, { committeeSize }: Order["conditions"]): Promise<number> {
    if (committeeSize === 0) return 0;
    const checks = Number(await this.#parts.contracts.Committee.read.checks());
    return openingsOf({ intervals: Math.ceil(order.steps / order.interval), committeeSize, checks });
  }

  #bid(order: Order, orderHash: Hex, price: bigint): Bid {
    const { operator, abilities, secrets, deployment } = this.#parts;
    const market = addressOf(deployment, "Market");
    return {
      provider: operator,
      order: orderHash,
      price,
      ...abilities,
      nonce: BigInt(secrets.derive("bid nonce", market, orderHash)),
      expiry: order.expiry + bidMargin,
    };
  }

  /** Bound to all that the bid says: a salt that is opened with one bid says nothing about another. */
  #salt(bid: Bid): Hex {
    const { secrets, deployment } = this.#parts;
    const { chainId } = deployment;
    const market = addressOf(deployment, "Market");
    return secrets.derive("bid salt", market, hashTypedData(bidTypedData(bid, { chainId, market })));
  }
}

/** Most tokens that an order can pay, whatever its feed will say. */
function mostTokens({ conditions }: Order): bigint {
  const { maximumPrice, deposit, priceFeed } = conditions;
  return priceFeed === zeroAddress && maximumPrice < deposit ? maximumPrice : deposit;
}

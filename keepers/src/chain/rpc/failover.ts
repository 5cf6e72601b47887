import { type Hex, keccak256 } from "viem";
import { Asker, type FailoverOptions, type Source } from "./asker.ts";
import type { RpcRequest } from "./endpoint.ts";
import {
  InconsistentAnswerError,
  isAlreadyKnown,
  isFinalAnswer,
  RpcBusyError,
  RpcUnavailableError,
  WrongChainError,
} from "./errors.ts";
import {
  alike,
  type Enough,
  firstOf,
  gather,
  given,
  inTurn,
  type Limit,
  near,
  type Reading,
} from "./gather.ts";
import { type EndpointHealth, newHealth, rank } from "./health.ts";
import { type Lane, RateLimit } from "./rate-limit.ts";
import { Refusals, refusalKind, tooMany } from "./refusals.ts";

export type { FailoverOptions } from "./asker.ts";

/** The newest block, and up to where nobody contradicts that. */
export type Heads = { readonly head: bigint; readonly sure: bigint };

type Counted =
  | { kind: "answered"; key: string; answer: unknown }
  | { kind: "refused"; key: string; reason: unknown };
type Cast = Counted | { kind: "abstained"; reason: unknown };
type Vote = Counted & { sources: Source[] };

/** Answers that may be null only because an endpoint has not seen the block or transaction yet. */
const nullMayBeLag = new Set([
  "eth_getBlockByNumber",
  "eth_getBlockByHash",
  "eth_getTransactionReceipt",
  "eth_getTransactionByHash",
]);
/** Answers that a liar could profit from whoever reads them; contracts and the clock are asked for with `confirmed` where it matters. */
const needsQuorum = new Set(["eth_getLogs", "eth_getTransactionReceipt"]);

/**
 * Whether an answer to a call may be that of an endpoint that lies or has no such contract: functions of contracts give whole
 * words. Calls of accounts without code, and of functions that give nothing, have such an answer, too.
 */
function isDoubtful(method: string, answer: unknown): boolean {
  return method === "eth_call" && (answer === "0x" || (String(answer).length - 2) % 64 !== 0);
}

/**
 * The parts of an answer on which honest nodes agree, in one order: nodes add fields of their own and sort as they like. What is
 * used of an answer is among them, but for the cost of a transaction, which is only counted: the one that is handed on is that of
 * whoever was asked first.
 */
function canonical(answer: unknown): string {
  const pick = (log: Record<string, unknown>) =>
    [
      ...[log.blockNumber, log.blockHash, log.transactionHash, log.logIndex, log.address],
      ...((log.topics as string[]) ?? []),
      log.data,
    ]
      .join()
      .toLowerCase();
  if (Array.isArray(answer)) return answer.map(pick).sort().join("\n");
  if (typeof answer !== "object" || answer === null) return String(answer).toLowerCase();
  const { blockHash, blockNumber, status, logs, ...header } = answer as Record<string, unknown>;
  const { number, hash, parentHash, timestamp, transactions, to, input } = header;
  // No endpoint hashes a header for this keeper: what the hash stands for is compared, too.
  const bloom = parentHash === undefined ? undefined : header.logsBloom;
  const listed = (Array.isArray(transactions) ? (transactions as unknown[]) : []).map(
    (each) => (each as { hash?: unknown } | null)?.hash ?? each,
  );
  return [
    ...[number, hash, parentHash, timestamp, bloom, blockNumber, blockHash, status, canonical(logs ?? [])],
    ...listed,
    // Of a transaction, what it called.
    ...(input === undefined ? [] : [to, input]),
  ]
    .join("\n")
    .toLowerCase();
}

/**
 * One RPC source made of several: ranks endpoints by health, passes over those that fail, lag, serve another chain or
 * contradict themselves, and broadcasts transactions to all of them.
 */
export class Failover {
  readonly #options: FailoverOptions;
  readonly #sources: readonly Source[];
  readonly #asker: Asker;

  /** @param shared what another one of the same options asks, and whose requests this one makes */
  constructor(
    options: FailoverOptions,
    shared?: { readonly sources: readonly Source[]; readonly lane: Lane },
  ) {
    this.#options = options;
    this.#sources =
      shared?.sources ??
      options.endpoints.map((endpoint) => ({
        endpoint,
        health: newHealth(endpoint.name),
        limit: new RateLimit(options.requestsPerSecond, options.clock),
      }));
    this.#asker = new Asker(options, shared?.lane ?? "duties", this.#sources.length > this.#enough);
  }

  /** The same endpoints for what strangers cause: `RpcBusyError` when too much of that waits already. */
  forStrangers(): Failover {
    return new Failover(this.#options, { sources: this.#sources, lane: "strangers" });
  }

  health(): EndpointHealth[] {
    return this.#sources.map(({ health }) => ({ ...health }));
  }

  async request(request: RpcRequest): Promise<unknown> {
    if (request.method === "eth_sendRawTransaction") return this.#broadcast(request);
    if (request.method === "eth_blockNumber") return `0x${(await this.heads()).head.toString(16)}`;
    if (this.#options.quorum > 1 && needsQuorum.has(request.method)) return this.agreed(request);
    return this.#first(request);
  }

  /** Endpoints that must agree before a duty is given up for what they say: a quorum, and two wherever there are two. */
  get #enough(): number {
    return Math.min(this.#sources.length, Math.max(this.#options.quorum, 2));
  }

  /** Whether another endpoint is asked before a duty is given up. */
  get hasWitnesses(): boolean {
    return this.#enough > 1;
  }

  /**
   * What enough endpoints say alike for a duty to be given up for it. Contracts are read at a block that all have of those that do
   * not lag; of the newest block as each has it the one in the middle by time is given, and the earlier of two: too late is what is late
   * by it. Endpoints that rest are not asked: whoever cannot be told now goes on, and asks again later.
   *
   * @throws InconsistentAnswerError when they contradict each other, RpcUnavailableError when too few answer, at once when too
   * many rest
   */
  async confirmed(request: RpcRequest): Promise<unknown> {
    if (!this.hasWitnesses) return this.request(request);
    if (this.#awake().length < this.#enough) throw this.#unavailable([]);
    const [first, block = "latest", ...rest] = Array.isArray(request.params) ? request.params : [];
    if (request.method === "eth_getBlockByNumber" && first === "latest") return this.#middleBlock(request);
    if (request.method !== "eth_call" || block !== "latest")
      return this.#alike(request, this.#enough, this.#awake());
    const isEnough = alike(this.#enough, this.#options.maximumLag);
    const heads = await this.#askAwake({ method: "eth_blockNumber" }, 0, isEnough);
    const head = this.#shared(heads.map(({ answer }) => answer));
    const params = [first, `0x${head.toString(16)}`, ...rest];
    return this.#alike({ ...request, params }, this.#enough, this.#awake());
  }

  /**
   * The lowest of the heads that are not behind what enough have reached by more than an endpoint may be: at that itself one that
   * lies would be asked beside one that is honest, while the others do not have it yet. One that lies has the answer be so much
   * older, and no more.
   */
  #shared(heads: readonly PromiseSettledResult<unknown>[]): bigint {
    const reached = this.#reached(heads, this.#enough);
    return heads.reduce((lowest, each) => {
      const head = each.status === "fulfilled" ? BigInt(String(each.value)) : reached;
      return head < lowest && head + this.#options.maximumLag >= reached ? head : lowest;
    }, reached);
  }

  async #middleBlock(request: RpcRequest): Promise<unknown> {
    const answers = (await this.#askAwake(request, 0, given(this.#enough))).map(({ answer }) => answer);
    const blocks = answers.flatMap((answer) =>
      answer.status === "fulfilled" && answer.value !== null ? [answer.value as { timestamp: string }] : [],
    );
    if (blocks.length < this.#enough) {
      throw this.#unavailable(
        answers.flatMap((answer) => (answer.status === "rejected" ? [answer.reason] : [])),
      );
    }
    blocks.sort((a, b) => (BigInt(a.timestamp) < BigInt(b.timestamp) ? -1 : 1));
    return blocks[Math.floor((blocks.length - 1) / 2)];
  }

  /**
   * What each endpoint that is not resting says; of those that rest, too, when the others are no quorum. One that takes much longer
   * than a quorum is left out, and rests.
   */
  async poll(
    request: RpcRequest,
    isEnough = given(this.#options.quorum),
    limit?: Limit,
  ): Promise<PromiseSettledResult<unknown>[]> {
    const answers = await this.#askAwake(request, this.#options.quorum, isEnough, limit);
    return answers.map(({ answer }) => answer);
  }

  /**
   * As {@link poll}, for what gas costs: one that lies must not count as half of two that contradict each other. Who is slow is
   * waited for then, and who rests is asked, though not for as long as one that says nothing may take.
   */
  quotes(request: RpcRequest, read: Reading): Promise<PromiseSettledResult<unknown>[]> {
    const limit = { isLeast: given(this.#options.quorum), milliseconds: 4_000 };
    return this.poll(request, near(this.#enough, read), limit);
  }

  #awake(): Source[] {
    const now = this.#options.clock.now();
    return this.#sources.filter(({ health }) => health.restingUntil <= now);
  }

  /**
   * Asks the endpoints that are not resting, and the others only if those are not enough: fewer than `least`, or in
   * contradiction. None that rests is asked for the least of 0.
   */
  async #askAwake(
    request: RpcRequest,
    least: number,
    isEnough: Enough,
    limit?: Limit,
  ): Promise<{ source: Source; answer: PromiseSettledResult<unknown> }[]> {
    const awake = this.#awake();
    const resting = this.#sources.filter((source) => !awake.includes(source));
    const ask = async (sources: readonly Source[], earlier: PromiseSettledResult<unknown>[]) => {
      const asks = sources.map((source) => (leftOut: AbortSignal) => this.#ask(source, request, leftOut));
      const of =
        (check: Enough): Enough =>
        (more) =>
          check([...earlier, ...more]);
      const within = limit && { ...limit, isLeast: of(limit.isLeast) };
      const settled = await gather(asks, of(isEnough), this.#options.clock, within);
      return settled.map((answer, i) => ({ source: sources[i]!, answer }));
    };
    const answers = await ask(awake, []);
    const results = answers.map(({ answer }) => answer);
    if (least > 0 && !(given(least)(results) && isEnough(results)))
      answers.push(...(await ask(resting, results)));
    return answers;
  }

  /**
   * The highest quantity that a quorum of endpoints says is reached: neither one that lags nor one that lies decides, as
   * long as fewer than the quorum do.
   *
   * @param isPlain whether a quorum's word for a quantity will do. Where it will not, the highest counts that two say is reached,
   *   where two answer
   */
  async attested(request: RpcRequest, isPlain = (_value: bigint) => true): Promise<bigint> {
    const { quorum } = this.#options;
    const answered = given(this.#enough);
    const agreed = alike(quorum, 0n);
    const results = await this.poll(
      request,
      (so) => agreed(so) && (isPlain(this.#reached(so, quorum)) || answered(so)),
    );
    const value = this.#reached(results, quorum);
    if (isPlain(value)) return value;
    const values = results.filter(({ status }) => status === "fulfilled").length;
    return this.#reached(results, Math.min(this.#enough, values));
  }

  /** The highest quantity that so many of the answers say is reached. */
  #reached(results: readonly PromiseSettledResult<unknown>[], enough: number): bigint {
    const values = results
      .flatMap((result) => (result.status === "fulfilled" ? [BigInt(String(result.value))] : []))
      .sort((a, b) => (a < b ? 1 : -1));
    const value = values[enough - 1];
    if (value !== undefined) return value;
    throw this.#unavailable(
      results.flatMap((result) => (result.status === "rejected" ? [result.reason] : [])),
    );
  }

  /** Asks every endpoint which chain it serves; throws unless at least one serves the right one. */
  async connect(): Promise<void> {
    const results = await Promise.allSettled(this.#sources.map((source) => this.#asker.verify(source)));
    if (results.some(({ status }) => status === "fulfilled")) return;
    const reasons = results.map((result) => (result as PromiseRejectedResult).reason as unknown);
    throw reasons.find((reason) => reason instanceof WrongChainError) ?? this.#unavailable(reasons);
  }

  /**
   * Answer of the best endpoint that gives one; a refusal counts as soon as a quorum gives it, and what a call hardly ever gives
   * as soon as two give it, or nobody gives anything else.
   */
  async #first(request: RpcRequest): Promise<unknown> {
    const reasons: unknown[] = [];
    const doubtful = new Set<unknown>();
    const refusals = new Refusals();
    let sawNull = false;
    for (const source of rank(this.#sources, this.#options.clock.now())) {
      try {
        const answer = await this.#ask(source, request);
        if (answer === null && nullMayBeLag.has(request.method)) sawNull = true;
        else if (!isDoubtful(request.method, answer) || doubtful.has(answer)) return answer;
        else doubtful.add(answer);
      } catch (error) {
        const kind = refusalKind(request, error);
        if (kind === undefined) reasons.push(error);
        else if (refusals.add(kind, error) >= this.#options.quorum) throw error;
      }
    }
    if (sawNull) return null;
    // So many refuse, if for different reasons.
    if (refusals.count >= this.#options.quorum) throw refusals.most();
    const [sole, ...others] = doubtful;
    if (others.length > 0)
      throw new InconsistentAnswerError("the RPC endpoints answer a call differently, and none with words");
    if (sole !== undefined) return sole;
    throw this.#unanswered(reasons, this.#options.quorum);
  }

  /** Where so many call a request malformed, and nobody says anything of the chain, that is what is said. */
  #unanswered(reasons: readonly unknown[], enough: number): unknown {
    const isRefused = reasons.length >= enough && reasons.every((reason) => isFinalAnswer(reason));
    return isRefused ? reasons[0] : this.#unavailable(reasons);
  }

  /**
   * The chain's head: what a quorum says is reached, of three or more answers no more than their upper median, so that neither one
   * that lags nor one that lies decides, also while another one rests: a block is final, or is not, by it. With a quorum of one
   * the higher of two, because lagging is common and a block that does not exist shows at once; what is `sure` of it is no further above
   * the lower one than endpoints may lag.
   */
  async heads(): Promise<Heads> {
    const { quorum, maximumLag } = this.#options;
    const answers = await this.#askAwake({ method: "eth_blockNumber" }, quorum, alike(quorum, maximumLag));
    const heads = answers.flatMap(({ source, answer }) =>
      answer.status === "fulfilled" ? [{ source, head: BigInt(String(answer.value)) }] : [],
    );
    if (heads.length < quorum) {
      throw this.#unavailable(
        answers.flatMap(({ answer }) => (answer.status === "rejected" ? [answer.reason] : [])),
      );
    }
    heads.sort((a, b) => (a.head < b.head ? -1 : 1));
    const middle = heads.length < 3 ? heads.length - 1 : Math.floor(heads.length / 2);
    const { head } = heads[Math.min(middle, heads.length - quorum)]!;
    for (const each of heads) {
      each.source.health.head = each.head;
      each.source.health.lagging = each.head + maximumLag < head;
      // Of two that contradict each other nobody knows which one lies.
      if (heads.length > 2 && each.head > head + maximumLag) {
        this.#failed(
          each.source,
          new InconsistentAnswerError("a head far above that of the other endpoints"),
        );
      }
    }
    const [lowest] = heads;
    const sure = heads.length === 2 ? lowest!.head + maximumLag : head;
    return { head, sure: sure < head ? sure : head };
  }

  /** An answer, or a refusal, that a quorum of endpoints gives alike; those that contradict it are marked. */
  agreed(request: RpcRequest): Promise<unknown> {
    return this.#alike(request, this.#options.quorum, this.#sources);
  }

  /** As {@link agreed}, for what `enough` of some endpoints give. */
  async #alike(request: RpcRequest, enough: number, sources: readonly Source[]): Promise<unknown> {
    const votes = new Map<string, Vote>();
    const reasons: unknown[] = [];
    const ranked = rank(sources, this.#options.clock.now());
    const asks = ranked.map((source) => async (leftOut: AbortSignal) => {
      return { source, cast: await this.#vote(source, request, leftOut) };
    });
    const missing = () => enough - Math.max(0, ...[...votes.values()].map((vote) => vote.sources.length));
    for await (const { source, cast } of inTurn(asks, missing, this.#options.clock)) {
      if (cast.kind === "abstained") {
        reasons.push(cast.reason);
        continue;
      }
      const vote = votes.get(cast.key) ?? { ...cast, sources: [] };
      vote.sources.push(source);
      votes.set(cast.key, vote);
      if (vote.sources.length < enough) continue;
      this.#mark(request, vote, votes);
      if (vote.kind === "refused") throw vote.reason;
      return vote.answer;
    }
    // Less is asked for on the word of one: the others may have room for more, and then agree on less as well.
    const limited = votes.get(tooMany);
    if (limited?.kind === "refused") throw limited.reason;
    if (votes.size > 1) {
      throw new InconsistentAnswerError(
        `the RPC endpoints contradict each other: ${votes.size} different answers to ${request.method}`,
        { kept: "nothing was taken over from any of them" },
      );
    }
    if (votes.size === 0) throw this.#unanswered(reasons, enough);
    throw this.#unavailable([
      ...reasons,
      new Error(`fewer than ${enough} endpoints answered ${request.method}`),
    ]);
  }

  async #vote(source: Source, request: RpcRequest, leftOut: AbortSignal): Promise<Cast> {
    try {
      const answer = await this.#ask(source, request, leftOut);
      return { kind: "answered", key: canonical(answer), answer };
    } catch (reason) {
      const key = refusalKind(request, reason);
      return key === undefined ? { kind: "abstained", reason } : { kind: "refused", key, reason };
    }
  }

  /** Null is what an endpoint that lags would say, and a refusal may be: no contradiction. */
  #mark({ method }: RpcRequest, agreed: Vote, votes: ReadonlyMap<string, Vote>): void {
    for (const other of votes.values()) {
      if (other === agreed || other.kind === "refused" || other.answer === null) continue;
      for (const source of other.sources)
        this.#failed(source, new InconsistentAnswerError(`${method} differs from the other endpoints`));
    }
  }

  /**
   * Sends a signed transaction to all endpoints, so that no single one can hold it back; one that knows it already has it. Fails with
   * the chain's own answer only when every endpoint that answered gave one; otherwise it may have got through. Once enough have refused
   * it the rest has as long as for other questions.
   */
  async #broadcast(request: RpcRequest): Promise<unknown> {
    const [raw] = request.params as [Hex];
    const asks = this.#sources.map((source) => async (leftOut: AbortSignal) => {
      try {
        return await this.#ask(source, request, leftOut);
      } catch (error) {
        if (isAlreadyKnown(error)) return keccak256(raw);
        throw error;
      }
    });
    const refused = given(this.#enough);
    const isRefused: Enough = (results) =>
      refused(results) && results.every(({ status }) => status === "rejected");
    const outcome = await firstOf(asks, isRefused, this.#options.clock);
    if (!Array.isArray(outcome)) return outcome.answer;
    const reached = outcome.filter((reason) => !(reason instanceof WrongChainError));
    if (reached.length > 0 && reached.every((reason) => isFinalAnswer(reason))) throw reached[0];
    throw this.#unavailable(outcome);
  }

  #ask(source: Source, request: RpcRequest, leftOut?: AbortSignal): Promise<unknown> {
    return this.#asker.ask(source, request, leftOut);
  }

  #failed(source: Source, error: Error): void {
    this.#asker.failed(source, error);
  }

  #unavailable(reasons: readonly unknown[]): Error {
    const busy = reasons.find((reason) => reason instanceof RpcBusyError);
    if (busy !== undefined) return busy;
    const details = this.#sources.map(
      ({ endpoint, health }) => `${endpoint.name}: ${health.lastError ?? "-"}`,
    );
    return new RpcUnavailableError(`no RPC endpoint gave a usable answer (${details.join("; ")})`, {
      cause: reasons.at(-1),
    });
  }
}

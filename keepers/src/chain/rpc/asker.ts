import type { Clock } from "../clock.ts";
import { checkAnswer } from "./checks.ts";
import type { Endpoint, RpcRequest } from "./endpoint.ts";
import {
  InconsistentAnswerError,
  isBlockMissing,
  isFinalAnswer,
  RateLimitedError,
  RpcUnavailableError,
  WrongChainError,
} from "./errors.ts";
import { LeftOutError, untilLeftOut } from "./gather.ts";
import {
  type EndpointHealth,
  longestRest,
  recordContradiction,
  recordFailure,
  recordSuccess,
  restPerWait,
} from "./health.ts";
import type { Lane, RateLimit } from "./rate-limit.ts";
import { isMethodMissing } from "./refusals.ts";

export type FailoverOptions = {
  chainId: number;
  endpoints: readonly Endpoint[];
  clock: Clock;
  /** For one request to one endpoint, in milliseconds. */
  timeout: number;
  /** Requests per second and endpoint. */
  requestsPerSecond: number;
  /** How many endpoints must give the same logs and receipts before they are believed. */
  quorum: number;
  /** Blocks by which an endpoint may be behind the others before it is passed over. */
  maximumLag: bigint;
  onFailure?: (endpoint: string, error: Error) => void;
};

export type Source = { endpoint: Endpoint; health: EndpointHealth; limit: RateLimit };

const asError = (error: unknown) => (error instanceof Error ? error : new Error(String(error)));

/** Asks one endpoint at a time, each for one thing, and keeps note of how it behaves. */
export class Asker {
  readonly #options: FailoverOptions;
  readonly #lane: Lane;
  readonly #mayRest: boolean;

  /** @param mayRest whether anything can be agreed on without one that is only slow */
  constructor(options: FailoverOptions, lane: Lane, mayRest: boolean) {
    this.#options = options;
    this.#lane = lane;
    this.#mayRest = mayRest;
  }

  /** Throws unless it serves the chain that is asked for. */
  async verify(source: Source, leftOut?: AbortSignal): Promise<void> {
    const { chainId } = this.#options;
    if (source.health.chainId === undefined) {
      const answer = await this.#exchange(source, { method: "eth_chainId" }, leftOut);
      source.health.chainId = Number(answer);
    }
    if (source.health.chainId === chainId) return;
    throw new WrongChainError(source.endpoint.name, source.health.chainId, chainId);
  }

  /** @param leftOut signal that its answer is not waited for any more */
  async ask(source: Source, request: RpcRequest, leftOut?: AbortSignal): Promise<unknown> {
    try {
      await this.verify(source, leftOut);
    } catch (error) {
      if (error instanceof WrongChainError && source.health.restingUntil <= this.#options.clock.now()) {
        // Asked again after its rest: a node may have been restarted with the right chain.
        source.health.chainId = undefined;
        this.failed(source, error);
      }
      throw error;
    }
    return this.#exchange(source, request, leftOut);
  }

  async #exchange(source: Source, request: RpcRequest, leftOut?: AbortSignal): Promise<unknown> {
    const { clock, timeout } = this.#options;
    await source.limit.wait(this.#lane);
    // It was never asked: the wait was for this keeper's own rate.
    if (leftOut?.aborted === true) throw new LeftOutError();
    const started = clock.now();
    const abort = new AbortController();
    const answered = new AbortController();
    try {
      const said = await Promise.race([
        source.endpoint.request(request, abort.signal),
        clock.sleep(timeout, answered.signal).then(() => {
          throw new RpcUnavailableError(`no answer to ${request.method} within ${timeout} ms`);
        }),
        untilLeftOut(leftOut),
      ]);
      const answer = checkAnswer(request, said);
      recordSuccess(source.health, clock.now() - started, clock.now());
      return answer;
    } catch (error) {
      if (isFinalAnswer(error) || isBlockMissing(request, error))
        recordSuccess(source.health, clock.now() - started, clock.now());
      else if (isMethodMissing(error)) throw error;
      // Where nothing can be agreed on without it, one that is only slow does not rest.
      else if (error instanceof LeftOutError && !this.#mayRest) throw error;
      else this.failed(source, asError(error), clock.now() - started);
      throw error;
    } finally {
      answered.abort();
      abort.abort();
    }
  }

  /** @param waited milliseconds for which somebody waited for nothing */
  failed(source: Source, error: Error, waited = 0): void {
    const now = this.#options.clock.now();
    if (error instanceof InconsistentAnswerError) recordContradiction(source.health, now);
    const asked = error instanceof RateLimitedError ? error.retryAfter : 0;
    recordFailure(source.health, error, now, Math.max(asked, Math.min(longestRest, restPerWait * waited)));
    this.#options.onFailure?.(source.endpoint.name, error);
  }
}

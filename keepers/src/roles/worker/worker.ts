import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import { type Hex, type LocalAccount, verifyTypedData } from "viem";
import { InconsistentAnswerError, RpcUnavailableError } from "../../chain/rpc/errors.ts";
import { AssayError } from "../../core/errors.ts";
import { programFromJson } from "../../core/exact/tape/program.json.ts";
import type { Program } from "../../core/exact/tape/types.ts";
import { validateProgram } from "../../core/exact/tape/validate.ts";
import { joiningTypedData, runningTotalTypedData } from "../../core/market/contributions.ts";
import { MalformedMessageError, RefusalError, TransportError } from "../../storage/transport/errors.ts";
import type { Host } from "../../storage/transport/host.ts";
import type { ResponseOf } from "../../storage/transport/rpc.ts";
import { type Reply, RpcClient } from "../../storage/transport/rpc-client.ts";
import { mostPending } from "../../training/cluster/board.ts";
import { BadPartError } from "../../training/cluster/errors.ts";
import { StateForm, SumsForm } from "../../training/cluster/forms.ts";
import type { PartsExecutor, SumsSession } from "../../training/executors/parts.ts";
import { type ClusterMethods, clusterProtocol, longPoll, type PayTerms } from "../cluster/protocol.ts";
import type { WorkerBook } from "./book.ts";
import { EnoughUnpaidError, RoundOverError, UnfairProviderError } from "./errors.ts";

export type WorkerOptions = {
  /** The keeper's node; it is not closed here. */
  readonly host: Host;
  /** Multiaddr of the provider, with its peer id. */
  readonly provider: string;
  readonly account: Pick<LocalAccount, "address" | "signTypedData">;
  readonly executor: PartsExecutor;
  readonly threads: number;
  /** Bytes that a program may take. */
  readonly memoryBytes: number;
  readonly book: WorkerBook;
  /** @throws UnfairProviderError when the terms, or what the chain says of them, are not good enough */
  readonly accept: (pay: PayTerms | null) => Promise<void>;
  /** Most that may be at risk for a job, in base units of the token, as things stand; no bound when left out. */
  readonly mostAtRisk?: (pay: PayTerms) => Promise<bigint>;
  readonly log: Logger;
  /** Milliseconds between two attempts to reach the provider; doubled up to a minute. */
  readonly backOff?: number;
  /** Hears what the provider said to each result. */
  readonly onResult?: (verdict: "accepted" | "pending" | "late") => void;
};

type Joined = {
  readonly session: string;
  readonly program: Program;
  readonly engine: SumsSession;
  readonly state: StateForm;
  readonly sums: SumsForm;
  /** Bytes of the objects of one chunk. */
  readonly objectBytes: number;
  readonly pay: PayTerms | null;
};

type Receipt = Pick<ResponseOf<ClusterMethods["deliver"]>, "total" | "signature" | "pending">;

const longestBackOff = 60_000;
/** Results in a row that come too late: the provider is not fair, or this worker too slow for it. */
const mostInVain = 16;
/** Milliseconds for which an answer to what may be at risk is good: chunks can take less time than asking the chain. */
const boundAge = 10_000;

/**
 * The worker role: joins a provider, computes chunks, keeps what the provider countersigns. Nothing but the last total has to
 * survive it: it may be killed at any moment.
 */
export class Worker {
  readonly #options: WorkerOptions;
  #chunks = 0;
  /** When the provider last said something. */
  #answeredAt = performance.now();
  #client: RpcClient<ClusterMethods> | undefined;
  /** Results that came too late, by job: nobody owes anything for them. */
  readonly #late = new Map<string, number>();

  constructor(options: WorkerOptions) {
    this.#options = options;
  }

  /** Chunks that this worker brought in time so far. */
  get chunks(): number {
    return this.#chunks;
  }

  /** Milliseconds since the provider last said something. */
  get silence(): number {
    return performance.now() - this.#answeredAt;
  }

  /**
   * Works until the signal; reconnects for as long as it takes.
   * @throws UnfairProviderError when the provider's terms are not accepted or not kept; RefusalError when it bars this worker
   */
  async run(signal: AbortSignal): Promise<void> {
    const { backOff = 1_000, log } = this.#options;
    let pause = backOff;
    while (!signal.aborted) {
      const before = this.#chunks;
      try {
        await this.#work(signal);
      } catch (error) {
        if (signal.aborted) break;
        // Who asks for no work must not be counted on.
        await this.#client?.close();
        if (error instanceof RefusalError) this.#answeredAt = performance.now();
        if (!mayPass(error)) throw error;
        if (this.#chunks > before) pause = backOff;
        const level = error instanceof EnoughUnpaidError ? "warn" : "debug";
        log[level]({ reason: (error as Error).message }, "no work");
        await delay(pause, undefined, { signal }).catch(() => undefined);
        pause = Math.min(2 * pause, longestBackOff);
      }
    }
    await this.#client?.close();
  }

  async #work(signal: AbortSignal): Promise<void> {
    const { host, provider } = this.#options;
    await this.#client?.close();
    const client = await RpcClient.connect(host, clusterProtocol, provider, { signal });
    this.#client = client;
    const joined = await this.#join(client, signal);
    try {
      await this.#serve(client, joined, signal);
    } finally {
      await joined.engine.close();
    }
  }

  async #join(client: RpcClient<ClusterMethods>, signal: AbortSignal): Promise<Joined> {
    const { account, host, executor, threads, memoryBytes, accept, log } = this.#options;
    const message = joiningTypedData({ peer: host.peerId.toString(), provider: client.peer });
    const signature = await account.signTypedData(message);
    const { result, body } = await client.ask("join", { account: account.address, signature }, { signal });
    await accept(result.pay);
    await this.#bound(new Tally(result.pay, this.#owed(result.pay)));
    const program = programFromJson(parsed(body));
    validateProgram(program);
    const { microBatches, objectBytes, session, pay } = result;
    const engine = await executor.openSums(program, {
      objectBytes,
      microBatches,
      threads,
      memoryLimit: memoryBytes,
    });
    log.info({ provider: client.peer, job: pay?.jobId }, "joined");
    return {
      session,
      program,
      engine,
      pay,
      state: new StateForm(program),
      sums: new SumsForm(program, microBatches),
      objectBytes: microBatches * program.microBatch * objectBytes,
    };
  }

  async #serve(client: RpcClient<ClusterMethods>, joined: Joined, signal: AbortSignal): Promise<never> {
    const { session, pay, sums } = joined;
    const tally = new Tally(pay, this.#owed(pay));
    let held: { digest: string; state: Int32Array[] } | undefined;
    for (;;) {
      signal.throwIfAborted();
      await this.#bound(tally);
      const reply = await client.call(
        "take",
        { session, holds: held?.digest ?? null },
        { signal, timeout: 3 * longPoll },
      );
      const { result } = reply;
      await this.#keep(tally, result);
      if (result.kind === "wait") continue;
      const { bytes, objects } = await readTask(joined, reply, result.stateBytes);
      if (held?.digest !== result.state) {
        if (result.since !== null && result.since !== held?.digest) {
          throw new MalformedMessageError("a change of a state that this worker never had");
        }
        const since = result.since === null ? undefined : held?.state;
        held = { digest: result.state, state: joined.state.decode(bytes, result.state, since) };
      }
      const encoded = sums.encode(await joined.engine.compute(held.state, objects));
      const { chunk, isSender } = result;
      const delivered = await client.ask(
        "deliver",
        { session, chunk, digest: sums.digest(encoded) },
        { body: isSender ? encoded : undefined, signal },
      );
      const { verdict } = delivered.result;
      if (verdict !== "late") this.#chunks++;
      else if (pay !== null) this.#late.set(pay.jobId, (this.#late.get(pay.jobId) ?? 0) + 1);
      this.#options.onResult?.(verdict);
      tally.delivered(verdict);
      await this.#keep(tally, delivered.result);
    }
  }

  /**
   * Before another chunk is asked for: what is countersigned is a claim, and a provider can see to it that it is worth nothing.
   * @throws EnoughUnpaidError when the chunk would be one too many
   */
  async #bound(tally: Tally): Promise<void> {
    const { mostAtRisk } = this.#options;
    const { pay, pending } = tally;
    if (pay === null || mostAtRisk === undefined) return;
    const uncounted = pending + (this.#late.get(pay.jobId) ?? 0) + 1;
    const atRisk = this.#owed(pay) + BigInt(uncounted) * BigInt(pay.perChunk);
    const isOld = tally.bound === undefined || performance.now() > tally.bound.askedAt + boundAge;
    if (isOld) tally.bound = { most: await mostAtRisk(pay), askedAt: performance.now() };
    const { most } = tally.bound!;
    if (atRisk > most) throw new EnoughUnpaidError(pay.provider, atRisk, most);
  }

  #owed(pay: PayTerms | null): bigint {
    if (pay === null) return 0n;
    const { rewards, provider } = pay;
    return this.#options.book.find({ rewards, provider, jobId: BigInt(pay.jobId) })?.total ?? 0n;
  }

  /** Keeps what the provider countersigned. @throws UnfairProviderError when that is less than what it has taken */
  async #keep(tally: Tally, { total, signature, pending }: Receipt): Promise<void> {
    this.#answeredAt = performance.now();
    const { pay } = tally;
    if (pay === null) return;
    if (signature !== null) await this.#write(pay, BigInt(total), signature);
    tally.check(this.#owed(pay), pending);
  }

  async #write(pay: PayTerms, total: bigint, signature: Hex): Promise<void> {
    const { account, book, provider: address } = this.#options;
    const { chainId, rewards, provider } = pay;
    const message = { jobId: BigInt(pay.jobId), worker: account.address, total };
    const known = book.find({ rewards, provider, jobId: message.jobId });
    if (known?.total === total) return;
    const typed = runningTotalTypedData(message, { chainId, rewards });
    const isSigned = await verifyTypedData({ ...typed, address: provider, signature }).catch(() => false);
    if (!isSigned) throw new UnfairProviderError(provider, "its signature of a total is not valid");
    book.write({ rewards, provider, jobId: message.jobId, total, signature, address });
  }
}

/** What a worker and a provider have given each other since the worker joined. */
class Tally {
  readonly pay: PayTerms | null;
  /** Results that the provider says are not confirmed yet. */
  pending = 0;
  /** What may be at risk, and when that was looked up. */
  bound: { readonly most: bigint; readonly askedAt: number } | undefined;
  readonly #before: bigint;
  #taken = 0;
  #inVain = 0;

  constructor(pay: PayTerms | null, before: bigint) {
    this.pay = pay;
    this.#before = before;
  }

  /** @throws UnfairProviderError when it wants nothing of what it has given out */
  delivered(verdict: "accepted" | "pending" | "late"): void {
    if (verdict !== "late") {
      this.#taken++;
      this.#inVain = 0;
    } else if (++this.#inVain >= mostInVain && this.pay !== null) {
      throw new UnfairProviderError(this.pay.provider, `it had no use for ${mostInVain} results in a row`);
    }
  }

  /**
   * @param owed what was countersigned so far
   * @param pending results that it says are not confirmed yet
   */
  check(owed: bigint, pending: number): void {
    if (this.pay === null) return;
    const { provider, perChunk } = this.pay;
    this.pending = pending;
    const decided = BigInt(Math.max(0, this.#taken - pending));
    if (pending > mostPending || owed < this.#before + decided * BigInt(perChunk)) {
      throw new UnfairProviderError(provider, "it took results and did not countersign for them");
    }
  }
}

/** Reads a chunk; how long it has to be is known before. */
async function readTask(
  { state, objectBytes }: Joined,
  { body, bodyLength, discard }: Reply<unknown>,
  stateBytes: number,
): Promise<{ bytes: Uint8Array; objects: Uint8Array }> {
  if (stateBytes > state.mostBytes || bodyLength !== stateBytes + objectBytes) {
    discard();
    throw new MalformedMessageError("a chunk of another size than the program's");
  }
  const all = new Uint8Array(bodyLength);
  let filled = 0;
  for await (const piece of body) {
    all.set(piece, filled);
    filled += piece.length;
  }
  return { bytes: all.subarray(0, stateBytes), objects: all.subarray(stateBytes) };
}

function parsed(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch (cause) {
    throw new MalformedMessageError("the program is not JSON", { cause });
  }
}

/** Whether the provider may have work later: it is away, has no job at the moment, or is busy. */
function mayPass(error: unknown): boolean {
  if (error instanceof TransportError || error instanceof RpcUnavailableError) return true;
  if (error instanceof InconsistentAnswerError) return true;
  if (error instanceof EnoughUnpaidError || error instanceof RoundOverError) return true;
  if (error instanceof RefusalError) return error.code !== "refused" && error.code !== "bad-request";
  // A state that does not hash comes of a connection to a provider that lies or is broken: not of this worker.
  return !(error instanceof AssayError) || error instanceof BadPartError;
}

import { randomBytes } from "node:crypto";
import type { PeerId } from "@libp2p/interface";
import type { Logger } from "pino";
import { type Address, type Hex, recoverTypedDataAddress, stringToBytes } from "viem";
import { programToJson } from "../../core/exact/tape/program.json.ts";
import type { Program } from "../../core/exact/tape/types.ts";
import {
  type Contributions,
  joiningTypedData,
  runningTotalTypedData,
} from "../../core/market/contributions.ts";
import { MalformedMessageError, RefusalError } from "../../storage/transport/errors.ts";
import { guaranteedToEach } from "../../storage/transport/guarantees.ts";
import type { Host } from "../../storage/transport/host.ts";
import { shareOfThread } from "../../storage/transport/peer-limits.ts";
import type { ResponseOf } from "../../storage/transport/rpc.ts";
import {
  type Answer,
  type RequestContext,
  RpcServer,
  type ServerOptions,
} from "../../storage/transport/rpc-server.ts";
import { BarredWorkerError } from "../../training/cluster/errors.ts";
import type { ClusterSession, Task } from "../../training/cluster/session.ts";
import type { ExecutorOptions } from "../../training/executors/types.ts";
import {
  accountOf,
  type ClusterMethods,
  clusterProtocol,
  longPoll,
  type PayTerms,
} from "../cluster/protocol.ts";
import { type RewardSigner, workerKey } from "./payroll.ts";

/** A job that workers may join. */
export type OfferedJob = {
  readonly session: ClusterSession;
  readonly engine: ExecutorOptions;
  /** Micro-batches of a chunk. */
  readonly chunkSize: number;
  /** How workers are paid; they are not when it is left out. */
  readonly pay?: {
    readonly terms: PayTerms;
    readonly signer: RewardSigner;
    /** What a worker is owed by now. */
    total(worker: Address): bigint;
    /** Whether one more chunk can be paid for. */
    affordsMore(): boolean;
  };
  /** Hears of results that came when nobody waited for them any more. */
  readonly onLate?: () => void;
};

export type WorkerDeskOptions = {
  readonly host: Host;
  readonly log: Logger;
  /** Workers at a time. */
  readonly mostWorkers?: number;
  /** Limits on each peer, and on all. */
  readonly limits?: ServerOptions;
};

/** Where a worker stands under the root of a job that was settled. */
export type ShareFinder = (jobId: bigint, account: Address) => ReturnType<Contributions["find"]>;

type Member = { readonly account: Address; readonly key: string };
type Receipt = Pick<ResponseOf<ClusterMethods["deliver"]>, "total" | "signature" | "pending">;
type Offer = OfferedJob & { readonly id: string; readonly program: Uint8Array };

/** Accounts that are remembered because results of theirs were taken: several times as many as there are seats. */
const mostProven = 1_024;
/**
 * What seats have of the thread whatever workers ask whose results were taken: at most 6 % of it for all of them together, each the
 * same. A seat costs one signature of a new account, so that whoever takes one has nothing to begin with.
 */
const guaranteedToSeats = { burst: 100, perSecond: 20, holders: 32, first: 0 };

/** Where workers ask a provider for chunks and bring results: what they say is checked before anything is done with it. */
export class WorkerDesk {
  readonly #options: WorkerDeskOptions;
  readonly #members = new Map<string, Member>();
  /** Accounts whose results were taken; the newest come last. */
  readonly #proven = new Set<Address>();
  readonly #ended = new AbortController();
  readonly #leave: (event: CustomEvent<PeerId>) => void;
  #server: RpcServer<ClusterMethods> | undefined;
  #shares: ShareFinder | undefined;
  #offer: Offer | undefined;
  #over = new AbortController();
  /** Newest signature for each account of the job: most answers have nothing new to sign. */
  readonly #signed = new Map<Address, { readonly total: bigint; readonly signature: Hex }>();

  private constructor(options: WorkerDeskOptions) {
    this.#options = options;
    this.#leave = ({ detail }) => this.#forget(detail.toString());
  }

  static async open(options: WorkerDeskOptions): Promise<WorkerDesk> {
    const desk = new WorkerDesk(options);
    const { host, log, limits } = options;
    desk.#server = await RpcServer.start(
      host,
      clusterProtocol,
      {
        join: (request, context) => desk.#join(request, context),
        take: (request, context) => desk.#take(request, context),
        deliver: (request, context) => desk.#deliver(request, context),
        share: async ({ jobId, account }) => {
          const found = desk.#shares?.(BigInt(jobId), accountOf(account));
          if (found === undefined) throw new RefusalError("not-found", "no share of that job is settled");
          const { total, index, proof } = found;
          const siblings = proof.map(({ node, sum }) => ({ node, sum: String(sum) }));
          return { result: { total: String(total), index, proof: siblings } };
        },
      },
      {
        concurrent: 4,
        streamsPerPeer: 8,
        inAll: shareOfThread,
        // Whoever has a seat comes before those that would have one: peer ids cost nothing, and seats are few. But seats are free,
        // too: before those comes whoever has worked, by its account.
        isRegistered: (peer) => desk.#members.has(peer),
        guarantees: [
          { ...guaranteedToEach, of: (peer) => desk.#provenAccount(peer) },
          { ...guaranteedToSeats, of: (peer) => (desk.#members.has(peer) ? peer : undefined) },
        ],
        ...limits,
        onError: (error, peer, method) =>
          log.warn({ peer, method, reason: (error as Error).message }, "a worker's request failed"),
      },
    );
    host.addEventListener("peer:disconnect", desk.#leave);
    return desk;
  }

  /** Workers known at the moment. */
  get members(): number {
    return this.#members.size;
  }

  /** Says from now on where workers stand under roots. */
  tellShares(find: ShareFinder): void {
    this.#shares = find;
  }

  /** Lets workers join a job until `withdraw`. */
  offer(job: OfferedJob): void {
    const program = stringToBytes(JSON.stringify(programToJson(withoutValues(job.session.program))));
    this.#over = new AbortController();
    this.#signed.clear();
    this.#offer = { ...job, id: randomBytes(16).toString("hex"), program };
  }

  withdraw(): void {
    this.#offer = undefined;
    this.#over.abort(new RefusalError("not-found", "the job is over"));
  }

  async close(): Promise<void> {
    this.withdraw();
    this.#ended.abort();
    this.#options.host.removeEventListener("peer:disconnect", this.#leave);
    await this.#server?.stop();
  }

  async #join(
    { account, signature }: { account: Address; signature: `0x${string}` },
    { peer, signal }: RequestContext,
  ): Promise<Answer<ResponseOf<ClusterMethods["join"]>>> {
    const { host, log } = this.#options;
    const worker = accountOf(account);
    // Before the signature, which costs more to look at.
    this.#admit(peer, worker);
    const message = joiningTypedData({ peer, provider: host.peerId.toString() });
    const signer = await recoverTypedDataAddress({ ...message, signature }).catch(() => undefined);
    if (signer !== worker) {
      throw new RefusalError("refused", "the account has not signed that this peer works for it");
    }
    // Whoever is gone by now would keep its seat, as its going was heard of before.
    signal.throwIfAborted();
    const offer = this.#admit(peer, worker);
    this.#members.set(peer, { account: signer, key: workerKey(signer, peer) });
    log.info({ worker: signer, peer }, "a worker joined");
    const { id, engine, chunkSize, pay, program } = offer;
    return {
      result: {
        session: id,
        microBatches: chunkSize,
        objectBytes: engine.objectBytes,
        pay: pay?.terms ?? null,
      },
      body: { length: program.length, bytes: [program] },
    };
  }

  async #take(
    request: { session: string; holds: string | null },
    { peer, signal, hold }: RequestContext,
  ): Promise<Answer<ResponseOf<ClusterMethods["take"]>>> {
    const offer = this.#current(request.session);
    const member = this.#member(peer);
    const over = this.#over.signal;
    const enough = AbortSignal.timeout(longPoll);
    const stop = AbortSignal.any([enough, signal, over, this.#ended.signal]);
    try {
      const task = await give(offer, member.key, request.holds ?? undefined, stop);
      const { chunk, state, since = null, bytes, objects, isSender } = task;
      const stateBytes = bytes.length;
      try {
        // A state stays in memory for as long as anybody reads it, and each step has another: who reads slowly has many.
        hold(stateBytes + objects.length);
      } catch (error) {
        // What it was not given others can have at once.
        offer.session.leave(member.key);
        throw error;
      }
      const receipt = await this.#receipt(offer, member);
      // Of earlier runs, too: who is barred is given nothing.
      if (receipt.signature !== null) this.#prove(member);
      return {
        result: { kind: "chunk", chunk, state, since, stateBytes, isSender, ...receipt },
        body: { length: stateBytes + objects.length, bytes: [bytes, objects] },
      };
    } catch (error) {
      if (error instanceof BarredWorkerError) {
        this.#proven.delete(member.account);
        throw new RefusalError("refused", error.message);
      }
      // Who waits when a job ends hears of the pay for its last chunks.
      const isOver = [enough, over].some(({ aborted, reason }) => aborted && error === reason);
      if (isOver) return { result: { kind: "wait", ...(await this.#receipt(offer, member)) } };
      throw error;
    }
  }

  async #deliver(
    request: { session: string; chunk: number; digest: string },
    { peer, body, bodyLength, hold }: RequestContext,
  ): Promise<Answer<ResponseOf<ClusterMethods["deliver"]>>> {
    const offer = this.#current(request.session);
    const { session } = offer;
    const member = this.#member(peer);
    const { chunk, digest } = request;
    let bytes: Uint8Array | undefined;
    // Nothing is read into memory that is not waited for.
    if (bodyLength > 0 && session.wants(member.key, chunk)) {
      hold(bodyLength);
      bytes = await this.#read(offer, member.key, body, bodyLength);
      if (session.sums.digest(bytes) !== digest) {
        session.refuse(member.key);
        throw new MalformedMessageError("the sums have another digest");
      }
    }
    const verdict = session.deliver(member.key, chunk, { digest, bytes });
    if (verdict === "late") offer.onLate?.();
    if (verdict === "accepted") this.#prove(member);
    return { result: { verdict, ...(await this.#receipt(offer, member)) } };
  }

  async #read({ session }: Offer, key: string, body: RequestContext["body"], length: number) {
    if (length > session.sums.mostBytes) {
      session.refuse(key);
      throw new MalformedMessageError(`${length} bytes hold no result of a chunk`);
    }
    const bytes = new Uint8Array(length);
    let filled = 0;
    for await (const piece of body) {
      bytes.set(piece, filled);
      filled += piece.length;
    }
    return bytes;
  }

  async #receipt({ session, pay }: Offer, { account, key }: Member): Promise<Receipt> {
    const pending = session.pending(key);
    const total = pay?.total(account) ?? 0n;
    if (pay === undefined || total === 0n) return { total: "0", signature: null, pending };
    const known = this.#signed.get(account);
    if (known?.total === total) return { total: String(total), signature: known.signature, pending };
    const { terms, signer } = pay;
    const domain = { chainId: terms.chainId, rewards: terms.rewards };
    const message = { jobId: BigInt(terms.jobId), worker: account, total };
    const signature = await signer.signTypedData(runningTotalTypedData(message, domain));
    this.#signed.set(account, { total, signature });
    return { total: String(total), signature, pending };
  }

  /**
   * The job, when there is one and a seat for this peer. A peer works for one account until it has gone: with a new one for each
   * lie it would not even have to come back.
   * @throws RefusalError
   */
  #admit(peer: string, account: Address): Offer {
    const offer = this.#current();
    const { mostWorkers = 256 } = this.#options;
    const known = this.#members.get(peer);
    if (known === undefined && this.#members.size >= mostWorkers) {
      throw new RefusalError("full", "there are enough workers");
    }
    if (known !== undefined && known.account !== account) {
      throw new RefusalError("busy", "this peer works for another account");
    }
    return offer;
  }

  #prove({ account }: Member): void {
    this.#proven.delete(account);
    this.#proven.add(account);
    if (this.#proven.size > mostProven) this.#proven.delete(this.#proven.values().next().value!);
  }

  /** The account that a peer works for, where results of its were taken. It may have many peers. */
  #provenAccount(peer: string): Address | undefined {
    const account = this.#members.get(peer)?.account;
    return account !== undefined && this.#proven.has(account) ? account : undefined;
  }

  #current(id?: string): Offer {
    const offer = this.#offer;
    if (offer === undefined || (id !== undefined && offer.id !== id)) {
      throw new RefusalError("not-found", "there is no such job under way");
    }
    return offer;
  }

  #member(peer: string): Member {
    const member = this.#members.get(peer);
    if (member === undefined) throw new RefusalError("not-found", "this peer has not joined");
    return member;
  }

  #forget(peer: string): void {
    const member = this.#members.get(peer);
    if (member === undefined) return;
    this.#members.delete(peer);
    this.#offer?.session.leave(member.key);
  }
}

/**
 * A chunk for a worker, as soon as there is one whose pay is left.
 *
 * @param holds digest of the newest state that it has
 * @throws RefusalError when the pay is used up, BarredWorkerError; the reason of the signal
 */
async function give(
  { session, pay }: OfferedJob,
  worker: string,
  holds: string | undefined,
  signal: AbortSignal,
): Promise<Task> {
  for (;;) {
    if (pay?.affordsMore() === false) throw new RefusalError("full", "the pay of the job is used up");
    const before = session.outstanding;
    const taking = session.take(worker, holds, signal);
    // What is given in the same turn as the look at the pay nobody else can have been given.
    if (session.outstanding > before) return taking;
    const task = await taking;
    // Whoever waited was given it when a step began, beside all others that waited and had seen the same pay.
    if (pay === undefined || pay.affordsMore()) return task;
    session.leave(worker);
  }
}

/** Workers get every state as it comes: what slots begin with is not theirs to know. */
function withoutValues(program: Program): Program {
  const state = program.state.map((slot) => ({ ...slot, initializer: { kind: "zero" } as const }));
  return { ...program, state };
}

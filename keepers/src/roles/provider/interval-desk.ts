import { peerIdFromString } from "@libp2p/peer-id";
import { bytesToHex, type Hex } from "viem";
import { isLocalChain } from "../../chain/local-chains.ts";
import { intervalsOf } from "../../core/attestation/statement.ts";
import { decodeOrder } from "../../core/exact/decode-order.ts";
import { encodeState, stateFileBytes } from "../../core/exact/result-files.ts";
import { RefusalError } from "../../storage/transport/errors.ts";
import type { Host } from "../../storage/transport/host.ts";
import { shareOfThread } from "../../storage/transport/peer-limits.ts";
import { type Answer, type RequestContext, RpcServer } from "../../storage/transport/rpc-server.ts";
import type { Engine } from "../../training/executors/ort.ts";
import { openProvider, type Provider } from "../../training/freivalds/provide.ts";
import { accumulatorBytes, encodeAccumulators } from "../../training/freivalds/serialize.ts";
import type { Duty } from "../jobs/duty.ts";
import { type IntervalMethods, intervalProtocol, mostPartBytes } from "../jobs/interval-protocol.ts";
import type { JobRecord } from "../jobs/job-record.ts";
import { type OpenRun, OpenRuns, type OpenRunsParts } from "../jobs/open-runs.ts";
import { type Reading, readingForStrangers } from "../storage-node/context.ts";
import { kept } from "../storage-node/kept-reads.ts";
import { drawnFor } from "./drawn.ts";

export type IntervalDeskParts = OpenRunsParts & {
  /** The keeper's node; it is not closed here. */
  readonly host: Host;
  /** What sums are computed with. */
  readonly engine: Engine;
};

/** `Phase.Signing` of `IAttestation`. */
const signingPhase = 2;
/** Milliseconds for which a committee is taken to be signing, as it was read: no request of a stranger costs a read. */
const signingFor = 3_000;
/** Milliseconds for which the peer ids of a draw's members are taken as they were read: members may move to others. */
const guestsFor = 60_000;
/** How often one member is given the same thing. */
const mostTimes = 2;

/**
 * What members of a draw may ask for, by peer id: intervals, each with the positions in the draw that it was given to. Several
 * members may name the same peer id, and none takes anything from another by that.
 */
type Guests = ReadonlyMap<Hex, ReadonlyMap<number, readonly number[]>>;
type Invitation = { readonly until: number; readonly guests: Promise<Guests> };

/**
 * Gives the members of a committee what saves them work on the intervals that were drawn for them: the state before an
 * interval, and the sums of its steps. It computes one thing at a time, for members alone, and each thing twice at most: a
 * member costs a provider no more than its intervals twice over.
 */
export class IntervalDesk implements Duty {
  readonly name = "showing";
  readonly #parts: IntervalDeskParts;
  readonly #runs: OpenRuns;
  /** Whoever asks may be a stranger: until it is known to be a member, it waits behind duties. */
  readonly #strangers: Reading;
  /** The draw whose members are to sign, by job; undefined while none are. */
  readonly #signing = new Map<bigint, () => Promise<bigint | undefined>>();
  readonly #invitations = new Map<string, Invitation>();
  /** Guests as they were last read. */
  readonly #known = new Map<string, Guests>();
  readonly #given = new Map<string, number>();
  readonly #providers = new Map<bigint, Promise<Provider>>();
  readonly #closing = new AbortController();
  #server: Promise<RpcServer<IntervalMethods>> | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(parts: IntervalDeskParts) {
    this.#parts = parts;
    this.#runs = new OpenRuns(parts);
    this.#strangers = readingForStrangers(parts);
  }

  async tick(): Promise<void> {
    const { ledger, operator } = this.#parts;
    this.#server ??= this.#serve();
    await this.#server;
    const checked = ledger.openJobs().filter((job) => isChecked(job, operator));
    await this.#forgetAllBut(new Set(checked.map(({ jobId }) => jobId)));
  }

  async close(): Promise<void> {
    this.#closing.abort();
    const server = await this.#server?.catch(() => undefined);
    await server?.stop();
    // A run that is used is not closed.
    await this.#turn;
    await this.#forgetAllBut(new Set());
  }

  #serve(): Promise<RpcServer<IntervalMethods>> {
    const { host, log } = this.#parts;
    const server = RpcServer.start(
      host,
      intervalProtocol,
      {
        state: async ({ jobId, interval }, context) => {
          const job = await this.#admit(BigInt(jobId), () => interval, `state ${interval}`, context);
          return this.#inTurn(context, () =>
            this.#withRun(job, (run) => this.#state(run, interval, context)),
          );
        },
        sums: async ({ jobId, step }, context) => {
          const intervalOf = (length: number) => Math.floor(step / length);
          const job = await this.#admit(BigInt(jobId), intervalOf, `sums ${step}`, context);
          return this.#inTurn(context, () =>
            this.#withRun(job, (run) => this.#sums(run, job.jobId, step, context)),
          );
        },
      },
      {
        concurrent: 2,
        streamsPerPeer: 4,
        inAll: shareOfThread,
        // Members come before all others: peer ids cost nothing.
        isRegistered: (peer) => this.#isGuest(peer),
        onError: (error, peer, method) =>
          log.warn({ peer, method, reason: (error as Error).message }, "a member's request failed"),
      },
    );
    server.catch(() => {
      this.#server = undefined;
    });
    return server;
  }

  async #state(
    { disputed }: OpenRun,
    interval: number,
    { hold }: RequestContext,
  ): Promise<Answer<Record<string, never>>> {
    requireSize(stateFileBytes(disputed.program));
    // It lies in memory until the peer has taken it.
    hold(stateFileBytes(disputed.program));
    return answerOf(encodeState(disputed.program, await disputed.state(interval * disputed.order.interval)));
  }

  async #sums(
    { disputed, job }: OpenRun,
    jobId: bigint,
    step: number,
    { hold }: RequestContext,
  ): Promise<Answer<Record<string, never>>> {
    const { program, order } = disputed;
    if (step >= order.steps) throw new RefusalError("not-found", "there is no such step");
    requireSize(order.microBatches * accumulatorBytes(program));
    hold(order.microBatches * accumulatorBytes(program));
    const provider = await this.#provider(jobId, { job });
    const state = await disputed.state(step);
    const { objects } = await disputed.input(step);
    return answerOf(encodeAccumulators(program, await provider.accumulators(state, objects)));
  }

  #provider(jobId: bigint, { job }: Pick<OpenRun, "job">): Promise<Provider> {
    const known = this.#providers.get(jobId);
    if (known !== undefined) return known;
    const { engine } = this.#parts;
    const opening = openProvider(job.compiled.program, { ...job.options, engine });
    this.#providers.set(jobId, opening);
    opening.catch(() => this.#providers.delete(jobId));
    return opening;
  }

  #withRun<T>(job: JobRecord, work: (run: OpenRun) => Promise<T>): Promise<T> {
    // A run outlives the request that opens it.
    return this.#runs.use(job, this.#closing.signal, work);
  }

  /** The job, when the peer has a member's right to this of it. @throws RefusalError */
  async #admit(
    jobId: bigint,
    intervalOf: (length: number) => number,
    what: string,
    { peer }: RequestContext,
  ): Promise<JobRecord> {
    const { ledger, operator } = this.#parts;
    const job = ledger.job(jobId);
    if (job === undefined || !isChecked(job, operator)) {
      throw new RefusalError("not-found", "this job is not checked by a committee now");
    }
    const attempt = await this.#signingAttempt(jobId);
    const asker = bytesOf(peer);
    const order = decodeOrder(job.training);
    const guests = await this.#guestsOf(job, attempt, order);
    const positions = guests.get(asker)?.get(intervalOf(order.interval));
    if (positions === undefined) {
      throw new RefusalError("refused", "this interval was not drawn for this peer");
    }
    // By where it sits: a member may change its peer id.
    const keys = positions.map((position) => `${jobId}:${attempt}:${position}:${what}`);
    const key = keys.find((each) => (this.#given.get(each) ?? 0) < mostTimes);
    if (key === undefined) throw new RefusalError("refused", "this was given often enough");
    this.#given.set(key, (this.#given.get(key) ?? 0) + 1);
    return job;
  }

  /** The draw of a job whose members are to sign now, read once for a while. @throws RefusalError */
  async #signingAttempt(jobId: bigint): Promise<bigint> {
    const { deployment } = this.#parts;
    const read = async () => {
      const { phase, attempt } = await this.#strangers.contracts.Committee.read.jobOf([jobId]);
      return phase === signingPhase ? BigInt(attempt) : undefined;
    };
    const known = this.#signing.get(jobId) ?? kept(isLocalChain(deployment.chainId) ? 0 : signingFor, read);
    this.#signing.set(jobId, known);
    const attempt = await known();
    if (attempt === undefined) throw new RefusalError("not-found", "no committee is to sign this job now");
    return attempt;
  }

  /** The members of a draw, read once for a while, whoever asks how often. */
  #guestsOf(job: JobRecord, attempt: bigint, order: { steps: number; interval: number }): Promise<Guests> {
    const key = `${job.jobId}:${attempt}`;
    const before = this.#invitations.get(key);
    if (before !== undefined && performance.now() < before.until) return before.guests;
    const invitation: Invitation = {
      until: performance.now() + guestsFor,
      guests: this.#readGuests(job, attempt, order).catch((error: unknown) => {
        // Members must not be shut out by whoever keeps the endpoints busy.
        const known = this.#known.get(key);
        if (known !== undefined) return known;
        if (this.#invitations.get(key) === invitation) this.#invitations.delete(key);
        throw error;
      }),
    };
    this.#invitations.set(key, invitation);
    invitation.guests.then(
      (read) => this.#invitations.get(key) === invitation && this.#known.set(key, read),
      () => undefined,
    );
    return invitation.guests;
  }

  #isGuest(peer: string): boolean {
    if (this.#known.size === 0) return false;
    const asker = bytesOf(peer);
    return [...this.#known.values()].some((guests) => guests.has(asker));
  }

  async #readGuests(
    job: JobRecord,
    attempt: bigint,
    order: { steps: number; interval: number },
  ): Promise<Guests> {
    const { deployment } = this.#parts;
    const { contracts } = this.#strangers;
    const { Staking, ValidatorSet } = contracts;
    const { draw } = await drawnFor({ contracts, deployment }, job, attempt, order);
    const peerIds = await Promise.all(
      draw.members.map(async (id) => {
        const { operator } = await ValidatorSet.read.validatorOf([id]);
        const [peerId] = await Staking.read.identityOf([operator]);
        return peerId;
      }),
    );
    const guests = new Map<Hex, Map<number, number[]>>();
    for (const [position, peerId] of peerIds.entries()) {
      const own = guests.get(peerId) ?? new Map<number, number[]>();
      guests.set(peerId, own);
      for (const interval of new Set(intervalsOf(draw, position)))
        own.set(interval, [...(own.get(interval) ?? []), position]);
    }
    return guests;
  }

  /** One computation at a time, whoever asks; what nobody waits for any more is left out. */
  #inTurn<T>({ signal }: RequestContext, work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(() => {
      signal.throwIfAborted();
      return work();
    });
    this.#turn = result.catch(() => undefined);
    return result;
  }

  async #forgetAllBut(jobs: ReadonlySet<bigint>): Promise<void> {
    const isOver = (key: string) => !jobs.has(BigInt(key.split(":", 1)[0]!));
    for (const jobId of this.#signing.keys()) if (!jobs.has(jobId)) this.#signing.delete(jobId);
    for (const key of this.#invitations.keys()) if (isOver(key)) this.#invitations.delete(key);
    for (const key of this.#known.keys()) if (isOver(key)) this.#known.delete(key);
    for (const key of this.#given.keys()) if (isOver(key)) this.#given.delete(key);
    for (const [jobId, opening] of this.#providers) {
      if (jobs.has(jobId)) continue;
      this.#providers.delete(jobId);
      // What is computed now uses what is closed here.
      await this.#turn;
      await (await opening.catch(() => undefined))?.close();
    }
    await this.#runs.closeAllBut(jobs);
  }
}

function isChecked({ provider, status, order }: JobRecord, operator: string): boolean {
  return provider === operator && status === "Committed" && order.conditions.committeeSize !== 0;
}

/** A peer id as it stands on chain. */
function bytesOf(peer: string): Hex {
  return bytesToHex(peerIdFromString(peer).toMultihash().bytes);
}

function requireSize(bytes: number): void {
  if (bytes > mostPartBytes)
    throw new RefusalError("refused", `${bytes} bytes are too many to be handed over`);
}

function answerOf(bytes: Uint8Array): Answer<Record<string, never>> {
  return { result: {}, body: { length: bytes.length, bytes: [bytes] } };
}

import { type Address, type Hex, keccak256, toHex } from "viem";
import { addressOf, type Contracts } from "../../chain/contracts.ts";
import {
  type DrawnCommittee,
  intervalsOf,
  isWithoutRepeats,
  maskOf,
} from "../../core/attestation/statement.ts";
import { BadInputError } from "../../core/errors.ts";
import { traceLength } from "../../core/exact/commitment.ts";
import { decodeOrder } from "../../core/exact/decode-order.ts";
import type { JobContext } from "../jobs/duty.ts";
import type { JobRecord } from "../jobs/job-record.ts";
import { agreedOn, agreedOrUsual } from "../storage-node/agreement.ts";
import { lastTurn } from "../storage-node/turn.ts";
import type { CommitteeLedger } from "./committee-ledger.ts";
import { Recent } from "./recent.ts";

/** Phases of `IAttestation`, by their codes. */
const phases = [
  "None",
  "Seeding",
  "Signing",
  "Opening",
  "Revealing",
  "Attested",
  "Silent",
  "Closed",
] as const;
export type Phase = (typeof phases)[number];

/** Where the committee of a job stands, as the newest block has it. Times are seconds since 1970. */
export type Committee = {
  readonly phase: Phase;
  readonly attempt: bigint;
  readonly threshold: number;
  readonly deadline: bigint;
  /** 0 as long as no timeout was called. */
  readonly graceEnds: bigint;
  /** Leaves whose witnesses are open. */
  readonly opened: number;
};

/** A place in a draw whose members are to sign. */
export type Seat = {
  readonly job: JobRecord;
  readonly committee: Committee;
  readonly draw: DrawnCommittee;
  readonly position: number;
};

/** A number of the chain, and whether the endpoints agree on it. */
type Said = { readonly value: number; readonly isAgreed: boolean };

/** Where a committee stands, and whether the endpoints agree on that: what they do not agree on is what its events say. */
export type Standing = { readonly committee: Committee; readonly isSure: boolean };

/** What was agreed on with the members of a job's committees; it never changes. */
export type Terms = Awaited<ReturnType<Contracts["Committee"]["read"]["termsOf"]>>;

export type CommitteesParts = JobContext & { readonly committees: CommitteeLedger };

/** Draws, and terms of jobs, that are kept in memory. */
const mostDraws = 256;

/** What is known of committees: phases from the newest block, draws from their events. */
export class Committees {
  readonly #parts: CommitteesParts;
  readonly #draws = new Recent<DrawnCommittee>(mostDraws);
  readonly #operators = new WeakMap<DrawnCommittee, readonly Address[]>();
  readonly #terms = new Recent<Terms>(mostDraws);
  #checks: number | undefined;

  constructor(parts: CommitteesParts) {
    this.#parts = parts;
  }

  /** @param contracts how the chain is read; as it usually is by default */
  async read(jobId: bigint, contracts: Contracts = this.#parts.contracts): Promise<Committee> {
    const job = await contracts.Committee.read.jobOf([jobId]);
    return {
      phase: phases[job.phase]!,
      attempt: BigInt(job.attempt),
      threshold: job.threshold,
      deadline: BigInt(job.deadline),
      graceEnds: BigInt(job.graceEnds),
      opened: job.opened,
    };
  }

  /** The places that this operator has in committees whose members are to sign, oldest job first. */
  async seats(): Promise<Seat[]> {
    const seats: Seat[] = [];
    for (const job of this.#parts.ledger.openJobs()) {
      if (job.status !== "Committed" || job.order.conditions.committeeSize === 0) continue;
      if (!this.#isDrawnFor(job.jobId)) continue;
      const committee = (await this.standing(job))?.committee;
      if (committee?.phase !== "Signing") continue;
      const draw = await this.draw(job, committee.attempt);
      const position = draw && this.position(draw);
      if (draw !== undefined && position !== undefined) seats.push({ job, committee, draw, position });
    }
    return seats;
  }

  /**
   * Where a committee stands. Of those that this operator is drawn for no endpoint alone says that: one that lies about phase,
   * draw or deadline would keep a member from its work. Undefined where the endpoints do not agree, and no draw is on by the events.
   */
  async standing(job: JobRecord): Promise<Standing | undefined> {
    const { agreed, contracts } = this.#parts;
    const { jobId } = job;
    if (agreed.contracts === contracts || !this.#isDrawnFor(jobId)) {
      return { committee: await this.read(jobId), isSure: true };
    }
    const what = "where a committee stands";
    const committee = await agreedOn(this.#parts, what, (chain) => this.read(jobId, chain.contracts));
    if (committee !== undefined) return { committee, isSure: true };
    const told = this.told(job);
    return told && { committee: told, isSure: false };
  }

  /**
   * What the events say of the last draw of a job, on which enough endpoints agree; undefined when it is not on any more. Once
   * the members have signed, it does not show how much was opened, and the deadline is that of the provider.
   */
  told({ jobId, order }: JobRecord): Committee | undefined {
    const { committees } = this.#parts;
    const drawn = committees.drawsOf(jobId).at(-1);
    if (drawn === undefined || committees.isOver(jobId, drawn.attempt)) return undefined;
    const { attempt } = drawn;
    const signed = committees.signed(jobId, attempt);
    const { threshold } = order.conditions;
    const { deadline } = signed ?? drawn;
    const phase = signed === undefined ? "Signing" : "Opening";
    return { phase, attempt, threshold, deadline, graceEnds: 0n, opened: 0 };
  }

  #isDrawnFor(jobId: bigint): boolean {
    const { committees, operator } = this.#parts;
    const draws = committees.drawsOf(jobId);
    if (draws.length === 0) return false;
    const own = committees.idsOf(operator);
    return draws.some(({ members }) => members.some((id) => own.includes(id)));
  }

  /** Terms of a job's committees, and whether the endpoints agree on them. */
  async terms({ jobId, orderHash }: JobRecord): Promise<{ readonly terms: Terms; readonly isSure: boolean }> {
    const name = `${jobId}:${orderHash}`;
    const known = this.#terms.get(name);
    if (known !== undefined) return { terms: known, isSure: true };
    const { value: terms, isAgreed } = await agreedOrUsual(
      this.#parts,
      "the terms of a committee",
      ({ contracts }) => contracts.Committee.read.termsOf([jobId]),
    );
    if (isAgreed) this.#terms.keep(name, terms);
    return { terms, isSure: isAgreed };
  }

  /** A draw of a job; undefined before its event was seen, and where it names a validator twice: the contract does not. */
  async draw(job: JobRecord, attempt: bigint): Promise<DrawnCommittee | undefined> {
    const { committees, deployment } = this.#parts;
    const drawn = committees.drawOf(job.jobId, attempt);
    if (drawn === undefined || job.result === undefined || !isWithoutRepeats(drawn)) return undefined;
    const [{ seed, members }, { jobId, orderHash }, { traceRoot }] = [drawn, job, job.result];
    // All that a reorganisation may change.
    const name = [jobId, attempt, orderHash, seed, traceRoot, members.join()].join(":");
    const known = this.#draws.get(name);
    if (known !== undefined) return known;
    const intervals = await this.#intervalsOf(job);
    const checks = await this.#checksOfEach();
    const draw: DrawnCommittee = {
      ...{ chainId: BigInt(deployment.chainId), contract: addressOf(deployment, "Committee") },
      ...{ jobId, attempt, seed, traceRoot, members },
      ...{ intervals: intervals.value, checks: checks.value },
    };
    return intervals.isAgreed && checks.isAgreed ? this.#draws.keep(name, draw) : draw;
  }

  /**
   * Intervals of a job. Contracts open orders whose encoding no keeper reads: members are drawn for these as well, and must say
   * that they are there.
   */
  async #intervalsOf({ jobId, training }: JobRecord): Promise<Said> {
    try {
      const { steps, interval } = decodeOrder(training);
      return { value: traceLength(steps, interval) - 1, isAgreed: true };
    } catch (error) {
      if (!(error instanceof BadInputError)) throw error;
      return agreedOrUsual(this.#parts, "the intervals of a job", async ({ contracts }) => {
        return (await contracts.Committee.read.jobOf([jobId])).intervals;
      });
    }
  }

  /** keccak256 of the witness commitments that were opened of a job, by interval; the trace binds them. */
  async opened(job: JobRecord): Promise<ReadonlyMap<number, Hex>> {
    const { committees } = this.#parts;
    const { jobId } = job;
    const opened = new Map<number, Hex>();
    for (const { attempt } of committees.drawsOf(jobId)) {
      const hashes = committees.openedHashes(jobId, attempt);
      const draw = hashes.length === 0 ? undefined : await this.draw(job, attempt);
      if (draw === undefined) continue;
      const signers = positionsIn(committees.signersOf(jobId, attempt));
      const intervals = signers.flatMap((position) => intervalsOf(draw, position));
      for (const [i, hash] of hashes.entries()) opened.set(intervals[i]!, hash);
    }
    return opened;
  }

  /** Operators of the members, position by position: the same validator never changes its operator. */
  operators(draw: DrawnCommittee): readonly Address[] {
    const known = this.#operators.get(draw);
    if (known !== undefined) return known;
    const enrolled = new Map(this.#parts.committees.enrolled().map(({ id, operator }) => [id, operator]));
    const operators = draw.members.map((id) => enrolled.get(id)!);
    this.#operators.set(draw, operators);
    return operators;
  }

  /** This operator's position in a draw; undefined when it is no member. */
  position(draw: DrawnCommittee): number | undefined {
    const position = this.operators(draw).indexOf(this.#parts.operator);
    return position === -1 ? undefined : position;
  }

  /**
   * How many validators come before this one in the order in which they take up a piece of work: everybody computes the
   * same from its name. When the first is away, the next follows. Only those whose stake counts in draws have a place, and
   * there are no more places than turns of storage nodes: enrolments that nobody stands behind keep nobody waiting.
   */
  turn(work: string, operators: readonly Address[] = this.#validators()): number {
    const own = rank(work, this.#parts.operator);
    const before = operators.filter((other) => rank(work, other) < own).length;
    return Math.min(before, Number(lastTurn));
  }

  #validators(): Address[] {
    return this.#parts.committees.present().map(({ operator }) => operator);
  }

  /** The contract never changes it. */
  async #checksOfEach(): Promise<Said> {
    if (this.#checks !== undefined) return { value: this.#checks, isAgreed: true };
    const said = await agreedOrUsual(this.#parts, "the checks of a member", async ({ contracts }) =>
      Number(await contracts.Committee.read.checks()),
    );
    if (said.isAgreed) this.#checks = said.value;
    return said;
  }
}

/** Positions in a mask, ascending. */
export function positionsIn(mask: bigint): number[] {
  const positions: number[] = [];
  for (let position = 0; maskOf([position]) <= mask; position++) {
    if ((mask & maskOf([position])) !== 0n) positions.push(position);
  }
  return positions;
}

function rank(work: string, operator: Hex): bigint {
  return BigInt(keccak256(toHex(`${work}:${operator.toLowerCase()}`)));
}

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
import { agreedOn } from "../storage-node/agreement.ts";
import { lastTurn } from "../storage-node/turn.ts";
import type { CommitteeLedger } from "./committee-ledger.ts";

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

export type CommitteesParts = JobContext & { readonly committees: CommitteeLedger };

/** What is known of committees: phases from the newest block, draws from their events. */
export class Committees {
  readonly #parts: CommitteesParts;
  #checks: Promise<number> | undefined;

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
      const committee = await this.#signing(job.jobId);
      if (committee === undefined) continue;
      const draw = await this.draw(job, committee.attempt);
      const position = draw && this.position(draw);
      if (draw !== undefined && position !== undefined) seats.push({ job, committee, draw, position });
    }
    return seats;
  }

  /** A committee whose members are to sign: one endpoint alone does not keep a member of a draw from it. */
  async #signing(jobId: bigint): Promise<Committee | undefined> {
    const { agreed, committees, contracts, operator } = this.#parts;
    let committee: Committee | undefined = await this.read(jobId);
    if (committee.phase !== "Signing" && agreed.contracts !== contracts) {
      const own = committees.idsOf(operator);
      const isDrawn = committees.drawsOf(jobId).some(({ members }) => members.some((id) => own.includes(id)));
      if (!isDrawn) return undefined;
      const what = "whether a committee is to sign";
      committee = await agreedOn(this.#parts, what, (chain) => this.read(jobId, chain.contracts));
    }
    return committee?.phase === "Signing" ? committee : undefined;
  }

  /** A draw of a job; undefined before its event was seen, and where it names a validator twice: the contract does not. */
  async draw(job: JobRecord, attempt: bigint): Promise<DrawnCommittee | undefined> {
    const { committees, deployment } = this.#parts;
    const drawn = committees.drawOf(job.jobId, attempt);
    if (drawn === undefined || job.result === undefined || !isWithoutRepeats(drawn)) return undefined;
    return {
      chainId: BigInt(deployment.chainId),
      contract: addressOf(deployment, "Committee"),
      jobId: job.jobId,
      attempt,
      seed: drawn.seed,
      traceRoot: job.result.traceRoot,
      intervals: await this.#intervalsOf(job),
      checks: await this.#checksOfEach(),
      members: drawn.members,
    };
  }

  /**
   * Intervals of a job. Contracts open orders whose encoding no keeper reads: members are drawn for these as well, and must say
   * that they are there.
   */
  async #intervalsOf({ jobId, training }: JobRecord): Promise<number> {
    try {
      const { steps, interval } = decodeOrder(training);
      return traceLength(steps, interval) - 1;
    } catch (error) {
      if (!(error instanceof BadInputError)) throw error;
      return (await this.#parts.contracts.Committee.read.jobOf([jobId])).intervals;
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
    const known = new Map(this.#parts.committees.enrolled().map(({ id, operator }) => [id, operator]));
    return draw.members.map((id) => known.get(id)!);
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
  #checksOfEach(): Promise<number> {
    this.#checks ??= this.#parts.contracts.Committee.read.checks().then(Number);
    this.#checks.catch(() => {
      this.#checks = undefined;
    });
    return this.#checks;
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

import { type Hex, isAddressEqual } from "viem";
import type { G1Words } from "../../core/attestation/bls.ts";
import {
  type DrawnCommittee,
  intervalsOf,
  type SignedLeaf,
  signMessage,
  soundStatement,
  UnsoundStatementError,
} from "../../core/attestation/statement.ts";
import type { JobContext } from "../jobs/duty.ts";
import type { JobRecord } from "../jobs/job-record.ts";
import { surelyNow } from "../storage-node/agreement.ts";
import type { CheckBook } from "./check-book.ts";
import type { CommitteeLedger } from "./committee-ledger.ts";
import type { Committees } from "./committees.ts";
import {
  type DrawName,
  type Exchange,
  type MemberDesk,
  type MemberDigests,
  NotReadyError,
  type StatementRequest,
} from "./exchange.ts";
import { type Gathered, type Gathering, stageOf } from "./gathering.ts";
import { Recent } from "./recent.ts";

/**
 * Statements of one draw that a member is signed for, for each member of it. What a collector has of the others only grows: who
 * is there, who refuses what all are to sign, and who refuses later. Each is kept, with up to 57 kB: in a committee of 64 with 8
 * checks a member can have 11 MB kept, and all of them 690 MB, until the draw is dismissed and its job is over.
 */
const statementsPerMember = 3;
/** Milliseconds that a member may take to show that it is there. */
const patience = 5_000;
/** Milliseconds in which a member that was not there is not asked again, whoever would leave it out how often. */
const absentFor = 60_000;
/** Milliseconds for which the peer ids of a draw's members are taken as they were read: members may move to others. */
const guestsFor = 60_000;

/** Draws whose members' peer ids are kept: more than a validator sits in before they are dismissed. */
const mostGuests = 1_024;
/** Identities that are read at a time. */
const atOnce = 8;

export type DeskParts = JobContext & {
  readonly all: Committees;
  readonly committees: CommitteeLedger;
  readonly book: CheckBook;
  readonly secret: bigint;
  readonly exchange: Pick<Exchange, "digests">;
  readonly gathering: Gathering;
  /** Milliseconds for which the peer ids of a draw's members are taken as they were read; 60,000 by default. */
  readonly guestsFor?: number;
};

/** Positions of a draw's other members by the peer ids that they have registered: several may name the same one. */
type Guests = ReadonlyMap<Hex, readonly number[]>;
/** The guests of a draw, which a reorganisation may give another seed. */
type Invitation = { readonly until: number; readonly seed: Hex; readonly guests: Promise<Guests> };
/** Who asks, by its positions in the draw. */
type Admitted = Pick<Invitation, "seed"> & { readonly positions: readonly number[] };

/** What this validator tells the other members of its committees. It gives out nothing that it has not checked. */
export class Desk implements MemberDesk {
  readonly #parts: DeskParts;
  readonly #invitations = new Recent<Invitation>(mostGuests);

  constructor(parts: DeskParts) {
    this.#parts = parts;
  }

  async digests(name: DrawName, asker: Hex): Promise<readonly Hex[]> {
    const admitted = await this.#admit(name, asker);
    const { draw } = await this.#place(name, admitted);
    return this.found(draw);
  }

  async sign(statement: StatementRequest, asker: Hex): Promise<G1Words> {
    const admitted = await this.#admit(statement, asker);
    const { job, draw, position } = await this.#place(statement, admitted);
    await this.#requireWhole(job, draw, position, statement.members);
    return this.signFor(draw, position, statement.members, admitted.positions);
  }

  /**
   * As {@link sign}, without asking who asks, and who is left out.
   * @param askers positions in the draw that the statement may be counted for: a member may change its peer id, and take
   * another's, but not where it sits
   */
  signFor(
    draw: DrawnCommittee,
    position: number,
    members: readonly MemberDigests[],
    askers: readonly number[],
  ): G1Words {
    const { book, secret } = this.#parts;
    const leaves = leavesOf(draw, members);
    const { members: mask, root } = soundStatement(draw, position, this.found(draw), leaves);
    if (book.leaves(draw, root) === undefined) {
      const most = statementsPerMember * draw.members.length;
      const asker = askers.find((each) => book.signedFor(draw, each) < most);
      if (asker === undefined) {
        throw new NotReadyError(`Too many statements were signed for the member at ${askers.join(", ")}.`);
      }
      // Before the signature leaves: whoever signs a root can reveal it.
      book.keep(draw, root, asker, leaves);
    }
    return signMessage(secret, draw, mask, root);
  }

  /** This member's digests. @throws NotReadyError when its intervals are not found right */
  found(draw: DrawnCommittee): readonly Hex[] {
    const check = this.#parts.book.check(draw);
    if (check?.verdict === "right") return check.digests;
    throw new NotReadyError(`Job ${draw.jobId} is not found right here.`);
  }

  /** Before anything else: what a stranger asks for must cost no more than to see that it is none of its business. */
  async #admit(name: DrawName, asker: Hex): Promise<Admitted> {
    const { seed, guests } = this.#invitationOf(name);
    const positions = (await guests).get(asker);
    if (positions === undefined) throw new NotReadyError("Only members of the draw are answered.");
    return { seed, positions };
  }

  async #place({ jobId, attempt }: DrawName, { seed }: Pick<Admitted, "seed">) {
    const { ledger, all, committees } = this.#parts;
    const job = ledger.openJobs().find((each) => each.jobId === jobId);
    const draw = job && (await all.draw(job, attempt));
    const position = draw && all.position(draw);
    if (job !== undefined && draw?.seed === seed && position !== undefined) return { job, draw, position };
    // Only a reorganisation makes it void. A member of a draw that is over could else have all of it read for each question.
    if (committees.drawOf(jobId, attempt)?.seed !== seed)
      this.#invitations.forget(textOf({ jobId, attempt }));
    throw unknownDraw({ jobId, attempt });
  }

  /**
   * Nobody is left out of a statement, as long as all members are waited for; and then nobody that is there: a single member
   * could else choose who is paid. Who has refused to sign for all may be left out, for a while who did not answer to that, and
   * at last anybody.
   */
  async #requireWhole(
    job: JobRecord,
    draw: DrawnCommittee,
    own: number,
    members: readonly MemberDigests[],
  ): Promise<void> {
    this.found(draw);
    const { all, gathering } = this.#parts;
    const held = new Set([own, ...members.map(({ position }) => position)]);
    const missing = draw.members.map((_, position) => position).filter((position) => !held.has(position));
    if (missing.length === 0) return;
    const committee = all.told(job);
    const { terms } = await all.terms(job);
    // What is left out is left out for good: neither an endpoint alone nor its clock says when it is time to.
    const now = await surelyNow(this.#parts);
    const isOn = committee?.attempt === draw.attempt && committee.phase === "Signing";
    const stage = isOn ? stageOf(now, committee.deadline, BigInt(terms.signingWindow)) : "all";
    if (stage === "all") throw new NotReadyError("All members of the draw are waited for.");
    if (stage === "enough") return;
    const gathered = gathering.of(draw);
    const owed = missing.filter((position) => !gathered.isExcused(position));
    const there = await Promise.all(owed.map((position) => this.#isThere(draw, position, gathered)));
    const found = owed.filter((_, i) => there[i]);
    if (found.length > 0) throw new NotReadyError(`Members at ${found.join(", ")} are there, and left out.`);
  }

  /** Asked once for a while, whoever would leave the member out how often. */
  #isThere(draw: DrawnCommittee, position: number, gathered: Gathered): Promise<boolean> {
    if (gathered.has(position)) return Promise.resolve(true);
    const known = gathered.looks.get(position);
    if (known !== undefined && performance.now() < known.until) return known.isThere;
    const isThere = this.#look(draw, position, gathered);
    gathered.looks.set(position, { until: performance.now() + absentFor, isThere });
    return isThere;
  }

  async #look(draw: DrawnCommittee, position: number, gathered: Gathered): Promise<boolean> {
    const { exchange, all } = this.#parts;
    try {
      const operator = all.operators(draw)[position]!;
      const digests = await exchange.digests(operator, draw, AbortSignal.timeout(patience));
      leavesOf(draw, [{ position, digests }]);
      gathered.keep({ position, digests });
      return true;
    } catch {
      return false;
    }
  }

  /**
   * The other members' peer ids, read once for a while, whoever asks how often: a stranger must not cost a read for each.
   * @throws NotReadyError for a draw that this validator does not sit in, or not any more
   */
  #invitationOf(name: DrawName): Invitation {
    const { committees, operator } = this.#parts;
    const known = this.#invitations.get(textOf(name));
    if (known !== undefined && performance.now() < known.until) return known;
    const drawn = committees.drawOf(name.jobId, name.attempt);
    const own = drawn && committees.idsOf(operator);
    const isOurs = drawn?.members.some((id) => own!.includes(id)) === true;
    if (drawn === undefined || !isOurs || committees.isDismissed(name.jobId, name.attempt)) {
      throw unknownDraw(name);
    }
    const before = known?.seed === drawn.seed ? known.guests : undefined;
    const invitation: Invitation = {
      until: performance.now() + (this.#parts.guestsFor ?? guestsFor),
      seed: drawn.seed,
      guests: this.#readGuests(drawn.members).catch((error: unknown) => {
        // Members must not be shut out by whoever keeps the endpoints busy.
        if (before !== undefined) return before;
        if (this.#invitations.get(textOf(name)) === invitation) this.#invitations.forget(textOf(name));
        throw error;
      }),
    };
    return this.#invitations.keep(textOf(name), invitation);
  }

  async #readGuests(members: readonly bigint[]): Promise<Guests> {
    const { committees, operator, contracts } = this.#parts;
    const operators = new Map(committees.enrolled().map((each) => [each.id, each.operator]));
    const unread = members
      .map((id, position) => ({ member: operators.get(id)!, position }))
      .filter(({ member }) => !isAddressEqual(member, operator));
    const guests = new Map<Hex, number[]>();
    const read = async () => {
      for (let next = unread.shift(); next !== undefined; next = unread.shift()) {
        const [peerId] = await contracts.Staking.read.identityOf([next.member]);
        guests.set(peerId, [...(guests.get(peerId) ?? []), next.position]);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, read));
    return guests;
  }
}

function textOf({ jobId, attempt }: DrawName): string {
  return `${jobId}:${attempt}`;
}

function unknownDraw({ jobId, attempt }: DrawName): NotReadyError {
  return new NotReadyError(
    `This validator knows of no draw ${attempt} of job ${jobId} with itself in it that is on.`,
  );
}

/**
 * The leaves of some members, as they stand under a root.
 * @throws UnsoundStatementError when these are not as many digests as the draw asks of a member
 */
export function leavesOf(draw: DrawnCommittee, members: readonly MemberDigests[]): SignedLeaf[] {
  return members.flatMap(({ position, digests }) => {
    const intervals = intervalsOf(draw, position);
    if (intervals.length !== digests.length) {
      throw new UnsoundStatementError(`Position ${position} has ${intervals.length} intervals in this draw.`);
    }
    return intervals.map((interval, i) => ({ position, interval, digest: digests[i]! }));
  });
}

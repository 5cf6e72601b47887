import { type Hex, isAddressEqual } from "viem";
import type { G1Words } from "../../core/attestation/bls.ts";
import {
  type DrawnCommittee,
  intervalsOf,
  type SignedLeaf,
  signStatement,
  UnsoundStatementError,
} from "../../core/attestation/statement.ts";
import type { JobContext } from "../jobs/duty.ts";
import { chainTime } from "../storage-node/context.ts";
import { type CheckBook, nameOf } from "./check-book.ts";
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

/**
 * Statements of one draw that a member is signed for, for each member of it. What a collector has of the others only grows: who
 * is there, who refuses what all are to sign, and who refuses later.
 */
const statementsPerMember = 3;
/** Milliseconds that a member may take to show that it is there. */
const patience = 5_000;
/** Milliseconds in which a member that was not there is not asked again, whoever would leave it out how often. */
const absentFor = 60_000;
/** Milliseconds for which the peer ids of a draw's members are taken as they were read: members may move to others. */
const guestsFor = 60_000;

export type DeskParts = JobContext & {
  readonly all: Committees;
  readonly book: CheckBook;
  readonly secret: bigint;
  readonly exchange: Pick<Exchange, "digests">;
  readonly gathering: Gathering;
};

/** What this validator tells the other members of its committees. It gives out nothing that it has not checked. */
export class Desk implements MemberDesk {
  readonly #parts: DeskParts;
  readonly #guests = new Map<string, { readonly until: number; readonly peers: Promise<ReadonlySet<Hex>> }>();

  constructor(parts: DeskParts) {
    this.#parts = parts;
  }

  async digests(name: DrawName): Promise<readonly Hex[]> {
    return this.#digestsOf((await this.#place(name)).draw);
  }

  async sign(statement: StatementRequest, asker: Hex): Promise<G1Words> {
    const { draw, position } = await this.#place(statement);
    await this.#requireMember(draw, asker);
    await this.#requireWhole(draw, position, statement.members);
    return this.signFor(draw, position, statement.members, asker);
  }

  /** As {@link sign}, without asking who asks, and who is left out. */
  signFor(draw: DrawnCommittee, position: number, members: readonly MemberDigests[], asker: Hex): G1Words {
    const { book, secret } = this.#parts;
    const own = this.#digestsOf(draw);
    const leaves = leavesOf(draw, members);
    const { root, signature } = signStatement(secret, draw, position, own, leaves);
    if (book.leaves(draw, root) === undefined) {
      if (book.signedFor(draw, asker) >= statementsPerMember * draw.members.length) {
        throw new NotReadyError(`Too many statements were signed for ${asker}.`);
      }
      // Before the signature leaves: whoever signs a root can reveal it.
      book.keep(draw, root, asker, leaves);
    }
    return signature;
  }

  #digestsOf(draw: DrawnCommittee): readonly Hex[] {
    const check = this.#parts.book.check(draw);
    if (check?.verdict === "right") return check.digests;
    throw new NotReadyError(`Job ${draw.jobId} is not found right here.`);
  }

  async #place({ jobId, attempt }: DrawName): Promise<{ draw: DrawnCommittee; position: number }> {
    const { ledger, all } = this.#parts;
    const job = ledger.job(jobId);
    const draw = job && (await all.draw(job, attempt));
    const position = draw && all.position(draw);
    if (draw !== undefined && position !== undefined) return { draw, position };
    throw new NotReadyError(`This validator knows of no draw ${attempt} of job ${jobId} with itself in it.`);
  }

  async #requireMember(draw: DrawnCommittee, asker: Hex): Promise<void> {
    if (!(await this.#guestsOf(draw)).has(asker)) {
      throw new NotReadyError("Only members of the draw are signed for.");
    }
  }

  /**
   * Nobody is left out of a statement, as long as all members are waited for; and then nobody that is there: a single member
   * could else choose who is paid. Who has refused to sign for all may be left out, and at last anybody.
   */
  async #requireWhole(draw: DrawnCommittee, own: number, members: readonly MemberDigests[]): Promise<void> {
    this.#digestsOf(draw);
    const { all, client, contracts, gathering } = this.#parts;
    const held = new Set([own, ...members.map(({ position }) => position)]);
    const missing = draw.members.map((_, position) => position).filter((position) => !held.has(position));
    if (missing.length === 0) return;
    const { attempt, phase, deadline } = await all.read(draw.jobId);
    const { signingWindow } = await contracts.Committee.read.termsOf([draw.jobId]);
    const stage = stageOf(await chainTime(client), deadline, BigInt(signingWindow));
    if (attempt !== draw.attempt || phase !== "Signing" || stage === "all") {
      throw new NotReadyError("All members of the draw are waited for.");
    }
    if (stage === "enough") return;
    const gathered = gathering.of(draw);
    const owed = missing.filter((position) => !gathered.refused.has(position));
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

  /** The other members' peer ids, read once for a while, whoever asks how often: a stranger must not cost a read for each. */
  #guestsOf(draw: DrawnCommittee): Promise<ReadonlySet<Hex>> {
    const name = nameOf(draw);
    const known = this.#guests.get(name);
    if (known !== undefined && performance.now() < known.until) return known.peers;
    const peers = this.#readGuests(draw);
    for (const [other, { until }] of this.#guests) if (performance.now() >= until) this.#guests.delete(other);
    this.#guests.set(name, { until: performance.now() + guestsFor, peers });
    peers.catch(() => this.#guests.delete(name));
    return peers;
  }

  async #readGuests(draw: DrawnCommittee): Promise<ReadonlySet<Hex>> {
    const { all, operator, contracts } = this.#parts;
    const others = all.operators(draw).filter((member) => !isAddressEqual(member, operator));
    const identities = await Promise.all(others.map((each) => contracts.Staking.read.identityOf([each])));
    return new Set(identities.map(([peerId]) => peerId));
  }
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

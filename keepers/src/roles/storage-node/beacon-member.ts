import { type Address, encodeAbiParameters, type Hex, keccak256, zeroHash } from "viem";
import { addressOf } from "../../chain/contracts.ts";
import type { OperatorSecrets } from "../../chain/secrets.ts";
import type { State } from "../../storage/state/state.ts";
import { agreedOn, agreedOrUsual } from "./agreement.ts";
import { chainTime, type DutyContext, type Reading, tryCall } from "./context.ts";
import { AwaitedEpochs } from "./epochs.ts";
import type { Ledger } from "./ledger.ts";
import { reorganisable, seedAge } from "./seed-age.ts";
import { turnOf } from "./turn.ts";

/**
 * Secrets of commitments, kept before these are sent: after a reorganisation that moves a session to another second the commitment
 * of before is included again, and no other secret opens it.
 */
export const beaconSchema = {
  name: "beacon",
  migrations: [
    `CREATE TABLE beacon_secrets (
       session TEXT NOT NULL,
       round INTEGER NOT NULL,
       secret TEXT NOT NULL,
       PRIMARY KEY (session, round)
     ) STRICT`,
    `CREATE TABLE beacon_all_secrets (
       session TEXT NOT NULL,
       round INTEGER NOT NULL,
       secret TEXT NOT NULL,
       PRIMARY KEY (session, round, secret)
     ) STRICT;
     INSERT INTO beacon_all_secrets SELECT session, round, secret FROM beacon_secrets;
     DROP TABLE beacon_secrets;
     ALTER TABLE beacon_all_secrets RENAME TO beacon_secrets`,
  ],
} as const;

/** Phases of a session, in the contract's order. */
const phases = ["none", "commit", "underfilled", "reveal", "overdue", "grace", "failed", "ready"] as const;

const openingTypes = [
  { type: "uint256" },
  { type: "address" },
  { type: "uint256" },
  { type: "uint32" },
  { type: "address" },
  { type: "bytes32" },
] as const;

/** How a round ended, in the contract's order: bonds of underfilled ones are given back, those of failed ones slashed. */
const outcomes = { underfilled: 1, failed: 2 } as const;

/** What a member commits to: its secret, bound to chain, contract, session, round and itself. */
export function beaconCommitment(parameters: {
  chainId: number;
  beacon: Address;
  session: bigint;
  round: number;
  operator: Address;
  secret: Hex;
}): Hex {
  const { chainId, beacon, session, round, operator, secret } = parameters;
  return keccak256(
    encodeAbiParameters(openingTypes, [BigInt(chainId), beacon, session, round, operator, secret]),
  );
}

export type BeaconMemberParts = DutyContext & { state: State; ledger: Ledger; secrets: OperatorSecrets };

type Phase = (typeof phases)[number];
type BeaconReads = DutyContext["contracts"]["CommitRevealBeacon"]["read"];

/** A session as the newest block has it, and this operator's part in it. */
type Seat = {
  id: bigint;
  phase: Phase;
  session: Awaited<ReturnType<BeaconReads["session"]>>;
  mine: Awaited<ReturnType<BeaconReads["commitmentOf"]>>;
  /** Whether this operator has committed in the present round. */
  isCommitted: boolean;
  /** Whether its seed can still be of use to anybody. */
  isUseful: boolean;
  /** Whether it is known by its events that this operator has committed in it. */
  isOwn: boolean;
  /** Whether the endpoints agree on it. */
  isSure: boolean;
};

/** Sessions that are read side by side. */
const page = 32;
/** Bonds and bundles whose stake is left to other duties by whoever joins sessions that no audit waits for. */
const reserved = { bonds: 1n, bundles: 1n };

/**
 * Takes part in the commit–reveal beacon: commits, reveals, and moves a session on when others do not.
 *
 * Anybody can have sessions opened, as many as it pays for. So all of them are looked at whose seed may be of use, however
 * many came later, and all in which a bond of this operator is locked, however old they are; what is revealed comes first.
 * Each session that it joins locks a bond: what audits do not wait for is joined only as long as there is stake to spare.
 */
export class BeaconMember {
  readonly #parts: BeaconMemberParts;
  readonly #awaited: AwaitedEpochs;
  /** Rounds that have ended and left no bond to be slashed. */
  readonly #settled = new Set<string>();
  /** Sessions in which nothing is left to be done, and whether that holds once this operator has committed in one. */
  readonly #closed = new Map<bigint, boolean>();
  /** Commitments that the chain has refused, and chain seconds from which on they are tried again. */
  readonly #refused = new Map<string, bigint>();
  /** Commitments of which it was said that nothing opens them. */
  readonly #unopened = new Set<Hex>();

  constructor(parts: BeaconMemberParts) {
    this.#parts = parts;
    this.#awaited = new AwaitedEpochs(parts);
  }

  /** Does what the sessions ask for now: what is revealed first, and of that what has the nearest deadline. */
  async tick(): Promise<void> {
    const now = await chainTime(this.#parts.client);
    const seats = await this.#seats(now);
    const owed = seats.filter(({ phase, isCommitted, mine }) => {
      const isOpen = phase === "reveal" || phase === "overdue" || phase === "grace";
      return isOpen && isCommitted && !mine.revealed;
    });
    await allOf(owed, (seat) => this.#reveal(seat));
    const joined = await this.#joined(seats, now);
    const committing = joined.filter(({ phase }) => phase === "commit");
    await allOf(committing, (seat) => this.#commit(seat, now));
    const others = seats.filter((seat) => !owed.includes(seat));
    await allOf(others, (seat) => this.#moveOn(seat, joined.includes(seat), now));
  }

  /** All sessions that may ask for something, nearest deadline first. */
  async #seats(now: bigint): Promise<Seat[]> {
    const { contracts, ledger, operator } = this.#parts;
    const look = (chain: Reading) => chain.contracts.CommitRevealBeacon.read.sessionCount();
    const { value: count } = await agreedOrUsual(this.#parts, "the sessions of the beacon", look);
    const youngest = await this.#firstSince(now - (await seedAge(contracts)), count);
    const own = new Set(ledger.sessionsOf(operator).filter((id) => id <= count));
    const ids = new Set(own);
    for (let id = youngest; id <= count; id++) ids.add(id);
    const open = [...ids].filter((id) => !(own.has(id) ? this.#closed.get(id) : this.#closed.has(id)));
    const isAlone = this.#parts.agreed.contracts === contracts;
    const seats: Seat[] = [];
    for (let i = 0; i < open.length; i += page) {
      const read = open.slice(i, i + page).map(async (id): Promise<Seat> => {
        const look = ({ contracts: { CommitRevealBeacon } }: Reading) =>
          Promise.all([
            CommitRevealBeacon.read.phaseOf([id]),
            CommitRevealBeacon.read.session([id]),
            CommitRevealBeacon.read.commitmentOf([id, operator]),
          ]);
        // A bond that may be locked here is lost by what one endpoint keeps to itself.
        const looked = own.has(id)
          ? await agreedOrUsual(this.#parts, "a session of the beacon", look)
          : { value: await look(this.#parts), isAgreed: isAlone };
        const [phase, session, mine] = looked.value;
        const isCommitted = mine.hash !== zeroHash && mine.round === session.round;
        const isUseful = id >= youngest;
        const [isOwn, isSure] = [own.has(id), looked.isAgreed];
        return { id, phase: phases[phase]!, session, mine, isCommitted, isUseful, isOwn, isSure };
      });
      seats.push(...(await Promise.all(read)));
    }
    return seats.sort((a, b) => Number(deadlineOf(a) - deadlineOf(b)));
  }

  /** The first session that was not opened before a time, by bisection: ids and times grow together. */
  async #firstSince(time: bigint, count: bigint): Promise<bigint> {
    const { read } = this.#parts.contracts.CommitRevealBeacon;
    let [low, high] = [1n, count + 1n];
    while (low < high) {
      const middle = (low + high) / 2n;
      if ((await read.session([middle])).openedAt < time) low = middle + 1n;
      else high = middle;
    }
    return low;
  }

  /**
   * Sessions to commit to, at once or once a round that had too few members is ended: those that audits wait for come first,
   * the others are joined out of what stake is left.
   */
  async #joined(seats: readonly Seat[], now: bigint): Promise<Seat[]> {
    for (const [key, until] of this.#refused) if (until <= now) this.#refused.delete(key);
    const joinable = seats.filter((seat) => {
      const isOpen = seat.phase === "underfilled" || (seat.phase === "commit" && !seat.isCommitted);
      return isOpen && seat.isUseful && !this.#refused.has(keyOf("commit", seat));
    });
    if (joinable.length === 0) return [];
    const { contracts, operator, deployment, log } = this.#parts;
    const awaited = await this.#sessionsOfAudits();
    const bond = await contracts.CommitRevealBeacon.read.bond();
    const { bundleStake } = await contracts.DatasetRegistry.read.parameters();
    const { stake, locked } = await contracts.Staking.read.operatorOf([operator]);
    const beacon = addressOf(deployment, "CommitRevealBeacon");
    let lockable = await contracts.Staking.read.lockable([operator, beacon]);
    let free = stake - locked;
    const rest = reserved.bonds * bond + reserved.bundles * bundleStake;
    const isAwaited = ({ id }: Seat) => awaited.has(id);
    const joined: Seat[] = [];
    for (const seat of [...joinable.filter(isAwaited), ...joinable.filter((each) => !isAwaited(each))]) {
      // A bond of a round that had too few members serves again.
      const cost = seat.mine.bonded ? 0n : bond;
      if (cost > lockable || (cost !== 0n && !isAwaited(seat) && free - cost < rest)) {
        log.debug({ session: seat.id, free }, "too little free stake to join a session of the beacon");
        continue;
      }
      joined.push(seat);
      lockable -= cost;
      free -= cost;
    }
    return joined;
  }

  async #sessionsOfAudits(): Promise<ReadonlySet<bigint>> {
    const { CommitRevealBeacon } = this.#parts.contracts;
    const requests = (await this.#awaited.list()).map(({ requestId }) => requestId);
    return new Set(await Promise.all(requests.map((id) => CommitRevealBeacon.read.sessionOf([id]))));
  }

  async #commit(seat: Seat, now: bigint): Promise<void> {
    const { id, session: seen } = seat;
    const look = ({ contracts }: Reading) => contracts.CommitRevealBeacon.read.session([id]);
    // What depends on one endpoint's word would be derived from another session after its disk is lost.
    const session = await agreedOn(this.#parts, "a session of the beacon", look);
    if (session === undefined || session.round !== seen.round) return;
    const { round, commitEnds } = session;
    const key = keyOf("commit", seat);
    const secret = this.#secret(id, round, commitEnds);
    const commitment = this.#commitment(id, round, secret);
    this.#parts.state.run(
      "INSERT OR IGNORE INTO beacon_secrets (session, round, secret) VALUES (?, ?, ?)",
      id.toString(),
      round,
      secret,
    );
    if (await tryCall(this.#parts, key, "CommitRevealBeacon", "commit", [id, commitment])) return;
    // Who was no operator yet, or has lost its bond in this session, is refused each time.
    this.#refused.set(key, now + (commitEnds - now) / 2n + 1n);
  }

  async #reveal(seat: Seat): Promise<void> {
    const { id, session, mine } = seat;
    const secret = this.#committed(id, session.round, session.commitEnds, mine.hash);
    if (secret === undefined) {
      if (!this.#unopened.has(mine.hash)) {
        const facts = { session: id, round: session.round, commitment: mine.hash };
        this.#parts.log.error(
          facts,
          "no secret opens this commitment to the beacon: its bond will be slashed",
        );
      }
      this.#unopened.add(mine.hash);
      return;
    }
    await tryCall(this.#parts, keyOf("reveal", seat), "CommitRevealBeacon", "reveal", [id, secret]);
  }

  /** Ends what is over, and takes back or slashes the bonds that are left from it. */
  async #moveOn(seat: Seat, isJoined: boolean, now: bigint): Promise<void> {
    const { id, phase, session, mine, isUseful } = seat;
    const { round, readyAt } = session;
    // A bond serves again in a session that is still joined.
    const isFree = mine.bonded && mine.round < round && (phase !== "commit" || !isUseful);
    if (isFree) await this.#reclaim(id, mine.round);
    const isSettled = await this.#slashMissing(id, round);
    const isFirst = (what: string) => this.#isFirst(keyOf(what, seat));
    if (phase === "overdue" && isUseful && isFirst("timeout")) {
      await tryCall(this.#parts, keyOf("timeout", seat), "CommitRevealBeacon", "callTimeout", [id]);
    }
    const isEnded = (phase === "failed" && isUseful) || (phase === "underfilled" && isJoined);
    const isBound = mine.bonded && (phase === "failed" || phase === "underfilled");
    if (isBound || (isEnded && isFirst("finalize"))) {
      await tryCall(this.#parts, keyOf("finalize", seat), "CommitRevealBeacon", "finalize", [id]);
    }
    const isOver = !isUseful || (isSettled && readyAt !== 0n && readyAt + reorganisable < now);
    if (isOver && !mine.bonded && (seat.isSure || !seat.isOwn)) this.#closed.set(id, seat.isSure);
  }

  /** Asks for the bond of a round that had too few members, when it does not serve in the present one. */
  async #reclaim(session: bigint, round: number): Promise<void> {
    const outcome = await this.#parts.contracts.CommitRevealBeacon.read.outcomeOf([session, round]);
    if (outcome !== outcomes.underfilled) return;
    await tryCall(this.#parts, `beacon:reclaim:${session}:${round}`, "CommitRevealBeacon", "reclaim", [
      session,
    ]);
  }

  /** Takes the bonds of those who did not reveal in a round that failed for it; says whether none is left. */
  async #slashMissing(session: bigint, present: number): Promise<boolean> {
    const { CommitRevealBeacon } = this.#parts.contracts;
    let isSettled = true;
    for (let round = 0; round < present; round++) {
      const name = `${session}:${round}`;
      if (this.#settled.has(name)) continue;
      let bonds = 0;
      if ((await CommitRevealBeacon.read.outcomeOf([session, round])) === outcomes.failed) {
        const committers = this.#parts.ledger.committers(session, round);
        // A round that failed had some: the ledger has not come that far.
        if (committers.length === 0) {
          isSettled = false;
          continue;
        }
        for (const operator of committers) {
          const theirs = await CommitRevealBeacon.read.commitmentOf([session, operator]);
          if (!theirs.bonded || theirs.round !== round) continue;
          bonds++;
          const key = `beacon:slash:${name}:${operator}`;
          if (!this.#isFirst(key)) continue;
          await tryCall(this.#parts, key, "CommitRevealBeacon", "slashMissing", [session, operator]);
        }
      }
      if (bonds === 0) this.#settled.add(name);
      else isSettled = false;
    }
    return isSettled;
  }

  /** Whether this operator is among the first three in line: enough for the work to be done, few to pay in vain. */
  #isFirst(work: string): boolean {
    return turnOf(this.#parts, work) < 3n;
  }

  #commitment(session: bigint, round: number, secret: Hex): Hex {
    const { operator, deployment } = this.#parts;
    return beaconCommitment({
      chainId: deployment.chainId,
      beacon: deployment.addresses.CommitRevealBeacon!,
      session,
      round,
      operator,
      secret,
    });
  }

  /** The same after a lost disk. A session that a reorganisation has moved to another time has another one. */
  #secret(session: bigint, round: number, commitEnds: bigint): Hex {
    const { secrets, deployment } = this.#parts;
    const beacon = deployment.addresses.CommitRevealBeacon!;
    return secrets.derive("beacon secret", beacon, session, BigInt(round), commitEnds);
  }

  /** The secret that was committed to; undefined when this node has made no such commitment. */
  #committed(session: bigint, round: number, commitEnds: bigint, hash: Hex): Hex | undefined {
    const rows = this.#parts.state.all(
      "SELECT secret FROM beacon_secrets WHERE session = ? AND round = ?",
      session.toString(),
      round,
    );
    const kept = rows.map(({ secret }) => secret as Hex);
    return [this.#secret(session, round, commitEnds), ...kept].find(
      (secret) => this.#commitment(session, round, secret) === hash,
    );
  }
}

/** What a session's present round waits for until when; a timeout that may be called is due at once. */
function deadlineOf({ phase, session }: Seat): bigint {
  if (phase === "commit") return session.commitEnds;
  return phase === "grace" ? session.graceEnds : session.revealEnds;
}

function keyOf(what: string, { id, session }: Seat): string {
  return `beacon:${what}:${id}:${session.round}`;
}

/** Does the same for all at once: a failure keeps nobody else waiting, and is thrown when all are through. */
async function allOf<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const failed = (await Promise.allSettled(items.map(work))).find(({ status }) => status === "rejected");
  if (failed?.status === "rejected") throw failed.reason;
}

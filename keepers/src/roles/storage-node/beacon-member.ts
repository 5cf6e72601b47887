import { randomBytes } from "node:crypto";
import { type Address, bytesToHex, encodeAbiParameters, type Hex, keccak256 } from "viem";
import type { State } from "../../storage/state/state.ts";
import { type DutyContext, tryCall } from "./context.ts";
import { listOperators, turnOf } from "./turn.ts";

/** Secrets are on disk before their commitments are sent: a node that forgot one would lose its bond. */
export const beaconSchema = {
  name: "beacon",
  migrations: [
    `CREATE TABLE beacon_secrets (
       session TEXT NOT NULL,
       round INTEGER NOT NULL,
       secret TEXT NOT NULL,
       PRIMARY KEY (session, round)
     ) STRICT`,
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

export type BeaconMemberParts = DutyContext & { state: State };

/** Takes part in the commit–reveal beacon: commits, reveals, and moves a session on when others do not. */
export class BeaconMember {
  readonly #parts: BeaconMemberParts;
  /** Rounds that have ended and left no bond to be slashed. */
  readonly #settled = new Set<string>();

  constructor(parts: BeaconMemberParts) {
    this.#parts = parts;
  }

  /** Does what the sessions behind the latest requests ask for now. */
  async tick(): Promise<void> {
    const { contracts } = this.#parts;
    const sessions = await contracts.CommitRevealBeacon.read.sessionCount();
    // Older sessions are over, or wait for someone who asks: redrawing is up to them.
    for (let session = sessions > 2n ? sessions - 2n : 1n; session <= sessions; session++)
      await this.#serve(session);
  }

  async #serve(session: bigint): Promise<void> {
    const { contracts, operator } = this.#parts;
    const beacon = contracts.CommitRevealBeacon;
    const phase = phases[await beacon.read.phaseOf([session])];
    const { round } = await beacon.read.session([session]);
    const mine = await beacon.read.commitmentOf([session, operator]);
    const committed = mine.hash !== `0x${"0".repeat(64)}` && mine.round === round;
    const key = (what: string) => `beacon:${what}:${session}:${round}`;
    if (phase !== "commit" && mine.bonded && mine.round < round) await this.#reclaim(session, mine.round);
    await this.#slashMissing(session, round);
    if (phase === "commit" && !committed) {
      await tryCall(this.#parts, key("commit"), "CommitRevealBeacon", "commit", [
        session,
        this.#commitment(session, round),
      ]);
    } else if (
      (phase === "reveal" || phase === "overdue" || phase === "grace") &&
      committed &&
      !mine.revealed
    ) {
      const secret = this.#secret(session, round);
      if (secret !== undefined) {
        await tryCall(this.#parts, key("reveal"), "CommitRevealBeacon", "reveal", [session, secret]);
      }
    } else if (phase === "overdue" && (await this.#isFirst(key("timeout")))) {
      await tryCall(this.#parts, key("timeout"), "CommitRevealBeacon", "callTimeout", [session]);
    } else if ((phase === "failed" || phase === "underfilled") && (await this.#isFirst(key("finalize")))) {
      await tryCall(this.#parts, key("finalize"), "CommitRevealBeacon", "finalize", [session]);
    }
  }

  /** Asks for the bond of a round that had too few members, when it does not serve in the present one. */
  async #reclaim(session: bigint, round: number): Promise<void> {
    const outcome = await this.#parts.contracts.CommitRevealBeacon.read.outcomeOf([session, round]);
    if (outcome !== outcomes.underfilled) return;
    await tryCall(this.#parts, `beacon:reclaim:${session}:${round}`, "CommitRevealBeacon", "reclaim", [
      session,
    ]);
  }

  /** Takes the bonds of those who did not reveal in a round that failed for it. */
  async #slashMissing(session: bigint, present: number): Promise<void> {
    const { CommitRevealBeacon } = this.#parts.contracts;
    for (let round = 0; round < present; round++) {
      const name = `${session}:${round}`;
      if (this.#settled.has(name)) continue;
      let bonds = 0;
      if ((await CommitRevealBeacon.read.outcomeOf([session, round])) === outcomes.failed) {
        for await (const operator of listOperators(this.#parts)) {
          const theirs = await CommitRevealBeacon.read.commitmentOf([session, operator]);
          if (!theirs.bonded || theirs.round !== round) continue;
          bonds++;
          const key = `beacon:slash:${name}:${operator}`;
          if (!(await this.#isFirst(key))) continue;
          await tryCall(this.#parts, key, "CommitRevealBeacon", "slashMissing", [session, operator]);
        }
      }
      if (bonds === 0) this.#settled.add(name);
    }
  }

  /** Whether this operator is among the first three in line: enough for the work to be done, few to pay in vain. */
  async #isFirst(work: string): Promise<boolean> {
    return (await turnOf(this.#parts, work)) < 3n;
  }

  #commitment(session: bigint, round: number): Hex {
    const { state, operator, deployment } = this.#parts;
    const secret = this.#secret(session, round) ?? bytesToHex(randomBytes(32));
    state.run(
      "INSERT OR IGNORE INTO beacon_secrets (session, round, secret) VALUES (?, ?, ?)",
      session.toString(),
      round,
      secret,
    );
    return beaconCommitment({
      chainId: deployment.chainId,
      beacon: deployment.addresses.CommitRevealBeacon!,
      session,
      round,
      operator,
      secret,
    });
  }

  #secret(session: bigint, round: number): Hex | undefined {
    const row = this.#parts.state.get(
      "SELECT secret FROM beacon_secrets WHERE session = ? AND round = ?",
      session.toString(),
      round,
    );
    return row === undefined ? undefined : (row.secret as Hex);
  }
}

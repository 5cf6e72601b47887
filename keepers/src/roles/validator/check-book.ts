import type { Hex } from "viem";
import type { DrawnCommittee, SignedLeaf } from "../../core/attestation/statement.ts";
import type { State } from "../../storage/state/state.ts";

/** What this validator found in its intervals, and every statement that it has signed. */
export const checkSchema = {
  name: "validator",
  migrations: [
    `CREATE TABLE validator_checks (
       draw TEXT PRIMARY KEY,
       verdict TEXT NOT NULL CHECK (verdict IN ('right', 'wrong', 'unreadable')),
       digests TEXT NOT NULL
     ) STRICT;
     CREATE TABLE validator_statements (
       draw TEXT NOT NULL,
       root TEXT NOT NULL,
       asker TEXT NOT NULL,
       leaves TEXT NOT NULL,
       PRIMARY KEY (draw, root)
     ) STRICT;`,
    `CREATE TABLE validator_intervals (
       draw TEXT NOT NULL,
       interval INTEGER NOT NULL,
       witness_hash TEXT,
       PRIMARY KEY (draw, interval)
     ) STRICT;`,
  ],
} as const;

/** All of its tables; the draws of their rows are forgotten when they are over. */
export const checkTables = ["validator_checks", "validator_intervals", "validator_statements"] as const;

/** What a member's own intervals came to. Digests are given only when all of them are right. */
export type Check =
  | { readonly verdict: "right"; readonly digests: readonly Hex[] }
  | { readonly verdict: "wrong" | "unreadable"; readonly digests: readonly [] };

/** What was found and signed stays so over a restart: a member never says two things of one interval. */
export class CheckBook {
  readonly #state: State;

  constructor(state: State) {
    this.#state = state;
  }

  check(draw: DrawnCommittee): Check | undefined {
    const row = this.#state.get("SELECT verdict, digests FROM validator_checks WHERE draw = ?", nameOf(draw));
    if (row === undefined) return undefined;
    return { verdict: row.verdict, digests: JSON.parse(row.digests as string) } as Check;
  }

  write(draw: DrawnCommittee, { verdict, digests }: Check): void {
    this.#state.run(
      "INSERT OR IGNORE INTO validator_checks (draw, verdict, digests) VALUES (?, ?, ?)",
      nameOf(draw),
      verdict,
      JSON.stringify(digests),
    );
  }

  /** What was found in an interval: keccak256 of its witnesses, none where its second leaf is wrong. */
  interval(draw: DrawnCommittee, interval: number): { readonly witnessHash: Hex | null } | undefined {
    const row = this.#state.get(
      "SELECT witness_hash FROM validator_intervals WHERE draw = ? AND interval = ?",
      nameOf(draw),
      interval,
    );
    return row === undefined ? undefined : { witnessHash: row.witness_hash as Hex | null };
  }

  writeInterval(draw: DrawnCommittee, interval: number, witnessHash: Hex | null): void {
    this.#state.run(
      "INSERT OR IGNORE INTO validator_intervals (draw, interval, witness_hash) VALUES (?, ?, ?)",
      nameOf(draw),
      interval,
      witnessHash,
    );
  }

  /** Leaves behind a root that this validator has signed. */
  leaves(draw: DrawnCommittee, root: Hex): readonly SignedLeaf[] | undefined {
    const row = this.#state.get(
      "SELECT leaves FROM validator_statements WHERE draw = ? AND root = ?",
      nameOf(draw),
      root,
    );
    return row === undefined ? undefined : (JSON.parse(row.leaves as string) as SignedLeaf[]);
  }

  /** How many statements were signed for the member at a position. */
  signedFor(draw: DrawnCommittee, asker: number): number {
    const row = this.#state.get(
      "SELECT COUNT(*) AS count FROM validator_statements WHERE draw = ? AND asker = ?",
      nameOf(draw),
      String(asker),
    );
    return Number(row!.count);
  }

  /** Keeps a statement before it is signed: up to 57 kB of text, 64 members' leaves for 8 intervals each. */
  keep(draw: DrawnCommittee, root: Hex, asker: number, leaves: readonly SignedLeaf[]): void {
    this.#state.run(
      "INSERT OR IGNORE INTO validator_statements (draw, root, asker, leaves) VALUES (?, ?, ?, ?)",
      nameOf(draw),
      root,
      String(asker),
      JSON.stringify(leaves),
    );
  }
}

/** A reorganisation may give another draw the same number. */
export function nameOf({ jobId, attempt, seed, traceRoot, members }: DrawnCommittee): string {
  return [jobId, attempt, seed, traceRoot, members.join()].join(":");
}

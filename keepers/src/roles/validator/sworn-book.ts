import { type Hex, toHex } from "viem";
import type { G1Words } from "../../core/attestation/bls.ts";
import type { DrawnCommittee, SignedLeaf } from "../../core/attestation/statement.ts";
import type { State } from "../../storage/state/state.ts";
import { nameOf } from "./check-book.ts";

/** What other members have signed: one row for each set of digests that one of them gave. */
export const swornSchema = {
  name: "sworn",
  migrations: [
    `CREATE TABLE sworn_statements (
       draw TEXT NOT NULL,
       position INTEGER NOT NULL,
       digests TEXT NOT NULL,
       leaves TEXT NOT NULL,
       signature_x TEXT NOT NULL,
       signature_y TEXT NOT NULL,
       PRIMARY KEY (draw, position, digests)
     ) STRICT;`,
    "ALTER TABLE sworn_statements ADD COLUMN signers TEXT;",
  ],
} as const;

/** All of its tables; the draws of their rows are forgotten when they are over. */
export const swornTables = ["sworn_statements"] as const;

/**
 * A statement that a member has signed, by itself or with others: where their sum holds, who sends another point than its
 * signature, and has a friend send the difference, has signed all the same.
 */
export type SwornStatement = {
  readonly position: number;
  /** Of all members of the statement. */
  readonly leaves: readonly SignedLeaf[];
  /** Positions of those whose sum the signature is. */
  readonly signers: readonly number[];
  readonly signature: G1Words;
};

/** Evidence against members that say two things: it is kept over restarts, from when it was signed. */
export class SwornBook {
  readonly #state: State;

  constructor(state: State) {
    this.#state = state;
  }

  /** Keeps a statement, unless one with the same digests of this member is kept. */
  keep(draw: DrawnCommittee, statement: SwornStatement): void {
    const { position, leaves, signers, signature } = statement;
    const [x, y] = signature;
    this.#state.run(
      `INSERT OR IGNORE INTO sworn_statements (draw, position, digests, leaves, signature_x, signature_y, signers)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
      nameOf(draw),
      position,
      digestsOf(statement),
      JSON.stringify(leaves),
      toHex(x),
      toHex(y),
      signers.join(),
    );
  }

  /** Forgets a statement that does not hold, so that one that does can take its place. */
  drop(draw: DrawnCommittee, statement: SwornStatement): void {
    this.#state.run(
      "DELETE FROM sworn_statements WHERE draw = ? AND position = ? AND digests = ?",
      nameOf(draw),
      statement.position,
      digestsOf(statement),
    );
  }

  /** All that is kept of a draw, oldest first. */
  of(draw: DrawnCommittee): SwornStatement[] {
    return this.#state
      .all("SELECT * FROM sworn_statements WHERE draw = ? ORDER BY rowid", nameOf(draw))
      .map((row) => ({
        position: Number(row.position),
        leaves: JSON.parse(row.leaves as string) as SignedLeaf[],
        signers:
          row.signers === null ? [Number(row.position)] : (row.signers as string).split(",").map(Number),
        signature: [BigInt(row.signature_x as Hex), BigInt(row.signature_y as Hex)],
      }));
  }
}

/** What a member says in a statement. */
function digestsOf({ position, leaves }: Pick<SwornStatement, "position" | "leaves">): string {
  return leaves.flatMap((leaf) => (leaf.position === position ? [leaf.digest] : [])).join();
}

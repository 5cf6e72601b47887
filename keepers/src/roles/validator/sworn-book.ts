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
  ],
} as const;

/** A statement with the signature of one of its members, which holds. */
export type SwornStatement = {
  readonly position: number;
  /** Of all members of the statement. */
  readonly leaves: readonly SignedLeaf[];
  readonly signature: G1Words;
};

/** Evidence against members that say two things: it is kept over restarts, from when it was signed. */
export class SwornBook {
  readonly #state: State;

  constructor(state: State) {
    this.#state = state;
  }

  /** Keeps a statement, unless one with the same digests of this member is kept. */
  keep(draw: DrawnCommittee, { position, leaves, signature: [x, y] }: SwornStatement): void {
    const digests = leaves.filter((leaf) => leaf.position === position).map(({ digest }) => digest);
    this.#state.run(
      `INSERT OR IGNORE INTO sworn_statements (draw, position, digests, leaves, signature_x, signature_y)
       VALUES (?, ?, ?, ?, ?, ?)`,
      nameOf(draw),
      position,
      digests.join(),
      JSON.stringify(leaves),
      toHex(x),
      toHex(y),
    );
  }

  /** All that is kept of a draw, oldest first. */
  of(draw: DrawnCommittee): SwornStatement[] {
    return this.#state
      .all("SELECT * FROM sworn_statements WHERE draw = ? ORDER BY rowid", nameOf(draw))
      .map((row) => ({
        position: Number(row.position),
        leaves: JSON.parse(row.leaves as string) as SignedLeaf[],
        signature: [BigInt(row.signature_x as Hex), BigInt(row.signature_y as Hex)],
      }));
  }
}

import { randomBytes } from "node:crypto";
import { bytesToHex } from "viem";
import { intervalsOf } from "../../core/attestation/statement.ts";
import type { Duty } from "../jobs/duty.ts";
import { forEach } from "../jobs/each.ts";
import type { CheckerParts } from "../validator/checker.ts";

/** A lazy member of a committee, to show that it is caught: it executes nothing, and says whatever comes to its mind. */
export class GuessingChecker implements Duty {
  readonly name = "guessing";
  readonly #parts: Pick<CheckerParts, "all" | "book">;

  constructor(parts: Pick<CheckerParts, "all" | "book">) {
    this.#parts = parts;
  }

  async tick(): Promise<void> {
    const { all, book } = this.#parts;
    await forEach(await all.seats(), async ({ draw, position }) => {
      if (book.check(draw) !== undefined) return;
      const digests = intervalsOf(draw, position).map(() => bytesToHex(randomBytes(32)));
      book.write(draw, { verdict: "right", digests });
    });
  }
}

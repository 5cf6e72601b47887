import { setImmediate as immediate } from "node:timers/promises";
import type { State } from "../../storage/state/state.ts";
import type { Duty, JobContext } from "../jobs/duty.ts";
import { checkTables } from "./check-book.ts";
import type { CommitteeLedger } from "./committee-ledger.ts";
import { swornTables } from "./sworn-book.ts";

export type BookSweeperParts = Pick<JobContext, "ledger" | "log"> & {
  readonly committees: Pick<CommitteeLedger, "undismissed">;
  readonly state: State;
};

/** Milliseconds from when nothing can come of a draw any more until it is forgotten: longer than blocks take to be final. */
const patience = 1_800_000;
/** Milliseconds from one look at the tables to the next. */
const lookEvery = 60_000;
/** Rows that are deleted in one turn of the event loop: a statement may have 57 kB. */
const atOnce = 32;

const tables = [...checkTables, ...swornTables];

/**
 * Forgets what was found, signed and sworn in draws that are dismissed, of jobs that are over and in which nothing is disputed:
 * each of the other members may have had 11 MB of statements signed in a committee of 64.
 */
export class BookSweeper implements Duty {
  readonly name = "forgetting";
  readonly #parts: BookSweeperParts;
  /** Since when nothing can come of a draw any more, on the clock of the process: a reorganisation may take that back. */
  readonly #idleSince = new Map<string, number>();
  #nextLook = 0;

  constructor(parts: BookSweeperParts) {
    this.#parts = parts;
  }

  async tick(signal: AbortSignal): Promise<void> {
    const now = performance.now();
    if (now < this.#nextLook) return;
    this.#nextLook = now + lookEvery;
    const idle = this.#idle();
    for (const name of this.#idleSince.keys()) if (!idle.has(name)) this.#idleSince.delete(name);
    for (const name of idle) {
      const since = this.#idleSince.get(name) ?? now;
      this.#idleSince.set(name, since);
      if (now >= since + patience) await this.#forget(name, signal);
    }
  }

  /** Names of the draws that nothing can come of any more. */
  #idle(): Set<string> {
    const { ledger, committees, state } = this.#parts;
    const open = [ledger.openJobs(), ledger.openChallenges(), ledger.openAccusations()];
    const jobs = new Set(open.flat().map(({ jobId }) => jobId));
    const draws = new Set(committees.undismissed().map(({ jobId, attempt }) => `${jobId}:${attempt}`));
    const named = tables.map((table) => `SELECT DISTINCT draw FROM ${table}`).join(" UNION ");
    const names = state.all(named).map(({ draw }) => draw as string);
    const isIdle = (name: string) => {
      const [job, attempt] = name.split(":", 2);
      const jobId = BigInt(job!);
      // What the ledger does not know may not have been read from the chain yet.
      return !jobs.has(jobId) && !draws.has(`${job}:${attempt}`) && ledger.job(jobId) !== undefined;
    };
    return new Set(names.filter(isIdle));
  }

  /** Deletes some rows at a time, so that duties go on between them. */
  async #forget(draw: string, signal: AbortSignal): Promise<void> {
    const { state, log } = this.#parts;
    for (const table of tables) {
      const some = `SELECT rowid FROM ${table} WHERE draw = ? LIMIT ${atOnce}`;
      while (state.run(`DELETE FROM ${table} WHERE rowid IN (${some})`, draw) > 0) {
        state.all("PRAGMA incremental_vacuum");
        await immediate();
        signal.throwIfAborted();
      }
    }
    this.#idleSince.delete(draw);
    log.info({ draw }, "forgot what was signed in a draw that is over");
  }
}

import type { Hex } from "viem";
import { intervalsOf } from "../../core/attestation/statement.ts";
import type { FolderRun } from "../../training/dispute/claimed-run.ts";
import { openLeaf } from "../../training/dispute/leaves.ts";
import type { Duty } from "../jobs/duty.ts";
import { forEach } from "../jobs/each.ts";
import type { JobRecord } from "../jobs/job-record.ts";
import { OpenRuns, type OpenRunsParts } from "../jobs/open-runs.ts";
import { agreedOrUsual } from "../storage-node/agreement.ts";
import { tryCall } from "../storage-node/context.ts";
import { drawnFor } from "./drawn.ts";

/** What stands behind a leaf of the trace (`Opening`). */
export type Opening = {
  readonly stateRoot: Hex;
  readonly salt: Hex;
  readonly witnesses: readonly Hex[];
  readonly siblings: readonly Hex[];
};

/** `Phase.Opening` of `IAttestation`. */
const openingPhase = 3;
/** Bytes of a call, so that nodes pass it on and its gas stays far from a block's. */
const mostBytes = 60_000;
const wordBytes = 32;
/** Words of an opening beside its two lists: its offset, two fields, two offsets, two lengths. */
const fixedWords = 7;
/** The call itself: selector, job, offset and length of the list. */
const callBytes = 4 + 3 * wordBytes;

/** Opens the witnesses of the intervals that members of a committee have checked. */
export class WitnessOpener implements Duty {
  readonly name = "opening";
  readonly #parts: OpenRunsParts;
  readonly #runs: OpenRuns;

  constructor(parts: OpenRunsParts) {
    this.#parts = parts;
    this.#runs = new OpenRuns(parts);
  }

  async tick(signal: AbortSignal): Promise<void> {
    const { ledger, operator } = this.#parts;
    const own = ledger.openJobs().filter(({ provider, status, order }) => {
      return provider === operator && status === "Committed" && order.conditions.committeeSize !== 0;
    });
    await this.#runs.closeAllBut(new Set(own.map(({ jobId }) => jobId)));
    await forEach(own, (job) => this.#open(job, signal));
  }

  close(): Promise<void> {
    return this.#runs.closeAllBut(new Set());
  }

  async #open(job: JobRecord, signal: AbortSignal): Promise<void> {
    const { jobId } = job;
    const { value: drawn } = await agreedOrUsual(this.#parts, "how far a committee is", ({ contracts }) =>
      contracts.Committee.read.jobOf([jobId]),
    );
    if (drawn.phase !== openingPhase) return;
    await this.#runs.use(job, signal, ({ disputed }) => this.#openFrom(disputed, job, drawn));
  }

  async #openFrom(
    run: FolderRun,
    job: JobRecord,
    { attempt, opened }: { readonly attempt: number; readonly opened: number },
  ): Promise<void> {
    const { log } = this.#parts;
    const { jobId } = job;
    const intervals = await this.#drawn(job, BigInt(attempt), run);
    let first = opened;
    for (const openings of callsOf(await openingsOf(run, intervals.slice(first)))) {
      const key = `open-witnesses:${jobId}:${attempt}:${first}`;
      if (!(await tryCall(this.#parts, key, "Committee", "openWitnesses", [jobId, openings]))) return;
      first += openings.length;
    }
    log.info({ jobId, attempt, intervals: intervals.length }, "opened what the committee has checked");
  }

  /** The intervals behind the leaves of the signed root, in their order. */
  async #drawn(job: JobRecord, attempt: bigint, run: FolderRun): Promise<number[]> {
    const { deployment } = this.#parts;
    const look = ({ contracts }: Pick<OpenRunsParts, "contracts">) =>
      drawnFor({ contracts, deployment }, job, attempt, run.order);
    const { draw, signers } = (await agreedOrUsual(this.#parts, "a draw of a committee", look)).value;
    return draw.members.flatMap((_, position) =>
      ((signers >> BigInt(position)) & 1n) === 1n ? intervalsOf(draw, position) : [],
    );
  }
}

async function openingsOf(run: FolderRun, intervals: readonly number[]): Promise<Opening[]> {
  const leaves = await run.leaves();
  const openings: Opening[] = [];
  for (const interval of intervals) {
    const { stateRoot, siblings } = openLeaf(leaves, interval + 1);
    const witnesses = await run.witnesses(interval);
    openings.push({ stateRoot, salt: run.salt(interval), witnesses, siblings });
  }
  return openings;
}

/** Openings in calls that are not too long; one that is too long by itself goes alone. */
export function callsOf(openings: readonly Opening[]): Opening[][] {
  const lists: Opening[][] = [];
  let bytes = mostBytes;
  for (const opening of openings) {
    const own = wordBytes * (fixedWords + opening.witnesses.length + opening.siblings.length);
    if (bytes + own > mostBytes) {
      lists.push([]);
      bytes = callBytes;
    }
    lists.at(-1)!.push(opening);
    bytes += own;
  }
  return lists;
}

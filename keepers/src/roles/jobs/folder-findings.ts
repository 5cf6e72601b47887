import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Hex } from "viem";
import { witnessesHash } from "../../core/attestation/statement.ts";
import { decodeOrder } from "../../core/exact/decode-order.ts";
import { readTrace, readWitnesses } from "../../training/trainer/progress.ts";
import { isRunFolder, runFiles } from "../../training/trainer/run-folder.ts";
import type { JobRecord } from "./job-record.ts";
import { keptLeaves, leavesPath } from "./result.ts";

/** What a run says of an interval, from what its folder holds; nothing is computed. */
export type FolderFinding =
  | { readonly isRight: true; readonly witnessHash: Hex }
  | { readonly isRight: false };

type Committed = Pick<JobRecord, "jobId" | "training" | "result">;

/** What a leaf of a run is, held against that of the committed trace. */
const held = { unknown: 0, same: 1, other: 2 } as const;

/** What the files of a run said when they were last read. */
type Look = {
  /** Of the files: as long as it is the same, they say the same. */
  readonly stamp: string;
  /** By leaf that the run has come to. */
  readonly leaves: Promise<Uint8Array>;
  /** keccak256 of the witnesses of intervals that were asked for: the same however far the run comes. */
  readonly hashes: Map<number, Hex>;
};

/** Jobs of which what was read is kept, each a byte for each leaf. */
const mostLooks = 64;

/**
 * What the runs of jobs in a keeper's folder say of intervals of the committed traces. Reading a long run takes a second, and there
 * are as many questions at each look at a job as members have intervals: its files are read again when they have changed.
 */
export class FolderFindings {
  readonly #folder: string;
  readonly #looks = new Map<bigint, Look>();

  /** @param folder of everything that belongs to jobs */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * What the run of a job says of an interval of the committed trace.
   *
   * @param isOwn whether the committed trace is that of the run itself
   * @returns undefined when the run does not reach so far, the leaves cannot be had, or the first leaf is another one
   */
  async find(job: Committed, interval: number, isOwn: boolean): Promise<FolderFinding | undefined> {
    const { leaf, next, witnessHash } = await this.#ask(job, interval, isOwn);
    if (leaf !== held.same || next === undefined || witnessHash === undefined) return undefined;
    return next === held.same ? { isRight: true, witnessHash } : { isRight: false };
  }

  /**
   * Whether a dispute of an interval can be played from the run of a job: it was computed to the interval's end, and what comes
   * before the interval is what the committed trace has there, unless none of its leaves is here.
   *
   * @param isOwn whether the committed trace is that of the run itself
   */
  async isPlayable(job: Committed, interval: number, isOwn: boolean): Promise<boolean> {
    const { leaf, next, witnessHash } = await this.#ask(job, interval, isOwn);
    return leaf !== held.other && next !== undefined && witnessHash !== undefined;
  }

  async #ask(job: Committed, interval: number, isOwn: boolean) {
    const path = join(this.#folder, String(job.jobId), "run");
    if (job.result === undefined || !isRunFolder(path)) return {};
    const look = await this.#look(job, path, isOwn);
    const leaves = await look.leaves;
    const [leaf, next] = [leaves[interval], leaves[interval + 1]];
    if (leaf === undefined || next === undefined) return {};
    const witnessHash = look.hashes.get(interval) ?? (await hashOf(path, interval));
    if (witnessHash !== undefined) look.hashes.set(interval, witnessHash);
    return { leaf, next, witnessHash };
  }

  async #look(job: Committed, path: string, isOwn: boolean): Promise<Look> {
    const { jobId, result } = job;
    const own = join(this.#folder, String(jobId));
    const files = [join(path, runFiles.trace), join(path, runFiles.witnesses), leavesPath(own)];
    const stamp = [result!.traceRoot, isOwn, ...(await Promise.all(files.map(stampOf)))].join();
    const known = this.#looks.get(jobId);
    if (known?.stamp === stamp) return known;
    const leaves = heldLeaves(job, path, own, isOwn);
    const look = { stamp, leaves, hashes: new Map<number, Hex>() };
    // What fails once is read again.
    leaves.catch(() => this.#looks.delete(jobId));
    this.#looks.delete(jobId);
    this.#looks.set(jobId, look);
    for (const oldest of this.#looks.keys()) {
      if (this.#looks.size <= mostLooks) break;
      this.#looks.delete(oldest);
    }
    return look;
  }
}

/** Each leaf of a run, held against that of the committed trace. */
async function heldLeaves(
  { training, result }: Committed,
  path: string,
  own: string,
  isOwn: boolean,
): Promise<Uint8Array> {
  const trace = await readTrace({ path });
  const order = decodeOrder(training);
  const claimed = isOwn ? trace : await keptLeaves({ order, result: result!, folder: own });
  return Uint8Array.from(trace, ({ stateRoot }, leaf) => {
    const other = claimed?.[leaf]?.stateRoot;
    if (other === undefined) return held.unknown;
    return other === stateRoot ? held.same : held.other;
  });
}

async function hashOf(path: string, interval: number): Promise<Hex | undefined> {
  const witnesses = await readWitnesses({ path }, interval);
  return witnesses && witnessesHash(witnesses);
}

/** Changes with a file; the same as long as there is none. */
async function stampOf(path: string): Promise<string> {
  const { mtimeMs, size, ino } = await stat(path).catch(() => ({ mtimeMs: 0, size: 0, ino: 0 }));
  return `${mtimeMs}:${size}:${ino}`;
}

import { join } from "node:path";
import type { Hex } from "viem";
import { datasetLayout } from "../../core/dataset/layout.ts";
import { bundleId } from "../../core/ids.ts";
import { cellOf } from "../../core/merkle/cell.ts";
import { allBundles } from "../../storage/client/dataset.ts";
import { transportTreeOf } from "../../storage/client/roots.ts";
import type { ComputeParts, Duty, JobContext } from "../jobs/duty.ts";
import { isRunning } from "../jobs/job-record.ts";
import type { ResultStorage } from "../jobs/job-storage.ts";
import { agreedOrUsual } from "../storage-node/agreement.ts";
import type { Ledger, LedgerRetrieval } from "../storage-node/ledger.ts";
import { Publisher, type ShownCell } from "../storage-node/publisher.ts";
import { placeOfResult } from "./result-keeper.ts";

export type OwnerAnswersParts = JobContext &
  Pick<ComputeParts, "folder"> & {
    readonly storage: Pick<ResultStorage, "kept">;
    /** Retrieval challenges as far as the follower has come. */
    readonly retrievals: Pick<Ledger, "openRetrievals">;
    /** Milliseconds for which a bundle that was not found is not looked for; a minute by default. */
    readonly pause?: number;
  };

/** A bundle that is asked for, with its tree: making one anew takes hashing all of it. */
type OpenBundle = { readonly bytes: Uint8Array; readonly tree: ReturnType<typeof transportTreeOf> };

/** Where a bundle that is asked for lies. */
type Place = { readonly directory: string; readonly index: number; readonly transportRoot: Hex };

/** Bundles that are in memory at once, of up to 8 MB each. */
const mostOpen = 4;
/** Questions, by their deadlines, that are answered bundle by bundle: a minute's, of windows of hours. */
const groupedAtOnce = 256;
/** Milliseconds for which a bundle that was not found is not looked for. */
const usualPause = 60_000;

/**
 * Publishes what a provider is asked for as the owner of its results: cells of bundles that no holder owes. Whatever it does not
 * publish in time fails the job, so that what is due soonest comes first. It answers from the moment a result is anchored on.
 */
export class OwnerAnswers implements Duty {
  readonly name = "answers about results";
  readonly #parts: OwnerAnswersParts;
  readonly #publisher: Publisher;
  /** The least recently used first. */
  readonly #open = new Map<Hex, OpenBundle>();
  /** Where bundles, and other bundles of their datasets, were found. */
  readonly #places = new Map<Hex, Place>();
  readonly #folders = new Map<Hex, string>();
  /** Bundles that are not here, and when they are looked for again, in milliseconds of this process. */
  readonly #missing = new Map<Hex, number>();

  constructor(parts: OwnerAnswersParts) {
    this.#parts = parts;
    this.#publisher = new Publisher({
      ...parts,
      asked: () => this.#asked(),
      read: (retrieval) => this.#read(retrieval),
    });
  }

  async tick(signal: AbortSignal): Promise<void> {
    if ((await this.#publisher.tick(signal)) === 0) this.#open.clear();
  }

  /**
   * What is due soonest comes first, but bundle by bundle: each has to be read and hashed whole. Of bundles that were not found one
   * question each is tried last, after a pause: the account may own datasets of which it has no copy.
   */
  #asked(): LedgerRetrieval[] {
    const { retrievals, operator } = this.#parts;
    const asked = retrievals.openRetrievals(operator, true);
    const ids = new Set(asked.map(({ bundleId: id }) => id));
    for (const known of [this.#missing, this.#places])
      for (const id of known.keys()) if (!ids.has(id)) known.delete(id);
    if (asked.length === 0) this.#folders.clear();
    const here = asked.filter(({ bundleId: id }) => !this.#missing.has(id));
    const grouped: LedgerRetrieval[] = [];
    for (let first = 0; first < here.length; first += groupedAtOnce) {
      const batch = here.slice(first, first + groupedAtOnce);
      grouped.push(...[...Map.groupBy(batch, ({ bundleId: id }) => id).values()].flat());
    }
    const firsts = new Map<Hex, LedgerRetrieval>();
    for (const each of asked)
      if (this.#missing.has(each.bundleId) && !firsts.has(each.bundleId)) firsts.set(each.bundleId, each);
    const again = [...firsts].filter(([id]) => performance.now() >= this.#missing.get(id)!);
    return [...grouped, ...again.map(([, each]) => each)];
  }

  async #read({ challengeId, bundleId: id, cellIndex }: LedgerRetrieval): Promise<ShownCell | undefined> {
    // Another question about it was tried in this tick.
    if (performance.now() < (this.#missing.get(id) ?? 0)) return undefined;
    const bundle = this.#open.get(id) ?? (await this.#find(challengeId, id));
    if (bundle === undefined) {
      this.#missing.set(id, performance.now() + (this.#parts.pause ?? usualPause));
      return undefined;
    }
    this.#missing.delete(id);
    this.#open.delete(id);
    this.#open.set(id, bundle);
    const [oldest] = this.#open.keys();
    if (this.#open.size > mostOpen) this.#open.delete(oldest!);
    return { cell: cellOf(bundle.bytes, cellIndex), proof: bundle.tree.proof(cellIndex) };
  }

  /** The copy that one of this provider's jobs keeps. */
  async #find(challengeId: bigint, id: Hex): Promise<OpenBundle | undefined> {
    const { storage } = this.#parts;
    const known = this.#places.get(id);
    if (known !== undefined) {
      const bytes = await storage.kept(known.directory, known.index, known.transportRoot);
      if (bytes !== undefined) return { bytes, tree: transportTreeOf(bytes) };
    }
    const { value } = await agreedOrUsual(this.#parts, "what is asked of a result", async ({ contracts }) => {
      const asked = await contracts.RetrievalChallenges.read.challengeOf([challengeId]);
      return { ...asked, shape: (await contracts.DatasetRegistry.read.datasetOf([asked.datasetId])).shape };
    });
    const { datasetId, transportRoot, shape } = value;
    const layout = datasetLayout({ ...shape, objectCount: Number(shape.objectCount) });
    const index = allBundles(layout).find((each) => bundleId(datasetId, each) === id);
    if (index === undefined) return undefined;
    const folder = this.#folders.get(datasetId);
    for (const directory of new Set([...(folder === undefined ? [] : [folder]), ...this.#directories()])) {
      const bytes = await storage.kept(directory, index, transportRoot);
      if (bytes === undefined) continue;
      this.#folders.set(datasetId, directory);
      this.#places.set(id, { directory, index, transportRoot });
      return { bytes, tree: transportTreeOf(bytes) };
    }
    return undefined;
  }

  /** Where the results lie that this provider stands for, or is about to. */
  *#directories(): Generator<string> {
    const { ledger, operator, folder } = this.#parts;
    for (const job of ledger.jobsOfProvider(operator)) {
      if (job.provider !== operator || !isRunning(job)) continue;
      const { jobId, order } = job;
      const own = join(folder, String(jobId));
      for (let part = 0; part < Math.max(1, order.conditions.instalments); part++) {
        yield placeOfResult(own, jobId, part).directory;
      }
    }
  }
}

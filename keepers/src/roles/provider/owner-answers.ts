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
  };

/** A bundle that is asked for, with its tree: making one anew takes hashing all of it. */
type OpenBundle = { readonly bytes: Uint8Array; readonly tree: ReturnType<typeof transportTreeOf> };

/** Bundles that are in memory at once, of up to 8 MB each. */
const mostOpen = 4;

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

  constructor(parts: OwnerAnswersParts) {
    this.#parts = parts;
    const { retrievals, operator } = parts;
    this.#publisher = new Publisher({
      ...parts,
      asked: () => retrievals.openRetrievals(operator, true),
      read: (retrieval) => this.#read(retrieval),
    });
  }

  async tick(signal: AbortSignal): Promise<void> {
    if ((await this.#publisher.tick(signal)) === 0) this.#open.clear();
  }

  async #read({ challengeId, bundleId: id, cellIndex }: LedgerRetrieval): Promise<ShownCell | undefined> {
    const known = this.#open.get(id);
    const bundle = known ?? (await this.#find(challengeId, id));
    if (bundle === undefined) return undefined;
    this.#open.delete(id);
    this.#open.set(id, bundle);
    const [oldest] = this.#open.keys();
    if (this.#open.size > mostOpen) this.#open.delete(oldest!);
    return { cell: cellOf(bundle.bytes, cellIndex), proof: bundle.tree.proof(cellIndex) };
  }

  /** The copy that one of this provider's jobs keeps. */
  async #find(challengeId: bigint, id: Hex): Promise<OpenBundle | undefined> {
    const { storage } = this.#parts;
    const { value } = await agreedOrUsual(this.#parts, "what is asked of a result", async ({ contracts }) => {
      const asked = await contracts.RetrievalChallenges.read.challengeOf([challengeId]);
      return { ...asked, shape: (await contracts.DatasetRegistry.read.datasetOf([asked.datasetId])).shape };
    });
    const { datasetId, transportRoot, shape } = value;
    const layout = datasetLayout({ ...shape, objectCount: Number(shape.objectCount) });
    const index = allBundles(layout).find((each) => bundleId(datasetId, each) === id);
    if (index === undefined) return undefined;
    for (const directory of this.#directories()) {
      const bytes = await storage.kept(directory, index, transportRoot);
      if (bytes !== undefined) return { bytes, tree: transportTreeOf(bytes) };
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

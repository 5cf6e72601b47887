import type { Hex } from "viem";
import { readAnchoredRoots } from "../../storage/client/anchored-roots.ts";
import { readAnchor, readHolders } from "../../storage/client/dataset.ts";
import { type AskedCell, unservedBundle } from "../../storage/client/probe.ts";
import type { CellPlace } from "../../storage/client/stored-stream.ts";
import { isSurely } from "../storage-node/agreement.ts";
import { chainTime } from "../storage-node/context.ts";
import type { LedgerRetrieval } from "../storage-node/ledger.ts";
import type { Duty, JobContext } from "./duty.ts";
import { forEach } from "./each.ts";
import { isRunning, type JobRecord } from "./job-record.ts";
import { RetrievalChallenger } from "./retrieval-challenger.ts";

/** Questions about one result that this account has open, or has paid for: what convicts takes few. */
const mostQuestions = 32;
/** Chain seconds between two looks at what was asked for. */
const pause = 60n;

/** What is known of the questions about a result. */
type Asked = {
  /** When they are looked at again, in chain seconds. */
  readonly next: bigint;
  /** Those of this account that were open when they were last looked at. */
  readonly open: ReadonlySet<bigint>;
  /** Whether any keeps the result from being paid: what was published counts for one window more. */
  readonly isListed: boolean;
  /** How many looks have found that one had ended, and how many of them the last question knew of. */
  readonly ended: number;
  readonly seen: number;
};

export type CellQuestionsParts = JobContext & {
  /** Whether it looks after a job. */
  readonly isMeant: (jobId: bigint) => boolean;
};

/**
 * Asks on chain for cells that it takes to show what is wrong with a result, from whoever owes each: its holder, or the owner. It
 * calls the timeouts, and fetches the bonds back. What an earlier process has asked for it reads from the chain.
 */
export class CellQuestions implements Duty {
  readonly name = "questions about cells";
  readonly #parts: CellQuestionsParts;
  readonly #challenger: RetrievalChallenger;
  readonly #asked = new Map<Hex, Asked>();
  /** Results of which it is known whether an earlier process has asked for cells of them. */
  readonly #known = new Set<Hex>();

  constructor(parts: CellQuestionsParts) {
    this.#parts = parts;
    this.#challenger = new RetrievalChallenger(parts, { asksOwner: true });
  }

  /** Whether cells of a job's results were asked for by this account. */
  hasAsked(job: Pick<JobRecord, "result" | "checkpoints">): boolean {
    return resultsOf(job).some((resultId) => this.#asked.has(resultId));
  }

  /** Whether answers are waited for about a result: until one comes there is nothing new to see. */
  isWaiting(resultId: Hex): boolean {
    const asked = this.#asked.get(resultId);
    return asked !== undefined && asked.open.size > 0 && asked.ended === asked.seen;
  }

  /**
   * Whether something that was asked for of a result was answered, or has failed, and is to be looked at; and as long as it is not
   * known whether anything was asked for.
   */
  isAnswered(resultId: Hex): boolean {
    return !this.#known.has(resultId) || (this.#asked.has(resultId) && !this.isWaiting(resultId));
  }

  /** Whether what was asked for of a result keeps it from being paid: as long as that is so, it can convict. */
  isAsked(resultId: Hex): boolean {
    return this.#asked.get(resultId)?.isListed === true;
  }

  /** How often questions about a result were found to have ended: whoever looks at it now sees what they have come to. */
  endedOf(resultId: Hex): number {
    return this.#asked.get(resultId)?.ended ?? 0;
  }

  /**
   * Asks for cells that nobody has asked for yet. Says whether an answer is waited for now.
   *
   * @param seen what {@link endedOf} gave before the look that has found what to ask for
   */
  async ask(
    datasetId: Hex,
    places: readonly CellPlace[],
    { seen, signal }: { readonly seen: number; readonly signal: AbortSignal },
  ): Promise<boolean> {
    const { contracts, client, deployment } = this.#parts;
    const view = { contracts, chain: client, deployment };
    const before = await this.#challenger.askedOf(datasetId);
    const anchored = await readAnchor(view, datasetId);
    const dataset = { ...(await readAnchoredRoots(view, anchored)), owner: anchored.anchor.owner };
    const indices = [...new Set(places.map(({ bundleIndex }) => bundleIndex))];
    const holders = await readHolders(view, datasetId, indices);
    const cells: AskedCell[] = places.map(({ bundleIndex, cellIndex }) => {
      const holder = holders.find((each) => each.bundleIndex === bundleIndex)?.operator;
      return { bundle: unservedBundle(dataset, bundleIndex, holder, "it is needed"), cell: cellIndex };
    });
    const unasked = cells.filter(({ bundle, cell }) => !before.isAnswered(bundle.bundleId, cell));
    const most = Math.max(0, mostQuestions - before.bound);
    const asked = await this.#challenger.ask(unasked.slice(0, most), before, signal);
    const { open } = asked.length === 0 ? before : await this.#challenger.askedOf(datasetId);
    // Others may have asked for the same: their answer is as good.
    const isOpen = open.length > 0 || unasked.length < cells.length;
    const ended = this.endedOf(datasetId);
    if (isOpen) this.#asked.set(datasetId, { next: 0n, open: idsOf(open), isListed: true, ended, seen });
    return isOpen;
  }

  async tick(signal: AbortSignal): Promise<void> {
    await this.#recall();
    if (this.#asked.size === 0) return;
    const now = await chainTime(this.#parts.client);
    await forEach([...this.#asked], async ([datasetId, known]) => {
      if (now < known.next) return;
      const before = await this.#challenger.askedOf(datasetId);
      await this.#challenger.end(datasetId, before, signal);
      const { open } = await this.#challenger.again(before);
      const isListed = !(await this.#isUnasked(datasetId));
      // A look that was under way may have asked for more.
      if (this.#asked.get(datasetId) !== known) return;
      const ids = idsOf(open);
      const ended = known.ended + ([...known.open].some((id) => !ids.has(id)) ? 1 : 0);
      this.#asked.set(datasetId, { ...known, next: now + pause, open: ids, isListed, ended });
    });
  }

  /** Goes on with what an earlier process has asked for. */
  async #recall(): Promise<void> {
    const { ledger, operator, isMeant } = this.#parts;
    const jobs = ledger
      .openJobs()
      .filter((job) => isMeant(job.jobId) && isRunning(job) && job.provider !== operator);
    const results = new Set(jobs.flatMap(resultsOf));
    for (const resultId of this.#known) if (!results.has(resultId)) this.#known.delete(resultId);
    await forEach(results, async (resultId) => {
      if (this.#known.has(resultId)) return;
      if (!(await this.#isUnasked(resultId))) {
        const { own, open } = await this.#challenger.askedOf(resultId);
        const asked = { next: 0n, open: idsOf(open), isListed: true, ended: 0, seen: 0 };
        if (own > 0 && !this.#asked.has(resultId)) this.#asked.set(resultId, asked);
      }
      this.#known.add(resultId);
    });
  }

  #isUnasked(resultId: Hex): Promise<boolean> {
    return isSurely(this.#parts, "whether nothing is asked of a result", async ({ contracts }) => {
      return (await contracts.RetrievalChallenges.read.askedSince([resultId])) === 0n;
    });
  }
}

const idsOf = (open: readonly LedgerRetrieval[]) => new Set(open.map(({ challengeId }) => challengeId));

function resultsOf({ result, checkpoints }: Pick<JobRecord, "result" | "checkpoints">): Hex[] {
  return [...checkpoints, ...(result === undefined ? [] : [result])].map(({ resultId }) => resultId);
}

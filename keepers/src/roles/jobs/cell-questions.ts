import type { Hex } from "viem";
import { readAnchoredRoots } from "../../storage/client/anchored-roots.ts";
import { readAnchor, readHolders } from "../../storage/client/dataset.ts";
import { type AskedCell, unservedBundle } from "../../storage/client/probe.ts";
import type { CellPlace } from "../../storage/client/stored-stream.ts";
import { chainTime } from "../storage-node/context.ts";
import type { Duty, JobContext } from "./duty.ts";
import { forEach } from "./each.ts";
import type { JobRecord } from "./job-record.ts";
import { RetrievalChallenger } from "./retrieval-challenger.ts";

/** Questions about one result that this account has open, or has paid for: what convicts takes few. */
const mostQuestions = 32;
/** Chain seconds between two looks at what was asked for. */
const pause = 60n;

/**
 * Asks on chain for cells that it takes to show what is wrong with a result, from whoever owes each: its holder, or the owner. It
 * calls the timeouts, and fetches the bonds back.
 */
export class CellQuestions implements Duty {
  readonly name = "questions about cells";
  readonly #parts: JobContext;
  readonly #challenger: RetrievalChallenger;
  /** Results of which cells were asked for, when they are looked at again, and whether an answer is waited for. */
  readonly #asked = new Map<Hex, { readonly next: bigint; readonly isOpen: boolean }>();

  constructor(parts: JobContext) {
    this.#parts = parts;
    this.#challenger = new RetrievalChallenger(parts, { asksOwner: true });
  }

  /** Whether cells of a job's results are asked for by this process. */
  hasAsked({ result, checkpoints }: Pick<JobRecord, "result" | "checkpoints">): boolean {
    const results = [...checkpoints, ...(result === undefined ? [] : [result])];
    return results.some(({ resultId }) => this.#asked.has(resultId));
  }

  /** Whether an answer is waited for about a result: until then there is nothing new to see. */
  isWaiting(resultId: Hex): boolean {
    return this.#asked.get(resultId)?.isOpen === true;
  }

  /** Whether everything that was asked for of a result was answered, and is to be looked at. */
  isAnswered(resultId: Hex): boolean {
    return this.#asked.get(resultId)?.isOpen === false;
  }

  /** Asks for cells that nobody has asked for yet. Says whether an answer is waited for now. */
  async ask(datasetId: Hex, places: readonly CellPlace[], signal: AbortSignal): Promise<boolean> {
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
    // Others may have asked for the same: their answer is as good.
    const isOpen = asked.length > 0 || before.open.length > 0 || unasked.length < cells.length;
    if (isOpen) this.#asked.set(datasetId, { next: 0n, isOpen });
    else this.#asked.delete(datasetId);
    return isOpen;
  }

  async tick(signal: AbortSignal): Promise<void> {
    if (this.#asked.size === 0) return;
    const now = await chainTime(this.#parts.client);
    await forEach([...this.#asked], async ([datasetId, { next }]) => {
      if (now < next) return;
      const before = await this.#challenger.askedOf(datasetId);
      await this.#challenger.end(datasetId, before, signal);
      const { open } = await this.#challenger.again(before);
      this.#asked.set(datasetId, { next: now + pause, isOpen: open.length > 0 });
    });
  }
}

import { randomInt } from "node:crypto";
import type { Address, Hex } from "viem";
import { bundlePlace, segmentLayout } from "../../core/dataset/layout.ts";
import type { MaybeShard } from "../../core/erasure/code.ts";
import { bundleId } from "../../core/ids.ts";
import { readAnchoredRoots } from "./anchored-roots.ts";
import type { ChainView } from "./client.ts";
import {
  type CodewordFraud,
  type CommittedDataset,
  findCodewordFraud,
  firstOf,
  fraudAmong,
  restoreData,
} from "./codeword-fraud.ts";
import { forEachConcurrently } from "./concurrency.ts";
import { readAnchor, readHolders } from "./dataset.ts";
import { type BundleReader, bundleBytes, fetchBundle } from "./fetch-bundles.ts";
import { reasonOf } from "./reason.ts";
import type { BundleStash } from "./stash.ts";

/** What a probe works with: the chain, and a way to reach holders. */
export type ProbeClient = ChainView & BundleReader;

/** A bundle whose holder does not serve it, with what a retrieval challenge takes. */
export type UnservedBundle = {
  readonly datasetId: Hex;
  readonly bundleIndex: number;
  readonly bundleId: Hex;
  /** Its holder; the dataset's owner where there is none. */
  readonly operator: Address;
  /** What its holder did instead. */
  readonly reason: string;
  /** Cells of the bundle. */
  readonly cells: number;
  readonly poseidonRoot: Hex;
  readonly transportRoot: Hex;
  /** Siblings of the bundle's leaf under the dataset's root. */
  readonly proof: readonly Hex[];
};

/**
 * A segment of which fewer than k bundles were served in the time that there was; or at least k, which give other data bundles than
 * those that were anchored: of these the unserved ones are named.
 */
export type UnreadableSegment = {
  readonly segment: number;
  readonly served: number;
  /** Bundles that nobody holds. */
  readonly vacant: number;
  readonly unserved: readonly UnservedBundle[];
};

/** What a dataset's holders served when they were asked. */
export type Probe = {
  readonly datasetId: Hex;
  readonly k: number;
  readonly n: number;
  readonly segments: number;
  /** Segments of which it is known whether they can be read. */
  readonly looked: number;
  readonly unreadable: readonly UnreadableSegment[];
  /** What shows the contracts that it is wrongly encoded: nothing more is looked at then. */
  readonly fraud?: CodewordFraud;
};

export type ProbeParameters = {
  readonly datasetId: Hex;
  /** Segments that are looked at, drawn by lot where there are more; 16 by default. */
  readonly mostSegments?: number;
  /** Seconds after which nothing more is asked for; 1,800 by default. */
  readonly seconds?: number;
  /** Seconds that a holder may take beside those that its bytes take at the least pace; 60 by default. */
  readonly silence?: number;
  /** Whether bundles that nobody holds count as unserved where the others contradict them: the owner is to be asked; false by default. */
  readonly asksOwner?: boolean;
  /** Where bundles are kept that were served; they are not by default. @param bytes that k of each segment have */
  readonly keep?: (bytes: number) => Promise<BundleStash | undefined>;
  /** Told once why nothing more is kept: the own disk is full, say. The look goes on all the same. */
  readonly onNotKept?: (reason: string) => void;
  readonly signal?: AbortSignal;
};

/** Downloads under way at once; a bundle has at most 8 MB. */
const parallel = 8;
/** Least pace of a holder that serves, bytes per second. */
const leastPace = 16_000;

/**
 * Finds out whether a dataset can be had: downloads bundles of its segments until k of each are there, and checks each against
 * its anchored root, and whether they give the data bundles that were anchored: parity may be none. It takes nothing from the holders
 * but the bundles, so that none of them can keep it from being made. What was kept before counts as served.
 *
 * @throws UnknownDatasetError; the signal's reason
 */
export async function probe(
  client: ProbeClient,
  { datasetId, mostSegments = 16, seconds = 1800, silence = 60, ...given }: ProbeParameters,
): Promise<Probe> {
  const { asksOwner = false, keep, onNotKept, signal } = given;
  const anchored = await readAnchor(client, datasetId);
  const dataset = { ...(await readAnchoredRoots(client, anchored)), owner: anchored.anchor.owner };
  const { k, n, segments } = dataset.layout;
  const sizes = Array.from({ length: segments }, (_, i) => k * segmentLayout(dataset.layout, i).bundleBytes);
  const keeping = await Keeping.open(() => keep?.(sizes.reduce((sum, bytes) => sum + bytes, 0)), onNotKept);
  const until = performance.now() + seconds * 1000;
  const unreadable: UnreadableSegment[] = [];
  let looked = 0;
  for (const segment of drawn(segments, mostSegments)) {
    if (performance.now() >= until) break;
    const found = await probeSegment(client, {
      ...{ dataset, segment, until, silence, asksOwner, keeping, signal },
    });
    if (found === "unknown") break;
    looked++;
    if (found.unreadable !== undefined) unreadable.push(found.unreadable);
    if (found.fraud !== undefined)
      return { datasetId, k, n, segments, looked, unreadable, fraud: found.fraud };
  }
  return { datasetId, k, n, segments, looked, unreadable };
}

/** Keeps what is served as far as the own disk takes it: to ask on chain for what is not served does not depend on that. */
class Keeping {
  readonly #stash: BundleStash | undefined;
  readonly #onFailure: ((reason: string) => void) | undefined;
  #isOver: boolean;

  private constructor(stash: BundleStash | undefined, onFailure: ((reason: string) => void) | undefined) {
    this.#stash = stash;
    this.#onFailure = onFailure;
    this.#isOver = stash === undefined;
  }

  static async open(
    open: () => Promise<BundleStash | undefined> | undefined,
    onFailure: ((reason: string) => void) | undefined,
  ): Promise<Keeping> {
    try {
      return new Keeping(await open(), onFailure);
    } catch (error) {
      onFailure?.(reasonOf(error));
      return new Keeping(undefined, onFailure);
    }
  }

  /** A bundle that was kept before and has its root still. One that the own disk does not give is fetched again. */
  async read(bundleIndex: number, length: number, transportRoot: string): Promise<MaybeShard> {
    try {
      if ((await this.#stash?.has(bundleIndex, transportRoot)) !== true) return undefined;
      return await this.#stash!.read(bundleIndex, { start: 0, end: length });
    } catch {
      return undefined;
    }
  }

  async add(bundleIndex: number, bytes: Uint8Array): Promise<void> {
    if (this.#isOver) return;
    try {
      await this.#stash?.add(bundleIndex, bytes);
    } catch (error) {
      // Others may have failed at the same time.
      if (this.#isOver) return;
      this.#isOver = true;
      this.#onFailure?.(reasonOf(error));
    }
  }
}

/** A dataset with who answers for what nobody holds of it. */
export type OwnedDataset = CommittedDataset & { readonly owner: Address };

type SegmentParameters = {
  readonly dataset: OwnedDataset;
  readonly segment: number;
  readonly until: number;
  readonly silence: number;
  readonly asksOwner: boolean;
  readonly keeping: Keeping;
  readonly signal: AbortSignal | undefined;
};

/** What is known of a segment that was looked at. */
type SegmentFinding = { readonly unreadable?: UnreadableSegment; readonly fraud?: CodewordFraud };

async function probeSegment(
  client: ProbeClient,
  { dataset, segment, until, silence, asksOwner, keeping, signal }: SegmentParameters,
): Promise<SegmentFinding | "unknown"> {
  const { layout, manifest } = dataset;
  const { k, n } = layout;
  const length = bundleBytes(layout, segment * n);
  const limit = 1000 * (silence + Math.ceil(length / leastPace));
  const indices = Array.from({ length: n }, (_, shard) => segment * n + shard);
  const shards: MaybeShard[] = new Array(n).fill(undefined);
  const has = (shard: number) => shards[shard] !== undefined;
  let served = 0;
  for (const [shard, index] of indices.entries()) {
    if (served === k) break;
    shards[shard] = await keeping.read(index, length, manifest.bundles[index]!.transportRoot);
    if (has(shard)) served++;
  }
  const holders = await readHolders(client, dataset.datasetId, indices);
  const vacant = holders.filter(({ operator }) => operator === undefined).length;
  // In another order each time: those that use the time up do not keep the same ones from being asked.
  const asked = shuffled(holders).flatMap(({ bundleIndex, operator }) =>
    operator === undefined || has(bundleIndex % n) ? [] : [{ bundleIndex, operator }],
  );
  const unasked = new Set(asked);
  let late = 0;
  const unserved: UnservedBundle[] = [];
  const enough = new AbortController();
  /** Asks for bundles until it is enough. @param take what becomes of each that comes */
  const ask = (
    which: readonly (typeof asked)[number][],
    isEnough: () => boolean,
    take: (bundleIndex: number, bytes: Uint8Array) => Promise<void>,
  ) =>
    forEachConcurrently(which, parallel, signal, async (holder) => {
      if (isEnough()) return;
      unasked.delete(holder);
      if (performance.now() >= until) {
        late++;
        return;
      }
      const { bundleIndex, operator } = holder;
      const stops = [AbortSignal.timeout(limit), enough.signal, ...(signal === undefined ? [] : [signal])];
      let bytes: Uint8Array;
      try {
        bytes = await fetchBundle(client, {
          ...{ dataset, bundleIndex, operator },
          signal: AbortSignal.any(stops),
        });
      } catch (error) {
        signal?.throwIfAborted();
        // It was not given its time.
        if (enough.signal.aborted) return;
        unserved.push(unservedBundle(dataset, bundleIndex, operator, reasonOf(error)));
        return;
      }
      served++;
      await take(bundleIndex, bytes);
    });
  const keep = async (bundleIndex: number, bytes: Uint8Array): Promise<void> => {
    shards[bundleIndex % n] = bytes;
    await keeping.add(bundleIndex, bytes);
  };
  await ask(asked.slice(0, k - served), () => false, keep);
  if (served < k) await ask([...unasked], () => served >= k, keep);
  unserved.sort((a, b) => a.bundleIndex - b.bundleIndex);
  if (served < k) {
    // Whoever was not asked in time refused nothing; whoever was, and used the time up, has.
    if (unserved.length === 0 && served + late >= k) return "unknown";
    return { unreadable: { segment, served, vacant, unserved } };
  }
  let { wrong } = restoreData(dataset, segment, shards);
  if (wrong.length === 0) return {};
  // The others may have what is missing, or what convicts: one is held against the first k and let go of, there may be hundreds.
  const first = firstOf(shards, k);
  let fraud = await findCodewordFraud(client, dataset, segment, shards);
  const compare = async (bundleIndex: number, bytes: Uint8Array): Promise<void> => {
    if (fraud !== undefined) return;
    const found = await fraudAmong(dataset, segment, first.with(bundleIndex % n, bytes));
    fraud ??= found;
  };
  if (fraud === undefined) {
    const isWrong = ({ bundleIndex }: { readonly bundleIndex: number }) => wrong.includes(bundleIndex % n);
    await ask(
      [...unasked].filter(isWrong),
      () => false,
      async (bundleIndex, bytes) => {
        await keep(bundleIndex, bytes);
        await compare(bundleIndex, bytes);
      },
    );
    wrong = restoreData(dataset, segment, shards).wrong;
  }
  if (wrong.length === 0) return { fraud };
  await ask(
    [...unasked],
    () => fraud !== undefined,
    async (bundleIndex, bytes) => {
      await compare(bundleIndex, bytes);
      if (fraud !== undefined) enough.abort();
    },
  );
  const withheld = unserved.filter(({ bundleIndex }) => wrong.includes(bundleIndex % n));
  if (asksOwner) {
    for (const { bundleIndex, operator } of holders) {
      if (operator !== undefined || !wrong.includes(bundleIndex % n)) continue;
      withheld.push(unservedBundle(dataset, bundleIndex, undefined, "nobody holds it"));
    }
  }
  if (fraud === undefined && withheld.length === 0 && late > 0) return "unknown";
  withheld.sort((a, b) => a.bundleIndex - b.bundleIndex);
  return { fraud, unreadable: { segment, served, vacant, unserved: withheld } };
}

/**
 * What a retrieval challenge takes of a bundle.
 *
 * @param operator its holder; the owner is asked where there is none
 */
export function unservedBundle(
  { datasetId, owner, layout, manifest, tree }: OwnedDataset,
  bundleIndex: number,
  operator: Address | undefined,
  reason: string,
): UnservedBundle {
  const { poseidonRoot, transportRoot } = manifest.bundles[bundleIndex]!;
  return {
    ...{ datasetId, bundleIndex, bundleId: bundleId(datasetId, bundleIndex), reason },
    operator: operator ?? owner,
    cells: segmentLayout(layout, bundlePlace(layout, bundleIndex).segment).cells,
    poseidonRoot: poseidonRoot as Hex,
    transportRoot: transportRoot as Hex,
    proof: tree.proof(bundleIndex),
  };
}

/** `most` of the numbers below `count`, each equally likely, in random order. */
function drawn(count: number, most: number): number[] {
  return shuffled(Array.from({ length: count }, (_, i) => i)).slice(0, most);
}

/** Cells of what is asked for whole at most: more would cost a fortune. */
const mostWhole = 65_536;

/** A cell to ask for on chain. */
export type AskedCell = { readonly bundle: UnservedBundle; readonly cell: number };

export type CellsToAskParameters = {
  /** Cells that bonds are there for. */
  readonly most: number;
  /** Whether a cell is asked for at present, or was published: it is not asked for again. */
  readonly isAnswered: (bundleId: Hex, cell: number) => boolean;
  /** Whether a cell of a bundle is asked for at present: in doubt that is enough; of none by default. */
  readonly isOpen?: (bundleId: Hex) => boolean;
};

/**
 * Cells to ask for, so that a dataset is served or is short of holders: all cells of as many bundles as a segment lacks, where
 * there are bonds for that, since then the chain has it whole. Otherwise a cell, drawn by lot, of n − k + 1 bundles of each segment:
 * whoever does not publish it is put out, and fewer than k of n are held.
 */
export function cellsToAsk(
  { k, n, unreadable }: Pick<Probe, "k" | "n" | "unreadable">,
  { most, isAnswered, isOpen = () => false }: CellsToAskParameters,
): AskedCell[] {
  const enough = unreadable.map(({ served, unserved }) =>
    // Those that are asked already first: no more of them are to be asked than it takes.
    shuffled(unserved)
      .sort((a, b) => Number(isOpen(b.bundleId)) - Number(isOpen(a.bundleId)))
      .slice(0, Math.max(k - served, n - k + 1)),
  );
  const left = (bundle: UnservedBundle) =>
    Array.from({ length: bundle.cells }, (_, cell) => ({ bundle, cell })).filter(
      ({ cell }) => !isAnswered(bundle.bundleId, cell),
    );
  const cells = enough.flat().reduce((sum, bundle) => sum + bundle.cells, 0);
  const whole = cells <= mostWhole ? enough.flat().flatMap(left) : undefined;
  if (whole !== undefined && whole.length <= most) return whole;
  const least = enough.flatMap((bundles) =>
    bundles.slice(0, n - k + 1).filter((bundle) => !isOpen(bundle.bundleId)),
  );
  return least
    .flatMap((bundle) => {
      const cells = left(bundle);
      if (cells.length === 0) return [];
      const last = cells.at(-1)!;
      return [last.cell === bundle.cells - 1 ? last : cells[randomInt(cells.length)]!];
    })
    .slice(0, most);
}

function shuffled<T>(items: readonly T[]): T[] {
  const mixed = [...items];
  for (let i = mixed.length - 1; i > 0; i--) {
    const j = randomInt(i + 1);
    [mixed[i], mixed[j]] = [mixed[j]!, mixed[i]!];
  }
  return mixed;
}

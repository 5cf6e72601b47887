import { type Address, getAddress, type Hex, hexToBytes } from "viem";
import { addressOf } from "../../chain/contracts.ts";
import { bundlePlace, type DatasetLayout } from "../../core/dataset/layout.ts";
import type { Manifest } from "../../core/dataset/manifest.ts";
import { TransportError } from "../transport/errors.ts";
import { CandidatePool, operatorOrder } from "./assign.ts";
import { placementSeed, type StorageOperator, storageOperators } from "./candidates.ts";
import type { StorageClient } from "./client.ts";
import { forEachConcurrently } from "./concurrency.ts";
import { bundleBytes } from "./fetch-bundles.ts";
import type { OnProgress } from "./progress.ts";
import { reasonOf } from "./reason.ts";
import { latestEndFor, type OfferedTerms } from "./terms.ts";
import { type KeptReceipt, uploadBundle } from "./upload.ts";
import { StalledError, UploadTime, unlessStalled } from "./upload-time.ts";

type UploadFact = "seed" | "seedSource" | "stalled";

/** What an upload remembers, so that one that was interrupted goes on where it stopped. */
export type UploadMemory = {
  /** The seed of the draw of operators, where it came from, and the operators that stalled. */
  fact(name: UploadFact): string | undefined;
  remember(name: UploadFact, value: string): void | Promise<void>;
  keepReceipt(receipt: KeptReceipt): void | Promise<void>;
  /** Reads a bundle that is to be sent. */
  readBundle(bundleIndex: number): Promise<Uint8Array>;
};

/** What an upload needs of a client: nothing is signed, nothing sent to the chain. */
export type UploadingClient = Pick<StorageClient, "contracts" | "deployment" | "peers"> & {
  readonly chain: { readonly public: Pick<StorageClient["chain"]["public"], "getBlock"> };
};

export type UploadAllParameters = {
  memory: UploadMemory;
  datasetId: Hex;
  owner: Address;
  manifest: Manifest;
  manifestBytes: Uint8Array;
  manifestCid: string;
  /** What the dataset will be anchored under; undefined when it is. */
  terms: OfferedTerms | undefined;
  layout: DatasetLayout;
  /** Bundles that need an operator. */
  bundles: readonly number[];
  /** Operators that hold a bundle on chain, by bundle: they get no second one of the segment. */
  holders: ReadonlyMap<number, Address>;
  /** Operators that have only signed for one, by bundle: nor do these, and their stake is not locked yet. */
  promised?: ReadonlyMap<number, Address>;
  /** Operators not to be asked. */
  except?: ReadonlySet<Address>;
  /** Uploads under way at once. */
  parallel?: number;
  /** The time that there is; by default that of these bundles, from now on. */
  time?: UploadTime;
  signal?: AbortSignal;
  onProgress?: OnProgress;
};

/** An operator that was asked and did not take the bundle. */
export type UploadFailure = { bundleIndex: number; operator: Address; reason: string };

export type UploadedAll = {
  /** Where the order of operators comes from. */
  seedSource: string;
  failures: UploadFailure[];
  /** Bundles for which no operator, or no time, was left. */
  unplaced: number[];
};

/**
 * Seconds. A receipt must outlive the other uploads and the anchoring; the registry takes none that is good for over a
 * day. The whole day is used: an operator that gave a bundle of the segment up can only take one with a receipt that
 * expires later than a day after it left.
 */
const receiptTerm = 24n * 3600n;
const defaultParallel = 6;
/**
 * Share of the time that an operator may take for a bundle after which even a refusal has cost time. Nobody is asked who
 * would have less: it could not but stall.
 */
const mostForRefusal = 1 / 8;

/**
 * Brings bundles to operators drawn by stake, several at a time. An operator that refuses, fails or stalls is replaced by
 * the next of the draw; every receipt is checked and kept before anything else happens. Where every segment has half of its
 * parity beside the k bundles that it takes, the rest has no longer than one slow operator would need for it.
 */
export async function uploadAll(
  client: UploadingClient,
  parameters: UploadAllParameters,
): Promise<UploadedAll> {
  const { memory, bundles, layout, signal, onProgress, parallel = defaultParallel } = parameters;
  const { seed, source } = await drawSeed(client, memory);
  const pool = await createPool(client, parameters, seed);
  const validUntil = (await client.chain.public.getBlock({ blockTag: "latest" })).timestamp + receiptTerm;
  const latestEnd = await askedEnd(client, parameters);
  const bytesOf = (some: readonly number[]) =>
    some.reduce((sum, bundleIndex) => sum + bundleBytes(layout, bundleIndex), 0);
  const time = parameters.time ?? new UploadTime(bytesOf(bundles));
  const missing = new Set(bundles);
  const counts = heldIn(parameters);
  let until = time.until;
  const hurry = () => {
    if (counts.every((count) => count >= enoughOf(layout)))
      until = Math.min(until, performance.now() + time.of(bytesOf([...missing])));
  };
  hurry();
  const failures: UploadFailure[] = [];
  const unplaced: number[] = [];
  const informed = new Set<Address>();
  let stored = layout.bundles - bundles.length;
  onProgress?.({ stage: "upload", done: stored, total: layout.bundles, unit: "bundles" });
  await forEachConcurrently(bundles, parallel, signal, async (bundleIndex) => {
    const { segment } = bundlePlace(layout, bundleIndex);
    const enough = time.of(bundleBytes(layout, bundleIndex));
    for (;;) {
      const isTimeLeft = until - performance.now() > enough * mostForRefusal;
      const operator = isTimeLeft ? pool.next(segment) : undefined;
      if (operator === undefined) {
        unplaced.push(bundleIndex);
        return;
      }
      let receipt: KeptReceipt;
      const begun = performance.now();
      try {
        const given = { bundleIndex, operator, validUntil, latestEnd, informed };
        const most = Math.min(enough, until - begun);
        receipt = await unlessStalled((stop) => offerTo(client, parameters, given, stop), most, signal);
      } catch (error) {
        signal?.throwIfAborted();
        // What cannot be read here is not the operator's fault, and no other one could take it.
        if (error instanceof UnreadableBundle) throw error.cause;
        failures.push({ bundleIndex, operator, reason: reasonOf(error) });
        // What one operator refuses for one bundle it would mostly refuse for the next one, too.
        pool.exclude(operator);
        const isLate = performance.now() - begun > enough * mostForRefusal;
        if (isLate || isSlow(error)) await rememberStalled(memory, operator);
        continue;
      }
      await memory.keepReceipt(receipt);
      stored++;
      missing.delete(bundleIndex);
      counts[segment]!++;
      hurry();
      onProgress?.({ stage: "upload", done: stored, total: layout.bundles, unit: "bundles" });
      return;
    }
  });
  return { seedSource: source, failures, unplaced: unplaced.sort((a, b) => a - b) };
}

/** Bundles of a segment that are worth no long wait for more: some can be lost, and it can be read still. */
function enoughOf({ k, n }: DatasetLayout): number {
  return k + Math.ceil((n - k) / 2);
}

/** Bundles with a holder, or with the promise of one, by segment. */
function heldIn({ layout, holders, promised }: UploadAllParameters): number[] {
  const counts = new Array<number>(layout.segments).fill(0);
  for (const bundleIndex of new Set([...holders.keys(), ...(promised?.keys() ?? [])]))
    counts[bundlePlace(layout, bundleIndex).segment]!++;
  return counts;
}

/** Whether what an operator did costs time by itself, where a refusal that comes soon costs none. */
function isSlow(error: unknown): boolean {
  return error instanceof StalledError || error instanceof TransportError;
}

function stalledBefore(memory: UploadMemory): Set<string> {
  return new Set((memory.fact("stalled") ?? "").split(",").filter((operator) => operator !== ""));
}

/** Whoever goes on with this upload asks it last: the order stays the same otherwise, and so would the time that it costs. */
async function rememberStalled(memory: UploadMemory, operator: Address): Promise<void> {
  await memory.remember("stalled", [...stalledBefore(memory).add(operator.toLowerCase())].join(","));
}

/** Tells what goes wrong on this side from what an operator does. */
class UnreadableBundle extends Error {}

async function offerTo(
  client: UploadingClient,
  parameters: UploadAllParameters,
  given: {
    bundleIndex: number;
    operator: Address;
    validUntil: bigint;
    latestEnd: number;
    informed: Set<Address>;
  },
  signal: AbortSignal,
) {
  const { memory, datasetId, manifest, manifestBytes, manifestCid } = parameters;
  const { bundleIndex, operator, validUntil, latestEnd, informed } = given;
  const { poseidonRoot, transportRoot } = manifest.bundles[bundleIndex]!;
  const segment = BigInt(Math.floor(bundleIndex / manifest.n));
  const floor = await client.contracts.BundleRegistry.read.receiptFloorOf([datasetId, segment, operator]);
  // Who has just given up or lost a bundle of the segment is not the one to ask again.
  if (floor > validUntil - receiptTerm) throw new Error("it left this segment less than a day ago");
  const shards = await client.peers.connect(operator, signal);
  const receipt = await uploadBundle(shards, {
    datasetId,
    owner: parameters.owner,
    manifestCid,
    terms: parameters.terms,
    // An operator needs the manifest once.
    manifest: informed.has(operator) ? undefined : manifestBytes,
    bundleIndex,
    poseidonRoot: poseidonRoot as Hex,
    transportRoot: transportRoot as Hex,
    operator,
    validUntil,
    latestEnd,
    domain: {
      chainId: client.deployment.chainId,
      bundleRegistry: addressOf(client.deployment, "BundleRegistry"),
    },
    read: () =>
      memory.readBundle(bundleIndex).catch((cause: unknown) => {
        throw new UnreadableBundle("a bundle could not be read", { cause });
      }),
    signal,
  });
  informed.add(operator);
  return receipt;
}

/** The epoch before which duties shall end: late enough for when the dataset will be anchored, or for what is paid already. */
async function askedEnd(
  { contracts }: UploadingClient,
  { terms, datasetId }: UploadAllParameters,
): Promise<number> {
  const registry = contracts.DatasetRegistry.read;
  if (terms === undefined) return (await registry.termsOf([datasetId]))[1];
  const [epoch, epochLength] = await Promise.all([registry.currentEpoch(), registry.epochLength()]);
  return latestEndFor(terms.epochs, epoch, epochLength, receiptTerm);
}

/** The seed of this upload: drawn once, so that an upload that goes on asks operators in the same order. */
async function drawSeed(
  client: UploadingClient,
  memory: UploadMemory,
): Promise<{ seed: Hex; source: string }> {
  const known = memory.fact("seed");
  if (known !== undefined) return { seed: known as Hex, source: memory.fact("seedSource") ?? "" };
  const drawn = await placementSeed(client.contracts, client.chain.public);
  await memory.remember("seedSource", drawn.source);
  await memory.remember("seed", drawn.seed);
  return drawn;
}

async function createPool(
  client: UploadingClient,
  parameters: UploadAllParameters,
  seed: Hex,
): Promise<CandidatePool> {
  const { layout, datasetId, holders, promised, except } = parameters;
  const { bundleStake } = await client.contracts.DatasetRegistry.read.parameters();
  const operators: StorageOperator[] = await storageOperators(
    client.contracts,
    addressOf(client.deployment, "BundleRegistry"),
    bundleStake,
  );
  const asked = operators.filter(({ operator }) => except?.has(getAddress(operator)) !== true);
  const stalled = stalledBefore(parameters.memory);
  const orders = Array.from({ length: layout.segments }, (_, segment) => {
    const order = operatorOrder(asked, hexToBytes(seed), hexToBytes(datasetId), segment);
    const isQuick = (operator: Address) => !stalled.has(operator.toLowerCase());
    return [...order.filter(isQuick), ...order.filter((operator) => !isQuick(operator))];
  });
  const pool = new CandidatePool(orders, new Map(asked.map(({ operator, places }) => [operator, places])));
  for (const [bundleIndex, operator] of holders)
    pool.hold(bundlePlace(layout, bundleIndex).segment, operator);
  for (const [bundleIndex, operator] of promised ?? [])
    pool.take(bundlePlace(layout, bundleIndex).segment, operator);
  return pool;
}

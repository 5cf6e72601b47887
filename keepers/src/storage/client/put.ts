import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Address, bytesToHex, type Hex, keccak256, toBytes } from "viem";
import { canonicalJson } from "../../core/dataset/canonical-json.ts";
import { bundlePlace, type DatasetLayout } from "../../core/dataset/layout.ts";
import {
  type Manifest,
  manifestCid,
  manifestDigest,
  manifestLayout,
  parseManifest,
} from "../../core/dataset/manifest.ts";
import { assertNewPath } from "../../core/dataset/names.ts";
import type { DatasetSource } from "../readers/source.ts";
import { anchorDataset, datasetStatus } from "./anchor.ts";
import type { StorageWriter } from "./client.ts";
import { allBundles, readHolders } from "./dataset.ts";
import { TooFewHoldersError } from "./errors.ts";
import { type BundleFailure, bundleBytes } from "./fetch-bundles.ts";
import { placeReceipts } from "./place.ts";
import type { OnProgress } from "./progress.ts";
import { PutJournal } from "./put-journal.ts";
import { type UploadAllParameters, type UploadFailure, uploadAll } from "./put-upload.ts";
import { readBack } from "./read-back.ts";
import { manifestTree } from "./roots.ts";
import { type CommitBundle, removeStaged, stageDataset } from "./stage.ts";
import { nameStandbys } from "./standbys.ts";
import {
  manifestHashes,
  type OfferedTerms,
  offeredId,
  offeredTerms,
  readTerms,
  writeTerms,
} from "./terms.ts";
import { type UploadLimits, UploadTime } from "./upload-time.ts";

export type PutParameters = {
  source: DatasetSource;
  /** Says which data this is: a put with the same identity and options goes on where an earlier one stopped. */
  identity: string;
  /** Folder for uploads that are under way; each gets one of its own below it. */
  directory: string;
  commit: CommitBundle;
  /** Name of the dataset; the source's by default. */
  name?: string;
  licence?: string;
  description?: string;
  /** Data and all bundles of a segment; 8 and 11 by default. */
  k?: number;
  n?: number;
  segmentObjects?: number;
  /** X25519 public keys of those who may read it; left out, everybody may. */
  recipients?: readonly Uint8Array[];
  /** Token base units for each bundle and answered audit. */
  feePerAudit: bigint;
  /** Epochs paid in advance. */
  epochs: number;
  /** Dataset of the same owner that this one follows. */
  previous?: Hex;
  /**
   * Keeps the staged bundles when all have holders: the same put again then brings what was given up since to other operators.
   * Nothing is read back then. Whoever keeps them removes the directory when they are wanted no more.
   */
  keep?: boolean;
  /** Uploads under way at once. */
  parallel?: number;
  /** How long operators may take; see there for what they have by default. */
  limits?: UploadLimits;
  signal?: AbortSignal;
  onProgress?: OnProgress;
};

export type PutResult = {
  datasetId: Hex;
  name: string;
  manifestHash: Hex;
  manifestCid: string;
  objectCount: number;
  objectSize: number;
  k: number;
  n: number;
  segments: number;
  encrypted: boolean;
  /** Where the order came from in which operators were asked. */
  seedSource: string;
  /** What this run paid, token base units; 0 when an earlier one had anchored the dataset. */
  bond: bigint;
  fees: bigint;
  transactions: Hex[];
  /** Who holds which bundle on chain now. */
  placed: { bundleIndex: number; operator: Address }[];
  /** Bundles without a holder: run the same put again when more operators are there. */
  notPlaced: { bundleIndex: number; reason: string }[];
  /** What operators refused or failed at in this run, also where another one took their place. */
  failures: UploadFailure[];
  /** Bundles whose holder, the one that signed here or another one, did not give them back just now. */
  unread: BundleFailure[];
  /** Whether every bundle has a holder that has given it back: only then is the staged copy removed. */
  complete: boolean;
};

/** Rounds of upload and placing: an operator whose receipt the chain refuses is replaced in the next one. */
const placingRounds = 3;

/**
 * Stores a dataset: encodes it, brings its bundles to distinct operators, anchors it, and brings their receipts on
 * chain. Each step is on disk before the next one begins, so that a put that was killed goes on where it stopped, and
 * nothing is paid twice. Too few operators are no failure as long as each segment can be restored: the result says
 * which bundles have none. Nor do operators that stall hold it up for longer than its limits: each is replaced, and what was
 * brought to others by then is kept.
 * @throws BadInputError, UnreadableFileError for the source; StagingError; TooFewHoldersError, InsufficientFundsError
 * before anything is paid; TransactionFailedError; PutInProgressError
 */
export async function put(client: StorageWriter, parameters: PutParameters): Promise<PutResult> {
  const journal = PutJournal.open(join(parameters.directory, jobName(client, parameters)));
  try {
    const manifestBytes = await stagedManifest(journal, parameters);
    const terms = await agreedTerms(client, parameters, journal, manifestBytes);
    return await new Put(client, parameters, journal, manifestBytes, terms).run();
  } finally {
    journal.close();
  }
}

/** Name of the folder of an upload: the same for the same data, options, owner and network. */
function jobName({ account, deployment }: StorageWriter, parameters: PutParameters): string {
  const { identity, name, licence, description, k, n, segmentObjects, recipients, previous } = parameters;
  const job = {
    identity,
    name,
    licence,
    description,
    k,
    n,
    segmentObjects,
    previous,
    recipients: recipients?.map((key) => bytesToHex(key)) ?? null,
    owner: account.address,
    chainId: deployment.chainId,
    registry: deployment.addresses.DatasetRegistry,
  };
  const given = Object.fromEntries(Object.entries(job).filter(([, value]) => value !== undefined));
  return keccak256(toBytes(canonicalJson(given as Parameters<typeof canonicalJson>[0]))).slice(2, 34);
}

async function stagedManifest(journal: PutJournal, parameters: PutParameters): Promise<Uint8Array> {
  if (journal.fact("manifestHash") !== undefined) return readFile(journal.manifestPath);
  const {
    source,
    name = source.name,
    licence = source.licence,
    description = source.description,
  } = parameters;
  assertNewPath(name);
  const { k = 8, n = 11 } = parameters;
  const bytes = await stageDataset(journal, { ...parameters, name, licence, description, k, n });
  journal.remember("manifestHash", keccak256(bytes));
  return bytes;
}

/**
 * Terms under which operators are asked to sign: those of an earlier run once it has begun to anchor, else those of this
 * run. Receipts for other terms are for another dataset.
 */
async function agreedTerms(
  client: StorageWriter,
  { feePerAudit, epochs, previous }: PutParameters,
  journal: PutJournal,
  manifestBytes: Uint8Array,
): Promise<OfferedTerms> {
  const kept = journal.fact("terms");
  if (kept !== undefined) {
    const earlier = readTerms(JSON.parse(kept));
    if (journal.fact("anchorCall") !== undefined) return earlier;
    const manifest = parseManifest(manifestBytes);
    const hashes = manifestHashes(manifest, manifestBytes);
    const id = offeredId(client.deployment, client.account.address, manifest, hashes, earlier);
    const [status] = await client.contracts.DatasetRegistry.read.termsOf([id]);
    if (status !== datasetStatus.none) return earlier;
  }
  const terms = await offeredTerms(client.contracts, { feePerAudit, epochs, previous });
  const text = JSON.stringify(writeTerms(terms));
  if (text !== kept) {
    for (const { bundleIndex } of journal.receipts()) journal.dropReceipt(bundleIndex);
    journal.remember("terms", text);
  }
  return terms;
}

/** One upload whose manifest and terms are known. */
class Put {
  readonly #client: StorageWriter;
  readonly #parameters: PutParameters;
  readonly #journal: PutJournal;
  readonly #manifestBytes: Uint8Array;
  readonly #manifest: Manifest;
  readonly #layout: DatasetLayout;
  readonly #manifestHash: Hex;
  readonly #terms: OfferedTerms;
  readonly #datasetId: Hex;
  readonly #failures: UploadFailure[] = [];
  readonly #transactions: Hex[] = [];
  readonly #time: UploadTime;

  constructor(
    client: StorageWriter,
    parameters: PutParameters,
    journal: PutJournal,
    manifestBytes: Uint8Array,
    terms: OfferedTerms,
  ) {
    this.#client = client;
    this.#parameters = parameters;
    this.#journal = journal;
    this.#manifestBytes = manifestBytes;
    this.#manifest = parseManifest(manifestBytes);
    this.#layout = manifestLayout(this.#manifest);
    const hashes = manifestHashes(this.#manifest, manifestBytes);
    this.#manifestHash = hashes.hash;
    this.#terms = terms;
    const owner = client.account.address;
    this.#datasetId = offeredId(client.deployment, owner, this.#manifest, hashes, terms);
    const bytes = allBundles(this.#layout).reduce((sum, each) => sum + bundleBytes(this.#layout, each), 0);
    this.#time = new UploadTime(bytes, parameters.limits);
  }

  async run(): Promise<PutResult> {
    const { signal, onProgress, keep = false } = this.#parameters;
    const placed = this.#journal.fact("finished") !== undefined;
    const finished = placed && !keep;
    let { holders, lost } = await this.#holders();
    // The receipts of holders that have left since are worth nothing any more.
    for (const bundleIndex of lost) this.#journal.dropReceipt(bundleIndex);
    let paid = { bond: 0n, fees: 0n };
    const excluded = new Set<Address>();
    const reasons = new Map<number, string>();
    for (
      let round = 0;
      round < placingRounds && holders.size + lost.size < this.#layout.bundles && !finished;
      round++
    ) {
      signal?.throwIfAborted();
      await this.#upload(holders, excluded, lost);
      if (round === 0) {
        // What stands on chain already is paid for, and bundles of it can be lost.
        if (lost.size === 0) this.#requireEnough(holders);
        paid = await this.#anchor();
      }
      const receipts = this.#journal
        .receipts()
        .filter(({ bundleIndex }) => !holders.has(bundleIndex) && !lost.has(bundleIndex));
      if (receipts.length === 0) break;
      const before = holders.size;
      const { rejected, transactions } = await placeReceipts(this.#client, {
        datasetId: this.#datasetId,
        manifest: this.#manifest,
        tree: manifestTree(this.#manifest),
        receipts,
        signal,
        onProgress: (done) =>
          onProgress?.({ stage: "place", done: before + done, total: this.#layout.bundles, unit: "bundles" }),
      });
      this.#transactions.push(...transactions);
      for (const { bundleIndex, operator, reason, fault } of rejected) {
        if (fault !== "elsewhere") this.#journal.dropReceipt(bundleIndex);
        if (fault === "operator") excluded.add(operator);
        reasons.set(bundleIndex, `${operator}: ${reason}`);
        this.#failures.push({ bundleIndex, operator, reason });
      }
      ({ holders, lost } = await this.#holders());
      // What other receipts would be refused for as well is not asked for again.
      if (rejected.every(({ fault }) => fault === "elsewhere")) break;
    }
    if (!finished) await this.#bringAnew(holders, lost, reasons);
    // Where the staged copy stays, nothing is lost by a holder that gives nothing back: retrieval challenges are for those.
    const unread = placed || keep ? [] : await this.#readBack(holders);
    if (holders.size === this.#layout.bundles && unread.length === 0 && !placed) {
      this.#journal.remember("finished", "yes");
      if (!keep) await removeStaged(this.#journal);
    }
    return this.#result(holders, paid, reasons, unread);
  }

  /**
   * Bundles whose holder does not give them back. That the chain names a holder says that one signed: the staged copy is the
   * last one until it has been seen that others have the bytes.
   */
  #readBack(holders: ReadonlyMap<number, Address>): Promise<BundleFailure[]> {
    const { signal, onProgress } = this.#parameters;
    return readBack(this.#client, {
      datasetId: this.#datasetId,
      manifest: this.#manifest,
      layout: this.#layout,
      holders,
      signal,
      onProgress: (done) => onProgress?.({ stage: "check", done, total: holders.size, unit: "bundles" }),
    });
  }

  /** Bundles that have a holder on chain, and those that had one. */
  async #holders(): Promise<{ holders: Map<number, Address>; lost: Set<number> }> {
    const all = await readHolders(this.#client, this.#datasetId, allBundles(this.#layout));
    const holders = new Map<number, Address>();
    const lost = new Set<number>();
    for (const { bundleIndex, operator, wasHeld } of all) {
      if (operator !== undefined) holders.set(bundleIndex, operator);
      else if (wasHeld) lost.add(bundleIndex);
    }
    return { holders, lost };
  }

  /**
   * Brings bundles that lost their holder to others. No receipt places them: each operator takes its bundle over by itself, with a
   * proof under the next seed, and comes before all others. One that has a bundle already says so at once when it is asked again.
   */
  async #bringAnew(
    holders: ReadonlyMap<number, Address>,
    lost: ReadonlySet<number>,
    reasons: Map<number, string>,
  ): Promise<void> {
    if (lost.size === 0) return;
    await this.#send([...lost], { holders, terms: undefined });
    const brought = this.#journal.receipts().filter(({ bundleIndex }) => lost.has(bundleIndex));
    const operators = brought.map(({ operator }) => operator);
    const named = await nameStandbys(this.#client, this.#datasetId, operators);
    if (named !== undefined) this.#transactions.push(named);
    for (const { bundleIndex, operator } of brought) {
      reasons.set(bundleIndex, `${operator} has it, and takes it over once it can prove that`);
    }
  }

  /** Brings every bundle that never had a holder, and has no receipt that is still good, to an operator. */
  async #upload(
    holders: ReadonlyMap<number, Address>,
    except: ReadonlySet<Address>,
    lost: ReadonlySet<number>,
  ): Promise<void> {
    const promised = new Map<number, Address>();
    const { timestamp } = await this.#client.chain.public.getBlock({ blockTag: "latest" });
    for (const { bundleIndex, operator, validUntil } of this.#journal.receipts()) {
      if (holders.has(bundleIndex) || lost.has(bundleIndex)) continue;
      // One that runs out while others are being gathered would be worth nothing.
      if (validUntil > timestamp + 600n) promised.set(bundleIndex, operator);
      else this.#journal.dropReceipt(bundleIndex);
    }
    const bundles = allBundles(this.#layout).filter(
      (bundleIndex) => !holders.has(bundleIndex) && !promised.has(bundleIndex) && !lost.has(bundleIndex),
    );
    if (bundles.length === 0) return;
    await this.#send(bundles, { holders, promised, except, terms: this.#terms });
  }

  /** Sends staged bundles to operators. */
  async #send(
    bundles: readonly number[],
    to: Pick<UploadAllParameters, "holders" | "promised" | "except" | "terms">,
  ): Promise<void> {
    const { signal, onProgress, parallel } = this.#parameters;
    const { failures } = await uploadAll(this.#client, {
      memory: this.#journal,
      datasetId: this.#datasetId,
      owner: this.#client.account.address,
      manifest: this.#manifest,
      manifestBytes: this.#manifestBytes,
      manifestCid: manifestCid(manifestDigest(this.#manifestBytes)),
      layout: this.#layout,
      bundles,
      ...to,
      parallel,
      time: this.#time,
      signal,
      onProgress,
    });
    this.#failures.push(...failures);
  }

  /** Nothing is paid for a dataset that could not be restored. @throws TooFewHoldersError */
  #requireEnough(holders: ReadonlyMap<number, Address>): void {
    const stored = new Array<number>(this.#layout.segments).fill(0);
    const known = new Set([
      ...holders.keys(),
      ...this.#journal.receipts().map(({ bundleIndex }) => bundleIndex),
    ]);
    for (const bundleIndex of known) stored[bundlePlace(this.#layout, bundleIndex).segment]!++;
    const segment = stored.findIndex((count) => count < this.#layout.k);
    if (segment < 0) return;
    const seconds = this.#time.isOver ? this.#time.passed : undefined;
    throw new TooFewHoldersError(segment, stored[segment]!, this.#layout.k, this.#failures, seconds);
  }

  async #anchor(): Promise<{ bond: bigint; fees: bigint }> {
    const { onProgress } = this.#parameters;
    onProgress?.({ stage: "anchor", done: 0, total: 1, unit: "transactions" });
    const anchored = await anchorDataset(this.#client, this.#journal, {
      datasetId: this.#datasetId,
      manifest: this.#manifest,
      manifestHash: this.#manifestHash,
      manifestDigest: bytesToHex(manifestDigest(this.#manifestBytes)),
      terms: this.#terms,
    });
    if (anchored.transaction !== undefined) {
      this.#journal.remember("anchorTransaction", anchored.transaction);
      this.#transactions.push(anchored.transaction);
    }
    onProgress?.({ stage: "anchor", done: 1, total: 1, unit: "transactions" });
    return anchored;
  }

  #result(
    holders: ReadonlyMap<number, Address>,
    { bond, fees }: { bond: bigint; fees: bigint },
    reasons: ReadonlyMap<number, string>,
    unread: BundleFailure[],
  ): PutResult {
    const { name, objectCount, objectSize, k, n, encryption } = this.#manifest;
    const missing = allBundles(this.#layout).filter((bundleIndex) => !holders.has(bundleIndex));
    return {
      datasetId: this.#datasetId,
      name,
      manifestHash: this.#manifestHash,
      manifestCid: manifestCid(manifestDigest(this.#manifestBytes)),
      objectCount,
      objectSize,
      k,
      n,
      segments: this.#layout.segments,
      encrypted: encryption !== null,
      seedSource: this.#journal.fact("seedSource") ?? "",
      bond,
      fees,
      transactions: this.#transactions,
      placed: [...holders].map(([bundleIndex, operator]) => ({ bundleIndex, operator })),
      notPlaced: missing.map((bundleIndex) => ({
        bundleIndex,
        reason: reasons.get(bundleIndex) ?? "no operator was left that could take it",
      })),
      failures: this.#failures,
      unread,
      complete: missing.length === 0 && unread.length === 0,
    };
  }
}

import { bytesToHex, type Hex, hexToBytes } from "viem";
import { decodeHashList, planHashRead } from "../../core/dataset/decode.ts";
import { DecryptionError } from "../../core/dataset/encryption.ts";
import type { DatasetLayout } from "../../core/dataset/layout.ts";
import { ObjectHashes } from "../../core/dataset/object-hashes.ts";
import { ErasureCode } from "../../core/erasure/code.ts";
import { checkProofs, type ProofReport, type ProofSource } from "./check-proofs.ts";
import type { StorageClient } from "./client.ts";
import { type CodewordFraud, fraudAmong, fraudOnChain, restoreData } from "./codeword-fraud.ts";
import { forEachConcurrently } from "./concurrency.ts";
import { allBundles, type Holder, type KnownDataset, readAnchor, readHolders } from "./dataset.ts";
import { NoDatasetKeyError, openDatasetKey } from "./dataset-key.ts";
import { fetchBundle } from "./fetch-bundles.ts";
import { fetchManifest } from "./fetch-manifest.ts";
import { statusName } from "./list.ts";
import type { OnProgress } from "./progress.ts";
import { reasonOf } from "./reason.ts";
import type { CommitBundle } from "./stage.ts";

export type VerifyParameters = {
  datasetId: Hex;
  /** Download every bundle and check both of its roots, the code, and the object hashes. */
  full?: boolean;
  /** Which possession proofs are verified; the last audit's by default. */
  proofs?: ProofSource;
  commit: CommitBundle;
  /** X25519 secret of a recipient, for encrypted datasets. */
  secret?: Uint8Array;
  signal?: AbortSignal;
  onProgress?: OnProgress;
};

/** Something that was checked here, and how it came out. */
export type Check = {
  what: string;
  /** Whether nothing was found that speaks against it. */
  ok: boolean;
  /** Whether all of it could be looked at; the rest is left to trust. */
  isComplete: boolean;
  detail: string;
};

export type VerifyResult = {
  datasetId: Hex;
  /** Whether every check came out well. */
  ok: boolean;
  checks: Check[];
  /** What this verification rests on without having checked it. */
  trusted: string[];
  proofs: ProofReport;
  /** What shows the contracts that bundles are no codeword, where that was found in full. */
  fraud?: CodewordFraud;
};

/**
 * Checks a dataset again: that the manifest is the anchored one, that holders proved possession and, in full, that every
 * bundle has both roots, that the bundles are a codeword, and that the objects have the anchored hashes.
 * @throws UnknownDatasetError, ManifestUnavailableError, ManifestMismatchError, MalformedManifestError
 */
export async function verify(client: StorageClient, parameters: VerifyParameters): Promise<VerifyResult> {
  const { datasetId, full = false, proofs = "chain", signal, onProgress } = parameters;
  const dataset = await fetchManifest(client, await readAnchor(client, datasetId), signal);
  const holders = await readHolders(client, datasetId, allBundles(dataset.layout));
  const report = await checkProofs(client, { source: proofs, dataset, holders, signal, onProgress });
  const checks: Check[] = [
    anchorCheck(dataset),
    {
      what: "manifest",
      ok: true,
      isComplete: true,
      detail: "its hash, every field and all bundle roots are those of the anchor",
    },
    holdersCheck(dataset, holders),
    proofsCheck(report),
  ];
  const whole = full ? await fullChecks(client, dataset, holders, parameters) : undefined;
  checks.push(...(whole?.checks ?? []));
  return {
    datasetId,
    ok: checks.every(({ ok }) => ok),
    checks,
    trusted: trustedFor(report, full),
    proofs: report,
    ...(whole?.fraud !== undefined && { fraud: whole.fraud }),
  };
}

function anchorCheck({ anchor }: KnownDataset): Check {
  const status = statusName(anchor.status);
  const detail = `status ${status}, owner ${anchor.owner}`;
  return { what: "anchor", ok: status === "active", isComplete: true, detail };
}

function holdersCheck({ layout }: KnownDataset, holders: readonly Holder[]): Check {
  const held = new Array<number>(layout.segments).fill(0);
  for (const { bundleIndex, operator } of holders) {
    if (operator !== undefined) held[Math.floor(bundleIndex / layout.n)]!++;
  }
  const least = Math.min(...held);
  const total = held.reduce((sum, count) => sum + count, 0);
  return {
    what: "holders",
    ok: least >= layout.k,
    isComplete: true,
    detail: `${total} of ${layout.bundles} bundles are held; the weakest segment has ${least}, ${layout.k} are needed`,
  };
}

function proofsCheck({ source, proven, refuted, unproven }: ProofReport): Check {
  if (source === "none")
    return { what: "possession", ok: true, isComplete: false, detail: "no proofs were asked for" };
  const overdue = unproven.filter((bundle) => bundle.overdue).length;
  const open = `${unproven.length} without a proof, of which ${overdue} should have one`;
  const detail = `${proven.length} bundles proven, ${refuted.length} refuted, ${open}`;
  const isComplete = unproven.length === 0;
  return { what: "possession", ok: refuted.length === 0 && overdue === 0, isComplete, detail };
}

async function fullChecks(
  client: StorageClient,
  dataset: KnownDataset,
  holders: readonly Holder[],
  parameters: VerifyParameters,
): Promise<{ checks: Check[]; fraud: CodewordFraud | undefined }> {
  const { layout } = dataset;
  const code = new ErasureCode(layout.k, layout.n);
  const problems: string[] = [];
  const lists: Uint8Array[] = [];
  let undecrypted: string | undefined;
  let areCodewords = true;
  let fraud: CodewordFraud | undefined;
  let compared = 0;
  const cipher = cipherOf(dataset, parameters.secret);
  let sound = 0;
  for (let segment = 0; segment < layout.segments; segment++) {
    const first = segment * layout.n;
    const ofSegment = holders.slice(first, first + layout.n);
    const shards = await download(client, dataset, ofSegment, parameters, problems);
    const present = shards.filter((shard) => shard !== undefined).length;
    sound += present;
    if (present < layout.k) continue;
    const contradiction = await fraudAmong(dataset, segment, shards);
    // Others than those that were anchored may come out of bundles that fit each other.
    const isOther = restoreData(dataset, segment, shards).wrong.length > 0;
    if (present > layout.k || isOther) compared++;
    areCodewords &&= contradiction === undefined && !isOther;
    fraud ??= contradiction;
    if (isOther) fraud ??= await fraudOnChain(client, dataset, segment, shards);
    if (cipher === undefined) continue;
    const { range } = planHashRead(layout, segment);
    const ranges = shards.map((shard) => shard?.subarray(range.start, range.end));
    try {
      lists.push(decodeHashList({ layout, code, cipher }, segment, ranges));
    } catch (error) {
      if (!(error instanceof DecryptionError)) throw error;
      // Parity that is none decrypts to nothing: whoever cheats so must not keep what convicts from being handed over.
      undecrypted ??= reasonOf(error);
    }
  }
  const checks: Check[] = [
    {
      what: "bundles",
      ok: sound === layout.bundles,
      isComplete: true,
      detail: `${sound} of ${layout.bundles} bundles downloaded with both anchored roots${problems.map((text) => `; ${text}`).join("")}`,
    },
    codeCheck(layout, compared, areCodewords),
  ];
  if (undecrypted !== undefined)
    checks.push({ what: "objects", ok: false, isComplete: true, detail: undecrypted });
  else if (cipher !== undefined) checks.push(objectsCheck(dataset, lists));
  return { checks, fraud };
}

/** Key of an encrypted dataset, null for a plain one, undefined when there is no key at hand. */
function cipherOf({ manifest }: KnownDataset, secret: Uint8Array | undefined) {
  try {
    return openDatasetKey(manifest, secret);
  } catch (error) {
    if (error instanceof NoDatasetKeyError) return undefined;
    throw error;
  }
}

async function download(
  client: StorageClient,
  dataset: KnownDataset,
  holders: readonly Holder[],
  { commit, signal, onProgress }: VerifyParameters,
  problems: string[],
): Promise<(Uint8Array | undefined)[]> {
  const { layout, manifest } = dataset;
  const shards: (Uint8Array | undefined)[] = new Array(layout.n).fill(undefined);
  await forEachConcurrently(holders, 4, signal, async ({ bundleIndex, operator }) => {
    try {
      if (operator === undefined) throw new Error("nobody holds it");
      const bytes = await fetchBundle(client, { dataset, bundleIndex, operator, signal });
      const { poseidonRoot } = await commit(bytes);
      if (bytesToHex(poseidonRoot) !== manifest.bundles[bundleIndex]!.poseidonRoot) {
        throw new Error("its bytes have the transport root but not the possession root");
      }
      shards[bundleIndex % layout.n] = bytes;
    } catch (error) {
      signal?.throwIfAborted();
      problems.push(`bundle ${bundleIndex} (${operator ?? "no holder"}): ${reasonOf(error)}`);
    }
    onProgress?.({ stage: "check", done: bundleIndex + 1, total: layout.bundles, unit: "bundles" });
  });
  return shards;
}

/** Any k bundles are the shards of some data: only of more than k can be said whether they fit together. */
function codeCheck({ segments, k }: DatasetLayout, compared: number, areCodewords: boolean): Check {
  const found = areCodewords ? "the bundles are codewords" : "some bundles are no codeword";
  const open = segments - compared;
  const parts = [
    ...(open > 0
      ? [
          `${open} of ${segments} segments could not be compared, because no more than ${k} bundles of them were served`,
        ]
      : []),
    ...(compared > 0 ? [`${compared} of ${segments} segments compared: ${found}`] : []),
  ];
  return { what: "code", ok: areCodewords, isComplete: open === 0, detail: parts.join("; ") };
}

function objectsCheck({ layout, manifest }: KnownDataset, lists: readonly Uint8Array[]): Check {
  const missing = layout.segments - lists.length;
  // That nodes serve too little is no fault of the list.
  if (missing > 0) {
    const detail = `the object hashes of ${missing} of ${layout.segments} segments could not be read, because fewer than ${layout.k} bundles of them were served`;
    return { what: "objects", ok: true, isComplete: false, detail };
  }
  try {
    new ObjectHashes(layout, hexToBytes(manifest.objectRoot as Hex), lists);
    const detail = "the stored object hashes have the anchored root";
    return { what: "objects", ok: true, isComplete: true, detail };
  } catch (error) {
    return { what: "objects", ok: false, isComplete: true, detail: reasonOf(error) };
  }
}

function trustedFor({ source, proven }: ProofReport, full: boolean): string[] {
  const trusted = [
    "the RPC endpoint's answers about the chain",
    "that a proof of possession was made by whoever keeps the bytes: it does not say where they lie",
  ];
  if (source === "chain" && proven.length > 0) {
    trusted.push(
      "that a covering root covers the bundles it was registered for: the registry checked its proof",
    );
  }
  if (full) trusted.push("that each object has its stored hash: `get` checks it as it decodes");
  else {
    trusted.push("that the owner encoded correctly: use --full to download and check every bundle");
    trusted.push("cells that the audits did not ask for");
  }
  return trusted;
}

import { bytesToHex, type Hex, hexToBytes, type LocalAccount } from "viem";
import { addressOf, type Contracts } from "../../chain/contracts.ts";
import type { Deployment } from "../../chain/deployment.ts";
import { signReceipt } from "../../chain/receipt.ts";
import { bundlePlace, type DatasetLayout, segmentLayout } from "../../core/dataset/layout.ts";
import {
  type Manifest,
  manifestCid,
  manifestDigest,
  manifestHash,
  manifestLayout,
  parseManifest,
} from "../../core/dataset/manifest.ts";
import { bundleId, datasetId as idOfDataset } from "../../core/ids.ts";
import { BlobNotFoundError } from "../../storage/backends/errors.ts";
import { RefusalError } from "../../storage/transport/errors.ts";
import type {
  CellsRequest,
  CommitRequest,
  CommitResponse,
  GetRequest,
  ManifestRequest,
  OfferRequest,
  OfferResponse,
  PossessionAnswer,
  ProvenCell,
  ProveRequest,
  PutRequest,
  PutResponse,
  ShardService,
  StatusRequest,
  StatusResponse,
} from "../../storage/transport/shard-service.ts";
import type { UploadStaging } from "../../storage/transport/upload-staging.ts";
import type { Possession } from "./possession.ts";
import type { Shelf, ShelvedBundle } from "./shelf.ts";
import { type Vault, WrongRootsError } from "./vault.ts";

export type ServiceParts = {
  account: LocalAccount;
  deployment: Deployment;
  contracts: Contracts;
  shelf: Shelf;
  vault: Vault;
  staging: UploadStaging;
  possession: Possession;
  /** Bytes of bundles this node is willing to keep. */
  capacity: number;
  /** Timestamp of the latest block, seconds. */
  chainTime: () => Promise<bigint>;
};

/** A receipt is good for this long at most, in seconds: the registry accepts no longer ones. */
const receiptLifetime = 24n * 3600n;
/** The asking client may have seen a later block than this node. */
const clockSlack = 600n;

/** Real milliseconds after which an upload that nobody goes on with gives its space back. */
const uploadPatience = 3600_000;

/** A bundle that is arriving: space that is spoken for. */
type Arrival = { datasetId: Hex; bundleIndex: number; bytes: number; touched: number };
type Arrivals = Map<Hex, Arrival>;
type Refusal = Pick<OfferResponse["refused"][number], "reason" | "detail">;

/** What a storage node answers to other keepers and to clients. */
export class StorageService implements ShardService {
  readonly #parts: ServiceParts;
  #loading: Promise<Arrivals> | undefined;

  constructor(parts: ServiceParts) {
    this.#parts = parts;
  }

  async offer(request: OfferRequest, bytes: Uint8Array | undefined): Promise<OfferResponse> {
    const { shelf, contracts, account } = this.#parts;
    const { datasetId } = request;
    const layout = manifestLayout(this.#readManifest(request, bytes));
    const { active } = await contracts.Staking.read.operatorOf([account.address]);
    // As if all of them came: what is accepted together must fit together.
    const expected: Arrivals = new Map(await this.#arrivals());
    const accepted: number[] = [];
    const refused: OfferResponse["refused"] = [];
    for (const bundleIndex of request.bundleIndices) {
      const isNew = !this.#isKnown(datasetId, bundleIndex, expected);
      const refusal =
        isNew && !active
          ? { reason: "policy" as const, detail: "this operator is not active" }
          : this.#refusal({ datasetId, bundleIndex }, layout, expected);
      if (refusal === undefined) {
        if (isNew) expect(expected, { datasetId, bundleIndex }, layout);
        accepted.push(bundleIndex);
      } else refused.push({ bundleIndex, ...refusal });
    }
    if (accepted.length > 0 && bytes !== undefined) shelf.addManifest(datasetId, bytes);
    return { accepted, refused };
  }

  async manifest({ datasetId }: ManifestRequest): Promise<Uint8Array> {
    const bytes = this.#parts.shelf.manifest(datasetId);
    if (bytes === undefined) throw new BlobNotFoundError(`the manifest of ${datasetId}`, "this node");
    return bytes;
  }

  async status({ datasetId, bundleIndices }: StatusRequest): Promise<StatusResponse> {
    const { shelf, staging } = this.#parts;
    const bundles: StatusResponse["bundles"] = [];
    for (const bundleIndex of bundleIndices) {
      const kept = shelf.get(datasetId, bundleIndex);
      const received = kept?.length ?? (await staging.received({ datasetId, bundleIndex }));
      const state = kept !== undefined ? "held" : received > 0 ? "partial" : "absent";
      bundles.push({ bundleIndex, state, received });
    }
    return { bundles };
  }

  async put(request: PutRequest, body: AsyncIterable<Uint8Array>): Promise<PutResponse> {
    const { datasetId, bundleIndex, offset, total } = request;
    const { shelf, staging, vault } = this.#parts;
    const manifest = this.#manifestOf(datasetId);
    const layout = manifestLayout(manifest);
    if (bundleIndex >= layout.bundles) throw new RefusalError("bad-request", `no bundle ${bundleIndex}`);
    const { bundleBytes } = segmentLayout(layout, bundlePlace(layout, bundleIndex).segment);
    if (total !== bundleBytes) throw new RefusalError("bad-request", `the bundle has ${bundleBytes} bytes`);
    return staging.exclusive(request, async () => {
      if (shelf.get(datasetId, bundleIndex) !== undefined) return { received: total };
      const arrivals = await this.#arrivals();
      const refusal = this.#refusal(request, layout, arrivals);
      if (refusal !== undefined) {
        throw new RefusalError(refusal.reason === "no-space" ? "full" : "refused", refusal.detail);
      }
      expect(arrivals, request, layout);
      try {
        const received = await staging.append(request, offset, total, body);
        if (received === total) {
          await vault.admit(datasetId, manifest, bundleIndex, await staging.read(request));
          await staging.remove(request);
        }
        return { received };
      } catch (error) {
        if (!(error instanceof WrongRootsError)) throw error;
        // Wrong bytes must not stand in the way of the right ones.
        await staging.remove(request);
        throw new RefusalError("bad-request", error.message, { cause: error });
      } finally {
        if ((await staging.received(request)) === 0) arrivals.delete(bundleId(datasetId, bundleIndex));
      }
    });
  }

  async commit(request: CommitRequest): Promise<CommitResponse> {
    const { account, deployment } = this.#parts;
    const bundle = this.#held(request.datasetId, request.bundleIndex);
    if (request.poseidonRoot !== bundle.poseidonRoot || request.transportRoot !== bundle.transportRoot) {
      throw new RefusalError("refused", "these are not the roots of the bytes that are here");
    }
    const asked = BigInt(request.validUntil);
    const latest = (await this.#parts.chainTime()) + receiptLifetime + clockSlack;
    if (asked > latest) throw new RefusalError("refused", `a receipt is good until ${latest} at most`);
    // The bytes stay for as long as somebody may bring the receipt on chain.
    this.#parts.shelf.keepUntil(bundle.bundleId, asked);
    const receipt = {
      datasetId: bundle.datasetId,
      bundleIndex: bundle.bundleIndex,
      poseidonRoot: bundle.poseidonRoot,
      transportRoot: bundle.transportRoot,
      operator: account.address,
      validUntil: asked,
    };
    const signature = await signReceipt(account, receipt, {
      chainId: deployment.chainId,
      bundleRegistry: addressOf(deployment, "BundleRegistry"),
    });
    return { operator: account.address.toLowerCase() as Hex, validUntil: request.validUntil, signature };
  }

  async *get({ datasetId, bundleIndex, offset, length }: GetRequest): AsyncIterable<Uint8Array> {
    yield* this.#parts.vault.read(this.#held(datasetId, bundleIndex), offset, length);
  }

  async cells({ datasetId, bundleIndex, cells }: CellsRequest): Promise<ProvenCell[]> {
    const bundle = this.#held(datasetId, bundleIndex);
    const absent = cells.find((cell) => cell >= bundle.cells);
    if (absent !== undefined) throw new RefusalError("bad-request", `the bundle has no cell ${absent}`);
    return this.#parts.possession.openCells(bundle, cells);
  }

  async prove({ datasetId, bundleIndex, seed }: ProveRequest): Promise<PossessionAnswer> {
    const bundle = this.#held(datasetId, bundleIndex);
    return this.#parts.possession.proveForClient(bundle, hexToBytes(seed));
  }

  /** Forgets uploads that nobody goes on with: they would keep their space for ever. */
  async forgetAbandoned(): Promise<void> {
    const { staging } = this.#parts;
    const arrivals = await this.#arrivals();
    for (const [id, arrival] of [...arrivals]) {
      if (performance.now() - arrival.touched < uploadPatience) continue;
      await staging.exclusive(arrival, async () => {
        if (performance.now() - arrival.touched < uploadPatience) return;
        await staging.remove(arrival);
        arrivals.delete(id);
      });
    }
  }

  /** Uploads under way, also those that an earlier process has begun. */
  #arrivals(): Promise<Arrivals> {
    this.#loading ??= this.#loadArrivals();
    return this.#loading;
  }

  async #loadArrivals(): Promise<Arrivals> {
    const { staging, shelf } = this.#parts;
    const arrivals: Arrivals = new Map();
    for (const staged of await staging.list()) {
      const manifest = shelf.manifest(staged.datasetId);
      if (manifest !== undefined) expect(arrivals, staged, manifestLayout(parseManifest(manifest)));
    }
    return arrivals;
  }

  #isKnown(datasetId: Hex, bundleIndex: number, arrivals: Arrivals): boolean {
    return (
      arrivals.has(bundleId(datasetId, bundleIndex)) ||
      this.#parts.shelf.get(datasetId, bundleIndex) !== undefined
    );
  }

  /** Why a bundle cannot be taken; undefined when it can. Must not wait: what it says holds until something arrives. */
  #refusal(
    { datasetId, bundleIndex }: { datasetId: Hex; bundleIndex: number },
    layout: DatasetLayout,
    arrivals: Arrivals,
  ): Refusal | undefined {
    const { shelf, capacity } = this.#parts;
    if (bundleIndex >= layout.bundles) {
      return { reason: "bad-manifest", detail: `the dataset has ${layout.bundles} bundles` };
    }
    if (this.#isKnown(datasetId, bundleIndex, arrivals)) return undefined;
    const { segment } = bundlePlace(layout, bundleIndex);
    const others = [...shelf.all(), ...arrivals.values()].filter((other) => other.datasetId === datasetId);
    if (others.some((other) => bundlePlace(layout, other.bundleIndex).segment === segment)) {
      return { reason: "policy", detail: "another bundle of the segment is kept here" };
    }
    const arriving = [...arrivals.values()].reduce((sum, { bytes }) => sum + bytes, 0);
    const free = capacity - shelf.bytes - arriving;
    const { bundleBytes } = segmentLayout(layout, segment);
    if (bundleBytes <= free) return undefined;
    return { reason: "no-space", detail: `${bundleBytes} bytes do not fit into ${Math.max(0, free)}` };
  }

  #held(datasetId: Hex, bundleIndex: number): ShelvedBundle {
    const bundle = this.#parts.shelf.get(datasetId, bundleIndex);
    if (bundle === undefined)
      throw new BlobNotFoundError(`bundle ${bundleIndex} of ${datasetId}`, "this node");
    return bundle;
  }

  #manifestOf(datasetId: Hex): Manifest {
    const bytes = this.#parts.shelf.manifest(datasetId);
    if (bytes === undefined) throw new RefusalError("refused", "this dataset was not offered to this node");
    return parseManifest(bytes);
  }

  /** The offered manifest, once it is certain that it belongs to the dataset's id. */
  #readManifest(
    { datasetId, owner, manifestCid: cid }: OfferRequest,
    sent: Uint8Array | undefined,
  ): Manifest {
    const { shelf, deployment } = this.#parts;
    const bytes = sent ?? shelf.manifest(datasetId);
    if (bytes === undefined) throw new RefusalError("bad-request", "send the manifest with the offer");
    let manifest: Manifest;
    try {
      manifest = parseManifest(bytes);
    } catch (error) {
      throw new RefusalError("bad-request", (error as Error).message, { cause: error });
    }
    const expected = idOfDataset({
      chainId: deployment.chainId,
      registry: addressOf(deployment, "DatasetRegistry"),
      owner,
      manifestHash: bytesToHex(manifestHash(bytes)),
    });
    if (expected !== datasetId) throw new RefusalError("bad-request", "the manifest is not this dataset's");
    if (manifestCid(manifestDigest(bytes)) !== cid) {
      throw new RefusalError("bad-request", "the manifest does not have this CID");
    }
    return manifest;
  }
}

/** Sets space aside for a bundle, or notes that its upload goes on. */
function expect(
  arrivals: Arrivals,
  { datasetId, bundleIndex }: { datasetId: Hex; bundleIndex: number },
  layout: DatasetLayout,
): void {
  const { segment } = bundlePlace(layout, bundleIndex);
  const { bundleBytes: bytes } = segmentLayout(layout, segment);
  const touched = performance.now();
  const known = arrivals.get(bundleId(datasetId, bundleIndex));
  if (known !== undefined) known.touched = touched;
  else arrivals.set(bundleId(datasetId, bundleIndex), { datasetId, bundleIndex, bytes, touched });
}

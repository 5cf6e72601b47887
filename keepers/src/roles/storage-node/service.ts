import { bytesToHex, type Hex, hexToBytes, type LocalAccount } from "viem";
import { addressOf, type Contracts } from "../../chain/contracts.ts";
import type { Deployment } from "../../chain/deployment.ts";
import { signReceipt } from "../../chain/receipt.ts";
import { bundlePlace, segmentLayout } from "../../core/dataset/layout.ts";
import {
  type Manifest,
  manifestCid,
  manifestDigest,
  manifestHash,
  manifestLayout,
  parseManifest,
} from "../../core/dataset/manifest.ts";
import { datasetId as idOfDataset } from "../../core/ids.ts";
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

/** What a storage node answers to other keepers and to clients. */
export class StorageService implements ShardService {
  readonly #parts: ServiceParts;

  constructor(parts: ServiceParts) {
    this.#parts = parts;
  }

  async offer(request: OfferRequest, bytes: Uint8Array | undefined): Promise<OfferResponse> {
    const { shelf, staging, contracts, account } = this.#parts;
    const manifest = this.#readManifest(request, bytes);
    const layout = manifestLayout(manifest);
    const eligible = await contracts.Staking.read.operatorOf([account.address]);
    let free = this.#parts.capacity - shelf.bytes;
    const accepted: number[] = [];
    const refused: OfferResponse["refused"] = [];
    const taken = new Set<number>();
    for (const bundle of shelf.all()) {
      if (bundle.datasetId === request.datasetId) taken.add(bundlePlace(layout, bundle.bundleIndex).segment);
    }
    for (const bundleIndex of request.bundleIndices) {
      const refuse = (reason: OfferResponse["refused"][number]["reason"], detail: string) =>
        refused.push({ bundleIndex, reason, detail });
      if (bundleIndex >= layout.bundles) {
        refuse("bad-manifest", `the dataset has ${layout.bundles} bundles`);
        continue;
      }
      const { segment } = bundlePlace(layout, bundleIndex);
      const { bundleBytes } = segmentLayout(layout, segment);
      const known = shelf.get(request.datasetId, bundleIndex) !== undefined;
      const arriving = await staging.received({ datasetId: request.datasetId, bundleIndex });
      if (known || arriving > 0) accepted.push(bundleIndex);
      else if (!eligible.active) refuse("policy", "this operator is not active");
      else if (taken.has(segment)) refuse("policy", "another bundle of the segment is kept here");
      else if (bundleBytes > free) refuse("no-space", `${bundleBytes} bytes do not fit into ${free}`);
      else {
        free -= bundleBytes;
        taken.add(segment);
        accepted.push(bundleIndex);
      }
    }
    if (accepted.length > 0 && bytes !== undefined) shelf.addManifest(request.datasetId, bytes);
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
      const received = await staging.append(request, offset, total, body);
      if (received === total) {
        try {
          await vault.admit(datasetId, manifest, bundleIndex, await staging.read(request));
        } catch (error) {
          // Wrong bytes must not stand in the way of the right ones.
          if (error instanceof WrongRootsError) {
            await staging.remove(request);
            throw new RefusalError("bad-request", error.message, { cause: error });
          }
          throw error;
        }
        await staging.remove(request);
      }
      return { received };
    });
  }

  async commit(request: CommitRequest): Promise<CommitResponse> {
    const { account, deployment } = this.#parts;
    const bundle = this.#held(request.datasetId, request.bundleIndex);
    if (request.poseidonRoot !== bundle.poseidonRoot || request.transportRoot !== bundle.transportRoot) {
      throw new RefusalError("refused", "these are not the roots of the bytes that are here");
    }
    const asked = BigInt(request.validUntil);
    const latest = (await this.#parts.chainTime()) + receiptLifetime;
    if (asked > latest) throw new RefusalError("refused", `a receipt is good until ${latest} at most`);
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
    return this.#parts.possession.openCells(this.#held(datasetId, bundleIndex), cells);
  }

  async prove({ datasetId, bundleIndex, seed }: ProveRequest): Promise<PossessionAnswer> {
    const bundle = this.#held(datasetId, bundleIndex);
    return this.#parts.possession.proveForClient(bundle, hexToBytes(seed));
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

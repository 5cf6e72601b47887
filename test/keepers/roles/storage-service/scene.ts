import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach } from "node:test";
import type { Address, Hex } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import type { AssayEvent } from "../../../../keepers/src/chain/contracts.ts";
import { bundleId } from "../../../../keepers/src/core/ids.ts";
import { commitBundle } from "../../../../keepers/src/core/merkle/bundle-committer.ts";
import type { ReceiptClock } from "../../../../keepers/src/roles/storage-node/kept-reads.ts";
import { Ledger, ledgerHandler, ledgerSchema } from "../../../../keepers/src/roles/storage-node/ledger.ts";
import { Possession } from "../../../../keepers/src/roles/storage-node/possession.ts";
import { StorageService } from "../../../../keepers/src/roles/storage-node/service.ts";
import { Shelf, shelfSchema } from "../../../../keepers/src/roles/storage-node/shelf.ts";
import { Vault } from "../../../../keepers/src/roles/storage-node/vault.ts";
import type { BlobStore } from "../../../../keepers/src/storage/backends/backend.ts";
import { FileSystemStore } from "../../../../keepers/src/storage/backends/file-system.ts";
import { writeTerms } from "../../../../keepers/src/storage/client/terms.ts";
import type { Prover } from "../../../../keepers/src/storage/prover/prover.ts";
import { openState, type State } from "../../../../keepers/src/storage/state/state.ts";
import { RefusalError } from "../../../../keepers/src/storage/transport/errors.ts";
import type {
  Caller,
  CellsRequest,
  CommitRequest,
  GetRequest,
  ManifestRequest,
  OfferRequest,
  OfferResponse,
  PossessionAnswer,
  ProvenCell,
  ProveRequest,
  PutRequest,
  PutResponse,
  StatusRequest,
  StatusResponse,
} from "../../../../keepers/src/storage/transport/shard-service.ts";
import { UploadStaging } from "../../../../keepers/src/storage/transport/upload-staging.ts";
import { deployment, offered, owner, type TinyDataset, tinyDataset } from "../dataset.ts";
import { contractsOf, word } from "../doubles.ts";

export const account = privateKeyToAccount(`0x${"11".repeat(32)}`);
export const now = 1_700_000_000n;
export const day = 24n * 3600n;
const caller = { peer: "somebody", signal: new AbortController().signal };
export const noProver: Prover = {
  prove: () => Promise.reject(new Error("no proof is asked for here")),
  close: async () => {},
};

/** The service, asked by one peer. */
export type Asked = {
  offer: (request: OfferRequest, bytes: Uint8Array | undefined) => Promise<OfferResponse>;
  put: (request: PutRequest, body: AsyncIterable<Uint8Array>, bodyLength?: number) => Promise<PutResponse>;
  cells: (request: CellsRequest) => Promise<ProvenCell[]>;
  prove: (request: ProveRequest) => Promise<PossessionAnswer>;
  status: (request: StatusRequest) => Promise<StatusResponse>;
  by: (peer: string, until?: AbortSignal) => Asked;
  stats: () => StorageService["stats"];
} & Pick<StorageService, "manifest" | "commit" | "get" | "forgetAbandoned">;

function asked(service: StorageService, { peer, signal }: Caller): Asked {
  const who = { peer, signal };
  return {
    offer: (request: OfferRequest, bytes: Uint8Array | undefined) => service.offer(request, bytes, who),
    put: (request: PutRequest, body: AsyncIterable<Uint8Array>, bodyLength = 0) =>
      service.put(request, body, bodyLength, who),
    cells: (request: CellsRequest) => service.cells(request, who),
    prove: (request: ProveRequest) => service.prove(request, who),
    manifest: (request: ManifestRequest) => service.manifest(request),
    status: (request: StatusRequest) => service.status(request, who),
    commit: (request: CommitRequest) => service.commit(request, who),
    get: (request: GetRequest) => service.get(request),
    forgetAbandoned: () => service.forgetAbandoned(),
    by: (other: string, until: AbortSignal = signal) => asked(service, { peer: other, signal: until }),
    stats: () => service.stats,
  };
}

export async function* pieces(...parts: Uint8Array[]): AsyncIterable<Uint8Array> {
  yield* parts;
}

/** A body whose connection breaks after these bytes. */
export async function* broken(...parts: Uint8Array[]): AsyncIterable<Uint8Array> {
  yield* parts;
  throw new Error("the connection broke");
}

export const refused = (code: RefusalError["code"], message?: RegExp) => (error: unknown) => {
  assert.ok(error instanceof RefusalError, String(error));
  assert.equal(error.code, code);
  if (message !== undefined) assert.match(error.message, message);
  return true;
};

/** Datasets of a few small bundles. */
export const [data, other] = await Promise.all([tinyDataset(1), tinyDataset(2)]);

/** Bytes that a small bundle counts as while it is not placed, and what its manifest takes beside the first of a dataset. */
export const charge = 64 * 1024;
export const manifestBytes = data.manifestBytes.length;

/** A service's folder, state and chain. */
class StorageScene {
  readonly folder: string;
  readonly shelf: Shelf;
  readonly #state: State;
  #placed = 0;
  store: BlobStore;
  /** Bundles that were hashed. */
  commits = 0;
  /** Whether the chain calls the operator active. */
  active = true;
  /** What the chain says of the dataset that is offered: nothing yet. */
  anchor: Record<string, unknown> = { status: 0 };
  time = now;
  /** Reads of the chain, by what was read. */
  readonly asked: string[] = [];

  private constructor(folder: string, store: BlobStore) {
    this.folder = folder;
    this.store = store;
    this.#state = openState({ path: ":memory:", schemas: [ledgerSchema, shelfSchema] });
    this.shelf = new Shelf(this.#state);
  }

  static async open(): Promise<StorageScene> {
    const folder = await mkdtemp(join(tmpdir(), "assay-service-"));
    return new StorageScene(folder, await FileSystemStore.open(join(folder, "blobs")));
  }

  /** Has the chain say that an operator holds a bundle. */
  place({ datasetId }: TinyDataset, bundleIndex: number, operator: Address): void {
    const args = { bundleId: bundleId(datasetId, bundleIndex), datasetId, bundleIndex, operator, since: 1 };
    const at = { blockNumber: 1n, blockHash: word(1), logIndex: this.#placed++ };
    const event = { contract: "BundleRegistry", eventName: "BundlePlaced", args, ...at };
    ledgerHandler.applied(event as unknown as AssayEvent, this.#state);
  }

  /** Has the chain say that a dataset is anchored. */
  anchored({ datasetId }: TinyDataset): void {
    const args = { datasetId, owner, manifestDigest: word(1), manifestHash: word(1), shape: { k: 2, n: 3 } };
    const event = { contract: "DatasetRegistry", eventName: "DatasetAnchored", args };
    ledgerHandler.applied(event as unknown as AssayEvent, this.#state);
  }

  async service({
    capacity = 1 << 26,
    prover = noProver,
    unplacedShare = 1,
    asking = { leastFee: offered.feePerAudit, longestTerm: offered.epochs },
    keptFor = 0,
    isRegistered = undefined as ((peer: string) => boolean) | undefined,
    receiptClock = async (): Promise<ReceiptClock | undefined> => ({
      now: this.#read("time", this.time),
      epoch: this.#read("currentEpoch", 100),
      length: this.#read("epochLength", 86_400),
    }),
  } = {}): Promise<Asked> {
    const { folder, shelf, store } = this;
    const commit = async (bytes: Uint8Array) => {
      this.commits++;
      return commitBundle(bytes);
    };
    const vault = await Vault.open({ shelf, store, treeFolder: join(folder, "trees"), commit });
    const service = new StorageService({
      account,
      deployment,
      contracts: contractsOf({
        Staking: { operatorOf: () => this.#read("operatorOf", { active: this.active }) },
        DatasetRegistry: {
          datasetOf: () => this.#read("datasetOf", this.anchor),
          parameters: () => this.#read("parameters", offered.parameters),
          currentEpoch: () => this.#read("currentEpoch", 100),
          epochLength: () => this.#read("epochLength", 86_400),
        },
      }),
      shelf,
      vault,
      staging: await UploadStaging.open(join(folder, "incoming")),
      possession: new Possession({
        vault,
        prover,
        operator: account.address,
        chainId: deployment.chainId,
        auditContract: deployment.addresses.StorageAudit,
        bundleRegistry: deployment.addresses.BundleRegistry,
      }),
      capacity,
      asking,
      chainTime: async () => this.#read("time", this.time),
      receiptClock,
      keptFor,
      ledger: new Ledger(this.#state),
      unplacedShare,
      ...(isRegistered && { isRegistered }),
    });
    return asked(service, caller);
  }

  #read<T>(what: string, answer: T): T {
    this.asked.push(what);
    return answer;
  }

  async close(): Promise<void> {
    this.#state.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** A scene of its own for each test of the suite that calls this, of which `scene()` is the one under way. */
export function storageScenes() {
  let scene: StorageScene | undefined;
  beforeEach(async () => {
    scene = await StorageScene.open();
  });
  afterEach(() => scene?.close());
  return () => {
    assert.ok(scene !== undefined);
    return scene;
  };
}

export const offerOf = (dataset: TinyDataset, bundleIndices: number[]) => ({
  datasetId: dataset.datasetId,
  owner,
  manifestCid: dataset.manifestCid,
  terms: writeTerms(offered),
  bundleIndices,
});

export const offer = (service: Asked, dataset: TinyDataset, ...bundleIndices: number[]) =>
  service.offer(offerOf(dataset, bundleIndices), dataset.manifestBytes);

export const requestOf = (dataset: TinyDataset, bundleIndex: number, offset = 0) => ({
  datasetId: dataset.datasetId,
  bundleIndex,
  offset,
  total: dataset.bundles[bundleIndex]!.length,
});

export const put = (service: Asked, dataset: TinyDataset, index: number, bytes = dataset.bundles[index]!) =>
  service.put(requestOf(dataset, index), pieces(bytes), bytes.length);

export const rootsOf = (dataset: TinyDataset, index: number) => {
  const { poseidonRoot, transportRoot } = dataset.manifest.bundles[index]!;
  return { poseidonRoot: poseidonRoot as Hex, transportRoot: transportRoot as Hex };
};

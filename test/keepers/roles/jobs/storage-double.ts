import { access, cp, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  bytesToHex,
  type Hex,
  hexToBytes,
  keccak256,
  type LocalAccount,
  parseEventLogs,
  toHex,
  zeroHash,
} from "viem";
import { abis } from "../../../../keepers/src/chain/abi/index.ts";
import { encodeCall } from "../../../../keepers/src/chain/contracts.ts";
import { signReceipt } from "../../../../keepers/src/chain/receipt.ts";
import { datasetLayout, segmentLayout } from "../../../../keepers/src/core/dataset/layout.ts";
import { cellBytes, type DatasetShape } from "../../../../keepers/src/core/dataset/shape.ts";
import { bundleId } from "../../../../keepers/src/core/ids.ts";
import { joinRoots } from "../../../../keepers/src/core/merkle/binary-tree.ts";
import { bundlesTree } from "../../../../keepers/src/core/merkle/bundles-root.ts";
import { objectHash } from "../../../../keepers/src/core/merkle/object-hash.ts";
import { OrderRefusedError } from "../../../../keepers/src/roles/jobs/errors.ts";
import type { ResultStorage } from "../../../../keepers/src/roles/jobs/job-storage.ts";
import { NotEnoughBundlesError } from "../../../../keepers/src/storage/client/errors.ts";
import type { BundleReader } from "../../../../keepers/src/storage/client/fetch-bundles.ts";
import { manifestTree, transportRootOf } from "../../../../keepers/src/storage/client/roots.ts";
import { StoredStream } from "../../../../keepers/src/storage/client/stored-stream.ts";
import type { DatasetSource } from "../../../../keepers/src/storage/readers/source.ts";
import type { GetRequest } from "../../../../keepers/src/storage/transport/shard-service.ts";
import type { ObjectSequence } from "../../../../keepers/src/training/data/types.ts";
import { bundlesOfObject } from "../../core/erasure/one-object.ts";
import type { JobNetwork } from "./network.ts";
import { placeProven, type SignedReceipt } from "./take-over.ts";

/** Bundles of a dataset of one segment. */
const bundles = 3;
/** Of them it takes so many to read it. */
const k = 2;

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

/** One segment. */
function shapeOf(objectCount: number, objectSize: number) {
  return { objectCount, objectSize, segmentObjects: objectCount, k, n: bundles };
}

/** What every holder of a dataset of this shape holds. */
export function heldBytes(shape: DatasetShape): Uint8Array {
  return new Uint8Array(segmentLayout(datasetLayout(shape), 0).bundleBytes).fill(7);
}

/**
 * Storage nodes that hold everything they are given, on this disk. Datasets are anchored on the chain by who stores them;
 * that all bundles are held is declared by the admin, where real nodes would sign receipts.
 */
export class StorageDouble {
  readonly #network: JobNetwork;
  readonly #sequences = new Map<Hex, ObjectSequence>();
  readonly #folders = new Map<Hex, string>();
  readonly #stored = new Map<string, Hex>();
  readonly #streams = new Map<Hex, { stream: Uint8Array; encoded: readonly Uint8Array[] }>();
  /** Datasets whose holders do not answer. */
  readonly withheld = new Set<Hex>();
  /** Operators that sign for the bundles of results that are stored from now on; nobody holds them by name where there are none. */
  resultHolders: readonly LocalAccount[] = [];
  /** Bundles of results that are stored from now on for which nobody signs. */
  readonly unplaced = new Set<number>();
  /** Whether providers have copies of what they stored. */
  isKept = true;
  /** Whether these serve what they hold. */
  isServing = true;
  /** Bundles that they serve nobody all the same. */
  readonly refused = new Set<number>();
  /** How results that are stored from now on are encoded. */
  encode = (stream: Uint8Array): readonly Uint8Array[] => bundlesOfObject(stream, k, bundles);
  /** How often something was stored, by name. */
  readonly stores = new Map<string, number>();

  constructor(network: JobNetwork) {
    this.#network = network;
  }

  /**
   * Stores objects of records, as `assay data put` does.
   *
   * @param holders operators, each of whom signs for one bundle; nobody holds them by name when left out
   */
  async putObjects(
    owner: LocalAccount,
    source: DatasetSource,
    holders?: readonly LocalAccount[],
  ): Promise<Hex> {
    const objects: Uint8Array[] = [];
    for await (const object of source.objects()) objects.push(object.slice());
    const format = source.format();
    if (format.kind !== "records") throw new Error("records are wanted");
    const { name, objectSize } = source;
    const held = holders === undefined ? name : `${name}, held`;
    const datasetId = await this.#anchor(owner, held, objects, objectSize, holders);
    this.#sequences.set(datasetId, {
      name: source.name,
      objectSize: source.objectSize,
      objectCount: objects.length,
      datasetId,
      records: format,
      async *objects() {
        yield* objects;
      },
    });
    return datasetId;
  }

  /** What an account sees of it, and stores with it. */
  of(account: LocalAccount): ResultStorage {
    return {
      objects: async (datasetId, directory) => {
        const sequence = this.#sequences.get(datasetId);
        // As the client: what was fetched whole into a folder is read there, whoever serves it afterwards.
        const fetched = directory !== "" && join(directory, `${datasetId}.whole`);
        if (sequence !== undefined && fetched && (await exists(fetched))) return sequence;
        if (sequence === undefined || this.withheld.has(datasetId))
          throw new NotEnoughBundlesError(0, 0, 2, []);
        if (fetched) {
          await mkdir(directory, { recursive: true });
          await writeFile(fetched, "");
        }
        return sequence;
      },
      stream: async ({ datasetId, count }) => {
        const known = this.#streams.get(datasetId);
        if (known === undefined || this.withheld.has(datasetId)) throw new NotEnoughBundlesError(0, 0, 2, []);
        const { stream, encoded } = known;
        const layout = datasetLayout({ ...shapeOf(1, stream.length), encrypted: false });
        const manifest = {
          bundles: encoded.map((bytes) => ({
            poseidonRoot: zeroHash,
            transportRoot: transportRootOf(bytes),
            cid: "",
          })),
        };
        return new StoredStream(layout, manifest, new Map(encoded.entries()), count);
      },
      folder: async ({ datasetId, target, mostBytes }) => {
        const folder = this.#folders.get(datasetId);
        if (folder === undefined || this.withheld.has(datasetId))
          throw new NotEnoughBundlesError(0, 0, 2, []);
        let bytes = 0;
        for (const name of await readdir(folder)) bytes += (await readFile(join(folder, name))).length;
        if (bytes > mostBytes) throw new OrderRefusedError("dataset", "it is too large");
        await cp(folder, target, { recursive: true, force: true });
      },
      store: async ({ folder, name }) => {
        const key = `${account.address}:${name}`;
        this.stores.set(key, (this.stores.get(key) ?? 0) + 1);
        const known = this.#stored.get(key);
        if (known !== undefined) {
          await this.#fill(known);
          return known;
        }
        const kept = join(this.#network.folder, "stored", keccak256(toHex(key)));
        await mkdir(kept, { recursive: true });
        await cp(folder, kept, { recursive: true });
        const files = await Promise.all(
          (await readdir(folder)).sort().map((file) => readFile(join(folder, file))),
        );
        const stream = new Uint8Array(Buffer.concat(files));
        const encoded = this.encode(stream);
        const holders = this.resultHolders;
        const datasetId = await this.#anchor(account, key, [stream], stream.length, holders, encoded);
        this.#streams.set(datasetId, { stream, encoded });
        this.#folders.set(datasetId, kept);
        this.#stored.set(key, datasetId);
        return datasetId;
      },
      kept: async (_, bundleIndex, transportRoot) => {
        const all = [...this.#streams.values()].map(({ encoded }) => encoded[bundleIndex]);
        return this.isKept ? all.find((bytes) => transportRootOf(bytes!) === transportRoot) : undefined;
      },
    };
  }

  /** Reaches the holders of results. */
  get peers(): BundleReader["peers"] {
    const bundle = ({ datasetId, bundleIndex }: GetRequest) => {
      if (!this.isServing || this.refused.has(bundleIndex)) throw new Error("it serves nobody");
      return this.bundlesOf(datasetId as Hex)[bundleIndex]!;
    };
    return {
      connect: async () => ({
        async *get(request) {
          yield bundle(request);
        },
      }),
    };
  }

  /** What the holders of a stored result hold. */
  bundlesOf(datasetId: Hex): readonly Uint8Array[] {
    return this.#streams.get(datasetId)!.encoded;
  }

  /** Folder that the files of a stored dataset lie in: whoever changes them has nodes that serve something else. */
  folderOf(datasetId: Hex): string {
    return this.#folders.get(datasetId)!;
  }

  /** As if so many holders of a stored result had left. */
  async giveUp(datasetId: Hex, count: number): Promise<void> {
    const { deployment, send, admin } = this.#network;
    for (let i = 0; i < count; i++) {
      await send(admin, encodeCall(deployment, "DatasetRegistry", "removeHeld", [datasetId, 0n]));
    }
  }

  async #fill(datasetId: Hex): Promise<void> {
    const { deployment, send, admin, contracts } = this.#network;
    const { held } = await contracts.DatasetRegistry.read.datasetOf([datasetId]);
    if (held === bundles) return;
    await send(admin, encodeCall(deployment, "DatasetRegistry", "addHeld", [datasetId, 0n, bundles - held]));
  }

  async #anchor(
    owner: LocalAccount,
    name: string,
    objects: readonly Uint8Array[],
    objectSize: number,
    holders: readonly LocalAccount[] = [],
    encoded?: readonly Uint8Array[],
  ): Promise<Hex> {
    const { deployment, client, contracts, send, give, admin } = this.#network;
    const hashes = new Uint8Array(32 * objects.length);
    for (const [i, object] of objects.entries()) hashes.set(objectHash(object), 32 * i);
    const shape = shapeOf(objects.length, objectSize);
    const transportRoot =
      holders.length === 0 ? zeroHash : transportRootOf(heldBytes({ ...shape, encrypted: false }));
    const poseidonRoots = Array.from({ length: bundles }, () => zeroHash);
    const transportRoots = poseidonRoots.map((_, i) =>
      encoded === undefined ? transportRoot : transportRootOf(encoded[i]!),
    );
    const shaped = { ...shape, objectCount: BigInt(objects.length), encrypted: false };
    const manifestHash = keccak256(toHex(name));
    const objectRoot = bytesToHex(joinRoots(hashes));
    const tree = bundlesTree(
      poseidonRoots.map((root, i) => ({
        poseidonRoot: hexToBytes(root),
        transportRoot: hexToBytes(transportRoots[i]!),
      })),
    );
    const terms = {
      shape: shaped,
      objectRoot,
      bundlesRoot: bytesToHex(tree.root),
      previous: zeroHash,
      feePerAudit: 0n,
      epochs: 1_000,
      parameters: await contracts.DatasetRegistry.read.parameters(),
    };
    const parameters = {
      datasetId: await contracts.DatasetRegistry.read.idOf([owner.address, manifestHash, terms]),
      manifestHash,
      manifestDigest: zeroHash,
      objectRoot,
      shape: shaped,
      previous: zeroHash,
      feePerAudit: 0n,
      epochs: 1_000,
    };
    // The bond is not what these tests are about.
    const [bond] = await contracts.DatasetRegistry.read.quote([parameters.shape, 0n, parameters.epochs]);
    await give(owner.address, bond);
    await send(
      owner,
      encodeCall(deployment, "AssayToken", "approve", [deployment.addresses.DatasetRegistry, bond]),
    );
    await send(
      owner,
      encodeCall(deployment, "DatasetRegistry", "anchor", [parameters, poseidonRoots, transportRoots]),
    );
    const logs = await client.public.getLogs({
      address: deployment.addresses.DatasetRegistry,
      fromBlock: 0n,
    });
    const anchored = parseEventLogs({ abi: abis.DatasetRegistry, eventName: "DatasetAnchored", logs });
    const { datasetId } = anchored.find(({ args }) => args.manifestHash === parameters.manifestHash)!.args;
    if (holders.length === 0) {
      await send(admin, encodeCall(deployment, "DatasetRegistry", "addHeld", [datasetId, 0n, bundles]));
      return datasetId;
    }
    for (const [bundleIndex, holder] of holders.entries()) {
      if (this.unplaced.has(bundleIndex)) continue;
      const roots = { poseidonRoot: zeroHash, transportRoot: transportRoots[bundleIndex]! };
      const proof = tree.proof(bundleIndex).map((sibling) => bytesToHex(sibling));
      const signed = await this.#sign(holder, { datasetId, bundleIndex, ...roots }, proof);
      await send(owner, encodeCall(deployment, "BundleRegistry", "place", [[signed]]));
    }
    return datasetId;
  }

  /** Has another operator take over a bundle of a stored result that lost its holder, with a proof for an epoch. */
  async takeOver(datasetId: Hex, bundleIndex: number, holder: LocalAccount, epoch: number): Promise<void> {
    const encoded = this.bundlesOf(datasetId);
    const roots = encoded.map((bytes) => ({ poseidonRoot: zeroHash, transportRoot: transportRootOf(bytes) }));
    const tree = manifestTree({ bundles: roots });
    const bundle = { datasetId, bundleIndex, ...roots[bundleIndex]! };
    const signed = await this.#sign(holder, bundle, tree.proof(bundleIndex));
    const cells = Math.ceil(encoded[bundleIndex]!.length / cellBytes);
    await placeProven(this.#network, signed, bundleId(datasetId, bundleIndex), cells, epoch);
  }

  /** The receipt of a holder for a bundle, as it would sign it. */
  async #sign(
    holder: LocalAccount,
    bundle: { datasetId: Hex; bundleIndex: number; poseidonRoot: Hex; transportRoot: Hex },
    proof: readonly Hex[],
  ): Promise<SignedReceipt> {
    const { deployment, chain } = this.#network;
    const receipt = {
      ...bundle,
      operator: holder.address,
      validUntil: BigInt(await chain.now()) + 3_600n,
      latestEnd: 10_000,
    };
    const signature = await signReceipt(holder, receipt, {
      chainId: deployment.chainId,
      bundleRegistry: deployment.addresses.BundleRegistry,
    });
    return { receipt, proof, signature, approval: "0x" };
  }
}

import { cp, mkdir, readdir, readFile } from "node:fs/promises";
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
import type { DatasetShape } from "../../../../keepers/src/core/dataset/shape.ts";
import { joinRoots } from "../../../../keepers/src/core/merkle/binary-tree.ts";
import { bundlesTree } from "../../../../keepers/src/core/merkle/bundles-root.ts";
import { objectHash } from "../../../../keepers/src/core/merkle/object-hash.ts";
import { OrderRefusedError } from "../../../../keepers/src/roles/jobs/errors.ts";
import type { ResultStorage } from "../../../../keepers/src/roles/jobs/job-storage.ts";
import { NotEnoughBundlesError } from "../../../../keepers/src/storage/client/errors.ts";
import { transportRootOf } from "../../../../keepers/src/storage/client/roots.ts";
import type { DatasetSource } from "../../../../keepers/src/storage/readers/source.ts";
import type { ObjectSequence } from "../../../../keepers/src/training/data/types.ts";
import type { JobNetwork } from "./network.ts";

/** Bundles of a dataset of one segment. */
const bundles = 3;

/** What every holder of a dataset of this shape holds. */
export function heldBytes(shape: DatasetShape): Uint8Array {
  return new Uint8Array(segmentLayout(datasetLayout(shape), 0).bundleBytes).fill(7);
}

/** Siblings of a bundle's leaf under a dataset whose bundles all hold the same. */
export function proofOf(bundleIndex: number, transportRoot: Hex): Hex[] {
  const roots = { poseidonRoot: new Uint8Array(32), transportRoot: hexToBytes(transportRoot) };
  const tree = bundlesTree(Array.from({ length: bundles }, () => roots));
  return tree.proof(bundleIndex).map((sibling) => bytesToHex(sibling));
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
  /** Datasets whose holders do not answer. */
  readonly withheld = new Set<Hex>();
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
      objects: async (datasetId) => {
        const sequence = this.#sequences.get(datasetId);
        if (sequence === undefined || this.withheld.has(datasetId))
          throw new NotEnoughBundlesError(0, 0, 2, []);
        return sequence;
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
        if (known !== undefined) return known;
        const kept = join(this.#network.folder, "stored", keccak256(toHex(key)));
        await mkdir(kept, { recursive: true });
        await cp(folder, kept, { recursive: true });
        const files = await Promise.all(
          (await readdir(folder)).sort().map((file) => readFile(join(folder, file))),
        );
        const datasetId = await this.#anchor(account, key, [new Uint8Array(Buffer.concat(files))], 1);
        this.#folders.set(datasetId, kept);
        this.#stored.set(key, datasetId);
        return datasetId;
      },
    };
  }

  /** Folder that the files of a stored dataset lie in: whoever changes them has nodes that serve something else. */
  folderOf(datasetId: Hex): string {
    return this.#folders.get(datasetId)!;
  }

  async #anchor(
    owner: LocalAccount,
    name: string,
    objects: readonly Uint8Array[],
    objectSize: number,
    holders: readonly LocalAccount[] = [],
  ): Promise<Hex> {
    const { deployment, client, contracts, send, give, admin } = this.#network;
    const hashes = new Uint8Array(32 * objects.length);
    for (const [i, object] of objects.entries()) hashes.set(objectHash(object), 32 * i);
    const shape = {
      objectCount: objects.length,
      objectSize,
      segmentObjects: objects.length,
      k: 2,
      n: bundles,
    };
    const transportRoot =
      holders.length === 0 ? zeroHash : transportRootOf(heldBytes({ ...shape, encrypted: false }));
    const poseidonRoots = Array.from({ length: bundles }, () => zeroHash);
    const transportRoots = poseidonRoots.map(() => transportRoot);
    const parameters = {
      manifestHash: keccak256(toHex(name)),
      manifestDigest: zeroHash,
      objectRoot: bytesToHex(joinRoots(hashes)),
      shape: { ...shape, objectCount: BigInt(objects.length), encrypted: false },
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
      await send(admin, encodeCall(deployment, "DatasetRegistry", "addHeld", [datasetId, bundles]));
      return datasetId;
    }
    for (const [bundleIndex, holder] of holders.entries()) {
      await this.#place(holder, { datasetId, bundleIndex, poseidonRoot: zeroHash, transportRoot });
    }
    return datasetId;
  }

  /** Brings the receipt of a holder for a bundle on chain, as it would sign it. */
  async #place(
    holder: LocalAccount,
    bundle: { datasetId: Hex; bundleIndex: number; poseidonRoot: Hex; transportRoot: Hex },
  ): Promise<void> {
    const { deployment, send, admin, chain } = this.#network;
    const receipt = {
      ...bundle,
      operator: holder.address,
      validUntil: BigInt(await chain.now()) + 3_600n,
    };
    const signature = await signReceipt(holder, receipt, {
      chainId: deployment.chainId,
      bundleRegistry: deployment.addresses.BundleRegistry,
    });
    const proof = proofOf(bundle.bundleIndex, bundle.transportRoot);
    await send(admin, encodeCall(deployment, "BundleRegistry", "place", [[{ receipt, proof, signature }]]));
  }
}

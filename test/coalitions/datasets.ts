import { bytesToHex, encodeAbiParameters, type Hex, hexToBytes, keccak256, zeroHash } from "viem";
import { datasetLayout } from "../../keepers/src/core/dataset/layout.ts";
import { BinaryTree } from "../../keepers/src/core/merkle/binary-tree.ts";
import { bundlesTree } from "../../keepers/src/core/merkle/bundles-root.ts";
import { leafHash } from "../../keepers/src/core/merkle/keccak.ts";
import { transportRootOf, transportTreeOf } from "../../keepers/src/storage/client/roots.ts";
import { StoredStream } from "../../keepers/src/storage/client/stored-stream.ts";
import { r } from "../contracts/zk/trapdoor.ts";
import { bundlesOfObject } from "../keepers/core/erasure/one-object.ts";
import type { Party } from "./cast.ts";
import type { Scene } from "./scene.ts";
import { day, someHash } from "./world.ts";

/** Bundles that a dataset can be read from, and bundles of a segment. */
export const [k, n] = [2, 3];
const cellBytes = 496;
const hashBytes = 32;

/** Objects of a dataset. */
export type Size = { readonly objects: number; readonly bytes: number; readonly objectRoot: Hex };

/** What the owner of a dataset offers to who holds it. */
export type Terms = { readonly fee: bigint; readonly epochs: number };

/** A dataset as its author made it. Its bytes are all alike, and stand for what would be there. */
export type Dataset = {
  readonly name: string;
  readonly owner: Party;
  readonly size: Size;
  /** Parts of as many objects each, with n bundles each. */
  readonly segments: number;
  readonly terms: Terms;
  /** Of each bundle. */
  readonly bundleBytes: number;
  readonly cells: number;
  readonly poseidonRoots: readonly Hex[];
  readonly transportRoots: readonly Hex[];
  readonly tree: BinaryTree;
  /** What is in the bundles, where that matters. */
  readonly bundles?: readonly Uint8Array[];
};

/** A dataset that is anchored. */
export type Anchored = Dataset & { readonly id: Hex };

/** One tree over cells that are all alike, but that zeros follow the content of the last, serves every bundle of its size. */
const cellTrees = new Map<number, BinaryTree>();

/** A cell of a bundle of so many bytes. */
function cellAt(index: number, bundleBytes: number): Uint8Array {
  return new Uint8Array(cellBytes).fill(0x2a, 0, Math.min(cellBytes, bundleBytes - index * cellBytes));
}

function cellTree(bundleBytes: number): BinaryTree {
  let tree = cellTrees.get(bundleBytes);
  if (tree === undefined) {
    const cells = Math.ceil(bundleBytes / cellBytes);
    const leaves = new Uint8Array(hashBytes * cells);
    const leaf = leafHash(cellAt(0, cellBytes));
    for (let i = 0; i < cells - 1; i++) leaves.set(leaf, hashBytes * i);
    leaves.set(leafHash(cellAt(cells - 1, bundleBytes)), hashBytes * (cells - 1));
    tree = new BinaryTree(leaves);
    cellTrees.set(bundleBytes, tree);
  }
  return tree;
}

/** A cell of a bundle with its path in the bundle's transport tree. */
export function openCell(
  { bundleBytes, bundles }: Pick<Dataset, "bundleBytes" | "bundles">,
  bundleIndex: number,
  index: number,
): { cell: Hex; proof: Hex[] } {
  const bundle = bundles?.[bundleIndex];
  const tree = bundle === undefined ? cellTree(bundleBytes) : transportTreeOf(bundle);
  const bytes = new Uint8Array(cellBytes);
  // The last cell of a bundle is filled up with zeros.
  bytes.set(bundle?.subarray(index * cellBytes, (index + 1) * cellBytes) ?? cellAt(index, bundleBytes));
  return { cell: bytesToHex(bytes), proof: tree.proof(index).map((hash) => bytesToHex(hash)) };
}

/** Bytes of a bundle (docs/storage-protocol.md, section 2). */
function bundleBytesOf({ objects, bytes }: Pick<Size, "objects" | "bytes">, segments = 1): number {
  const own = objects / segments;
  return own * Math.ceil(bytes / k) + Math.ceil((hashBytes * own) / k);
}

/** Cells of a bundle. */
export function cellsOf(size: Pick<Size, "objects" | "bytes">, segments = 1): number {
  return Math.ceil(bundleBytesOf(size, segments) / cellBytes);
}

/** What a dataset holds, as whoever is served its bundles reads it. */
export function streamOf(dataset: Dataset, count: number): StoredStream {
  const { poseidonRoots, transportRoots, bundles = [] } = dataset;
  const manifest = {
    bundles: poseidonRoots.map((poseidonRoot, i) => {
      return { poseidonRoot, transportRoot: transportRoots[i]!, cid: "" };
    }),
  };
  const { objects, bytes } = dataset.size;
  const segmentObjects = objects / dataset.segments;
  const shape = { objectCount: objects, objectSize: bytes, segmentObjects, k, n, encrypted: false };
  return new StoredStream(datasetLayout(shape), manifest, new Map(bundles.entries()), count);
}

/**
 * @param content names the bytes: datasets of one content have the same roots
 * @param stream the bytes of its only object
 */
export function makeDataset(
  parts: Pick<Dataset, "name" | "owner" | "size" | "terms"> & {
    readonly content?: string;
    readonly stream?: Uint8Array;
    readonly segments?: number;
  },
): Dataset {
  const { name, size, content = name, stream, segments = 1 } = parts;
  const bundleBytes = bundleBytesOf(size, segments);
  const cells = Math.ceil(bundleBytes / cellBytes);
  const poseidonRoots = Array.from({ length: segments * n }, (_, i) => {
    const root = BigInt(someHash(`${content} bundle ${i}`)) % r;
    return bytesToHex(hexToBytes(`0x${root.toString(16).padStart(64, "0")}`));
  });
  const bundles = stream && bundlesOfObject(stream, k, n);
  const transport = poseidonRoots.map((_, i) =>
    bundles === undefined ? cellTree(bundleBytes).root : hexToBytes(transportRootOf(bundles[i]!)),
  );
  const roots = poseidonRoots.map((root, i) => {
    return { poseidonRoot: hexToBytes(root), transportRoot: transport[i]! };
  });
  return {
    ...{ name, owner: parts.owner, size, segments, terms: parts.terms, bundleBytes, cells, poseidonRoots },
    ...{ transportRoots: transport.map((root) => bytesToHex(root)), tree: bundlesTree(roots) },
    ...(bundles && { bundles }),
  };
}

function shapeOf({ size, segments }: Dataset) {
  return {
    objectCount: BigInt(size.objects),
    ...{ objectSize: size.bytes, segmentObjects: size.objects / segments, k, n, encrypted: false },
  };
}

/** The id of a dataset, which commits to its owner and its terms: known before it is anchored. */
export async function idOf({ world }: Scene, dataset: Dataset): Promise<Hex> {
  const { DatasetRegistry } = world.contracts;
  const { name, owner, size, terms, tree } = dataset;
  const told = {
    ...{ shape: shapeOf(dataset), objectRoot: size.objectRoot, bundlesRoot: bytesToHex(tree.root) },
    ...{ previous: zeroHash, feePerAudit: terms.fee, epochs: terms.epochs },
    parameters: await DatasetRegistry.read.parameters(),
  };
  return await DatasetRegistry.read.idOf([world.address(owner), someHash(`manifest ${name}`), told]);
}

/** Anchors a dataset; undefined when the registry refuses it. */
export async function anchor(scene: Scene, dataset: Dataset): Promise<Anchored | undefined> {
  const { name, owner, size, terms, poseidonRoots, transportRoots } = dataset;
  const anchored = {
    datasetId: await idOf(scene, dataset),
    ...{ manifestHash: someHash(`manifest ${name}`), manifestDigest: zeroHash, objectRoot: size.objectRoot },
    ...{ shape: shapeOf(dataset), previous: zeroHash, feePerAudit: terms.fee, epochs: terms.epochs },
  };
  const before = scene.events.length;
  const isDone = await scene.send(owner, "DatasetRegistry", "anchor", [
    anchored,
    poseidonRoots,
    transportRoots,
  ]);
  if (!isDone) return undefined;
  const event = scene.events.slice(before).find(({ eventName }) => eventName === "DatasetAnchored")!;
  const known = { ...dataset, id: (event.args as { datasetId: Hex }).datasetId };
  scene.datasets.set(known.id, known);
  for (const root of poseidonRoots) scene.truth.give(scene.world.address(owner), BigInt(root));
  return known;
}

export function bundleIdOf(datasetId: Hex, index: number): Hex {
  return keccak256(encodeAbiParameters([{ type: "bytes32" }, { type: "uint32" }], [datasetId, index]));
}

/** An operator's signature for a bundle, by these terms. */
export async function receiptOf(scene: Scene, { id, ...dataset }: Anchored, index: number, operator: Party) {
  const { genesis } = scene.world;
  const epoch = Math.floor((scene.now - genesis) / day);
  const receipt = {
    datasetId: id,
    bundleIndex: index,
    poseidonRoot: dataset.poseidonRoots[index]!,
    transportRoot: dataset.transportRoots[index]!,
    operator: scene.world.address(operator),
    validUntil: BigInt(scene.now + day / 2),
    // Whoever is asked just before an epoch begins signs for one more.
    latestEnd: epoch + 2 + dataset.terms.epochs,
  };
  const hash = await scene.world.contracts.BundleRegistry.read.receiptDigest([receipt]);
  const signature = await scene.world.account(operator).sign({ hash });
  const proof = dataset.tree.proof(index).map((sibling) => bytesToHex(sibling));
  return { receipt, proof, signature, approval: "0x" as const };
}

/** An operator takes a bundle's bytes, and signs for them. */
export async function takeBundle(scene: Scene, dataset: Anchored, index: number, operator: Party) {
  const address = scene.world.address(operator);
  scene.truth.give(address, BigInt(dataset.poseidonRoots[index]!));
  scene.truth.agree(address, bundleIdOf(dataset.id, index), dataset.terms);
  return await receiptOf(scene, dataset, index, operator);
}

/** Has a dataset's vacant bundles placed with operators that take them, one each. */
export async function placeAll(
  scene: Scene,
  dataset: Anchored,
  holders: readonly (readonly [index: number, operator: Party])[],
): Promise<boolean> {
  const receipts = [];
  for (const [index, operator] of holders) receipts.push(await takeBundle(scene, dataset, index, operator));
  return await scene.send(dataset.owner, "BundleRegistry", "place", [receipts]);
}

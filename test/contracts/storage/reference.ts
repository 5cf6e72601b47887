/**
 * Datasets straight from the definitions of docs/storage-protocol.md: slow, small, and independent of keepers' code.
 * What the contracts judge is compared with it.
 */
import { concatHex, type Hex, hexToBytes, keccak256, numberToHex, toHex } from "viem";
import { scalars } from "../zk/trapdoor.ts";

export const cellBytes = 496;
export const chunkBytes = 1024;
export const zero = numberToHex(0, { size: 32 });

/** Product in GF(2^8) modulo 0x11D, bit by bit. */
export function multiply(a: number, b: number): number {
  let product = 0;
  for (let i = 7; i >= 0; i--) {
    product = (product << 1) ^ (product & 0x80 ? 0x11d : 0);
    if ((b >> i) & 1) product ^= a;
  }
  return product;
}

/** Inverses in GF(2^8), by search; there is none of 0. */
const inverses = Array.from({ length: 256 }, (_, a) => {
  for (let b = 1; b < 256; b++) if (multiply(a, b) === 1) return b;
  return Number.NaN;
});

export const invert = (a: number): number => inverses[a]!;

/** Shard `i` of a codeword whose data symbols are `data`: itself, or a row of the Cauchy block times the data. */
export function symbolAt(data: readonly number[], i: number): number {
  if (i < data.length) return data[i]!;
  return data.reduce((sum, symbol, j) => sum ^ multiply(invert(i ^ j), symbol), 0);
}

/** Σ c_p · m_p / Π (p XOR q) as section 1 writes it. */
export function combination(k: number, positions: readonly number[], symbols: readonly number[]): number {
  return positions.reduce((sum, p, at) => {
    let term = symbols[at]!;
    for (let l = 0; l < k; l++) if (l !== p) term = multiply(term, p ^ l);
    for (const q of positions) if (q !== p) term = multiply(term, invert(p ^ q));
    return sum ^ term;
  }, 0);
}

export const leafHash = (bytes: Uint8Array): Hex => keccak256(concatHex(["0x00", toHex(bytes)]));
const nodeHash = (left: Hex, right: Hex): Hex => keccak256(concatHex(["0x01", left, right]));

/** A full binary tree, absent leaves included. */
export class Tree {
  readonly levels: Hex[][];

  constructor(leaves: readonly Hex[]) {
    let width = 1;
    while (width < leaves.length) width *= 2;
    this.levels = [Array.from({ length: width }, (_, i) => leaves[i] ?? zero)];
    for (let level = this.levels[0]!; level.length > 1; ) {
      level = Array.from({ length: level.length / 2 }, (_, i) => nodeHash(level[2 * i]!, level[2 * i + 1]!));
      this.levels.push(level);
    }
  }

  get root(): Hex {
    return this.levels.at(-1)![0]!;
  }

  proof(index: number): Hex[] {
    return this.levels.slice(0, -1).map((level, i) => level[Math.floor(index / 2 ** i) ^ 1]!);
  }
}

export type Shape = {
  objectCount: bigint;
  objectSize: number;
  segmentObjects: number;
  k: number;
  n: number;
  encrypted: boolean;
};

export type Dataset = {
  shape: Shape;
  objects: Uint8Array[];
  objectHashes: Hex[];
  objectTree: Tree;
  bundles: Uint8Array[];
  /** Cells of each bundle, the last padded with zeros. */
  cells: Uint8Array[][];
  transport: Tree[];
  /** Any field elements: a proof's trapdoor makes them roots of whatever is claimed. */
  poseidonRoots: Hex[];
  bundlesTree: Tree;
};

/** Deterministic bytes. */
export function bytesFrom(seed: bigint, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 32) {
    const block = hexToBytes(keccak256(numberToHex(seed * 65_536n + BigInt(at / 32), { size: 64 })));
    bytes.set(block.subarray(0, Math.min(32, length - at)), at);
  }
  return bytes;
}

export const chunksOf = (object: Uint8Array): Uint8Array[] =>
  Array.from({ length: Math.ceil(object.length / chunkBytes) }, (_, i) =>
    object.subarray(i * chunkBytes, (i + 1) * chunkBytes),
  );

/** Shard j of a blob: bytes [j·⌈len/k⌉, (j+1)·⌈len/k⌉), zeros beyond its end; a row of the Cauchy block for j ≥ k. */
function shardsOf(blob: Uint8Array, k: number, n: number): Uint8Array[] {
  const length = Math.ceil(blob.length / k);
  const data = Array.from({ length: k }, (_, j) => {
    const shard = new Uint8Array(length);
    shard.set(blob.subarray(j * length, (j + 1) * length));
    return shard;
  });
  return Array.from({ length: n }, (_, i) =>
    Uint8Array.from({ length }, (_, at) =>
      symbolAt(
        data.map((shard) => shard[at]!),
        i,
      ),
    ),
  );
}

const join = (parts: readonly Uint8Array[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => [...part]));

export type Tampering = {
  /** Changes bundles after encoding, before anything is committed to. */
  bundles?: (bundles: Uint8Array[]) => void;
  /** Changes the hash list of a segment before it is encoded. */
  hashList?: (list: Uint8Array, segment: number) => void;
  /** Changes objects after their hashes were taken. */
  objects?: (objects: Uint8Array[]) => void;
};

/** Builds a dataset of deterministic objects; without tampering it is correctly encoded. */
export function buildDataset(shape: Shape, seed: bigint, tampering: Tampering = {}): Dataset {
  const { k, n, segmentObjects, objectSize } = shape;
  const count = Number(shape.objectCount);
  const objects = Array.from({ length: count }, (_, i) => bytesFrom(seed * 1000n + BigInt(i), objectSize));
  const objectHashes = objects.map((object) => new Tree(chunksOf(object).map(leafHash)).root);
  const objectTree = new Tree(objectHashes);
  const encoded = objects.map((object) => object.slice());
  tampering.objects?.(encoded);
  const bundles: Uint8Array[] = [];
  for (let first = 0; first < count; first += segmentObjects) {
    const members = encoded.slice(first, first + segmentObjects);
    const list = hexToBytes(concatHex(objectHashes.slice(first, first + segmentObjects)));
    tampering.hashList?.(list, first / segmentObjects);
    const shards = [...members, list].map((blob) => shardsOf(blob, k, n));
    for (let j = 0; j < n; j++) bundles.push(join(shards.map((each) => each[j]!)));
  }
  tampering.bundles?.(bundles);
  const cells = bundles.map((bundle) =>
    Array.from({ length: Math.ceil(bundle.length / cellBytes) }, (_, i) => {
      const cell = new Uint8Array(cellBytes);
      cell.set(bundle.subarray(i * cellBytes, (i + 1) * cellBytes));
      return cell;
    }),
  );
  const transport = cells.map((each) => new Tree(each.map(leafHash)));
  const next = scalars(seed + 77n);
  const poseidonRoots = bundles.map(() => numberToHex(next(), { size: 32 }));
  const bundlesTree = new Tree(
    bundles.map((_, i) =>
      keccak256(concatHex(["0x00", numberToHex(i, { size: 4 }), poseidonRoots[i]!, transport[i]!.root])),
    ),
  );
  return { shape, objects, objectHashes, objectTree, bundles, cells, transport, poseidonRoots, bundlesTree };
}

/** A cell opened under its bundle and the dataset, as `IEncodingFraud.OpenedCell`. */
export function openCell(dataset: Dataset, bundleIndex: number, cellIndex: number) {
  return {
    bundleIndex,
    poseidonRoot: dataset.poseidonRoots[bundleIndex]!,
    transportRoot: dataset.transport[bundleIndex]!.root,
    bundleProof: dataset.bundlesTree.proof(bundleIndex),
    cell: toHex(dataset.cells[bundleIndex]![cellIndex]!),
    cellProof: dataset.transport[bundleIndex]!.proof(cellIndex),
  };
}

/** A chunk opened under objectRoot, as `IEncodingFraud.OpenedChunk`. */
export function openChunk(dataset: Dataset, objectIndex: number, chunkIndex: number) {
  const chunks = chunksOf(dataset.objects[objectIndex]!);
  return {
    objectIndex: BigInt(objectIndex),
    chunkIndex,
    chunk: toHex(chunks[chunkIndex]!),
    chunkProof: new Tree(chunks.map(leafHash)).proof(chunkIndex),
    objectProof: dataset.objectTree.proof(objectIndex),
  };
}

/** The 16 field elements of a cell. */
export const elementsOf = (cell: Uint8Array): bigint[] =>
  Array.from({ length: 16 }, (_, i) => BigInt(toHex(cell.subarray(31 * i, 31 * i + 31))));

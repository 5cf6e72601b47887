import { sha256 } from "@noble/hashes/sha2.js";
import { BadInputError } from "../errors.ts";
import { digestBytes } from "../poseidon/kernel.ts";
import { BinaryTree } from "./binary-tree.ts";
import { hashBytes } from "./keccak.ts";
import { bundleDepth, QuaternaryTree } from "./quaternary-tree.ts";
import { bundleCells, joinSlices, type SliceCommitment } from "./slice.ts";

/** What a commitment consists of; leaves are 32 bytes per cell. */
export type BundleCommitmentParts = {
  possessionLeaves: Uint8Array;
  transportLeaves: Uint8Array;
  poseidonRoot: Uint8Array;
  transportRoot: Uint8Array;
};

/** Of a file of leaves, and of one with the nodes above them. */
const [bare, full] = ["assaybc1", "assaybc2"].map((text) => new TextEncoder().encode(text)) as [
  Uint8Array,
  Uint8Array,
];
const rootsAt = bare.length + 4;
const leavesAt = rootsAt + digestBytes + hashBytes;
/** SHA-256 of all that stands before it, at the end of a file with nodes. */
const checksumBytes = 32;

const begins = (bytes: Uint8Array, magic: Uint8Array) => magic.every((byte, i) => byte === bytes[i]);

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/**
 * Both trees of a bundle, by their leaves (64 bytes per cell): enough to answer audits and to prove single cells
 * without hashing the bundle again. Inner nodes are made when first asked for.
 */
export class BundleCommitment {
  readonly cells: number;
  readonly poseidonRoot: Uint8Array;
  readonly transportRoot: Uint8Array;
  readonly #possessionLeaves: Uint8Array;
  readonly #transportLeaves: Uint8Array;
  #possession: QuaternaryTree | undefined;
  #transport: BinaryTree | undefined;

  constructor({ possessionLeaves, transportLeaves, poseidonRoot, transportRoot }: BundleCommitmentParts) {
    this.cells = possessionLeaves.length / digestBytes;
    this.poseidonRoot = poseidonRoot;
    this.transportRoot = transportRoot;
    this.#possessionLeaves = possessionLeaves;
    this.#transportLeaves = transportLeaves;
  }

  /** Joins the commitments of a bundle's slices, in order; all but the last are full. */
  static fromSlices(slices: readonly SliceCommitment[]): BundleCommitment {
    return new BundleCommitment({
      possessionLeaves: concatenate(slices.map((slice) => slice.possessionLeaves)),
      transportLeaves: concatenate(slices.map((slice) => slice.transportLeaves)),
      ...joinSlices(slices),
    });
  }

  /**
   * Reads a sidecar back; a damaged file is never believed. One of leaves alone has both trees built again, 110 ms for the
   * fullest bundle; one with nodes is held to its checksum, in a tenth of that.
   * @throws BadInputError when the bytes are not a sidecar or do not hash to the roots they name
   */
  static fromBytes(bytes: Uint8Array): BundleCommitment {
    if (bytes.length >= leavesAt && begins(bytes, full)) return withNodes(bytes);
    if (bytes.length < leavesAt || !begins(bytes, bare)) throw damaged("not such a file");
    const cells = cellsOf(bytes);
    if (bytes.length !== leavesAt + cells * (digestBytes + hashBytes)) throw damaged("wrong length");
    const commitment = new BundleCommitment(leavesOf(bytes, cells));
    const found = [...commitment.possession.root, ...commitment.transport.root];
    if (found.some((byte, i) => byte !== bytes[rootsAt + i])) throw damaged("its roots do not match");
    return commitment;
  }

  /** The possession tree, 4^7 leaves. */
  get possession(): QuaternaryTree {
    this.#possession ??= new QuaternaryTree(this.#possessionLeaves, bundleDepth);
    return this.#possession;
  }

  /** The transport tree over the cells. */
  get transport(): BinaryTree {
    this.#transport ??= new BinaryTree(this.#transportLeaves);
    return this.#transport;
  }

  /** Whether both trees are there, so that the sidecar has their nodes. */
  get hasNodes(): boolean {
    return this.#possession !== undefined && this.#transport !== undefined;
  }

  /**
   * Sidecar file: "assaybc1" ‖ uint32 cells ‖ poseidonRoot ‖ transportRoot ‖ Poseidon leaves ‖ keccak leaves. Where both trees
   * were made, "assaybc2" and behind the leaves the nodes above the Poseidon ones, those above the keccak ones, each level after
   * the one below it, and the SHA-256 of all that.
   */
  toBytes(): Uint8Array {
    const count = new Uint8Array(4);
    new DataView(count.buffer).setUint32(0, this.cells);
    const { poseidonRoot, transportRoot } = this;
    const head = [this.hasNodes ? full : bare, count, poseidonRoot, transportRoot];
    const leaves = [this.#possessionLeaves, this.#transportLeaves];
    if (!this.hasNodes) return concatenate([...head, ...leaves]);
    const content = concatenate([...head, ...leaves, ...this.possession.inner, ...this.transport.inner]);
    return concatenate([content, sha256(content)]);
  }

  /** With the nodes of both trees, as a sidecar has them: those of Poseidon first, each level after the one below it. */
  static withNodes(parts: BundleCommitmentParts, nodes: Uint8Array): BundleCommitment {
    const commitment = new BundleCommitment(parts);
    const { cells } = commitment;
    let at = 0;
    const levels = (counts: readonly number[]) =>
      counts.map((count) => {
        at += count * hashBytes;
        return nodes.subarray(at - count * hashBytes, at);
      });
    const possession = levels(QuaternaryTree.nodesAbove(cells, bundleDepth));
    commitment.#possession = new QuaternaryTree(parts.possessionLeaves, bundleDepth, { inner: possession });
    commitment.#transport = new BinaryTree(parts.transportLeaves, levels(BinaryTree.nodesAbove(cells)));
    return commitment;
  }
}

const damaged = (why: string): BadInputError =>
  new BadInputError(`the hashes kept beside a bundle are damaged: ${why}`, {
    kept: "the bundle itself",
    next: "delete the file of hashes; it is made again from the bundle",
  });

function cellsOf(bytes: Uint8Array): number {
  const cells = new DataView(bytes.buffer, bytes.byteOffset).getUint32(bare.length);
  if (cells < 1 || cells > bundleCells) throw damaged("wrong length");
  return cells;
}

function leavesOf(bytes: Uint8Array, cells: number): BundleCommitmentParts {
  const transportAt = leavesAt + cells * digestBytes;
  return {
    possessionLeaves: bytes.slice(leavesAt, transportAt),
    transportLeaves: bytes.slice(transportAt, transportAt + cells * hashBytes),
    poseidonRoot: bytes.slice(rootsAt, rootsAt + digestBytes),
    transportRoot: bytes.slice(rootsAt + digestBytes, leavesAt),
  };
}

function withNodes(bytes: Uint8Array): BundleCommitment {
  const cells = cellsOf(bytes);
  const nodesAt = leavesAt + cells * (digestBytes + hashBytes);
  const counts = [...QuaternaryTree.nodesAbove(cells, bundleDepth), ...BinaryTree.nodesAbove(cells)];
  const end = nodesAt + hashBytes * counts.reduce((sum, count) => sum + count, 0);
  if (bytes.length !== end + checksumBytes) throw damaged("wrong length");
  const checksum = sha256(bytes.subarray(0, end));
  if (checksum.some((byte, i) => byte !== bytes[end + i])) throw damaged("its checksum does not match");
  return BundleCommitment.withNodes(leavesOf(bytes, cells), bytes.slice(nodesAt, end));
}

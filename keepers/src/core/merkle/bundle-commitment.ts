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

const magic = new TextEncoder().encode("assaybc1");
const rootsAt = magic.length + 4;
const leavesAt = rootsAt + digestBytes + hashBytes;

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
   * Reads a sidecar back. Both trees are built again, so a damaged file is never believed.
   * @throws BadInputError when the bytes are not a sidecar or do not hash to the roots they name
   */
  static fromBytes(bytes: Uint8Array): BundleCommitment {
    const damaged = (why: string): BadInputError =>
      new BadInputError(`the hashes kept beside a bundle are damaged: ${why}`, {
        kept: "the bundle itself",
        next: "delete the file of hashes; it is made again from the bundle",
      });
    if (bytes.length < leavesAt || magic.some((byte, i) => byte !== bytes[i]))
      throw damaged("not such a file");
    const cells = new DataView(bytes.buffer, bytes.byteOffset).getUint32(magic.length);
    if (cells < 1 || cells > bundleCells || bytes.length !== leavesAt + cells * (digestBytes + hashBytes)) {
      throw damaged("wrong length");
    }
    const transportAt = leavesAt + cells * digestBytes;
    const commitment = new BundleCommitment({
      possessionLeaves: bytes.slice(leavesAt, transportAt),
      transportLeaves: bytes.slice(transportAt),
      poseidonRoot: bytes.slice(rootsAt, rootsAt + digestBytes),
      transportRoot: bytes.slice(rootsAt + digestBytes, leavesAt),
    });
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

  /** Sidecar file: "assaybc1" ‖ uint32 cells ‖ poseidonRoot ‖ transportRoot ‖ Poseidon leaves ‖ keccak leaves. */
  toBytes(): Uint8Array {
    const count = new Uint8Array(4);
    new DataView(count.buffer).setUint32(0, this.cells);
    const { poseidonRoot, transportRoot } = this;
    return concatenate([
      magic,
      count,
      poseidonRoot,
      transportRoot,
      this.#possessionLeaves,
      this.#transportLeaves,
    ]);
  }
}

import { sha256 } from "@noble/hashes/sha2.js";
import { concatBytes } from "@noble/hashes/utils.js";
import { BadInputError } from "../errors.ts";
import { digestBytes } from "../poseidon/kernel.ts";
import { BinaryTree } from "./binary-tree.ts";
import { hashBytes } from "./keccak.ts";
import { bundleDepth, QuaternaryTree } from "./quaternary-tree.ts";
import { bundleCells, joinSlices, type SliceCommitment } from "./slice.ts";

const magic = new TextEncoder().encode("assaybc2");
const leavesAt = magic.length + 4;
/** SHA-256 of all that stands before it. */
const checksumBytes = 32;

const damaged = (why: string): BadInputError =>
  new BadInputError(`the hashes kept beside a bundle are damaged: ${why}`, {
    kept: "the bundle itself",
    next: "delete the file of hashes; it is made again from the bundle",
  });

/**
 * Both trees of a bundle, with every node: enough to answer audits and to prove single cells without hashing anything again.
 */
export class BundleCommitment {
  readonly cells: number;
  /** The possession tree, 4^7 leaves. */
  readonly possession: QuaternaryTree;
  /** The transport tree over the cells. */
  readonly transport: BinaryTree;
  readonly #parts: SliceCommitment;

  constructor(parts: SliceCommitment) {
    const { possessionLeaves, transportLeaves, possessionInner, transportInner } = parts;
    this.#parts = parts;
    this.cells = possessionLeaves.length / digestBytes;
    this.possession = new QuaternaryTree(possessionLeaves, bundleDepth, { inner: possessionInner });
    this.transport = new BinaryTree(transportLeaves, transportInner);
  }

  /** Joins the commitments of a bundle's slices, in order; all but the last are full. */
  static fromSlices(slices: readonly SliceCommitment[]): BundleCommitment {
    return new BundleCommitment(joinSlices(slices));
  }

  get poseidonRoot(): Uint8Array {
    return this.possession.root;
  }

  get transportRoot(): Uint8Array {
    return this.transport.root;
  }

  /**
   * Reads a sidecar back. It is held to its checksum, a tenth of the time that hashing the trees would take.
   * @throws BadInputError when the bytes are not a sidecar as it was written
   */
  static fromBytes(bytes: Uint8Array): BundleCommitment {
    if (bytes.length < leavesAt || magic.some((byte, i) => byte !== bytes[i])) {
      throw damaged("not such a file");
    }
    const cells = new DataView(bytes.buffer, bytes.byteOffset).getUint32(magic.length);
    if (cells < 1 || cells > bundleCells) throw damaged("wrong length");
    const possession = QuaternaryTree.nodesAbove(cells, bundleDepth);
    const transport = BinaryTree.nodesAbove(cells);
    const counts = [cells, cells, ...possession, ...transport];
    const end = leavesAt + hashBytes * counts.reduce((sum, count) => sum + count, 0);
    if (bytes.length !== end + checksumBytes) throw damaged("wrong length");
    const checksum = sha256(bytes.subarray(0, end));
    if (checksum.some((byte, i) => byte !== bytes[end + i])) throw damaged("its checksum does not match");
    let at = leavesAt;
    const [possessionLeaves, transportLeaves, ...inner] = counts.map((count) => {
      at += count * hashBytes;
      return bytes.slice(at - count * hashBytes, at);
    }) as [Uint8Array, Uint8Array, ...Uint8Array[]];
    return new BundleCommitment({
      possessionLeaves,
      transportLeaves,
      possessionInner: inner.slice(0, possession.length),
      transportInner: inner.slice(possession.length),
    });
  }

  /**
   * Sidecar file: "assaybc2" ‖ uint32 cells ‖ Poseidon leaves ‖ keccak leaves ‖ the nodes above the Poseidon leaves, each level
   * after the one below it ‖ those above the keccak leaves ‖ SHA-256 of all that.
   */
  toBytes(): Uint8Array {
    const { possessionLeaves, transportLeaves, possessionInner, transportInner } = this.#parts;
    const count = new Uint8Array(4);
    new DataView(count.buffer).setUint32(0, this.cells);
    const levels = [possessionLeaves, transportLeaves, ...possessionInner, ...transportInner];
    const content = concatBytes(magic, count, ...levels);
    return concatBytes(content, sha256(content));
  }
}

import { AssayError, exitCode } from "../errors.ts";
import { BinaryTree, joinRoots } from "../merkle/binary-tree.ts";
import { type DatasetLayout, segmentLayout } from "./layout.ts";
import { hashBytes } from "./shape.ts";

/** Hash lists that do not belong to the dataset. */
export class WrongHashListError extends AssayError {
  override readonly name: string = "WrongHashListError";

  constructor(reason: string) {
    super(`The object hashes are not the dataset's: ${reason}.`, {
      exitCode: exitCode.badInput,
      next: "If the shards passed their own roots, the uploader encoded wrongly: prove the encoding fraud, and do not use the dataset.",
    });
  }
}

/** The hashes of all objects, checked against the objectRoot of the anchor. */
export class ObjectHashes {
  readonly #hashes: Uint8Array;
  #tree: BinaryTree | undefined;

  /**
   * @param lists the hash lists of all segments, in order.
   * @throws WrongHashListError when a list has another length or the root over all hashes is not `objectRoot`.
   */
  constructor(layout: DatasetLayout, objectRoot: Uint8Array, lists: readonly Uint8Array[]) {
    if (lists.length !== layout.segments) {
      throw new WrongHashListError(`there are ${lists.length} lists for ${layout.segments} segments`);
    }
    this.#hashes = new Uint8Array(layout.objectCount * hashBytes);
    for (const [segment, list] of lists.entries()) {
      const { firstObject, objects } = segmentLayout(layout, segment);
      if (list.length !== objects * hashBytes) {
        throw new WrongHashListError(`the list of segment ${segment} has ${list.length} bytes`);
      }
      this.#hashes.set(list, firstObject * hashBytes);
    }
    const root = joinRoots(this.#hashes);
    if (root.length !== objectRoot.length || root.some((byte, i) => byte !== objectRoot[i])) {
      throw new WrongHashListError("their root is not the anchored one");
    }
  }

  /** Hash of an object's plain bytes. The object must exist. */
  of(object: number): Uint8Array {
    return this.#hashes.subarray(object * hashBytes, (object + 1) * hashBytes);
  }

  /** Siblings from an object's hash up to objectRoot. @throws BadInputError when there is no such object. */
  proof(object: number): Uint8Array[] {
    this.#tree ??= new BinaryTree(this.#hashes);
    return this.#tree.proof(object);
  }
}

import { BadInputError } from "../errors.ts";
import { BinaryTree, joinRoots } from "./binary-tree.ts";
import { hashBytes, leafHash } from "./keccak.ts";

/** Plain bytes in one leaf of an object's tree. */
export const chunkBytes = 1024;

function chunkHashes(object: Uint8Array): Uint8Array {
  if (object.length === 0) throw new BadInputError("an object has at least one byte");
  const count = Math.ceil(object.length / chunkBytes);
  const hashes = new Uint8Array(count * hashBytes);
  for (let i = 0; i < count; i++) {
    const chunk = object.subarray(i * chunkBytes, (i + 1) * chunkBytes);
    leafHash(chunk, hashes.subarray(i * hashBytes, (i + 1) * hashBytes));
  }
  return hashes;
}

/** Hash of an object: root over its chunks of 1 KiB, the last one short (storage protocol, section 2). */
export function objectHash(object: Uint8Array): Uint8Array {
  return joinRoots(chunkHashes(object));
}

/** The same tree with its proofs, for opening single chunks. */
export function objectTree(object: Uint8Array): BinaryTree {
  return new BinaryTree(chunkHashes(object));
}

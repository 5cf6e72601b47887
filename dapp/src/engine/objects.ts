import { bytesToHex, type Hex } from "viem";
import { BadInputError } from "../../../keepers/src/core/errors.ts";
import type { TrainingOrder } from "../../../keepers/src/core/exact/order.ts";
import { joinRoots } from "../../../keepers/src/core/merkle/binary-tree.ts";
import { hashBytes } from "../../../keepers/src/core/merkle/keccak.ts";
import { objectHash } from "../../../keepers/src/core/merkle/object-hash.ts";
import { MemoryObjects } from "../../../keepers/src/training/data/memory-objects.ts";
import type { ObjectSource } from "../../../keepers/src/training/data/types.ts";
import type { GivenObjects } from "./methods.ts";
import type { CallContext } from "./protocol.ts";
import { breathe } from "./serve.ts";

/** Objects hashed between two looks for a cancellation. */
const hashedAtOnce = 1024;

/** Objects with the root that they, or the hashes beside them, come to. */
export type CheckedObjects = { readonly source: ObjectSource; readonly root: Hex; readonly how: string };

/**
 * Hashes the objects that were handed over: all of them, or each against the list of all hashes.
 * @throws BadInputError for another number or size of objects than the order's, and for one that has another hash
 */
export async function checkObjects(
  given: GivenObjects,
  { objects: count, objectBytes }: TrainingOrder,
  context: CallContext,
): Promise<CheckedObjects> {
  if (given.kind === "proven") {
    if (given.hashes.length !== count * hashBytes)
      throw new BadInputError(`There are ${given.hashes.length / hashBytes} hashes for ${count} objects.`);
    const source = await provenObjects(given, objectBytes, context);
    const how = `${given.objects.size} objects were hashed and compared with the hashes of all ${count}.`;
    return { source, root: bytesToHex(joinRoots(given.hashes)), how };
  }
  if (given.bytes.length !== count * objectBytes)
    throw new BadInputError(`There are ${given.bytes.length} bytes, not ${count} objects of ${objectBytes}.`);
  const hashes = new Uint8Array(count * hashBytes);
  for (let index = 0; index < count; index++) {
    const object = given.bytes.subarray(index * objectBytes, (index + 1) * objectBytes);
    hashes.set(objectHash(object), index * hashBytes);
    if (index % hashedAtOnce === 0) await pause(index, count, context);
  }
  const source = new MemoryObjects("the dataset", objectBytes, given.bytes);
  return { source, root: bytesToHex(joinRoots(hashes)), how: `All ${count} objects were hashed.` };
}

async function provenObjects(
  { hashes, objects }: Extract<GivenObjects, { kind: "proven" }>,
  objectBytes: number,
  context: CallContext,
): Promise<ObjectSource> {
  let done = 0;
  for (const [index, object] of objects) {
    if (object.length !== objectBytes)
      throw new BadInputError(`Object ${index} has ${object.length} bytes, not ${objectBytes}.`);
    const expected = hashes.subarray(index * hashBytes, (index + 1) * hashBytes);
    if (bytesToHex(objectHash(object)) !== bytesToHex(expected))
      throw new BadInputError(`Object ${index} does not have the hash that is listed.`, {
        next: "Fetch it again, from another holder.",
      });
    if (done++ % hashedAtOnce === 0) await pause(done, objects.size, context);
  }
  return {
    name: "the dataset",
    count: hashes.length / hashBytes,
    objectBytes,
    async read(indices) {
      const bytes = new Uint8Array(indices.length * objectBytes);
      for (let i = 0; i < indices.length; i++) {
        const object = objects.get(indices[i]!);
        if (object === undefined) throw new BadInputError(`Object ${indices[i]} was not handed over.`);
        bytes.set(object, i * objectBytes);
      }
      return bytes;
    },
    close: () => Promise.resolve(),
  };
}

async function pause(done: number, total: number, { signal, progress }: CallContext): Promise<void> {
  progress({ stage: "checking", done, total, unit: "objects" });
  await breathe(signal);
}

import { bytesToHex, concat } from "viem";
import { joinRoots } from "../../../keepers/src/core/merkle/binary-tree.ts";
import { objectHash } from "../../../keepers/src/core/merkle/object-hash.ts";
import type { DescribedOrder } from "../../../keepers/src/roles/consumer/compose-order.ts";
import { composeFrom } from "../order/compose.ts";
import type { DescribeOrderInput, EncodeInput, HashedObjects } from "./methods.ts";
import { modelOf } from "./model-file.ts";
import type { CallContext } from "./protocol.ts";
import { breathe } from "./serve.ts";
import { openChosen } from "./source.ts";

/** Objects hashed between two looks for a cancellation. */
const hashedAtOnce = 1024;

/**
 * Compiles what is ordered and writes the order, with all that it commits to.
 * @throws TrainingConfigError, OnnxError, BadInputError, CompileError that say what cannot be trained
 */
export async function describeOrder({ own, ...choice }: DescribeOrderInput): Promise<DescribedOrder> {
  if (own === undefined) return composeFrom(choice);
  const { file, datasetId } = own;
  return composeFrom(choice, { model: await modelOf({ kind: "onnx", file }), datasetId });
}

/**
 * The objects that files would be as a dataset, however it is cut into bundles: by their root one that is stored is known
 * again.
 * @throws BadInputError, UnreadableFileError
 */
export async function hashObjects(
  input: EncodeInput,
  { signal, progress }: CallContext,
): Promise<HashedObjects> {
  const { objectCount, objectSize, objects } = await openChosen(input);
  const hashes: Uint8Array[] = [];
  for await (const object of objects()) {
    hashes.push(objectHash(object));
    if (hashes.length % hashedAtOnce > 0) continue;
    progress({ stage: "reading", done: hashes.length, total: objectCount, unit: "objects" });
    await breathe(signal);
  }
  const objectRoot = bytesToHex(joinRoots(concat(hashes)));
  return { objectRoot, objectCount: hashes.length, objectSize };
}

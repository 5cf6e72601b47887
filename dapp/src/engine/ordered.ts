import { BadInputError } from "../../../keepers/src/core/errors.ts";
import type { JobProgram } from "../../../keepers/src/roles/jobs/published-program.ts";
import { type FetchedDataset, fetchDataset, filesOf } from "./fetch.ts";
import type { OrderedInput } from "./methods.ts";
import { openProgram } from "./program.ts";
import type { CallContext } from "./protocol.ts";

/** A program, compiled and held against its order, and the data that the order names. */
export type Ordered = { readonly job: JobProgram; readonly data: FetchedDataset };

/**
 * Fetches what an order names through a gateway: the file of its model, where that is stored, and its data.
 * @throws FetchError for what cannot be had; OrderRefusedError, BadInputError for what is not what it should be
 */
export async function fetchOrdered(
  { gateway, published, dataset, model }: OrderedInput,
  context: CallContext,
): Promise<Ordered> {
  const onnx =
    model === undefined ? undefined : onlyFile(filesOf(await fetchDataset(gateway, model, context)));
  const job = await openProgram({ published, onnx });
  const data = await fetchDataset(gateway, dataset, context);
  const { manifest } = data;
  const isOrdered =
    manifest.objectRoot === job.order.objectRoot && manifest.objectCount === job.order.objects;
  if (!isOrdered) throw new BadInputError("The dataset is not the one that the order names.");
  return { job, data };
}

/** The one file of a folder that is stored. @throws BadInputError when there are more, or none */
export function onlyFile(files: ReadonlyMap<string, Uint8Array>): Blob {
  const [first, ...others] = files.values();
  if (first === undefined || others.length > 0)
    throw new BadInputError(`The model's dataset holds ${files.size} files, not one.`);
  return new Blob([first as Uint8Array<ArrayBuffer>]);
}

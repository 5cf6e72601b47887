import { type Hex, numberToHex } from "viem";
import { z } from "zod";
import type { TrainingOrder } from "../../core/exact/order.ts";

/** 32 bytes in lower-case hexadecimal, as the files of a run hold hashes. */
export const hashSchema = z
  .string()
  .regex(/^0x[0-9a-f]{64}$/)
  .transform((text) => text as Hex);

const count = z.int().min(1);

/** A training order as the file of a run holds it. */
export const orderSchema: z.ZodType<TrainingOrder> = z.strictObject({
  bits: z.union([z.literal(8), z.literal(16)]),
  programRoot: hashSchema,
  initialRoot: hashSchema,
  objectRoot: hashSchema,
  datasetId: hashSchema.optional(),
  objects: count,
  objectBytes: count,
  train: count,
  splitSeed: hashSchema.optional(),
  seed: hashSchema,
  microBatch: count,
  microBatches: count,
  steps: count,
  interval: count,
  schedule: z.strictObject({ table: z.array(z.int().min(0).max(65535)).min(1), every: count }),
});

/** A seed of the configuration as 32 bytes: a number is a uint256. */
export function seedBytes(seed: number | string): Hex {
  return typeof seed === "number" ? numberToHex(seed, { size: 32 }) : (seed.toLowerCase() as Hex);
}

import { type Address, getAddress, type Hex, isAddress } from "viem";
import { z } from "zod";
import { hashSchema } from "../trainer/plan.ts";

const address = z
  .string()
  .refine((text) => isAddress(text))
  .transform((text): Address => getAddress(text));

/** A leaf of the trace as a run's folder keeps it. */
export const traceEntrySchema = z.strictObject({
  /** Steps done. */
  step: z.int().min(0),
  stateRoot: hashSchema,
  /** Hash of the witnesses since the leaf before; zero for leaf 0. */
  h: hashSchema,
  /** Over the Proof-of-Learning record of the interval that ends here. */
  signed: z
    .strictObject({
      worker: address,
      signature: z
        .string()
        .regex(/^0x[0-9a-f]{130}$/)
        .transform((text) => text as Hex),
    })
    .optional(),
});
export type TraceEntry = z.output<typeof traceEntrySchema>;

/** Leaf 0: the state before the first step. */
export function firstEntry(stateRoot: Hex): TraceEntry {
  return { step: 0, stateRoot, h: `0x${"00".repeat(32)}` };
}

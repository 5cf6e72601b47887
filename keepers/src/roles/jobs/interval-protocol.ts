import { z } from "zod";
import { defineProtocol } from "../../storage/transport/rpc.ts";

const decimal = (digits: number) => z.string().regex(new RegExp(`^(0|[1-9][0-9]{0,${digits - 1}})$`));
const count = z
  .int()
  .min(0)
  .max(2 ** 32);

/** Longest state, or sums of one step, in bytes. */
export const mostPartBytes = 256 * 2 ** 20;

const method = {
  response: z.strictObject({}),
  requestBody: 0,
  responseBody: mostPartBytes,
  // The provider computes what it is asked for.
  timeout: 120_000,
  idempotent: true,
  cost: 20,
} as const;

/**
 * Between a provider and the members of the committee that checks its job: what saves a member work on the intervals that
 * were drawn for it. Nothing of it is believed. Bodies of the answers: the state before an interval, as a result's file
 * holds it; the sums of products of a step, as `freivalds/serialize` writes them.
 */
export const intervalProtocol = defineProtocol("/assay/interval/1.0.0", {
  state: { request: z.strictObject({ jobId: decimal(20), interval: count }), ...method },
  sums: { request: z.strictObject({ jobId: decimal(20), step: count }), ...method },
});
export type IntervalMethods = (typeof intervalProtocol)["methods"];

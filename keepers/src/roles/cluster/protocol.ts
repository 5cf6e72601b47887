import { type Address, getAddress, type Hex, isAddress } from "viem";
import { z } from "zod";
import { limits } from "../../core/exact/limits.ts";
import { defineProtocol } from "../../storage/transport/rpc.ts";

const hex = (bytes: number) =>
  z.string().regex(new RegExp(`^0x[0-9a-f]{${2 * bytes}}$`)) as unknown as z.ZodType<Hex, Hex>;
const digest = z.string().regex(/^[0-9a-f]{64}$/);
const decimal = (digits: number) => z.string().regex(new RegExp(`^(0|[1-9][0-9]{0,${digits - 1}})$`));
/** An amount of tokens as contracts hold it: what is above that can be put into no call. */
const amount = decimal(39).refine((text) => BigInt(text) < 2n ** 128n);
const address = z.string().refine((text) => isAddress(text, { strict: false })) as unknown as z.ZodType<
  Address,
  Address
>;
const session = z.string().regex(/^[0-9a-f]{32}$/);
const count = (most: number) => z.int().min(1).max(most);

/** Longest program, in bytes of JSON; and longest state, batch or result of a chunk. */
const programBytes = 16 * 2 ** 20;
const partBytes = 256 * 2 ** 20;

/** How long a provider keeps a worker waiting for work before it says that there is none yet, in milliseconds. */
export const longPoll = 10_000;

/** Who is paid how much, and which contract holds the surety; absent where nobody is paid. */
const pay = z.strictObject({
  chainId: z.int().min(1),
  rewards: address,
  provider: address,
  jobId: decimal(20),
  /** Base units of the token for each chunk. */
  perChunk: amount,
});
export type PayTerms = z.output<typeof pay>;

const receipt = {
  /** What the provider owes the worker for the job by now, and its signature of it; null while that is nothing. */
  total: amount,
  signature: hex(65).nullable(),
  /** Results of this worker that others, or the provider, have to confirm first. */
  pending: z.int().min(0),
};

/**
 * Between a provider and its workers. Workers dial, so that they may stand behind any router; each asks for work, computes it,
 * brings the result. Bodies: of `join`'s answer, the program as JSON; of `take`'s answer, what changed in the state and
 * the objects of the chunk; of `deliver`'s request, the sums if they were asked for.
 */
export const clusterProtocol = defineProtocol("/assay/cluster/1.0.0", {
  join: {
    /** The account that is paid, and its signature over both peers. */
    request: z.strictObject({ account: address, signature: hex(65) }),
    response: z.strictObject({
      session,
      microBatches: count(limits.microBatches),
      objectBytes: count(2 ** 30),
      pay: pay.nullable(),
    }),
    requestBody: 0,
    responseBody: programBytes,
    timeout: 30_000,
    idempotent: true,
    cost: 50,
  },
  take: {
    request: z.strictObject({ session, holds: digest.nullable() }),
    response: z.discriminatedUnion("kind", [
      z.strictObject({ kind: z.literal("wait"), ...receipt }),
      z.strictObject({
        kind: z.literal("chunk"),
        ...receipt,
        chunk: z.int().min(0),
        state: digest,
        since: digest.nullable(),
        /** Bytes of the state's part of the body. */
        stateBytes: z.int().min(0).max(partBytes),
        /** Whether the sums are wanted with their digest. */
        isSender: z.boolean(),
      }),
    ]),
    requestBody: 0,
    responseBody: partBytes,
    timeout: 3 * longPoll,
    idempotent: true,
    cost: 5,
  },
  deliver: {
    request: z.strictObject({
      session,
      chunk: z.int().min(0),
      /** SHA-256 of the sums' encoding. */
      digest,
    }),
    response: z.strictObject({ verdict: z.enum(["accepted", "pending", "late"]), ...receipt }),
    requestBody: partBytes,
    responseBody: 0,
    // A provider that computes answers nobody meanwhile.
    timeout: 180_000,
    idempotent: true,
    cost: 5,
  },
  /** Where a worker stands in the tree with which a job was settled. */
  share: {
    request: z.strictObject({ jobId: decimal(20), account: address }),
    response: z.strictObject({
      total: amount,
      index: z.int().min(0),
      /** Siblings up to the top, each with the sum of the totals below it. */
      proof: z.array(z.strictObject({ node: hex(32), sum: amount })).max(32),
    }),
    requestBody: 0,
    responseBody: 0,
    timeout: 15_000,
    idempotent: true,
    cost: 20,
  },
});
export type ClusterMethods = (typeof clusterProtocol)["methods"];

/** An account in the form in which books hold it. */
export function accountOf(text: Address): Address {
  return getAddress(text);
}

import { z } from "zod";
import { maxBlobBytes } from "../../core/dataset/blob.ts";
import { defineProtocol } from "./rpc.ts";

/** The longest manifest, as docs/storage-protocol.md section 3 has it. */
export const maxManifestBytes = 253_952;
/** Cells in one request, and their proofs' longest path. */
export const maxCellsAsked = 64;
export const cellBytes = 496;
export const maxCellDepth = 14;
export const proofBytes = 128;
/** Bundles named in one request. */
export const maxBundlesNamed = 1024;

const hex = (bytes: number) =>
  z.string().regex(new RegExp(`^0x[0-9a-f]{${bytes * 2}}$`)) as unknown as z.ZodType<
    `0x${string}`,
    `0x${string}`
  >;
const bytes32 = hex(32);
const uint32 = z.int().min(0).max(0xffffffff);
const decimal = (digits: number) => z.string().regex(new RegExp(`^(0|[1-9][0-9]{0,${digits - 1}})$`));
const bundleIndices = z.array(uint32).min(1).max(maxBundlesNamed);
/** What a dataset will be anchored under, as far as its manifest does not say it; amounts in token base units. */
const terms = z.strictObject({
  feePerAudit: decimal(29),
  epochs: uint32,
  previous: bytes32,
  parameters: z.strictObject({
    bondPerBundle: decimal(29),
    bundleStake: decimal(29),
    missPenalty: decimal(29),
    surrenderPenalty: decimal(29),
    policy: hex(20),
  }),
});
const bundle = { datasetId: bytes32, bundleIndex: uint32 };
type Named = { readonly bundleIndices: readonly number[] };
/** Bytes that are read and hashed together: a blob's chunk. */
const blockBytes = 262_144;
const blocksOf = (bytes: number) => Math.ceil(bytes / blockBytes);

export const refusalReasons = ["no-space", "price", "policy", "already-full", "bad-manifest"] as const;

/**
 * The protocol between keepers (and their clients) about bundles. Every request names a bundle by the dataset's id and
 * the bundle's index; bytes travel in bodies. Numbers above 2^53 travel as decimal strings, hashes as 0x-hex.
 */
export const shardProtocol = defineProtocol("/assay/shard/1.0.0", {
  /**
   * Proposes bundles to a keeper. The body is the manifest's bytes; empty when only its CID is given. Owner and terms
   * make the dataset's id checkable: it is a hash over owner, manifest and terms. Terms are left out for a dataset that
   * is anchored: the keeper reads what that is paid for from the chain.
   */
  offer: {
    request: z.strictObject({
      datasetId: bytes32,
      owner: hex(20),
      manifestCid: z.string().max(128),
      bundleIndices,
      terms: terms.optional(),
    }),
    response: z.strictObject({
      accepted: z.array(uint32).max(maxBundlesNamed),
      refused: z
        .array(
          z.strictObject({
            bundleIndex: uint32,
            reason: z.enum(refusalReasons),
            detail: z.string().max(256),
          }),
        )
        .max(maxBundlesNamed),
    }),
    requestBody: maxManifestBytes,
    responseBody: 0,
    timeout: 30_000,
    idempotent: true,
    // A manifest is hashed, and read: 254 kB take 45 ms. Each bundle is looked up in memory.
    cost: ({ bundleIndices }: Named, bodyLength: number) =>
      10 + Math.ceil(bodyLength / 600) + Math.ceil(bundleIndices.length / 16),
  },
  /** The manifest of a dataset of which the keeper holds bundles; the body is its bytes. */
  manifest: {
    request: z.strictObject({ datasetId: bytes32 }),
    response: z.strictObject({}),
    requestBody: 0,
    responseBody: maxManifestBytes,
    timeout: 20_000,
    idempotent: true,
    cost: 20,
  },
  /** What the keeper has of each bundle: nothing, the first `received` bytes, all of them, or all and signed for. */
  status: {
    request: z.strictObject({ datasetId: bytes32, bundleIndices }),
    response: z.strictObject({
      bundles: z
        .array(
          z.strictObject({
            bundleIndex: uint32,
            state: z.enum(["absent", "partial", "received", "held"]),
            received: z.int().min(0).max(maxBlobBytes),
          }),
        )
        .max(maxBundlesNamed),
    }),
    requestBody: 0,
    responseBody: 0,
    timeout: 10_000,
    idempotent: true,
    // Each bundle that is not held is looked for on disk.
    cost: ({ bundleIndices }: Named) => Math.ceil(bundleIndices.length / 4),
  },
  /**
   * Sends bytes of an accepted bundle from `offset` on, maybe none; the answer says how many the keeper has now. With the
   * last one it keeps the bundle, or refuses it.
   */
  put: {
    request: z.strictObject({
      ...bundle,
      offset: z.int().min(0).max(maxBlobBytes),
      total: z.int().min(1).max(maxBlobBytes),
    }),
    response: z.strictObject({ received: z.int().min(0).max(maxBlobBytes) }),
    requestBody: maxBlobBytes,
    responseBody: 0,
    timeout: 60_000,
    idempotent: false,
    // What was received is synced to the disk; trees are made on other threads.
    cost: (_: object, bodyLength: number) => 10 + 4 * blocksOf(bodyLength),
  },
  /** Asks for the signed receipt, once all bytes are there. The keeper checks both roots first. */
  commit: {
    request: z.strictObject({
      ...bundle,
      poseidonRoot: bytes32,
      transportRoot: bytes32,
      validUntil: decimal(20),
      latestEnd: uint32,
    }),
    response: z.strictObject({ operator: hex(20), validUntil: decimal(20), signature: hex(65) }),
    requestBody: 0,
    responseBody: 0,
    timeout: 120_000,
    idempotent: true,
    cost: 20,
  },
  /** A range of a bundle's bytes. */
  get: {
    request: z.strictObject({
      ...bundle,
      offset: z.int().min(0).max(maxBlobBytes),
      length: z.int().min(1).max(maxBlobBytes),
    }),
    response: z.strictObject({}),
    requestBody: 0,
    responseBody: maxBlobBytes,
    timeout: 20_000,
    idempotent: true,
    // Every block that a byte is asked of is read and hashed.
    cost: ({ offset, length }: { offset: number; length: number }) =>
      4 + 6 * (blocksOf(offset + length) - Math.floor(offset / blockBytes)),
  },
  /** Cells with their transport proofs. Body: for each, 496 bytes and then `depth` siblings of 32 bytes. */
  cells: {
    request: z.strictObject({
      ...bundle,
      cells: z.array(z.int().min(0).max(16383)).min(1).max(maxCellsAsked),
    }),
    response: z.strictObject({ depth: z.int().min(0).max(maxCellDepth) }),
    requestBody: 0,
    responseBody: maxCellsAsked * (cellBytes + 32 * maxCellDepth),
    timeout: 20_000,
    idempotent: true,
    // Each cell stands in a block of its own that is read and hashed, beside the bundle's tree.
    cost: ({ cells }: { cells: readonly number[] }) => 20 + 8 * cells.length,
  },
  /** A possession proof on a seed the client chose. Body: the proof's 128 bytes. */
  prove: {
    request: z.strictObject({ ...bundle, seed: bytes32 }),
    response: z.strictObject({ evaluation: decimal(78) }),
    requestBody: 0,
    responseBody: proofBytes,
    timeout: 180_000,
    idempotent: true,
    cost: 200,
  },
});

export type ShardMethods = (typeof shardProtocol)["methods"];

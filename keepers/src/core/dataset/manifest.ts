import { sha256 } from "@noble/hashes/sha2.js";
import { keccak_256 } from "@noble/hashes/sha3.js";
import { CID } from "multiformats/cid";
import * as z from "zod";
import { BadInputError } from "../errors.ts";
import { cidOf, dagPbCodec, rawCodec, sha2256 } from "./blob.ts";
import { canonicalJson } from "./canonical-json.ts";
import { formatProblem, formatSchema } from "./format.ts";
import { type DatasetLayout, datasetLayout } from "./layout.ts";
import { fileNameProblem, maxNameLength } from "./names.ts";
import { firstProblem } from "./schema-error.ts";
import { cellBytes, maxBundles, maxDataShards, maxObjectSize, maxShards } from "./shape.ts";

/** Longest manifest in bytes: one block of the blob layout, so that its digest is its CID. */
export const maxManifestBytes = 512 * cellBytes;
/** Most recipients of a dataset's key. */
export const maxRecipients = 64;
/** The order of BN254's scalar field: Poseidon roots lie below it. */
const scalarFieldOrder = 21888242871839275222246405745257275088548364400416034343698204186575808495617n;

const text = (most: number) =>
  z
    .string()
    .max(most)
    .refine((value) => value.isWellFormed(), "is not valid Unicode");
const hex = (bytes: number) =>
  z
    .string()
    .regex(
      new RegExp(`^0x[0-9a-f]{${2 * bytes}}$`),
      `must be 0x and ${2 * bytes} lower-case hexadecimal digits`,
    );
const poseidonRoot = hex(32).refine(
  (value) => BigInt(value) < scalarFieldOrder,
  "is not below the scalar field's order",
);
const bundleCid = z.string().max(128).refine(isBundleCid, "is not a CIDv1 (raw or dag-pb, SHA-256, base32)");
const name = z
  .string()
  .max(maxNameLength)
  .superRefine((value, context) => {
    const problem = fileNameProblem(value);
    if (problem !== null) context.addIssue({ code: "custom", message: `is refused: ${problem}` });
  });

const manifestSchema = z.strictObject({
  version: z.literal(1),
  name,
  k: z.int().min(1).max(maxDataShards),
  n: z.int().min(2).max(maxShards),
  objectCount: z.int().min(1).max(Number.MAX_SAFE_INTEGER),
  objectSize: z.int().min(1).max(maxObjectSize),
  segmentObjects: z.int().min(1).max(Number.MAX_SAFE_INTEGER),
  objectRoot: hex(32),
  bundles: z
    .array(z.strictObject({ poseidonRoot, transportRoot: hex(32), cid: bundleCid }))
    .min(1)
    .max(maxBundles),
  format: formatSchema,
  encryption: z
    .strictObject({
      scheme: z.literal("xchacha20poly1305"),
      salt: hex(32),
      keys: z
        .array(z.strictObject({ recipient: hex(32), ephemeral: hex(32), wrapped: hex(48) }))
        .max(maxRecipients),
    })
    .nullable(),
  licence: text(256),
  description: text(4096),
});

/** What a dataset is: shape, roots, format, encryption, licence (storage protocol, section 3). */
export type Manifest = z.infer<typeof manifestSchema>;

/** The layout that a manifest's numbers give. @throws BadInputError */
export function manifestLayout(manifest: Manifest): DatasetLayout {
  return datasetLayout({ ...manifest, encrypted: manifest.encryption !== null });
}

/**
 * The manifest's canonical bytes.
 * @throws BadInputError when the manifest is not valid: what is written can always be read.
 */
export function encodeManifest(manifest: Manifest): Uint8Array {
  const bytes = new TextEncoder().encode(canonicalJson(checkManifest(manifest)));
  assertSize(bytes);
  return bytes;
}

/**
 * Reads a manifest from untrusted bytes.
 * @throws BadInputError that names the field when a size is over its limit, the bytes are not canonical JSON (sorted
 * unique keys, no white space), a field is missing, unknown or malformed, or numbers contradict each other.
 */
export function parseManifest(bytes: Uint8Array): Manifest {
  assertSize(bytes);
  const source = decodeText(bytes);
  const manifest = checkManifest(parseJson(source));
  assertCanonical(source, canonicalJson(manifest));
  return manifest;
}

/** keccak256 of the manifest's bytes: what the anchor names. */
export function manifestHash(bytes: Uint8Array): Uint8Array {
  return keccak_256(bytes);
}

/** SHA-256 of the manifest's bytes, the digest of its CID. */
export function manifestDigest(bytes: Uint8Array): Uint8Array {
  return sha256(bytes);
}

/** The manifest's CID from its digest: CIDv1, raw, SHA-256. */
export function manifestCid(digest: Uint8Array): string {
  return cidOf(rawCodec, digest).toString();
}

function checkManifest(value: unknown): Manifest {
  const result = manifestSchema.safeParse(value);
  if (!result.success) {
    const { field, reason } = firstProblem(result.error, "the manifest");
    throw fieldError(field, reason);
  }
  const manifest = result.data;
  const layout = manifestLayout(manifest);
  if (manifest.bundles.length !== layout.bundles) {
    throw fieldError("bundles", `there are ${manifest.bundles.length}, the sizes ask for ${layout.bundles}`);
  }
  const problem = formatProblem(manifest.format, manifest);
  if (problem !== null) throw fieldError(problem.field, problem.reason);
  const recipients = new Set<string>();
  for (const [i, { recipient }] of (manifest.encryption?.keys ?? []).entries()) {
    if (recipients.has(recipient)) throw fieldError(`encryption.keys[${i}].recipient`, "it occurs twice");
    recipients.add(recipient);
  }
  return manifest;
}

function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new BadInputError("The manifest is not UTF-8 text.", { cause, next: fetchAgain });
  }
}

function parseJson(source: string): unknown {
  try {
    return JSON.parse(source);
  } catch (cause) {
    throw new BadInputError(`The manifest is not JSON: ${(cause as Error).message}.`, {
      cause,
      next: fetchAgain,
    });
  }
}

/** A duplicate key, white space or another order shows as the first place where the two texts part. */
function assertCanonical(source: string, canonical: string): void {
  if (source === canonical) return;
  let at = 0;
  while (source[at] === canonical[at]) at++;
  const key = source.slice(0, at + 1).match(/"([^"\\]{1,64})":?[^"]*$|"([^"\\]{1,64})":[^:]*$/);
  const near = key?.[1] ?? key?.[2] ?? "its start";
  throw new BadInputError(`The manifest is not canonical JSON at character ${at}, near "${near}".`, {
    next: "Keys must be sorted, occur once and have no white space around them.",
  });
}

function fieldError(field: string, reason: string): BadInputError {
  return new BadInputError(`The manifest is not valid at ${field}: ${reason}.`, { next: fetchAgain });
}

const fetchAgain = "Fetch it again from another holder, or ask its owner for a valid one.";

function assertSize(bytes: Uint8Array): void {
  if (bytes.length <= maxManifestBytes) return;
  throw new BadInputError(
    `The manifest has ${bytes.length} bytes; at most ${maxManifestBytes} are allowed.`,
    {
      next: "Shorten its description or its header, wrap the key for fewer recipients, or split the dataset.",
    },
  );
}

function isBundleCid(value: string): boolean {
  try {
    const cid = CID.parse(value);
    const known = cid.code === rawCodec || cid.code === dagPbCodec;
    const digest = cid.multihash;
    return (
      cid.version === 1 && known && digest.code === sha2256 && digest.size === 32 && cid.toString() === value
    );
  } catch {
    return false;
  }
}

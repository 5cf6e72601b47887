import { type Address, getAddress, type Hex, hexToBytes, isAddress, keccak256 } from "viem";
import { z } from "zod";
import { firstProblem } from "../dataset/schema-error.ts";
import { BadInputError } from "../errors.ts";
import { maxPackageBytes, packageDigest } from "./package.ts";
import { type MarketDomain, orderHash } from "./typed-data.ts";
import { type Bid, type Order, schemes } from "./types.ts";

/** An order as its consumer hands it out: signed, with all that a provider compiles its program from. */
export type SignedOrder = MarketDomain & {
  readonly order: Order;
  /** Encoded training order. */
  readonly training: Hex;
  readonly package: Hex;
  readonly signature: Hex;
};

/** A bid as its provider hands it out. */
export type SignedBid = MarketDomain & { readonly bid: Bid; readonly signature: Hex };

/** Most bytes that the market takes (`MAX_TRAINING`, `MAX_SIGNATURE`). */
const mostTraining = 8_192;
const mostSignature = 4_096;
/** Longest file that is read: all of the above in hexadecimal, with room for the rest. */
const mostText = 1 << 17;

const formats = { order: "assay/order/v1", bid: "assay/bid/v1" } as const;

const unsigned = (bits: number) =>
  z
    .string()
    .regex(/^(0|[1-9]\d{0,77})$/, "must be a whole number, written as a string of decimal digits")
    .transform(BigInt)
    .refine((value) => value < 1n << BigInt(bits), `must be less than 2^${bits}`);
const small = (bits: number) =>
  z
    .int()
    .min(0)
    .max(2 ** bits - 1);
const account = z
  .string()
  .refine((text) => isAddress(text), "must be an address, with a right checksum where it has one")
  .transform((text): Address => getAddress(text));
const hash = z
  .string()
  .regex(/^0x[0-9a-f]{64}$/, "must be 32 bytes in lower-case hexadecimal")
  .transform((text) => text as Hex);
const bytes = (most: number) =>
  z
    .string()
    .regex(/^0x([0-9a-f]{2})*$/, "must be bytes in lower-case hexadecimal")
    .refine(({ length }) => (length - 2) / 2 <= most, `must be ${most} bytes at most`)
    .transform((text) => text as Hex);

const domain = { chainId: z.int().positive(), market: account };

const orderSchema = z.strictObject({
  format: z.literal(formats.order),
  ...domain,
  order: z.strictObject({
    consumer: account,
    problem: z.strictObject({
      datasetId: hash,
      trainingHash: hash,
      programRoot: hash,
      nodeCounts: z.tuple([small(32), small(32), small(32)]),
      witnessNode: small(32),
      slots: small(32),
      programDigest: hash,
    }),
    conditions: z.strictObject({
      maximumPrice: unsigned(128),
      deposit: unsigned(128),
      priceFeed: account,
      trainingTime: small(32),
      minimumCompute: small(32),
      regions: unsigned(64),
      regulations: unsigned(64),
      privacyTier: small(8),
      scheme: z.int().min(schemes.optimistic).max(schemes.both),
      committeeSize: small(8),
      threshold: small(8),
      checkFee: unsigned(128),
      instalments: small(8),
    }),
    nonce: unsigned(256),
    expiry: unsigned(64),
  }),
  training: bytes(mostTraining),
  package: bytes(maxPackageBytes),
  signature: bytes(mostSignature),
});

const bidSchema = z.strictObject({
  format: z.literal(formats.bid),
  ...domain,
  bid: z.strictObject({
    provider: account,
    order: hash,
    price: unsigned(128),
    compute: small(32),
    region: unsigned(64),
    regulations: unsigned(64),
    privacyTier: small(8),
    nonce: unsigned(256),
    expiry: unsigned(64),
  }),
  signature: bytes(mostSignature),
});

/** A signed order as a file: JSON, whole numbers beyond 2^32 as strings of digits. */
export function writeSignedOrder(message: SignedOrder): string {
  return write(formats.order, message);
}

/** A signed bid as a file. */
export function writeSignedBid(message: SignedBid): string {
  return write(formats.bid, message);
}

/**
 * Reads an order that anybody may have written. Whether its signature is right is for the chain to say: its consumer may be
 * a contract.
 *
 * @throws BadInputError when it is malformed, or training order or package are not those that it commits to
 */
export function readSignedOrder(text: string): SignedOrder {
  const { format: _, ...message } = read(text, orderSchema, "the signed order");
  const { problem } = message.order;
  if (keccak256(message.training) !== problem.trainingHash) {
    throw new BadInputError("The training order of this file is not the one that the order commits to.");
  }
  if (packageDigest(hexToBytes(message.package)) !== problem.programDigest) {
    throw new BadInputError("The package of this file is not the one that the order commits to.");
  }
  return message;
}

/** Reads a bid that anybody may have written. @throws BadInputError */
export function readSignedBid(text: string): SignedBid {
  const { format: _, ...message } = read(text, bidSchema, "the signed bid");
  return message;
}

/** Identity of a signed order. */
export function hashOf({ order }: SignedOrder): Hex {
  return orderHash(order);
}

function write(format: string, message: SignedOrder | SignedBid): string {
  const plain = (_: string, value: unknown) => (typeof value === "bigint" ? String(value) : value);
  return `${JSON.stringify({ format, ...message }, plain, 2)}\n`;
}

function read<T extends z.ZodType>(text: string, schema: T, what: string): z.output<T> {
  if (text.length > mostText)
    throw new BadInputError(`A file of ${text.length} bytes is too long for ${what}.`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new BadInputError(`This is no JSON where ${what} is wanted.`, { cause });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const { field, reason } = firstProblem(parsed.error, what);
  throw new BadInputError(`${what} is malformed: ${field}: ${reason}.`);
}

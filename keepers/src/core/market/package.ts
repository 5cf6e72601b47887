import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, type Hex } from "viem";
import { z } from "zod";
import { canonicalJson, type JsonValue } from "../dataset/canonical-json.ts";
import { firstProblem } from "../dataset/schema-error.ts";
import { BadInputError } from "../errors.ts";

/** Longest package, in bytes. */
export const maxPackageBytes = 16 * 1024;

const word = (low: number, high: number) => z.int().min(low).max(high);
const most31 = 2 ** 31 - 1;
const bits16 = word(0, 65_535);
const hash = z
  .string()
  .regex(/^0x[0-9a-f]{64}$/, "must be 32 bytes in lower-case hexadecimal")
  .transform((text) => text as Hex);
const encoding = z.enum(["u8", "i8", "i16", "i32"]);
const shift = word(0, 31).optional();

const values = {
  offset: word(0, most31),
  encoding,
  multiply: word(-32_768, 32_767),
  add: word(-most31, most31),
  exponent: word(-64, 64),
};
const option = z.union([z.int(), z.array(z.int()).max(64)]);

const packageSchema = z.strictObject({
  format: z.literal("assay/package/v1"),
  model: z.discriminatedUnion("kind", [
    z.strictObject({
      kind: z.literal("built-in"),
      name: z.string().max(64),
      options: z.record(z.string().max(64), option),
    }),
    // An anchored dataset that holds one file: an ONNX model.
    z.strictObject({ kind: z.literal("onnx"), datasetId: hash }),
  ]),
  bits: z.union([z.literal(8), z.literal(16)]),
  microBatch: word(1, 65_536),
  input: z.strictObject({
    ...values,
    shape: z.array(word(1, most31)).min(1).max(3),
    layout: z.enum(["flat", "NHWC", "NCHW"]),
  }),
  target: z.union([
    z.strictObject({ offset: values.offset, encoding, classes: word(2, 65_536) }),
    z.strictObject(values),
  ]),
  loss: z.enum(["softmax-cross-entropy", "mean-squared-error"]),
  optimizer: z.strictObject({
    momentum: bits16,
    weightDecay: bits16.optional(),
    momentumShift: shift,
    weightDecayShift: shift,
    learningRateShift: shift,
  }),
  initialize: z.enum(["seed", "model"]).optional(),
});

/**
 * How the program of an order is compiled, so that everybody compiles the same one: every option of the compiler, with
 * nothing left to a default. What is not about the program (data, seeds, steps, rates) is in the training order.
 */
export type JobPackage = z.output<typeof packageSchema>;

/**
 * Bytes of a package: JSON in its canonical form (RFC 8785), so that the same package always has the same digest.
 *
 * @throws BadInputError for a package that is malformed or too long
 */
export function encodePackage(value: JobPackage): Uint8Array {
  const bytes = new TextEncoder().encode(canonicalJson(checked(value) as JsonValue));
  requireLength(bytes);
  return bytes;
}

/**
 * Reads a package that anybody may have made.
 *
 * @throws BadInputError when it is too long, malformed, or not in its canonical form
 */
export function decodePackage(bytes: Uint8Array): JobPackage {
  requireLength(bytes);
  let value: unknown;
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    value = JSON.parse(text);
  } catch (cause) {
    throw new BadInputError("The package is no JSON.", { cause });
  }
  const parsed = checked(value);
  if (canonicalJson(parsed as JsonValue) !== text) {
    throw new BadInputError("The package is not in its canonical form.", {
      next: "Write it as RFC 8785 says: keys sorted, no white space.",
    });
  }
  return parsed;
}

/** `programDigest` of an order: SHA-256 of the package's bytes. */
export function packageDigest(bytes: Uint8Array): Hex {
  return bytesToHex(sha256(bytes));
}

function checked(value: unknown): JobPackage {
  const parsed = packageSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const { field, reason } = firstProblem(parsed.error, "the package");
  throw new BadInputError(`The package is malformed: ${field}: ${reason}.`);
}

function requireLength({ length }: Uint8Array): void {
  if (length > maxPackageBytes) {
    throw new BadInputError(`The package has ${length} bytes; ${maxPackageBytes} is the most.`);
  }
}

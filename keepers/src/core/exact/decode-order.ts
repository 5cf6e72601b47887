import { decodeAbiParameters, type Hex, hexToBytes, isHex, size } from "viem";
import { BadInputError } from "../errors.ts";
import { encodeOrder, orderTag, orderTypes, type TrainingOrder } from "./order.ts";
import type { MantissaBits } from "./tape/types.ts";

/** Longest encoded order: a schedule's table of 65,536 entries, and all other fields. */
const maxBytes = 2 ** 17 + 2 ** 10;
const none: Hex = `0x${"00".repeat(32)}`;

/**
 * The order behind its encoding, which anybody may have made.
 *
 * @throws BadInputError for bytes that are not the encoding of an order within its limits
 */
export function decodeOrder(encoded: Hex): TrainingOrder {
  if (!isHex(encoded) || size(encoded) > maxBytes) {
    throw new BadInputError("The training order is no encoding of bytes, or too long.");
  }
  const order = toOrder(fieldsOf(encoded));
  // One order has one encoding: another one would have another hash.
  if (encodeOrder(order) !== encoded.toLowerCase()) {
    throw new BadInputError("The training order is not encoded as docs/exact-ops.md section 7 says.");
  }
  return order;
}

function fieldsOf(encoded: Hex) {
  try {
    return decodeAbiParameters(orderTypes, encoded);
  } catch (cause) {
    throw new BadInputError("The training order cannot be decoded.", { cause });
  }
}

function toOrder(fields: ReturnType<typeof fieldsOf>): TrainingOrder {
  const [tag, bits, programRoot, initialRoot, objectRoot, datasetId, ...rest] = fields;
  const [objects, objectBytes, train, splitSeed, seed, log2MicroBatch, log2MicroBatches, ...last] = rest;
  const [steps, interval, every, table] = last;
  if (tag !== orderTag) throw new BadInputError("The training order is of another version.");
  const rates = hexToBytes(table);
  const view = new DataView(rates.buffer);
  return {
    // Whether there is such a profile is for `encodeOrder` to say.
    bits: toCount(bits) as MantissaBits,
    programRoot,
    initialRoot,
    objectRoot,
    ...(datasetId !== none && { datasetId }),
    objects: toCount(objects),
    objectBytes: toCount(objectBytes),
    train: toCount(train),
    ...(splitSeed !== none && { splitSeed }),
    seed,
    microBatch: toPower(log2MicroBatch),
    microBatches: toPower(log2MicroBatches),
    steps: toCount(steps),
    interval: toCount(interval),
    schedule: {
      table: Array.from({ length: Math.floor(rates.length / 2) }, (_, i) => view.getUint16(2 * i)),
      every: toCount(every),
    },
  };
}

function toCount(value: bigint): number {
  if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
  throw new BadInputError(`The training order counts ${value}, which no order does.`);
}

function toPower(log2: bigint): number {
  if (log2 <= 31n) return 2 ** Number(log2);
  throw new BadInputError(`The training order names 2^${log2} samples.`);
}

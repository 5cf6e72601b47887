import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { concatHex, type Hex, slice } from "viem";
import { BadInputError } from "../../../../keepers/src/core/errors.ts";
import { decodeOrder } from "../../../../keepers/src/core/exact/decode-order.ts";
import { encodeOrder } from "../../../../keepers/src/core/exact/order.ts";
import { recordedRefusals } from "../refusals.ts";
import { order } from "./sample-order.ts";

const throws = recordedRefusals("exact/decode-order");

const encoded = encodeOrder(order);
const word = (n: number): Hex => `0x${n.toString(16).padStart(64, "0")}`;
/** The encoding with one of its words replaced. */
const withWord = (index: number, value: Hex): Hex =>
  concatHex([slice(encoded, 0, 32 * index), value, slice(encoded, 32 * (index + 1))]);

describe("an encoded training order", () => {
  it("comes back as it was, with and without dataset and split", () => {
    assert.deepEqual(decodeOrder(encoded), order);
    const { datasetId: _, splitSeed: __, ...rest } = order;
    const whole = { ...rest, train: order.objects };
    assert.deepEqual(decodeOrder(encodeOrder(whole)), whole);
  });

  it("is refused when it is cut, longer, or no hexadecimal", () => {
    for (const bytes of ["0x", slice(encoded, 0, 64), slice(encoded, 0, 32 * 17), `${encoded}00`, "0xzz"]) {
      throws(() => decodeOrder(bytes as Hex), BadInputError, bytes.slice(0, 20));
    }
    throws(() => decodeOrder(`0x${"00".repeat(2 ** 18)}`), /too long/);
  });

  it("is refused in another encoding of the same order, which has another hash", () => {
    // The table one word further on, with a gap before it.
    const shifted = concatHex([slice(encoded, 0, 32 * 16), word(32 * 18), word(0), slice(encoded, 32 * 17)]);
    throws(() => decodeOrder(shifted), /section 7/);
  });

  it("is refused when a field is out of its range", () => {
    const wrong: [number, Hex][] = [
      [0, word(1)],
      [1, word(32)],
      [5, word(0)],
      [6, `0x${"ff".repeat(32)}`],
      [8, word(101)],
      [11, word(200)],
      [13, word(0)],
      [14, word(1_025)],
      [15, word(0)],
    ];
    for (const [index, value] of wrong) {
      // Without a dataset word 5 may be zero: then the encoding is that of another order, and valid.
      if (index === 5) assert.equal(decodeOrder(withWord(index, value)).datasetId, undefined);
      else throws(() => decodeOrder(withWord(index, value)), BadInputError, `word ${index}`);
    }
  });
});

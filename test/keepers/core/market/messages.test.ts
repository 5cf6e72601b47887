import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { type Hex, keccak256, zeroAddress } from "viem";
import {
  hashOf,
  readSignedBid,
  readSignedOrder,
  type SignedBid,
  type SignedOrder,
  writeSignedBid,
  writeSignedOrder,
} from "../../../../keepers/src/core/market/messages.ts";
import { orderHash } from "../../../../keepers/src/core/market/typed-data.ts";
import { recordedRefusals } from "../refusals.ts";

const throws = recordedRefusals("market/messages");

const word = (n: number): Hex => `0x${n.toString(16).padStart(64, "0")}`;
const account = (n: number) => `0x${n.toString(10).padStart(40, "0")}` as const;
const sha256 = (hex: Hex): Hex =>
  `0x${createHash("sha256")
    .update(Buffer.from(hex.slice(2), "hex"))
    .digest("hex")}`;

const training: Hex = "0x010203";
const bytes: Hex = "0x7b7d";
const order: SignedOrder = {
  chainId: 31_337,
  market: account(9),
  order: {
    consumer: account(1),
    problem: {
      datasetId: word(2),
      trainingHash: keccak256(training),
      programRoot: word(4),
      nodeCounts: [5, 6, 7],
      witnessNode: 4,
      slots: 8,
      programDigest: sha256(bytes),
    },
    conditions: {
      maximumPrice: 2n ** 128n - 1n,
      deposit: 120n,
      priceFeed: zeroAddress,
      trainingTime: 3_600,
      minimumCompute: 10,
      regions: 2n ** 64n - 1n,
      regulations: 0n,
      privacyTier: 2,
      scheme: 2,
      committeeSize: 9,
      threshold: 5,
      checkFee: 11n,
      instalments: 3,
    },
    nonce: 2n ** 256n - 1n,
    expiry: 1_000n,
  },
  training,
  package: bytes,
  signature: `0x${"1b".repeat(65)}`,
};
const bid: SignedBid = {
  chainId: 31_337,
  market: account(9),
  bid: {
    provider: account(20),
    order: orderHash(order.order),
    price: 100n,
    compute: 10,
    region: 4n,
    regulations: 13n,
    privacyTier: 2,
    nonce: 21n,
    expiry: 1_000n,
  },
  signature: `0x${"1c".repeat(65)}`,
};

/** A file in which a field was replaced; `path` as in "order.nonce". */
function changed(text: string, path: string, value: unknown): string {
  const document = JSON.parse(text) as Record<string, unknown>;
  const keys = path.split(".");
  let at = document;
  for (const key of keys.slice(0, -1)) at = at[key] as Record<string, unknown>;
  at[keys.at(-1)!] = value;
  return JSON.stringify(document);
}

describe("files of signed orders and bids", () => {
  it("come back as they were written, to the last digit", () => {
    assert.deepEqual(readSignedOrder(writeSignedOrder(order)), order);
    assert.deepEqual(readSignedBid(writeSignedBid(bid)), bid);
    assert.equal(hashOf(readSignedOrder(writeSignedOrder(order))), orderHash(order.order));
  });

  it("are refused by the name of the field that is wrong", () => {
    const cases: [string, unknown, RegExp][] = [
      ["format", "assay/bid/v1", /format/],
      ["order.nonce", 5, /order\.nonce/],
      ["order.nonce", String(2n ** 256n), /less than 2\^256/],
      ["order.nonce", "-1", /decimal digits/],
      ["order.nonce", "007", /decimal digits/],
      ["order.conditions.deposit", String(2n ** 128n), /less than 2\^128/],
      ["order.conditions.trainingTime", 2 ** 32, /trainingTime/],
      ["order.conditions.scheme", 3, /scheme/],
      ["order.consumer", "0x12", /must be an address/],
      ["order.consumer", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD".replace("5aA", "5AA"), /checksum/],
      ["order.problem.nodeCounts", [1, 2], /nodeCounts/],
      ["signature", "0x1", /bytes in lower-case/],
      ["signature", `0x${"00".repeat(4_097)}`, /4096 bytes at most/],
      ["more", 1, /unknown field "more"/],
    ];
    for (const [path, value, expected] of cases) {
      throws(
        () => readSignedOrder(changed(writeSignedOrder(order), path, value)),
        (error: Error & { exitCode?: number }) => expected.test(error.message) && error.exitCode === 65,
        path,
      );
    }
    throws(() => readSignedBid(changed(writeSignedBid(bid), "bid.order", "0x00")), /bid\.order/);
    throws(() => readSignedBid(writeSignedOrder(order)), /malformed/);
    throws(() => readSignedBid("not json"), /no JSON/);
    throws(() => readSignedBid(" ".repeat(1 << 18)), /too long/);
  });

  it("do not pass off another training order or package under an order's signature", () => {
    const text = writeSignedOrder(order);
    throws(() => readSignedOrder(changed(text, "training", "0x010204")), /training order .* not the one/);
    throws(() => readSignedOrder(changed(text, "package", "0x7b7e")), /package .* not the one/);
  });
});

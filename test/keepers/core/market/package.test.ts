import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import {
  decodePackage,
  encodePackage,
  type JobPackage,
  maxPackageBytes,
  packageDigest,
} from "../../../../keepers/src/core/market/package.ts";
import { recordedRefusals } from "../refusals.ts";

const throws = recordedRefusals("market/package");

const sample: JobPackage = {
  format: "assay/package/v1",
  model: { kind: "built-in", name: "mlp", options: { inputs: 64, hidden: [16], classes: 10, batch: 32 } },
  bits: 8,
  microBatch: 32,
  input: {
    offset: 0,
    encoding: "u8",
    multiply: 1,
    add: 0,
    exponent: -4,
    shape: [64],
    layout: "flat",
  },
  target: { offset: 64, encoding: "u8", classes: 10 },
  loss: "softmax-cross-entropy",
  optimizer: { momentum: 58_982, weightDecay: 0 },
};
const bytesOf = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const sorted =
  '{"bits":8,"format":"assay/package/v1","input":{"add":0,"encoding":"u8","exponent":-4,"layout":"flat","multiply":1,"offset":0,"shape":[64]},"loss":"softmax-cross-entropy","microBatch":32,"model":{"kind":"built-in","name":"mlp","options":{"batch":32,"classes":10,"hidden":[16],"inputs":64}},"optimizer":{"momentum":58982,"weightDecay":0},"target":{"classes":10,"encoding":"u8","offset":64}}';

describe("the package of an order", () => {
  it("is one line of sorted JSON, whatever the order of its fields", () => {
    const { target, ...rest } = sample;
    assert.equal(new TextDecoder().decode(encodePackage(sample)), sorted);
    assert.deepEqual(encodePackage({ target, ...rest }), encodePackage(sample));
  });

  it("comes back as it was", () => {
    assert.deepEqual(decodePackage(encodePackage(sample)), sample);
    const onnx = { ...sample, model: { kind: "onnx", datasetId: `0x${"ab".repeat(32)}` } } as JobPackage;
    assert.deepEqual(decodePackage(encodePackage(onnx)), onnx);
    const values: JobPackage = {
      ...sample,
      target: { offset: 64, encoding: "i16", multiply: 1, add: 0, exponent: -15 },
      loss: "mean-squared-error",
      initialize: "model",
    };
    assert.deepEqual(decodePackage(encodePackage(values)), values);
  });

  it("is named by its SHA-256", () => {
    const digest = createHash("sha256").update(sorted).digest("hex");
    assert.equal(packageDigest(encodePackage(sample)), `0x${digest}`);
  });

  it("is refused when the same content is written in another way: two digests for one program", () => {
    throws(() => decodePackage(bytesOf(sample)), /canonical form/);
    throws(() => decodePackage(new TextEncoder().encode(`${sorted} `)), /canonical form/);
    throws(() => decodePackage(new TextEncoder().encode(`\uFEFF${sorted}`)), /no JSON/);
  });

  it("is refused when it has unknown fields, wrong types or numbers out of range", () => {
    const wrong: [RegExp, unknown][] = [
      [/format/, { ...sample, format: "assay/package/v2" }],
      [/unknown field "threads"/, { ...sample, threads: 4 }],
      [/microBatch/, { ...sample, microBatch: 0 }],
      [/microBatch/, { ...sample, microBatch: 1.5 }],
      [/bits/, { ...sample, bits: 32 }],
      [/model/, { ...sample, model: { kind: "onnx", datasetId: "0x12" } }],
      [/model/, { ...sample, model: { kind: "python", code: "import os" } }],
      [/input\.shape/, { ...sample, input: { ...sample.input, shape: [] } }],
      [/momentum/, { ...sample, optimizer: { momentum: 70_000 } }],
      [/the package/, []],
      [/the package/, null],
    ];
    for (const [reason, value] of wrong) throws(() => decodePackage(bytesOf(value)), reason);
  });

  it("is refused when it is too long, or no text", () => {
    throws(() => decodePackage(new Uint8Array(maxPackageBytes + 1)), /16384 is the most/);
    throws(() => decodePackage(new Uint8Array([0xff, 0xfe])), /no JSON/);
    throws(() => decodePackage(new Uint8Array(0)), /no JSON/);
    const options = Object.fromEntries(
      Array.from({ length: 400 }, (_, i) => [`option-${i}-${"x".repeat(40)}`, 1]),
    );
    const long = { ...sample, model: { kind: "built-in" as const, name: "mlp", options } };
    throws(() => encodePackage(long), /16384 is the most/);
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseDecimal, parseFraction, toUnits } from "../../../../keepers/src/training/config/decimal.ts";
import { parseConfig } from "../../../../keepers/src/training/config/parse.ts";
import { configJsonSchema } from "../../../../keepers/src/training/config/schema.ts";

const least = {
  dataset: "digits",
  model: { kind: "mlp", hidden: [32] },
  learningRate: 0.1,
  epochs: 3,
};
const parse = (changes: object) => parseConfig(JSON.stringify({ ...least, ...changes }), "run.yaml");

describe("decimals", () => {
  it("become units of 2^-16 exactly, rounded half up", () => {
    const units = (value: string | number) => toUnits(parseDecimal(value)!, 16);
    assert.equal(units(0.02), 1311n);
    assert.equal(units("0.002"), 131n);
    assert.equal(units(2e-4), 13n);
    assert.equal(units("0.9"), 58982n);
    assert.equal(units(0), 0n);
    assert.equal(units("1"), 65536n);
    // 0.5 / 2^16, a half exactly, and just below it.
    assert.equal(units("0.00000762939453125"), 1n);
    assert.equal(units("0.00000762939453124"), 0n);
    assert.equal(units("-0.00000762939453125"), 0n);
    assert.equal(units("-0.00000762939453126"), -1n);
  });

  it("are refused when they are none", () => {
    for (const text of ["", "abc", "NaN", "Infinity", "0x10", "1e9999", "1,5", "--1"])
      assert.equal(parseDecimal(text), null);
    assert.equal(parseFraction("4/"), null);
    assert.deepEqual(parseFraction("4/5"), { numerator: 4n, denominator: 5n });
    assert.deepEqual(parseFraction(0.8), { numerator: 8n, denominator: 10n });
  });
});

describe("a training configuration", () => {
  it("has a split seed other than 0, its own or that of the training", () => {
    const dataset = (seed?: number | string) => ({ source: "digits", split: { seed, train: "4/5" } });
    assert.throws(() => parse({ dataset: dataset(0) }), /dataset\.split\.seed.*must not be 0/);
    assert.throws(() => parse({ dataset: dataset(`0x${"00".repeat(32)}`) }), /must not be 0/);
    assert.throws(() => parse({ dataset: dataset(), seed: 0 }), /must not be 0/);
    assert.ok(parse({ dataset: dataset(1), seed: 0 }));
    assert.ok(parse({ seed: 0 }));
  });

  it("may be YAML or JSON, and gets its defaults", () => {
    const yaml =
      "dataset: digits # comment\nmodel: { kind: mlp, hidden: [32] }\nlearningRate: 0.1\nepochs: 3\n";
    assert.deepEqual(parseConfig(yaml, "a.yaml"), parse({}));
    const { microBatch, momentum, profile, interval } = parse({});
    assert.deepEqual(
      { microBatch, momentum, profile, interval },
      { microBatch: 64, momentum: 0.9, profile: "E8", interval: "auto" },
    );
  });

  const refused: [string, object, RegExp][] = [
    [
      "a micro-batch that is no power of two",
      { microBatch: 48 },
      /run\.yaml: the key microBatch is refused: must be a power of two/,
    ],
    ["as many micro-batches", { microBatches: 3 }, /microBatches is refused: must be a power of two/],
    [
      "a learning rate that is no number",
      { learningRate: "fast" },
      /the key learningRate is refused: must be a decimal number/,
    ],
    [
      "neither epochs nor steps",
      { epochs: undefined },
      /the key epochs is refused: give either epochs or steps/,
    ],
    ["both of them", { steps: 3 }, /give either epochs or steps/],
    ["an unknown key", { epohcs: 3 }, /the key epohcs is refused: there is no such key/],
    [
      "an unknown key deep inside",
      { learningRate: { kind: "step", start: 1, factor: 1, afterEpoch: [1] } },
      /learningRate\.afterEpoch/,
    ],
    ["an unknown model", { model: { kind: "mpl" } }, /the key model\.kind is refused/],
    ["a model without its layers", { model: { kind: "mlp" } }, /the key model\.hidden is refused/],
    [
      "two validation sets",
      { dataset: { source: "digits", split: { train: "4/5" } }, validation: "digits" },
      /the key validation is refused/,
    ],
    ["a seed that is none", { seed: "0x12" }, /the key seed is refused/],
  ];
  for (const [what, changes, message] of refused) {
    it(`refuses ${what} and names the key`, () => assert.throws(() => parse(changes), message));
  }

  it("refuses NaN and infinities, which YAML can write", () => {
    const text = (rate: string) =>
      `dataset: digits\nmodel: {kind: lenet5}\nepochs: 1\nlearningRate: ${rate}\n`;
    for (const rate of [".nan", ".inf", "-.inf"]) {
      const problem = /the key learningRate is refused: .*expected number or string or object, received/;
      assert.throws(() => parseConfig(text(rate), "x.yaml"), problem);
    }
  });

  it("names the line of a syntax error, and survives a bomb of aliases", () => {
    assert.throws(() => parseConfig("dataset: digits\nmodel: [1,\n", "x.yaml"), /x\.yaml, line [23]/);
    const bomb = [
      "a0: &a0 [x, x]",
      ...Array.from({ length: 30 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}]`),
    ];
    assert.throws(() => parseConfig(bomb.join("\n"), "x.yaml"), { name: "TrainingConfigError" });
  });

  it("has a JSON schema that describes its keys", () => {
    const schema = configJsonSchema() as { properties: Record<string, object>; required: string[] };
    assert.deepEqual([...schema.required].sort(), ["dataset", "learningRate", "model"]);
    assert.ok("microBatches" in schema.properties && "weightDecay" in schema.properties);
  });
});

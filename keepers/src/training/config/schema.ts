import { z } from "zod";
import { parseDecimal, parseFraction } from "./decimal.ts";

const maxSteps = 2 ** 32 - 1;
const decimal = (text: string) =>
  z
    .union([z.number(), z.string()])
    .refine((value) => parseDecimal(value) !== null, "must be a decimal number, as in 0.02 or 1e-3")
    .describe(text);
const natural = (low: number, high: number, text: string) => z.int().min(low).max(high).describe(text);
const powerOfTwo = (high: number, text: string) =>
  natural(1, high, text).refine((value) => Number.isInteger(Math.log2(value)), "must be a power of two");
const seed = z
  .union([
    z.int().min(0),
    z.string().regex(/^0x[0-9a-fA-F]{64}$/, "must be a whole number or 0x and 64 hexadecimal digits"),
  ])
  .describe("a whole number from 0, or 32 bytes as 0x and 64 hexadecimal digits");

const split = z.strictObject({
  seed: seed.optional(),
  train: z
    .union([z.number(), z.string()])
    .refine((value) => parseFraction(value) !== null, 'must be a fraction, as in "4/5"')
    .describe('share of the objects that is trained on, as in "4/5"; the rest validates'),
});

const csv = z.strictObject({
  delimiter: z.enum([",", ";", "\t", "|"]).optional(),
  header: z.union([z.boolean(), z.literal("auto")]).optional(),
  label: z
    .union([z.string(), z.int().min(0)])
    .optional()
    .describe("the label's column: its name, its index, first or last"),
  dtype: z.enum(["u8", "i8", "i16", "i32"]).optional(),
  shape: z.array(z.int().min(1)).min(1).max(3).optional(),
});

const datasetFields = {
  source: z
    .string()
    .min(1)
    .describe(
      "digits, mnist, mnist:test, the path of an IDX or CSV file, of a file or folder of objects, or a stored dataset's id",
    ),
  kind: z
    .enum(["idx", "csv", "objects"])
    .optional()
    .describe("how to read a path; by default what its name says"),
  labels: z.string().optional().describe("IDX file of labels; by default the one beside the images"),
  objectBytes: natural(1, 2 ** 31, "bytes of one object, for kind objects").optional(),
  csv: csv.optional(),
};

const encoding = z.enum(["u8", "i8", "i16", "i32"]);

const input = z.strictObject({
  offset: natural(0, 2 ** 31, "first byte of the input in an object").optional(),
  encoding: encoding.optional(),
  multiply: z.int().min(-32768).max(32767).optional().describe("a of raw·a + c; 1 by default"),
  add: z
    .int()
    .min(-(2 ** 31) + 1)
    .max(2 ** 31 - 1)
    .optional()
    .describe("c of raw·a + c; 0 by default"),
  exponent: z
    .int()
    .min(-64)
    .max(64)
    .optional()
    .describe("the input is (raw·a + c)·2^exponent; -8 by default"),
  shape: z.array(z.int().min(1)).min(1).max(3).optional().describe("of one object, without the batch"),
  layout: z.enum(["flat", "NHWC", "NCHW"]).optional().describe("order of the bytes; flat for vectors"),
});

const target = z.strictObject({
  offset: natural(0, 2 ** 31, "first byte of the target in an object").optional(),
  encoding: encoding.optional(),
  classes: natural(2, 65536, "number of classes, for softmax cross-entropy").optional(),
  values: natural(1, 65536, "number of values, for mean squared error").optional(),
  multiply: z.int().min(-32768).max(32767).optional(),
  add: z
    .int()
    .min(-(2 ** 31) + 1)
    .max(2 ** 31 - 1)
    .optional(),
  exponent: z.int().min(-64).max(64).optional(),
});

const model = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("softmax-regression") }),
  z.strictObject({ kind: z.literal("mlp"), hidden: z.array(z.int().min(1).max(65536)).min(1).max(16) }),
  z.strictObject({ kind: z.literal("lenet5") }),
  z.strictObject({ kind: z.literal("residual-cnn") }),
  z.strictObject({
    kind: z.literal("onnx"),
    path: z.string().min(1).describe("an ONNX model, opset 13 or later"),
  }),
]);

const learningRate = z.union([
  decimal("the same for all steps"),
  z.discriminatedUnion("kind", [
    z.strictObject({
      kind: z.literal("step"),
      start: decimal("from the first step"),
      factor: decimal("multiplies the rate after each of afterEpochs"),
      afterEpochs: z.array(z.int().min(1)).min(1).max(1000),
    }),
    z.strictObject({
      kind: z.literal("cosine"),
      start: decimal("highest rate"),
      end: decimal("rate at the end; 0 by default").default(0),
      warmUpEpochs: z.int().min(0).max(1000).default(0),
    }),
    z.strictObject({
      kind: z.literal("table"),
      values: z
        .array(natural(0, 65535, "in units of 2^-16"))
        .min(1)
        .max(65536),
      every: natural(1, maxSteps, "steps of one entry"),
    }),
  ]),
]);

/** The file that says what is trained, and how. */
export const configSchema = z
  .strictObject({
    dataset: z.union([z.string().min(1), z.strictObject({ ...datasetFields, split: split.optional() })]),
    validation: z
      .union([z.string().min(1), z.strictObject(datasetFields)])
      .optional()
      .describe("a second dataset to validate on, where the first is not split"),
    input: input.optional(),
    target: target.optional(),
    model,
    initialize: z
      .enum(["seed", "model"])
      .optional()
      .describe(
        "where first weights come from: all drawn from the seed, or all from the ONNX file; by default drawn where the file has none",
      ),
    profile: z.enum(["E8", "E16"]).default("E8").describe("8 or 16 bits for each mantissa"),
    microBatch: powerOfTwo(65536, "objects of a micro-batch").default(64),
    microBatches: powerOfTwo(2 ** 20, "micro-batches of a step").default(1),
    epochs: natural(1, 100_000, "passes over the training objects; this or steps").optional(),
    steps: natural(1, maxSteps, "this or epochs").optional(),
    learningRate,
    momentum: decimal("from 0 to below 1").default(0.9),
    weightDecay: decimal("from 0 to below 1").default(0),
    seed: seed.default(1),
    interval: z
      .union([z.literal("auto"), natural(1, 65536, "steps between two state roots")])
      .default("auto")
      .describe("auto: as many steps as keep hashing at or below 5 % of the time"),
    checkpoint: z
      .strictObject({
        every: natural(1, maxSteps, "steps; rounded up to whole intervals").optional(),
        keep: natural(1, maxSteps, "how many of the newest stay; all by default").optional(),
      })
      .default({})
      .describe("once per epoch by default"),
    engine: z.enum(["native", "wasm", "reference"]).default("native"),
    threads: natural(1, 1024, "threads of the engine").default(1),
    memoryMiB: natural(
      16,
      2 ** 24,
      "what training may take; refused before it starts when it takes more",
    ).default(4096),
  })
  .refine((config) => (config.epochs === undefined) !== (config.steps === undefined), {
    message: "give either epochs or steps",
    path: ["epochs"],
  })
  .refine(
    (config) =>
      config.validation === undefined ||
      typeof config.dataset === "string" ||
      config.dataset.split === undefined,
    {
      message: "the dataset is split already; give either dataset.split or validation",
      path: ["validation"],
    },
  )
  .refine(
    ({ dataset, seed: own }) =>
      typeof dataset === "string" ||
      dataset.split === undefined ||
      !/^(0|0x0+)$/.test(String(dataset.split.seed ?? own)),
    { message: "must not be 0, which stands for no split", path: ["dataset", "split", "seed"] },
  );

/** What the file says, with defaults filled in. */
export type TrainingConfig = z.output<typeof configSchema>;
export type DatasetConfig = Exclude<TrainingConfig["dataset"], string>;
export type ModelConfig = TrainingConfig["model"];

/** JSON schema of the file, for editors. */
export function configJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(configSchema, { io: "input", unrepresentable: "any" });
}

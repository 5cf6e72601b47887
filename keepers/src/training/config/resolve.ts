import type { Field } from "../../core/dataset/format.ts";
import type { CompileOptions, InputSpec, LabelSpec, ValueSpec } from "../compiler/options.ts";
import type { ObjectSequence } from "../data/types.ts";
import { type BuiltInModelName, buildModel } from "../models/built-in.ts";
import { elementCount, type OnnxModel } from "../onnx/types.ts";
import { TrainingConfigError } from "./errors.ts";
import { shareOf } from "./hyper-parameters.ts";
import type { TrainingConfig } from "./schema.ts";

const encodingBytes = { u8: 1, i8: 1, i16: 2, i32: 4 } as const;
/** Inputs lie within ±1 unless told otherwise: unsigned bytes are divided by 256. */
const defaultExponent = { u8: -8, i8: -7, i16: -15, i32: -31 } as const;
type Encoding = keyof typeof encodingBytes;
type Facts = Pick<ObjectSequence, "name" | "objectSize" | "records">;

/** A model as others can name it: built in, with every option, or a file. */
export type ModelChoice =
  | { readonly kind: "built-in"; readonly name: BuiltInModelName; readonly options: ModelOptions }
  | { readonly kind: "onnx" };
export type ModelOptions = { readonly [name: string]: number | number[] };

/** What the compiler needs, with the model as a choice. */
export type Recipe = Omit<CompileOptions, "model"> & { readonly model: ModelChoice };

/**
 * What the compiler needs, from the configuration and, where it is silent, from what the dataset says about its records.
 *
 * @param onnx the model file that the configuration names, when it names one
 * @throws TrainingConfigError that names the key; BadInputError for a model that cannot be used
 */
export function resolveCompilation(config: TrainingConfig, facts: Facts, onnx?: OnnxModel): CompileOptions {
  const recipe = resolveRecipe(config, facts);
  const { model } = recipe;
  if (model.kind === "built-in") return { ...recipe, model: buildModel(model.name, model.options) };
  if (onnx === undefined)
    throw new TrainingConfigError("The model that the key model.path names was not read.");
  return { ...recipe, model: onnx };
}

/** As {@link resolveCompilation}, without making the model. @throws TrainingConfigError that names the key */
export function resolveRecipe(config: TrainingConfig, facts: Facts): Recipe {
  const input = inputSpec(config, facts);
  const target = targetSpec(config, facts);
  const classes = "classes" in target ? target.classes : undefined;
  return {
    model: chooseModel(config, input, classes),
    bits: config.profile === "E8" ? 8 : 16,
    microBatch: config.microBatch,
    input,
    target,
    loss: classes === undefined ? "mean-squared-error" : "softmax-cross-entropy",
    optimizer: {
      momentum: shareOf("momentum", config.momentum),
      weightDecay: shareOf("weightDecay", config.weightDecay),
    },
    initialize: config.initialize,
  };
}

function inputSpec({ input = {}, model }: TrainingConfig, facts: Facts): InputSpec {
  const field = fieldOf(facts, "input");
  const encoding = input.encoding ?? integerType("input", field, facts);
  const raw = input.shape ?? (field === undefined || field.shape.length === 0 ? undefined : field.shape);
  if (raw === undefined) throw missing("input.shape", facts);
  const { shape, layout } = arrange(raw, input.layout, model.kind);
  const offset = input.offset ?? field?.offset;
  if (offset === undefined) throw missing("input.offset", facts);
  requireInside("input", offset, elementCount(shape) * encodingBytes[encoding], facts);
  const { multiply = 1, add = 0, exponent = defaultExponent[encoding] } = input;
  return { offset, encoding, multiply, add, exponent, shape, layout };
}

/** Grey images have no axis for channels; models of vectors take the numbers as they lie. */
function arrange(
  raw: readonly number[],
  layout: InputSpec["layout"] | undefined,
  kind: TrainingConfig["model"]["kind"],
): Pick<InputSpec, "shape" | "layout"> {
  const flat = kind === "mlp" || kind === "softmax-regression";
  if (layout === "flat" || (layout === undefined && (flat || raw.length === 1))) {
    return { shape: [elementCount(raw)], layout: "flat" };
  }
  if (raw.length === 2) return { shape: [1, ...raw], layout: "NCHW" };
  if (layout === undefined || raw.length !== 3) {
    throw new TrainingConfigError(`The key input.layout is needed for inputs of shape ${raw.join(" × ")}.`, {
      next: "Set it to NHWC when the channels of a pixel lie together, to NCHW when the rows of a channel do.",
    });
  }
  return { shape: raw, layout };
}

function targetSpec({ target = {} }: TrainingConfig, facts: Facts): LabelSpec | ValueSpec {
  const field = fieldOf(facts, "label");
  const encoding = target.encoding ?? integerType("target", field, facts);
  const offset = target.offset ?? field?.offset;
  if (offset === undefined) throw missing("target.offset", facts);
  if (target.classes !== undefined && target.values !== undefined) {
    throw new TrainingConfigError("The key target is refused: give either classes or values.");
  }
  if (target.values !== undefined) {
    requireInside("target", offset, target.values * encodingBytes[encoding], facts);
    const { multiply = 1, add = 0, exponent = defaultExponent[encoding] } = target;
    return { offset, encoding, multiply, add, exponent };
  }
  const classes = target.classes ?? (/^(digits|mnist-(train|test))$/.test(facts.name) ? 10 : undefined);
  if (classes === undefined) throw missing("target.classes", facts);
  requireInside("target", offset, encodingBytes[encoding], facts);
  return { offset, encoding, classes };
}

function chooseModel(
  { model, microBatch }: TrainingConfig,
  { shape, layout }: InputSpec,
  classes: number | undefined,
): ModelChoice {
  const { kind } = model;
  if (kind === "onnx") return { kind };
  if (classes === undefined) {
    throw new TrainingConfigError(
      `The key model is refused: ${kind} tells classes apart, but target.values is set.`,
      {
        next: "Set target.classes, or give an ONNX model.",
      },
    );
  }
  const batch = microBatch;
  const inputs = elementCount(shape);
  const choice = (options: ModelOptions): ModelChoice => ({ kind: "built-in", name: kind, options });
  if (kind === "mlp") return choice({ inputs, hidden: model.hidden, classes, batch });
  if (kind === "softmax-regression") return choice({ inputs, classes, batch });
  const [channels, height, width] = (layout === "NHWC" ? [shape[2], shape[0], shape[1]] : shape) as [
    number,
    number,
    number,
  ];
  if (kind === "residual-cnn") return choice({ channels, height, width, classes, batch });
  if (channels !== 1 || height !== 28 || width !== 28 || classes !== 10) {
    throw new TrainingConfigError(
      "The key model is refused: lenet5 takes images of 1 × 28 × 28 and 10 classes.",
    );
  }
  return choice({ batch });
}

function fieldOf({ records }: Facts, role: Field["role"]): Field | undefined {
  return records?.fields.find((field) => field.role === role);
}

function integerType(key: string, field: Field | undefined, facts: Facts): Encoding {
  if (field === undefined) throw missing(`${key}.encoding`, facts);
  if (Object.hasOwn(encodingBytes, field.dtype)) return field.dtype as Encoding;
  throw new TrainingConfigError(
    `${facts.name}: its ${key} is floating-point (${field.dtype}); training takes integers alone.`,
    { next: "Scale the numbers to integers in the file, and say by input.exponent what they stand for." },
  );
}

function requireInside(key: string, offset: number, bytes: number, { name, objectSize }: Facts): void {
  if (offset + bytes <= objectSize) return;
  throw new TrainingConfigError(
    `The key ${key} is refused: it ends at byte ${offset + bytes} of the ${objectSize} bytes of an object of ${name}.`,
  );
}

function missing(key: string, { name }: Facts): TrainingConfigError {
  return new TrainingConfigError(`The key ${key} is missing, and the dataset ${name} does not say it.`);
}

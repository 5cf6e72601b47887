import { resolveRecipe } from "../../../keepers/src/training/config/resolve.ts";
import {
  configSchema,
  type DatasetConfig,
  type TrainingConfig,
} from "../../../keepers/src/training/config/schema.ts";
import type { CompileInput } from "../engine/methods.ts";
import { colourShape, takesImages } from "./colours.ts";
import type { CheckedForm } from "./form.ts";
import type { OrderedDataset } from "./read-dataset.ts";

type OrderConfig = Omit<TrainingConfig, "dataset"> & { readonly dataset: DatasetConfig };

/** The training configuration that a form stands for. @throws TrainingConfigError */
export function configOf(form: CheckedForm, dataset: OrderedDataset, row: "flat" | undefined): OrderConfig {
  const { datasetId } = dataset;
  const hasColours = takesImages(form.model) && colourShape(dataset) !== undefined;
  const layout = row ?? (hasColours ? form.layout : undefined);
  const config = configSchema.parse({
    dataset: { source: datasetId, split: { seed: 1, train: form.share } },
    input: { exponent: -form.scale, ...(layout !== undefined && { layout }) },
    target: { classes: form.classes },
    model: modelOf(form),
    profile: form.profile,
    microBatch: form.microBatch,
    steps: form.steps,
    learningRate: form.learningRate,
    momentum: form.momentum,
    seed: form.seed,
  });
  if (typeof config.dataset === "string") throw new Error("a dataset without a split was made");
  return { ...config, dataset: config.dataset };
}

/** A file is not read by its path here: whoever compiles has it. */
function modelOf({ model, hidden }: CheckedForm) {
  if (model === "onnx") return { kind: model, path: "model.onnx" };
  return model === "mlp" ? { kind: model, hidden } : { kind: model };
}

/** What a dataset says of its records. @throws Error for one that holds files */
export function factsOf({ manifest, objectSize }: OrderedDataset) {
  const { name, format } = manifest;
  if (format.kind !== "records")
    throw new Error(`The dataset ${name} holds files, not records that a model can be trained on.`);
  return { name, objectSize, records: format };
}

/**
 * What a file's verdict is asked with: an image may be taken as one, or as a row of numbers.
 * @throws TrainingConfigError, Error for data that cannot be trained on
 */
export function verdictInput(form: CheckedForm, dataset: OrderedDataset, file: Blob): CompileInput {
  const facts = factsOf(dataset);
  const { model: _, ...recipe } = resolveRecipe(configOf(form, dataset, undefined), facts);
  const row = resolveRecipe(configOf(form, dataset, "flat"), facts).input;
  return {
    ...recipe,
    objectBytes: dataset.objectSize,
    microBatches: 1,
    model: { kind: "onnx", file },
    input: [recipe.input, row],
  };
}

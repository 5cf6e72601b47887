import { type Address, type Hex, parseUnits } from "viem";
import { type Conditions, schemes } from "../../../keepers/src/core/market/types.ts";
import { composeOrder, type DescribedOrder } from "../../../keepers/src/roles/consumer/compose-order.ts";
import { compileModel } from "../../../keepers/src/training/compiler/compile.ts";
import { resolveCompilation, resolveRecipe } from "../../../keepers/src/training/config/resolve.ts";
import type { OnnxModel } from "../../../keepers/src/training/onnx/types.ts";
import { countSteps } from "../../../keepers/src/training/trainer/count-steps.ts";
import type { CheckedForm } from "./form.ts";
import type { OrderedDataset } from "./read-dataset.ts";
import { configOf, factsOf } from "./recipe.ts";

const minute = 60;
const hour = 3_600n;

/** What an order is made of. */
export type OrderChoice = {
  readonly form: CheckedForm;
  readonly dataset: OrderedDataset;
  readonly consumer: Address;
  /** Seconds since 1970, of the chain. */
  readonly now: bigint;
};

/** A model of the consumer's own: its file, and the dataset that holds it. */
export type OwnModel = { readonly model: OnnxModel; readonly datasetId: Hex };

/**
 * Makes an order of what the visitor has chosen: compiles the program, counts the steps, writes down what everybody needs to
 * do the same.
 *
 * @throws TrainingConfigError, BadInputError, CompileError that say what cannot be trained
 */
export function composeFrom({ form, dataset, consumer, now }: OrderChoice, own?: OwnModel): DescribedOrder {
  const { datasetId, objectCount, objectSize, objectRoot } = dataset;
  // Without the batch: a model of rows of numbers takes an image as one.
  const isFlat = own?.model.graph.inputs[0]?.shape.length === 2;
  const config = configOf(form, dataset, isFlat ? "flat" : undefined);
  const facts = factsOf(dataset);
  const { program } = compileModel(resolveCompilation(config, facts, own?.model));
  const { order } = countSteps(
    config,
    { count: objectCount, objectBytes: objectSize, objectRoot, datasetId },
    program,
  );
  return composeOrder({
    consumer,
    datasetId,
    recipe: resolveRecipe(config, facts),
    modelId: own?.datasetId,
    program,
    trainingOrder: { ...order, interval: Math.min(form.interval, order.steps) },
    conditions: conditionsOf(form),
    expiry: now + BigInt(form.expiryHours) * hour,
  });
}

function conditionsOf(form: CheckedForm): Pick<Conditions, "maximumPrice"> & Partial<Conditions> {
  const { committee } = form;
  return {
    maximumPrice: parseUnits(form.price, 18),
    trainingTime: form.trainingMinutes * minute,
    scheme: committee === 0 ? schemes.optimistic : schemes.both,
    committeeSize: committee,
    threshold: committee === 0 ? 0 : form.threshold,
    checkFee: committee === 0 ? 0n : parseUnits(form.checkFee, 18),
    instalments: form.instalments,
  };
}

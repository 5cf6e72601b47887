import { type Address, parseUnits } from "viem";
import { type Conditions, schemes } from "../../../keepers/src/core/market/types.ts";
import { composeOrder, type DescribedOrder } from "../../../keepers/src/roles/consumer/compose-order.ts";
import { compileModel } from "../../../keepers/src/training/compiler/compile.ts";
import { resolveCompilation, resolveRecipe } from "../../../keepers/src/training/config/resolve.ts";
import { configSchema } from "../../../keepers/src/training/config/schema.ts";
import { countSteps } from "../../../keepers/src/training/trainer/count-steps.ts";
import type { CheckedForm } from "./form.ts";
import type { OrderedDataset } from "./read-dataset.ts";

const minute = 60;
const hour = 3_600n;

/**
 * Makes an order of what the visitor has chosen: compiles the program, counts the steps, writes down what everybody needs to
 * do the same.
 *
 * @throws TrainingConfigError, BadInputError, CompileError that say what cannot be trained
 */
export function composeFrom(
  form: CheckedForm,
  dataset: OrderedDataset,
  consumer: Address,
  /** Seconds since 1970, of the chain. */
  now: bigint,
): DescribedOrder {
  const { datasetId, manifest, objectCount, objectSize, objectRoot } = dataset;
  if (manifest.format.kind !== "records")
    throw new Error(`The dataset ${manifest.name} holds files, not records that a model can be trained on.`);
  const config = configSchema.parse({
    dataset: { source: datasetId, split: { seed: 1, train: form.share } },
    input: { exponent: -form.scale },
    target: { classes: form.classes },
    model: form.model === "mlp" ? { kind: form.model, hidden: form.hidden } : { kind: form.model },
    profile: form.profile,
    microBatch: form.microBatch,
    steps: form.steps,
    learningRate: form.learningRate,
    momentum: form.momentum,
    seed: form.seed,
  });
  if (typeof config.dataset === "string") throw new Error("a dataset without a split was made");
  const facts = { name: manifest.name, objectSize, records: manifest.format };
  const recipe = resolveRecipe(config, facts);
  const { program } = compileModel(resolveCompilation(config, facts));
  const { order } = countSteps(
    { ...config, dataset: config.dataset },
    { count: objectCount, objectBytes: objectSize, objectRoot, datasetId },
    program,
  );
  return composeOrder({
    consumer,
    datasetId,
    recipe,
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

/** The least bond that the market takes for a bid: a tenth of the deposit, rounded up. */
export function leastBond(deposit: bigint): bigint {
  return (deposit + 9n) / 10n;
}

import { randomBytes } from "node:crypto";
import { type Address, bytesToHex, type Hex, keccak256, zeroAddress } from "viem";
import { BadInputError } from "../../core/errors.ts";
import { encodeOrder, type TrainingOrder } from "../../core/exact/order.ts";
import { encodePackage, packageDigest } from "../../core/market/package.ts";
import { orderHash } from "../../core/market/typed-data.ts";
import { type Conditions, type Order, schemes } from "../../core/market/types.ts";
import type { LoadedConfig } from "../../training/config/load-config.ts";
import { type Recipe, resolveRecipe } from "../../training/config/resolve.ts";
import type { ObjectSequence } from "../../training/data/types.ts";
import type { Executor } from "../../training/executors/types.ts";
import { measureInterval } from "../../training/trainer/new-run.ts";
import { type Prepared, prepare } from "../../training/trainer/prepare.ts";
import { problemOf } from "../jobs/published-program.ts";

export type DescribeParameters = {
  readonly consumer: Address;
  readonly config: LoadedConfig;
  /** The anchored dataset, opened: the configuration is read with what it says about its records. */
  readonly dataset: ObjectSequence;
  /** The anchored dataset that holds the ONNX file, where the configuration names one. */
  readonly modelId?: Hex;
  /** Folder for objects that memory does not hold. */
  readonly folder: string;
  /** Measures the interval, where the configuration leaves it open. */
  readonly executor: Executor;
  /** What the order pays, and what bids must meet; all of it by default as {@link defaultConditions} says. */
  readonly conditions: Pick<Conditions, "maximumPrice"> & Partial<Conditions>;
  /** Seconds since 1970. */
  readonly expiry: bigint;
  readonly signal?: AbortSignal;
};

/** An order that is ready to be signed and sent, with everything that it commits to. */
export type DescribedOrder = {
  readonly order: Order;
  readonly orderHash: Hex;
  readonly training: Hex;
  readonly package: Hex;
  readonly trainingOrder: TrainingOrder;
};

/** Steps between two leaves of the trace, at most, as the registry of jobs takes them. */
const mostSteps = 96;
/** Bytes of a training order, as the market takes it. */
const mostTrainingBytes = 8_192;
/** Parts in which a price is paid, at most, as the registry of jobs takes them. */
export const mostInstalments = 16;

/** Nobody in particular, anywhere, within a day, open to disputes. */
export const defaultConditions: Omit<Conditions, "maximumPrice" | "deposit"> = {
  priceFeed: zeroAddress,
  trainingTime: 86_400,
  minimumCompute: 0,
  regions: 0n,
  regulations: 0n,
  privacyTier: 0,
  scheme: schemes.optimistic,
  committeeSize: 0,
  threshold: 0,
  checkFee: 0n,
  instalments: 1,
};

/**
 * Makes an order of a training configuration and a stored dataset: compiles the program, counts steps, and writes down what
 * everybody else needs to do the same.
 *
 * @throws TrainingConfigError, DatasetError, BadInputError for what no order can say
 */
export async function describeOrder(parameters: DescribeParameters): Promise<DescribedOrder> {
  const { consumer, config, dataset, folder, conditions, expiry, signal } = parameters;
  if (dataset.datasetId === undefined)
    throw new BadInputError("Only a dataset that is anchored can be ordered on.");
  const recipe = resolveRecipe(config, dataset);
  const bytes = encodePackage(packageOf(recipe, parameters.modelId));
  const prepared = await prepare({ config, folder, open: async () => dataset, signal });
  try {
    const trainingOrder = { ...prepared.order, interval: await intervalFor(parameters, prepared) };
    const training = encodeOrder(trainingOrder);
    if ((training.length - 2) / 2 > mostTrainingBytes) {
      throw new BadInputError(`The training order is longer than ${mostTrainingBytes} bytes.`, {
        next: "Use a learning rate with fewer entries.",
      });
    }
    const { instalments = defaultConditions.instalments } = conditions;
    const intervals = Math.ceil(trainingOrder.steps / trainingOrder.interval);
    if (instalments > 1 && instalments > Math.min(mostInstalments, intervals)) {
      throw new BadInputError(
        `A price is paid in ${mostInstalments} instalments at most, and in no more than there are intervals: ${intervals}.`,
        { next: "Ask for fewer instalments, or set a shorter interval in the configuration." },
      );
    }
    const order: Order = {
      consumer,
      problem: {
        datasetId: dataset.datasetId,
        trainingHash: keccak256(training),
        programRoot: trainingOrder.programRoot,
        ...problemOf(prepared.compiled.program),
        programDigest: packageDigest(bytes),
      },
      conditions: { ...defaultConditions, deposit: conditions.maximumPrice, ...conditions },
      nonce: BigInt(bytesToHex(randomBytes(32))),
      expiry,
    };
    return { order, orderHash: orderHash(order), training, package: bytesToHex(bytes), trainingOrder };
  } finally {
    await prepared.close();
  }
}

function packageOf({ model, ...rest }: Recipe, modelId: Hex | undefined) {
  if (model.kind === "onnx" && modelId === undefined) {
    throw new BadInputError("An ONNX model is ordered by the anchored dataset that holds its file.", {
      next: "Store the file with `assay data put`, and name the dataset's id.",
    });
  }
  return {
    format: "assay/package/v1" as const,
    ...rest,
    input: { ...rest.input, shape: [...rest.input.shape] },
    model:
      model.kind === "onnx"
        ? { kind: "onnx" as const, datasetId: modelId!.toLowerCase() as Hex }
        : { kind: "built-in" as const, name: model.name, options: { ...model.options } },
  };
}

async function intervalFor({ config, executor }: DescribeParameters, prepared: Prepared): Promise<number> {
  const { steps } = prepared.order;
  if (config.interval !== "auto") {
    if (config.interval <= mostSteps) return Math.min(config.interval, steps);
    throw new BadInputError(
      `The key interval is refused: a job has ${mostSteps} steps at most between two leaves.`,
    );
  }
  const session = await executor.open(prepared.compiled.program, prepared.options);
  try {
    return Math.min(await measureInterval(prepared, session), mostSteps, steps);
  } finally {
    await session.close();
  }
}

import { type Address, bytesToHex, type Hex, keccak256, zeroAddress } from "viem";
import { BadInputError } from "../../core/errors.ts";
import { encodeOrder, type TrainingOrder } from "../../core/exact/order.ts";
import type { Program } from "../../core/exact/tape/types.ts";
import { encodePackage, packageDigest } from "../../core/market/package.ts";
import { orderHash } from "../../core/market/typed-data.ts";
import { type Conditions, type Order, schemes } from "../../core/market/types.ts";
import type { Recipe } from "../../training/config/resolve.ts";
import { requireStorable } from "../../training/trainer/program-file.ts";
import { requireJobSize } from "../jobs/job-size.ts";
import { problemOf } from "../jobs/published-program.ts";

/** An order that is ready to be signed and sent, with everything that it commits to. */
export type DescribedOrder = {
  readonly order: Order;
  readonly orderHash: Hex;
  readonly training: Hex;
  readonly package: Hex;
  readonly trainingOrder: TrainingOrder;
};

/** Steps between two leaves of the trace, at most, as the registry of jobs takes them. */
export const mostSteps = 96;
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

/** What an order is made of, when its program is compiled and its steps are counted. */
export type OrderParts = {
  readonly consumer: Address;
  readonly datasetId: Hex;
  readonly recipe: Recipe;
  /** The anchored dataset that holds the ONNX file, where the recipe names one. */
  readonly modelId?: Hex;
  readonly program: Program;
  readonly trainingOrder: TrainingOrder;
  readonly conditions: Pick<Conditions, "maximumPrice"> & Partial<Conditions>;
  /** Seconds since 1970. */
  readonly expiry: bigint;
};

/**
 * Writes an order and all that it commits to.
 *
 * @throws BadInputError for what no order can say
 */
export function composeOrder(parts: OrderParts): DescribedOrder {
  const { consumer, datasetId, recipe, modelId, program, trainingOrder, conditions, expiry } = parts;
  requireJobSize(trainingOrder);
  requireStorable(program);
  const bytes = encodePackage(packageOf(recipe, modelId));
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
      datasetId,
      trainingHash: keccak256(training),
      programRoot: trainingOrder.programRoot,
      ...problemOf(program),
      programDigest: packageDigest(bytes),
    },
    conditions: { ...defaultConditions, deposit: conditions.maximumPrice, ...conditions },
    nonce: BigInt(bytesToHex(crypto.getRandomValues(new Uint8Array(32)))),
    expiry,
  };
  return { order, orderHash: orderHash(order), training, package: bytesToHex(bytes), trainingOrder };
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

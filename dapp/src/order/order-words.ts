import { hexToBytes, zeroAddress } from "viem";
import type { TrainingOrder } from "../../../keepers/src/core/exact/order.ts";
import { decodePackage, type JobPackage } from "../../../keepers/src/core/market/package.ts";
import { type Conditions, schemes } from "../../../keepers/src/core/market/types.ts";
import type { DescribedOrder } from "../../../keepers/src/roles/consumer/compose-order.ts";
import type { Words } from "../act/steps.ts";
import { exactly } from "../ui/amounts.ts";

export const tokens = (amount: bigint) => `${exactly(amount)} tokens`;

/** Binary places of momentum and rate, unless a package says otherwise. */
const usualShift = 16;

/**
 * What an order says, in words: all that a signature under it binds. What a wallet shows as a hash stands here as that hash, and
 * beside it what it was made of.
 */
export function orderWords(described: DescribedOrder): Words {
  const { order, trainingOrder } = described;
  const { problem, conditions, nonce, consumer, expiry } = order;
  const recipe = decodePackage(hexToBytes(described.package));
  return [
    ["Train on dataset", problem.datasetId],
    ["Model", modelWords(recipe)],
    ...trainingWords(trainingOrder, recipe),
    ...conditionWords(conditions),
    ["Can be taken until", new Date(Number(expiry) * 1000).toUTCString()],
    ["Paid by", consumer],
    ["Training (trainingHash)", problem.trainingHash],
    ["Program (programRoot)", problem.programRoot],
    ["Model and options (programDigest)", problem.programDigest],
    [
      "Size of the program",
      `nodeCounts ${problem.nodeCounts.join(", ")}; witnessNode ${problem.witnessNode}; slots ${problem.slots}`,
    ],
    ["Number of the order (nonce)", String(nonce)],
  ];
}

function modelWords({ model, loss, target }: JobPackage): string {
  const what =
    model.kind === "onnx"
      ? `the ONNX file in dataset ${model.datasetId}`
      : [
          model.name,
          ...Object.entries(model.options).map(([name, value]) => `${name} ${String(value)}`),
        ].join(" · ");
  return `${what}; ${loss}${"classes" in target ? ` over ${target.classes} classes` : ""}`;
}

function trainingWords(order: TrainingOrder, { optimizer }: JobPackage): Words {
  const { steps, interval, microBatch, microBatches, train, objects, bits, seed, splitSeed, schedule } =
    order;
  const { table, every } = schedule;
  const share = (value: number, shift = usualShift) => `${decimal(value / 2 ** shift)} (${value}/2^${shift})`;
  const [first] = table;
  const last = table.at(-1)!;
  const rate = share(first!, optimizer.learningRateShift);
  return [
    ["Training", `${steps} steps, a state root every ${interval}`],
    ["Samples of a step", String(microBatch * microBatches)],
    ["Samples", `${train} to train on, ${objects - train} kept apart`],
    [
      "Learning rate",
      table.length === 1
        ? rate
        : `from ${rate} to ${share(last, optimizer.learningRateShift)}, another one every ${every} steps`,
    ],
    ["Momentum", share(optimizer.momentum, optimizer.momentumShift)],
    ["Numbers", `${bits}-bit integers, exact`],
    ["Seed", seed],
    ...(splitSeed === undefined ? [] : [["Seed of the split", splitSeed] as const]),
  ];
}

function conditionWords(conditions: Conditions): Words {
  const { committeeSize, threshold, checkFee, instalments, maximumPrice, deposit, priceFeed } = conditions;
  const isInTokens = priceFeed === zeroAddress;
  return [
    [
      "Pay at most",
      isInTokens
        ? tokens(maximumPrice)
        : `${maximumPrice} units of what the price feed ${priceFeed} counts in`,
    ],
    ...(isInTokens && deposit === maximumPrice ? [] : [["Taken for it at most", tokens(deposit)] as const]),
    [
      "Who vouches for it",
      committeeSize === 0
        ? "anyone may dispute it; nobody has to check"
        : `${threshold} of ${committeeSize} validators, ${tokens(checkFee)} for each interval that one checks${
            conditions.scheme === schemes.both ? "; anyone may dispute it" : ""
          }`,
    ],
    ["Paid in", instalments > 1 ? `${instalments} instalments` : "one payment at the end"],
    ["Time to train", timeWords(conditions.trainingTime)],
    ["Who may train it", demandWords(conditions)],
  ];
}

function timeWords(seconds: number): string {
  return seconds % 60 === 0 ? `${seconds / 60} minutes` : `${seconds} seconds`;
}

/** What an order asks of a provider beside its price. */
function demandWords({ minimumCompute, regions, regulations, privacyTier }: Conditions): string {
  const demands = Object.entries({ minimumCompute, regions, regulations, privacyTier }).filter(
    ([, value]) => BigInt(value) !== 0n,
  );
  return demands.length === 0
    ? "any provider"
    : `providers with ${demands.map(([name, value]) => `${name} ${value}`).join(", ")}`;
}

/** A factor as people write it; what is exact stands beside it. */
function decimal(value: number): string {
  return String(Number(value.toPrecision(4)));
}

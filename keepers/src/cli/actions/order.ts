import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type Address, formatUnits, type Hex } from "viem";
import { readRate } from "../../chain/price-feed.ts";
import { toTokens, withMargin } from "../../core/market/feed.ts";
import { writeSignedOrder } from "../../core/market/messages.ts";
import { schemes } from "../../core/market/types.ts";
import { type DescribedOrder, describeOrder } from "../../roles/consumer/describe-order.ts";
import { openStoredObjects } from "../../roles/stored-objects.ts";
import { parseDatasetId } from "../../storage/client/dataset.ts";
import { readingSecret } from "../../storage/client/dataset-key.ts";
import { loadConfig } from "../../training/config/load-config.ts";
import type { CommandContext } from "../context.ts";
import { UsageError } from "../errors.ts";
import { openConsumer } from "../jobs.ts";
import { writeNew } from "../message-files.ts";
import { priceInUnits } from "../prices.ts";
import { engineOf } from "../training/engines.ts";

/** Per cent that is deposited above what a price is worth now, where the user names no deposit: the feed may fall. */
const depositMargin = 10;

export type OrderOptions = {
  dataset?: string;
  model?: string;
  price: bigint;
  feed?: Address;
  deposit?: bigint;
  trainingTime: number;
  expiry: number;
  leastCompute: number;
  regions?: bigint;
  regulations?: bigint;
  privacy: number;
  committee?: number;
  threshold?: number;
  checkFee: bigint;
  instalments: number;
};

export type CreateOptions = OrderOptions & {
  auction?: boolean;
  commitWindow: number;
  revealWindow: number;
};

export type SignOptions = OrderOptions & { to: string; fund?: boolean };

/** `assay order create` */
export async function createOrder(
  context: CommandContext,
  configPath: string,
  options: CreateOptions,
): Promise<void> {
  const { output } = context;
  const consumer = await openConsumer(context);
  const described = await describe(context, configPath, options);
  const { order } = described;
  const { document, facts } = summary(described);
  if (options.auction !== true) {
    await consumer.post(described);
    output.result({ ...document, jobId: null }, [...facts, "posted     providers may take it now"]);
    return;
  }
  const { commitWindow, revealWindow } = options;
  // The least that the market takes: a tenth of the deposit, rounded up.
  const bond = (order.conditions.deposit + 9n) / 10n;
  const jobId = await consumer.openAuction(described, { commitWindow, revealWindow, bond });
  output.result({ ...document, jobId }, [...facts, `job        ${jobId}, up for auction`]);
}

/** `assay order sign` */
export async function signOrder(
  context: CommandContext,
  configPath: string,
  options: SignOptions,
): Promise<void> {
  const consumer = await openConsumer(context);
  const described = await describe(context, configPath, options);
  const path = context.path(options.to);
  const signed = await consumer.sign(described, options.fund === true);
  await writeNew(path, writeSignedOrder(signed));
  const { document, facts } = summary(described);
  context.output.result({ ...document, path }, [...facts, `signed     ${path}; nothing was posted`]);
}

/** `assay order cancel` */
export async function cancelOrder(context: CommandContext, nonce: bigint): Promise<void> {
  const consumer = await openConsumer(context);
  await consumer.cancel(nonce);
  context.output.result({ nonce }, "The order cannot be matched any more.");
}

async function describe(
  context: CommandContext,
  configPath: string,
  options: OrderOptions,
): Promise<DescribedOrder> {
  const { output, signal } = context;
  const account = await context.account();
  const { chain, contracts } = await context.network();
  const { dispute: clocks } = await contracts.JobRegistry.read.parameters();
  const prices = await pricesOf(context, options);
  const config = await loadConfig(context.path(configPath), options.dataset);
  const datasetId = storedDataset(config.dataset.source);
  const stateFolder = await context.stateFolder();
  const dataset = await openStoredObjects(await context.storageClient(), {
    datasetId,
    directory: join(stateFolder, "downloads"),
    secret: await readingSecret(account),
    signal,
    onProgress: (progress) => output.progress(progress),
  });
  const { timestamp } = await chain.public.getBlock({ blockTag: "latest" });
  const { committee = 0, threshold = Math.floor(committee / 2) + (committee > 0 ? 1 : 0) } = options;
  const folder = join(stateFolder, "orders", randomUUID());
  try {
    return await describeOrder({
      consumer: account.address,
      config,
      dataset,
      modelId: options.model === undefined ? undefined : parseDatasetId(options.model),
      folder,
      executor: await engineOf(config.engine),
      conditions: {
        ...prices,
        minimumCompute: options.leastCompute,
        regions: options.regions ?? 0n,
        regulations: options.regulations ?? 0n,
        privacyTier: options.privacy,
        trainingTime: options.trainingTime,
        scheme: committee === 0 ? schemes.optimistic : schemes.both,
        committeeSize: committee,
        threshold,
        checkFee: committee === 0 ? 0n : options.checkFee,
        instalments: options.instalments,
      },
      expiry: timestamp + BigInt(options.expiry),
      disputes: {
        clocks,
        onProblem: (problem) =>
          output.note(
            `warning    by this machine nobody could dispute this order, and no provider bids: ${problem}`,
          ),
      },
      signal,
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function summary({ order, orderHash, trainingOrder, package: bytes }: DescribedOrder) {
  const { problem, conditions, nonce } = order;
  return {
    document: { orderHash, problem, conditions, nonce },
    facts: [
      `order      ${orderHash}`,
      `training   ${problem.trainingHash}`,
      `program    ${problem.programRoot}, package of ${(bytes.length - 2) / 2} bytes`,
      `steps      ${trainingOrder.steps}, a state root every ${trainingOrder.interval}`,
      `deposit    ${formatUnits(conditions.deposit, 18)} tokens`,
      `nonce      ${nonce}`,
    ],
  };
}

/** Greatest price and deposit: in tokens, or with a feed in what it counts in. */
async function pricesOf(context: CommandContext, { price, feed, deposit }: OrderOptions) {
  if (feed === undefined) return { maximumPrice: price, deposit: deposit ?? price };
  const { chain, contracts } = await context.network();
  const maximumPrice = await priceInUnits(context, feed, price);
  const worth = toTokens(maximumPrice, await readRate(chain.public, contracts, feed));
  return { maximumPrice, priceFeed: feed, deposit: deposit ?? withMargin(worth, depositMargin) };
}

function storedDataset(source: string): Hex {
  if (/^0x[0-9a-fA-F]{64}$/.test(source)) return parseDatasetId(source);
  throw new UsageError("an order is about a stored dataset", {
    next: "Store the data with `assay data put`, then name its id with --dataset.",
  });
}

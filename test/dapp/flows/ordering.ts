import type { Page } from "playwright-core";
import { encodeEventTopics } from "viem";
import { abis } from "../../../keepers/src/chain/abi/index.ts";
import { advancePast, until } from "../support/clock.ts";
import type { World } from "../support/world.ts";
import type { Flow } from "./flow.ts";

/** Codes of `IJobRegistry.Status`. */
export const status = { training: 3, committed: 4, finalised: 6 } as const;

/** Opens the order's page with the development wallet, and chooses the world's dataset. */
export async function beginOrder({ open, world }: ReturnType<Flow>, page: Page): Promise<void> {
  await open(page, "/order");
  await page.getByRole("button", { name: "Connect wallet" }).click();
  await page.getByRole("button", { name: "Development wallet" }).click();
  await page.getByRole("button", { name: /^0x[0-9a-f]+…/i }).waitFor();
  await chooseDataset(world, page);
}

/** Chooses the world's dataset on the order's page, and unfolds all of its form. */
export async function chooseDataset(world: World, page: Page): Promise<void> {
  await page.getByLabel("Dataset", { exact: true }).selectOption(world.datasetId);
  await page.getByText("Optical Recognition of Handwritten Digits", { exact: false }).last().waitFor();
  await unfold(page);
}

/** Opens what the form folds away, by keyboard. */
export async function unfold(page: Page): Promise<void> {
  for (const summary of await page.getByText("More settings", { exact: true }).all()) {
    await summary.focus();
    await page.keyboard.press("Enter");
  }
  await page.getByLabel("Instalments").waitFor();
}

/**
 * From the first time that the page has read which job was opened, its endpoint does not know the receipt any more, as one
 * behind others would; until it is told to.
 */
export async function lagAfterOpening(page: Page, { network }: World) {
  const [opened] = encodeEventTopics({ abi: abis.JobRegistry, eventName: "JobOpened" });
  let hasToldOnce = false;
  let isBehind = true;
  await page.route(`${network.chain.rpcUrl}/**`, async (route) => {
    const response = await route.fetch();
    const text = await response.text();
    if (isBehind && text.includes(opened!) && text.includes("transactionHash")) {
      if (hasToldOnce) return route.abort();
      hasToldOnce = true;
    }
    return route.fulfill({ response, body: text });
  });
  return {
    catchUp: () => {
      isBehind = false;
    },
  };
}

/** Signs what is filled in, opens its auction, and waits for the job's page. */
export async function placeOrder(page: Page, onPaid = async () => {}): Promise<bigint> {
  await page.getByText("In all, at most").waitFor();
  await page.getByRole("button", { name: "Look it over and sign" }).click();
  await page.getByText("Let the escrow take what it costs").waitFor();
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByText("Bids are sealed for").waitFor();
  await page.getByText("Gas, at most").waitFor();
  await page.getByRole("button", { name: "Send" }).click();
  await onPaid();
  await page.getByRole("heading", { name: /^Job \d+$/ }).waitFor();
  const title = await page.getByRole("heading", { name: /^Job \d+$/ }).textContent();
  return BigInt(title!.replace(/\D/g, ""));
}

/** Passes through the auction of a job, as soon as the keepers have done their part in each of its phases. */
export async function passAuction(world: World, job: bigint, onBids = async () => {}): Promise<void> {
  const { Market } = world.owner.contracts;
  await until("a sealed bid", async () => (await Market.read.bidsOf([job, 0n, 8n])).length > 0);
  await onBids();
  const { commitUntil, revealUntil } = await Market.read.auctionOf([job]);
  await advancePast(world, commitUntil);
  await until("it to be opened", async () => (await Market.read.bidsOf([job, 0n, 8n]))[0]!.isRevealed);
  await advancePast(world, revealUntil);
}

/** Waits until a job has come this far. */
export async function untilStatus(world: World, job: bigint, wanted: number): Promise<void> {
  const { JobRegistry } = world.owner.contracts;
  await until(`status ${wanted}`, async () => (await JobRegistry.read.jobOf([job])).status >= wanted);
}

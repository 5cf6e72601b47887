import assert from "node:assert/strict";
import { it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { visit } from "../support/browser.ts";
import type { Flow } from "./flow.ts";

/** Milliseconds for a job to be trained and settled on a busy machine. */
const patience = 5 * 60_000;

/** Codes of `IJobRegistry.Status`. */
const status = { committed: 4, finalised: 6 } as const;

/** Who orders a training. */
export function consumerFlows(flow: Flow): void {
  it("orders a training by sealed bids, sees it trained, paid and certified", async () => {
    const { browser, world, open } = flow();
    const { page, context, faults } = await visit(browser);
    const { chain } = world.network;
    await open(page, "/order");
    await page.getByRole("button", { name: "Connect wallet" }).click();
    await page.getByRole("button", { name: "Development wallet" }).click();
    await page.getByRole("button", { name: /^0x[0-9a-f]+…/i }).waitFor();
    await page.getByLabel("Dataset", { exact: true }).selectOption(world.datasetId);
    await page.getByText("Optical Recognition of Handwritten Digits", { exact: false }).waitFor();
    await page.getByLabel("Validators that check it").fill("0");
    await page.getByLabel("Steps", { exact: true }).fill("lots");
    await page.getByText("a whole number").waitFor();
    await page.getByLabel("Steps", { exact: true }).fill("22");
    await page.getByText("In all, at most").waitFor();
    await page.getByRole("button", { name: "Look it over and sign" }).click();
    await page.getByText("Let the escrow take what it costs").waitFor();
    await page.getByRole("button", { name: "Send" }).click();
    await page.getByText("Bids are sealed for").waitFor();
    await page.getByText("Gas, at most").waitFor();
    await page.getByRole("button", { name: "Send" }).click();
    await page.getByRole("heading", { name: /^Job \d+$/ }).waitFor();
    const title = await page.getByRole("heading", { name: /^Job \d+$/ }).textContent();
    const job = BigInt(title!.replace(/\D/g, ""));
    await page.getByText(/Sealed bids are taken: /).waitFor();
    const { JobRegistry, Market } = world.owner.contracts;
    const until = async (what: string, isSo: () => Promise<boolean>) => {
      const deadline = performance.now() + patience;
      while (!(await isSo())) {
        assert.ok(performance.now() < deadline, `waited in vain for ${what}`);
        await delay(500);
      }
    };
    const statusOf = async () => (await JobRegistry.read.jobOf([job])).status;
    const advancePast = async (second: number | bigint) => {
      const missing = Number(second) + 1 - (await chain.now());
      if (missing > 0) await chain.advance(missing);
    };
    // Keepers work in their own time; the windows in which nothing more is to come are skipped.
    await until("a sealed bid", async () => (await Market.read.bidsOf([job])).length > 0);
    await page.getByText("One bid has come in.").waitFor();
    const { commitUntil, revealUntil } = await Market.read.auctionOf([job]);
    await advancePast(commitUntil);
    await until("it to be opened", async () => (await Market.read.bidsOf([job]))[0]!.isRevealed);
    await page.getByText(/Bids are opened: /).waitFor();
    await advancePast(revealUntil);
    await until("the result", async () => (await statusOf()) >= status.committed);
    await page.getByText(/Anyone may dispute the result: /).waitFor();
    await advancePast((await JobRegistry.read.jobOf([job])).challengeUntil);
    await until("the end", async () => (await statusOf()) >= status.finalised);
    assert.equal(await statusOf(), status.finalised);
    await page.getByRole("link", { name: `Certificate ${job}` }).click();
    const { stateRoot } = await world.owner.contracts.ModelCertificate.read.certificateOf([job]);
    await page.getByText(stateRoot).waitFor();
    assert.deepEqual(faults, []);
    await context.close();
  });
}

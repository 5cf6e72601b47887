import assert from "node:assert/strict";
import { it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { visit } from "../support/browser.ts";
import type { Flow } from "./flow.ts";

/** Milliseconds for a job to be trained and settled on a busy machine. */
const patience = 5 * 60_000;

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
    const { JobRegistry } = world.owner.contracts;
    const [open_, finalised] = [1, 6];
    const deadline = performance.now() + patience;
    // Keepers work in their own time; the windows between are skipped.
    for (let last = open_; last !== finalised; last = (await JobRegistry.read.jobOf([job])).status) {
      assert.ok(performance.now() < deadline, `job ${job} has status ${last}`);
      assert.ok(last <= finalised, `job ${job} ended with status ${last}`);
      await delay(4_000);
      await chain.advance(120);
    }
    await page.getByRole("link", { name: `Certificate ${job}` }).click();
    const { stateRoot } = await world.owner.contracts.ModelCertificate.read.certificateOf([job]);
    await page.getByText(stateRoot).waitFor();
    assert.deepEqual(faults, []);
    await context.close();
  });
}

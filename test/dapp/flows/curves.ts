import assert from "node:assert/strict";
import { it } from "node:test";
import type { Page } from "playwright-core";
import { assertAccessible, assertFits, visit } from "../support/browser.ts";
import { advancePast } from "../support/clock.ts";
import type { Flow } from "./flow.ts";
import { beginOrder, passAuction, placeOrder, status, untilStatus } from "./ordering.ts";

/** The first column of the table beside the curves: elsewhere on the page the same numbers may be of blocks. */
const stepCells = (page: Page) =>
  page.getByRole("region", { name: "States of the training" }).locator("tbody td:first-child");

/** Steps in the table beside the curves. */
async function stepsIn(page: Page): Promise<number[]> {
  const cells = await stepCells(page).allTextContents();
  return cells.map((text) => Number(text.replaceAll(",", "")));
}

/** What a visitor sees of how a model learns. */
export function curveFlows(flow: Flow): void {
  it("draws loss and accuracy of every state that was stored with a result", async () => {
    const { browser, open } = flow();
    const { page, context, faults } = await visit(browser);
    page.setDefaultTimeout(180_000);
    await open(page, "/jobs/1");
    await page.getByRole("button", { name: "Draw its curves" }).click();
    await stepCells(page).getByText("264", { exact: true }).waitFor();
    assert.deepEqual(await stepsIn(page), [0, 44, 99, 154, 209, 264]);
    for (const title of ["Mean loss", "Share of samples that are right"]) {
      const chart = page.getByRole("figure", { name: title });
      await chart.scrollIntoViewIfNeeded();
      // A dot for each of the six states, on each of the two lines.
      const dots = chart.locator(".recharts-line-dots circle");
      // A busy machine draws them after the table.
      await dots.nth(11).waitFor({ state: "attached" });
      assert.equal(await dots.count(), 12);
    }
    const rows = page.getByRole("region", { name: "States of the training" }).locator("tbody tr");
    const first = await rows.first().locator("td").allTextContents();
    const last = await rows.last().locator("td").allTextContents();
    assert.ok(Number(last[1]) < Number(first[1]) / 4, "the loss comes down");
    assert.ok(Number.parseFloat(last[2]!) > 90, "the model knows what it was not trained on");
    await assertAccessible(page);
    await page.setViewportSize({ width: 360, height: 740 });
    await assertFits(page);
    await page.emulateMedia({ colorScheme: "dark" });
    await assertAccessible(page);
    assert.deepEqual(faults, []);
    await context.close();
  });
}

/** What a consumer sees while a job is trained. */
export function liveCurveFlows(flow: Flow): void {
  it("draws states of a job that is being trained as its provider publishes them", async () => {
    const { browser, world } = flow();
    const { page, context, faults } = await visit(browser);
    page.setDefaultTimeout(180_000);
    await beginOrder(flow(), page);
    await page.getByLabel("Validators that check it").fill("0");
    await page.getByLabel("Hidden layers").fill("256, 256");
    await page.getByLabel("Steps", { exact: true }).fill("6000");
    await page.getByLabel("Steps between two state roots").fill("96");
    await page.getByLabel("Instalments").fill("16");
    const job = await placeOrder(page);
    await passAuction(world, job);
    await page.getByText(/^The provider trains: /).waitFor();
    await page.getByText("the provider computes alone").waitFor();
    await page.getByRole("button", { name: "Draw its curves" }).click();
    await page.getByRole("cell", { name: "0", exact: true }).first().waitFor();
    const { Instalments, JobRegistry } = world.owner.contracts;
    // The second state is drawn when the first instalment is claimed: while the job trains.
    const region = page.getByRole("region", { name: "States of the training" });
    await region.locator("tbody tr").nth(1).waitFor();
    const [, step] = await stepsIn(page);
    const { posted } = await Instalments.read.ledgerOf([job]);
    assert.notEqual(posted, 0);
    const { steps } = await JobRegistry.read.claimOf([job]);
    assert.ok(step! > 0 && step! < steps, `step ${step} of ${steps}`);
    await untilStatus(world, job, status.committed);
    await page.getByRole("cell", { name: "6,000", exact: true }).first().waitFor();
    await advancePast(world, (await JobRegistry.read.jobOf([job])).challengeUntil);
    await untilStatus(world, job, status.finalised);
    assert.deepEqual(faults, []);
    await context.close();
  });
}

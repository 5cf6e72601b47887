import assert from "node:assert/strict";
import { it } from "node:test";
import { visit } from "../support/browser.ts";
import type { Flow } from "./flow.ts";
import { advancePast, beginOrder, passAuction, placeOrder, status, untilStatus } from "./ordering.ts";

/** Who orders a training. */
export function consumerFlows(flow: Flow): void {
  it("orders a training by sealed bids, sees it trained, paid and certified", async () => {
    const { browser, world } = flow();
    const { page, context, faults } = await visit(browser);
    await beginOrder(flow(), page);
    await page.getByLabel("Validators that check it").fill("0");
    await page.getByLabel("Steps", { exact: true }).fill("lots");
    await page.getByText("a whole number").waitFor();
    await page.getByLabel("Steps", { exact: true }).fill("22");
    const job = await placeOrder(page);
    await page.getByText(/Sealed bids are taken: /).waitFor();
    await passAuction(world, job, () => page.getByText("One bid has come in.").waitFor());
    const { JobRegistry, ModelCertificate } = world.owner.contracts;
    await untilStatus(world, job, status.committed);
    await page.getByText(/Anyone may dispute the result: /).waitFor();
    await advancePast(world, (await JobRegistry.read.jobOf([job])).challengeUntil);
    await untilStatus(world, job, status.finalised);
    assert.equal((await JobRegistry.read.jobOf([job])).status, status.finalised);
    await page.getByRole("link", { name: `Certificate ${job}` }).click();
    const { stateRoot } = await ModelCertificate.read.certificateOf([job]);
    await page.getByText(stateRoot).waitFor();
    assert.deepEqual(faults, []);
    await context.close();
  });
}

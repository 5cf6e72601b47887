import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Browser, Page } from "playwright-core";
import { assertAccessible, assertFits, noBrowser, openBrowser, visit } from "./support/browser.ts";
import { openWorld, type World } from "./support/world.ts";

describe("what a visitor computes on a job's page", { skip: noBrowser }, () => {
  let world: World;
  let browser: Browser;
  let page: Page;
  let faults: readonly string[];

  before(async () => {
    world = await openWorld();
    browser = await openBrowser();
    ({ page, faults } = await visit(browser));
  });

  after(async () => {
    await browser?.close();
    await world?.close();
  });

  /** Opens a job's page and has it fetched and checked. */
  async function fetchJob(id: number): Promise<void> {
    await page.goto(`${world.server.url}#/jobs/${id}`);
    await page.getByRole("button", { name: "Fetch and check it" }).click();
    await page.getByRole("button", { name: "Compute it again" }).waitFor();
  }

  async function computeInterval(interval: number): Promise<string> {
    await page.getByLabel(/^Interval, 0 to/).fill(String(interval));
    await page.getByRole("button", { name: "Compute it again" }).click();
    const verdict = page.getByText(new RegExp(`^Interval ${interval}, steps \\d+ to \\d+: `));
    await verdict.waitFor();
    return (await verdict.textContent())!.split(": ")[1]!;
  }

  it("is right where the job was paid, to the last bit", async () => {
    await fetchJob(1);
    for (const name of ["Program", "Data", "Trace"])
      await page.getByText(name, { exact: true }).first().waitFor();
    assert.equal(await computeInterval(0), "right");
    assert.equal(await computeInterval(3), "right");
    await page.getByText("State before the interval").or(page.getByText("Where it begins")).first().waitFor();
    await assertAccessible(page);
  });

  it("scores the model, and asks it about a sample and about a drawing", async () => {
    await page.getByRole("button", { name: /^Score it on [\d,]+ samples/ }).click();
    await page.getByText(/\d+\.\d\d % of [\d,]+ samples that training did not see/).waitFor();
    await page.getByLabel("Or take a sample that was kept apart").fill("5");
    await page.getByRole("button", { name: "Take it" }).click();
    await page.getByText(/^The model says \d(, and that is right|; it is \d)\.$/).waitFor();
    const pad = page.getByRole("img", { name: "Draw a digit here" });
    const box = (await pad.boundingBox())!;
    await page.mouse.move(box.x + box.width / 2, box.y + 30);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width / 2 + 4, box.y + box.height - 30, { steps: 8 });
    await page.mouse.up();
    await page.getByText(/^The model says \d\.$/).waitFor();
    await assertAccessible(page);
    await page.setViewportSize({ width: 360, height: 740 });
    await assertFits(page);
    await page.setViewportSize({ width: 1200, height: 900 });
  });

  it("is wrong in one interval of the job whose provider was convicted", async () => {
    await fetchJob(2);
    const last = Number(/0 to (\d+)/.exec((await page.getByText(/^Interval, 0 to/).textContent())!)![1]);
    const wrong: number[] = [];
    for (let interval = 0; interval <= last; interval++)
      if ((await computeInterval(interval)) === "wrong") wrong.push(interval);
    assert.ok(wrong.length > 0 && wrong.length <= 2, `intervals ${wrong}`);
    assert.deepEqual(faults, []);
  });
});

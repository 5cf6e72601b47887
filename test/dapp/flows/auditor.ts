import assert from "node:assert/strict";
import { it } from "node:test";
import { assertAccessible, assertFits, visit } from "../support/browser.ts";
import type { Flow } from "./flow.ts";

/** What somebody without a wallet reads. */
export function auditorFlows(flow: Flow): void {
  it("shows the network, and leads from a job to its certificate and its committee", async () => {
    const { browser, world, open } = flow();
    const { page, context, faults } = await visit(browser);
    await open(page, "/");
    await page.getByText("1 paid, 1 failed").waitFor();
    await page.getByRole("link", { name: "Job 1", exact: true }).click();
    await page.getByRole("heading", { name: "Job 1" }).waitFor();
    await page.getByText("9 validators were drawn by lot").waitFor();
    const seats = page.getByRole("listitem").filter({ hasText: /^Validator \d/ });
    assert.equal(await seats.count(), 9);
    assert.equal(await seats.filter({ hasText: "Agrees" }).count(), 6);
    assert.equal(await seats.filter({ hasText: "Did not sign" }).count(), 2);
    assert.equal(await seats.filter({ hasText: "Differs: slashed" }).count(), 1);
    await page.getByRole("link", { name: "Certificate 1" }).click();
    const { stateRoot } = await world.owner.contracts.ModelCertificate.read.certificateOf([1n]);
    await page.getByText(stateRoot).waitFor();
    assert.deepEqual(faults, []);
    await context.close();
  });

  it("draws a dispute as it was narrowed, and shows the transaction that ended it", async () => {
    const { browser, open } = flow();
    const { page, context, faults } = await visit(browser);
    await open(page, "/jobs/2");
    const levels = page.getByRole("list", { name: "What the dispute was narrowed to" }).getByRole("listitem");
    await levels.first().waitFor();
    const texts = await levels.allTextContents();
    assert.deepEqual(texts.slice(0, 3), [
      "The training: 264 steps",
      "Interval 12 of 24",
      "Step 137, one of 11",
    ]);
    assert.match(texts[3]!, /^Tensor \d+, one of 64$/);
    assert.match(texts[4]!, /^Leaf \d+, one of \d+$/);
    // One bit of one weight was flipped: see `flip` of the demonstration.
    const said = await page.getByText("The provider said").locator("xpath=..").textContent();
    const is = await page.getByText("It is", { exact: true }).locator("xpath=..").textContent();
    const mantissa = (text: string | null) =>
      Number(/[\d,]+(?=·| )/.exec(text!.replace(/^\D+/, ""))![0].replaceAll(",", ""));
    assert.equal(Math.abs(mantissa(said) - mantissa(is)), 2 ** 13);
    await page.getByText("Move by move").click();
    await page.getByRole("link", { name: "The challenger names the first wrong step" }).waitFor();
    await page.getByRole("link", { name: "The contracts convict the provider" }).click();
    await page.getByText("DisputeGame.ProviderConvicted").waitFor();
    await page.getByText(/^play\(/).waitFor();
    assert.deepEqual(faults, []);
    await context.close();
  });

  it("shows who holds a dataset, and its manifest by CID", async () => {
    const { browser, world, open } = flow();
    const { page, context } = await visit(browser);
    await open(page, `/datasets/${world.datasetId}`);
    await page.getByText("3 of 3 bundles are held; any 2 of them give the data back.").waitFor();
    const cid = await page.getByText(/^bafk/).textContent();
    await open(page, `/search/${cid}`);
    await page.getByText(world.datasetId).waitFor();
    await context.close();
  });

  it("tells a job that the index does not have yet from one that there is not", async () => {
    const { browser, world, open } = flow();
    const { page, context } = await visit(browser);
    let isBehind = true;
    await context.route(`${new URL(world.trail.url).origin}/**`, async (route) => {
      const response = await route.fetch();
      const isAsked = isBehind && (route.request().postData() ?? "").includes("query TrainingData");
      await route.fulfill({ response, ...(isAsked && { body: JSON.stringify({ data: { job: null } }) }) });
    });
    await open(page, "/jobs/1");
    await page.getByText("Job 1 is on the chain; the index has not come to it yet").waitFor();
    await assertAccessible(page);
    isBehind = false;
    await page.getByRole("heading", { name: "Job 1" }).waitFor();
    await open(page, "/jobs/999");
    await page.getByText("There is no job 999 on this chain.").waitFor();
    await context.close();
  });

  it("finds a job, an account, a transaction and a dataset by what they are called", async () => {
    const { browser, world, open } = flow();
    const { page, context } = await visit(browser);
    await open(page, "/");
    const search = async (text: string) => {
      await page.getByRole("searchbox").fill(text);
      await page.keyboard.press("Enter");
    };
    await search("1");
    await page.getByRole("heading", { name: "Job 1" }).waitFor();
    await search(world.network.guest(9).address);
    await page.getByText("never lost stake").or(page.getByText("Who lost stake")).first().waitFor();
    await search(world.datasetId);
    await page.getByText("Bundles, and what their holders proved").waitFor();
    await search("nothing at all");
    await page.getByRole("heading", { name: "Nothing has such a name" }).waitFor();
    await context.close();
  });

  it("reads everything from the chain when the subgraph does not answer, says so, and says the same", async () => {
    const { browser, world, open, url } = flow();
    const { page, context } = await visit(browser);
    const figures = async () => {
      await open(page, "/");
      await page.getByText("1 paid, 1 failed").waitFor();
      const all = await page.locator("main dl").first().locator("div").allTextContents();
      // The block that was read up to is always another one.
      return all.filter((text) => !text.startsWith("Read up to block"));
    };
    const told = await figures();
    await context.route(`${new URL(world.trail.url).origin}/**`, (route) => route.abort());
    await page.goto("about:blank");
    await page.goto(url);
    await page.getByText("The subgraph does not answer.").waitFor();
    assert.deepEqual(await figures(), told);
    await open(page, "/jobs/1");
    await page.getByText("9 validators were drawn by lot").waitFor();
    await open(page, "/jobs/2");
    await page.getByText("Tensor 41, one of 64").waitFor();
    await context.close();
  });

  it("goes on reading the subgraph when it is the chain that does not answer, and says which of them it is", async () => {
    const { browser, world, open } = flow();
    const { page, context } = await visit(browser);
    await context.route(`${world.network.chain.rpcUrl}/**`, (route) => route.abort());
    await open(page, "/");
    await page.getByText("The chain does not answer.").waitFor();
    await page.getByText("1 paid, 1 failed").waitFor();
    await assertAccessible(page);
    await context.close();
  });

  for (const [name, path] of Object.entries({
    "the overview": "/",
    datasets: "/datasets",
    jobs: "/jobs",
    operators: "/operators",
    "a job": "/jobs/1",
    "a disputed job": "/jobs/2",
    "a dataset": "/datasets/:dataset",
    "an operator": "/operators/:operator",
    "a certificate": "/certificates/1",
    "the order page": "/order",
    "what is mine": "/mine",
    "a page that is not there": "/nowhere",
  })) {
    it(`${name}: axe finds nothing serious in light and dark, and it fits a phone`, async () => {
      const { browser, world, open } = flow();
      const to = path
        .replace(":dataset", world.datasetId)
        .replace(":operator", world.network.guest(10).address.toLowerCase());
      for (const colorScheme of ["light", "dark"] as const) {
        const { page, context, faults } = await visit(browser, {
          colorScheme,
          viewport: { width: 360, height: 740 },
        });
        await open(page, to);
        await page.locator("main h1").first().waitFor();
        await page.getByRole("status", { name: "Loading" }).first().waitFor({ state: "detached" });
        await assertAccessible(page);
        await assertFits(page);
        assert.deepEqual(faults, []);
        await context.close();
      }
    });
  }
}

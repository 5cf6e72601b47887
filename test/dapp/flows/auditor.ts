import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { it } from "node:test";
import { createWalletClient, http, keccak256 } from "viem";
import { hardhat } from "viem/chains";
import { developmentAccounts } from "../../../keepers/src/roles/embedded/chain.ts";
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
    assert.equal(await page.title(), "The model of job 1 · Assay");
    const downloading = page.waitForEvent("download");
    await page.getByRole("button", { name: "Download it as JSON" }).click();
    const file = JSON.parse(await readFile(await (await downloading).path(), "utf8"));
    assert.deepEqual([file.certificate, file.job, file.stateRoot], ["1", "1", stateRoot]);
    await page
      .getByRole("term")
      .filter({ hasText: "Issued in" })
      .locator("xpath=..")
      .getByRole("link")
      .click();
    await page.getByText("ModelCertificate.CertificateIssued").waitFor();
    assert.equal(page.url().split("/").at(-1), file.issuedIn);
    assert.deepEqual(faults, []);
    await context.close();
  });

  it("draws a dispute as it was narrowed, and shows the transaction that ended it", async () => {
    const { browser, open } = flow();
    const { page, context, faults } = await visit(browser);
    await open(page, "/jobs/2");
    const levels = page.getByRole("list", { name: "What the dispute was narrowed to" }).getByRole("listitem");
    await page.getByText("The result was wrong").waitFor();
    await page.getByText(/^The provider lost .* of its stake\. .* went back to the consumer\./).waitFor();
    await levels.nth(5).waitFor();
    const texts = await levels.allTextContents();
    assert.deepEqual(texts.slice(0, 3), [
      "The training: 264 steps",
      "Interval 12, steps 133 to 143",
      "Step 138, the 6th of 11",
    ]);
    assert.match(texts[3]!, /^Tensor \d+ of 64$/);
    assert.match(texts[4]!, /^Leaf \d+ of \d+$/);
    assert.match(texts[5]!, /^Element \d+ of the tensor$/);
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
    await page.getByText("What its owner says of it").waitFor();
    await page.locator("main header").getByText("digits", { exact: true }).waitFor();
    await open(page, "/datasets");
    await page.getByRole("cell", { name: "digits", exact: true }).first().waitFor();
    await page.goBack();
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
    await page.getByText(/^12D3KooW\w{44}$/).waitFor();
    await search(world.datasetId);
    await page.getByText("Bundles, and what their holders proved").waitFor();
    await search("nothing at all");
    await page.getByRole("heading", { name: "Nothing has such a name" }).waitFor();
    await search("50%");
    await page.getByText('"50%" is no number of a job').waitFor();
    await context.close();
  });

  it("waits for a transaction that the chain does not know yet", async () => {
    const { browser, world, open } = flow();
    const { page, context, faults } = await visit(browser);
    const { chain } = world.network;
    const account = chain.account(developmentAccounts - 1);
    const wallet = createWalletClient({ account, chain: hardhat, transport: http(chain.rpcUrl) });
    const request = await wallet.prepareTransactionRequest({ to: account.address, value: 1n });
    const signed = await wallet.signTransaction(request);
    await open(page, `/transactions/${keccak256(signed)}`);
    await page.getByText("Not seen yet").waitFor();
    await wallet.sendRawTransaction({ serializedTransaction: signed });
    await page.getByText(/Done$/).waitFor();
    // However little it is, it is said how much.
    const said = page.getByRole("definition");
    await said.filter({ hasText: /^21,000 at .* gwei: 0\.0*[1-9]\d* ETH$/ }).waitFor();
    await said.filter({ hasText: /^0\.0{17}1 ETH$/ }).waitFor();
    assert.deepEqual(faults, []);
    await context.close();
  });

  it("says which part of it cannot be loaded, keeps what is around it, and goes on elsewhere", async () => {
    const { browser, open } = flow();
    const { page, context } = await visit(browser);
    const part = /\/job-[\w-]{8}\.js$/;
    await context.route(part, (route) => route.abort());
    await open(page, "/jobs/1");
    await page.getByText("This page cannot be shown").waitFor();
    await page.getByRole("link", { name: "Operators", exact: true }).click();
    await page.getByText("By what they have at stake").waitFor();
    await context.unroute(part);
    await page.getByRole("link", { name: "Jobs", exact: true }).click();
    await page.getByRole("link", { name: "Job 1", exact: true }).click();
    await page.getByText("This page cannot be shown").waitFor();
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByRole("heading", { name: "Job 1" }).waitFor();
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
    await page.getByText("Tensor 42 of 64").waitFor();
    await page.getByText("From the chain", { exact: true }).first().click();
    await page.getByText("DisputeGame", { exact: true }).first().waitFor();
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

  it("the wallet's dialog: axe finds nothing serious in light and dark, and it fits a phone", async () => {
    const { browser, open } = flow();
    for (const colorScheme of ["light", "dark"] as const) {
      const { page, context, faults } = await visit(browser, {
        colorScheme,
        viewport: { width: 360, height: 740 },
      });
      await open(page, "/");
      await page.getByRole("button", { name: "Connect wallet" }).click();
      const dialog = page.getByRole("dialog", { name: "Connect a wallet" });
      const choice = dialog.getByRole("button", { name: "Development wallet" });
      await choice.waitFor();
      await assertAccessible(page);
      await assertFits(page);
      await choice.click();
      await page.getByRole("button", { name: /^0x[0-9a-f]+…/i }).click();
      const connected = page.getByRole("dialog", { name: "Your wallet" });
      await connected.getByRole("button", { name: "Skip ten minutes" }).waitFor();
      await assertAccessible(page);
      await assertFits(page);
      assert.deepEqual(faults, []);
      await context.close();
    }
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
    "a transaction": "/transactions/:transaction",
    "a search that finds nothing": "/search/nothing%20at%20all",
    "a page that is not there": "/nowhere",
  })) {
    it(`${name}: axe finds nothing serious in light and dark, and it fits a phone`, async () => {
      const { browser, world, open } = flow();
      const { ModelCertificate } = world.owner.contracts;
      const [issued] = await ModelCertificate.getEvents.CertificateIssued({}, { fromBlock: 0n });
      const to = path
        .replace(":dataset", world.datasetId)
        .replace(":transaction", issued!.transactionHash)
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
        const { height } = (await page.getByRole("banner").boundingBox())!;
        assert.ok(height <= 140, `the header takes ${height} pixels`);
        assert.deepEqual(faults, []);
        await context.close();
      }
    });
  }
}

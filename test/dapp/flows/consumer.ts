import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { buildModel } from "../../../keepers/src/training/models/built-in.ts";
import { readOnnx } from "../../../keepers/src/training/onnx/read.ts";
import { writeOnnx } from "../../../keepers/src/training/onnx/write.ts";
import { assertAccessible, visit } from "../support/browser.ts";
import { advancePast } from "../support/clock.ts";
import type { Flow } from "./flow.ts";
import { beginOrder, lagAfterOpening, passAuction, placeOrder, status, untilStatus } from "./ordering.ts";
import { anchorAndPlace } from "./storing.ts";

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
    const endpoint = await lagAfterOpening(page, world);
    const job = await placeOrder(page, async () => {
      await page.getByText("Its auction is open: asking the chain for the number of its job").waitFor();
      assert.equal(await page.getByRole("button", { name: "Look it over and sign" }).count(), 0);
      await assertAccessible(page);
      endpoint.catchUp();
    });
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
    // What the endpoint did not answer is all that went wrong.
    assert.deepEqual(
      faults.filter((fault) => !fault.includes("net::ERR_FAILED")),
      [],
    );
    await context.close();
  });

  it("orders a training of a model of its own, from the dropped file to the trained model", async () => {
    const { browser, world } = flow();
    const { page, context, faults } = await visit(browser);
    page.setDefaultTimeout(180_000);
    const { owner } = world;
    const path = join(world.folder, "own.onnx");
    const own = buildModel("mlp", { inputs: 64, hidden: [20], classes: 10, batch: 32 });
    await writeFile(path, writeOnnx(own));
    await beginOrder(flow(), page);
    await page.getByLabel("Files to read").setInputFiles(path);
    await page.getByText("own.onnx can be trained").waitFor();
    await page.getByText("assay data put own.onnx").waitFor();
    await page.getByLabel("Validators that check it").fill("0");
    await page.getByLabel("Steps", { exact: true }).fill("22");
    await page.getByLabel("Any of these bundles are enough").selectOption("2 of 3");
    await page.getByRole("button", { name: "Encode it, to have it stored" }).click();
    await page.getByRole("button", { name: "Send the bundles" }).click();
    await page.getByText("3 of 3 bundles").waitFor();
    await anchorAndPlace(page);
    await page.getByText("It is stored: providers can fetch it").waitFor();
    const job = await placeOrder(page);
    await page.getByText("ONNX file in").waitFor();
    await passAuction(world, job);
    await untilStatus(world, job, status.committed);
    await page.getByRole("button", { name: "Fetch and check it" }).click();
    await page.getByRole("button", { name: "Compute it again" }).click();
    await page.getByText(/^Interval 0, steps 1 to 11: right$/).waitFor();
    const downloading = page.waitForEvent("download");
    await page.getByRole("button", { name: "Download it as ONNX" }).click();
    const trained = readOnnx(new Uint8Array(await readFile(await (await downloading).path())));
    assert.deepEqual(
      trained.graph.nodes.map(({ opType }) => opType),
      own.graph.nodes.map(({ opType }) => opType),
    );
    const { JobRegistry } = owner.contracts;
    await advancePast(world, (await JobRegistry.read.jobOf([job])).challengeUntil);
    await untilStatus(world, job, status.finalised);
    await page.getByRole("link", { name: `Certificate ${job}` }).waitFor();
    assert.deepEqual(faults, []);
    await context.close();
  });
}

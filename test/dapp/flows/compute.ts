import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { bytesToHex, encodeEventTopics } from "viem";
import { abis } from "../../../keepers/src/chain/abi/index.ts";
import { blobCid } from "../../../keepers/src/core/dataset/blob.ts";
import { buildDataset } from "../../../keepers/src/core/dataset/build.ts";
import { manifestCid, manifestDigest } from "../../../keepers/src/core/dataset/manifest.ts";
import { commitBundle } from "../../../keepers/src/core/merkle/bundle-committer.ts";
import { readFolder } from "../../../keepers/src/storage/readers/folder.ts";
import { buildModel } from "../../../keepers/src/training/models/built-in.ts";
import { readOnnx } from "../../../keepers/src/training/onnx/read.ts";
import { writeOnnx } from "../../../keepers/src/training/onnx/write.ts";
import { batch, gemm, model } from "../../keepers/training/compiler/models.ts";
import { assertAccessible, assertFits, type Visit, visit } from "../support/browser.ts";
import { passEpoch } from "../support/clock.ts";
import type { Flow } from "./flow.ts";
import { unfold } from "./ordering.ts";

type Visitor = Visit & Pick<ReturnType<Flow>, "world" | "open">;

async function arrive({ browser, world, open }: ReturnType<Flow>): Promise<Visitor> {
  const visitor = await visit(browser);
  // Proofs and trainings may hold the machine up.
  visitor.page.setDefaultTimeout(180_000);
  return { ...visitor, world, open };
}

async function leave({ context, faults }: Visitor): Promise<void> {
  assert.deepEqual(faults, []);
  await context.close();
}

/** Opens a job's page and has it fetched and checked. */
async function fetchJob({ page, open }: Visitor, id: number): Promise<void> {
  await open(page, `/jobs/${id}`);
  await page.getByRole("button", { name: "Fetch and check it" }).click();
  await page.getByRole("button", { name: "Compute it again" }).waitFor();
}

async function computeInterval({ page }: Visitor, interval: number): Promise<string> {
  await page.getByLabel(/^Interval of/).fill(String(interval));
  await page.getByRole("button", { name: "Compute it again" }).click();
  const verdict = page.getByText(new RegExp(`^Interval ${interval}, steps \\d+ to \\d+: `));
  await verdict.waitFor();
  return (await verdict.textContent())!.split(": ")[1]!;
}

/** What a visitor computes in the browser. */
export function computeFlows(flow: Flow): void {
  it("is right where the job was paid, to the last bit", async () => {
    const visitor = await arrive(flow());
    const { page } = visitor;
    await fetchJob(visitor, 1);
    for (const name of ["Program", "Data", "Trace"])
      await page.getByText(name, { exact: true }).first().waitFor();
    assert.equal(await computeInterval(visitor, 0), "right");
    assert.equal(await computeInterval(visitor, 3), "right");
    await page.getByText("State before the interval").or(page.getByText("Where it begins")).first().waitFor();
    await assertAccessible(page);
    await leave(visitor);
  });

  it("scores the model, and asks it about a sample and about a drawing", async () => {
    const visitor = await arrive(flow());
    const { page } = visitor;
    await fetchJob(visitor, 1);
    await page.getByRole("button", { name: /^Score it on [\d,]+ samples/ }).click();
    await page.getByText(/\d+\.\d\d % of [\d,]+ samples that training did not see/).waitFor();
    await page.getByLabel("Or take a sample that was kept apart").fill("5");
    await page.getByRole("button", { name: "Take it" }).click();
    await page.getByText(/^The model says \d(, and that is right|; it is \d)\.$/).waitFor();
    const downloading = page.waitForEvent("download");
    await page.getByRole("button", { name: "Download it as ONNX" }).click();
    const download = await downloading;
    assert.match(download.suggestedFilename(), /^model-[0-9a-f]{8}\.onnx$/);
    readOnnx(new Uint8Array(await readFile(await download.path())));
    const pad = page.getByRole("img", { name: "Draw a digit here" });
    await pad.scrollIntoViewIfNeeded();
    const box = (await pad.boundingBox())!;
    await page.mouse.move(box.x + box.width / 2, box.y + 30);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width / 2 + 4, box.y + box.height - 30, { steps: 8 });
    await page.mouse.up();
    await page.getByText(/^The model says \d\.$/).waitFor();
    await assertAccessible(page);
    await page.setViewportSize({ width: 360, height: 740 });
    await assertFits(page);
    await leave(visitor);
  });

  it("is wrong from the step on at which the convicted provider lied", async () => {
    const visitor = await arrive(flow());
    const { page } = visitor;
    await fetchJob(visitor, 2);
    const label = await page.getByText(/^Interval of \d+ steps/).textContent();
    const steps = Number(/of (\d+) steps/.exec(label!)![1]);
    const lied = Math.floor(137 / steps);
    assert.equal(await computeInterval(visitor, lied - 1), "right");
    assert.equal(await computeInterval(visitor, lied), "wrong");
    await page
      .getByText(/it is another state than the trace names/)
      .first()
      .waitFor();
    await leave(visitor);
  });

  it("verifies the proofs of a dataset's holders, and finds out an endpoint that changes them", async () => {
    const visitor = await arrive(flow());
    const { page, world, open } = visitor;
    await passEpoch(world);
    await open(page, `/datasets/${world.datasetId}`);
    await page.getByRole("button", { name: "Verify its proofs" }).click();
    await page.getByText(/^(All \d+ proofs hold|The proof holds)$/).waitFor();
    const proofs = page.getByRole("region", { name: "Proofs of possession" });
    assert.ok((await proofs.getByRole("link", { name: "Holds" }).count()) > 0);
    assert.equal(await proofs.getByText("Does not hold").count(), 0);
    await assertAccessible(page);
    // What an audit came to stands in its event: the endpoint now gives it with another last digit.
    const [answered] = encodeEventTopics({ abi: abis.StorageAudit, eventName: "AuditAnswered" });
    const event = new RegExp(`"topics":\\["${answered}"[^\\]]*\\]`);
    await page.route(`${world.network.chain.rpcUrl}/**`, async (route) => {
      const response = await route.fetch();
      const answer = (await response.json()) as unknown;
      const changed = JSON.stringify(answer, (_, value) =>
        event.test(JSON.stringify(value)) && typeof value.data === "string"
          ? { ...value, data: value.data.replace(/.$/, (digit: string) => (digit === "0" ? "1" : "0")) }
          : value,
      );
      await route.fulfill({ response, body: changed });
    });
    await page.reload();
    await page.getByRole("button", { name: "Verify its proofs" }).click();
    await page.getByText(/^\d+ of \d+ proofs do not hold$/).waitFor();
    await page.getByText("Does not hold").first().waitFor();
    await page.setViewportSize({ width: 360, height: 740 });
    await assertFits(page);
    await leave(visitor);
  });

  it("encodes a folder as Node does, when it is chosen", async () => {
    const visitor = await arrive(flow());
    const { page, world, open } = visitor;
    const folder = join(world.folder, "given");
    await mkdir(join(folder, "deep"), { recursive: true });
    await writeFile(join(folder, "one.bin"), new Uint8Array(20_000).fill(7));
    await writeFile(join(folder, "deep", "two.txt"), "two");
    const source = readFolder(folder);
    const { name, licence, description } = source;
    const manifest = await buildDataset({
      ...{ source, name, licence, description, k: 8, n: 11 },
      keep: async (_, bundle) => {
        const { poseidonRoot, transportRoot } = commitBundle(bundle);
        return {
          poseidonRoot: bytesToHex(poseidonRoot),
          transportRoot: bytesToHex(transportRoot),
          cid: blobCid(bundle).toString(),
        };
      },
    });
    await open(page, "/datasets");
    await page.getByRole("link", { name: "Add a dataset" }).click();
    await page.getByLabel("Folder to read").setInputFiles(folder);
    await page.getByText("2 files, 20,003 bytes").waitFor();
    await page.getByRole("button", { name: "Encode it" }).click();
    await page.getByText("given is encoded").waitFor();
    await page.getByTitle(manifestCid(manifestDigest(manifest))).waitFor();
    await page.getByText("assay data put given --data-shards 8 --shards 11").waitFor();
    await assertAccessible(page);
    await leave(visitor);
  });

  it("says of a model of the visitor's own whether it can be ordered", async () => {
    const visitor = await arrive(flow());
    const { page, world, open } = visitor;
    await open(page, "/order");
    await page.getByLabel("Dataset", { exact: true }).selectOption(world.datasetId);
    const input = page.getByLabel("Files to read");
    await input.waitFor({ state: "attached" });
    const drop = async (fileName: string, bytes: Uint8Array) => {
      await input.setInputFiles({
        name: fileName,
        mimeType: "application/octet-stream",
        buffer: Buffer.from(bytes),
      });
    };
    await drop(
      "mine.onnx",
      writeOnnx(buildModel("mlp", { inputs: 64, hidden: [20], classes: 10, batch: 32 })),
    );
    await page.getByText("mine.onnx can be trained").waitFor();
    await page.getByText("1,510 in 4 tensors").waitFor();
    await page.getByText("assay data put mine.onnx").waitFor();
    const image = buildModel("residual-cnn", { channels: 1, height: 8, width: 8, classes: 10, batch: 32 });
    await drop("image.onnx", writeOnnx(image));
    await page.getByText("image.onnx can be trained").waitFor();
    await drop("damaged.onnx", new Uint8Array(100).fill(9));
    await page.getByText("damaged.onnx cannot be trained as it is").waitFor();
    const refused = model([64], (graph, x, p) => [
      graph.op("Gemm", [graph.op("Sigmoid", [x], {}, { name: "squash" }), p(10, 64), p(10)], gemm),
      [10],
    ]);
    await unfold(page);
    await page.getByLabel("Samples in a step").fill(String(batch));
    await drop("refused.onnx", writeOnnx(refused));
    await page.getByText("refused.onnx cannot be trained as it is").waitFor();
    await page.getByText(/node "squash" \(Sigmoid\): the operator is not supported/).waitFor();
    await page.getByText("Once the model's file can be trained and is stored").waitFor();
    assert.ok(await page.getByRole("button", { name: "Look it over and sign" }).isDisabled());
    await assertAccessible(page);
    await leave(visitor);
  });
}

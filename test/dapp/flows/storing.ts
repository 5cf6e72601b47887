import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { it } from "node:test";
import type { Page } from "playwright-core";
import { decodeFunctionData, type Hex, isAddressEqual } from "viem";
import { abis } from "../../../keepers/src/chain/abi/index.ts";
import { type Holder, readHolders } from "../../../keepers/src/storage/client/dataset.ts";
import { get } from "../../../keepers/src/storage/client/get.ts";
import { assertAccessible, assertFits, visit } from "../support/browser.ts";
import type { World } from "../support/world.ts";
import type { Flow } from "./flow.ts";

/** Bytes that no other dataset has. */
function notes(seed: number): Buffer {
  return Buffer.from(Array.from({ length: 40_000 }, (_, i) => (i * i + seed * i + seed) % 251));
}

async function encode(page: Page, path: string, shape: string): Promise<void> {
  await page.getByLabel("Files to read").setInputFiles(path);
  await page.getByLabel("Any of these bundles are enough").selectOption(shape);
  await page.getByRole("button", { name: "Encode it" }).click();
  await page.getByText(`${basename(path)} is encoded`).waitFor();
}

/** Anchors what storage nodes have taken, and places it. */
export async function anchorAndPlace(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Anchor it and pay" }).click();
  await page.getByText("the registry of datasets, nobody else").waitFor();
  await page.getByRole("button", { name: "Sign", exact: true }).click();
  await page.getByText("what is not used comes back").waitFor();
  await page.getByText("Gas, at most").waitFor();
  await page.getByRole("button", { name: "Send", exact: true }).click();
  await page.getByRole("button", { name: "Place the bundles" }).click();
  await page.getByText("lose stake for what they lose").waitFor();
  await page.getByText("Gas, at most").waitFor();
  await page.getByRole("button", { name: "Send", exact: true }).click();
}

/** Until when the receipts were good that brought a dataset's bundles on chain, in seconds. */
async function termsOf({ owner, network }: World, datasetId: Hex): Promise<number[]> {
  const { BundleRegistry } = owner.contracts;
  const placed = await BundleRegistry.getEvents.BundlePlaced({ datasetId }, { fromBlock: 0n });
  const hashes = [...new Set(placed.map(({ transactionHash }) => transactionHash))];
  const terms = await Promise.all(
    hashes.map(async (hash) => {
      const { input } = await network.client.public.getTransaction({ hash });
      const { args } = decodeFunctionData({ abi: abis.BundleRegistry, data: input });
      return (args as readonly [readonly { receipt: { validUntil: bigint } }[]])[0];
    }),
  );
  const receipts = terms.flat();
  assert.equal(receipts.length, 3);
  return receipts.map(({ receipt }) => Number(receipt.validUntil));
}

/** A storage node that has signed for a bundle and does not give it is found, and what is kept here stays until it does. */
async function findsWhoDoesNotServe(
  page: Page,
  { network, owner }: World,
  { datasetId, path }: { datasetId: Hex; path: string },
): Promise<void> {
  const [{ operator: holder }] = (await readHolders(owner, datasetId, [1])) as [Holder];
  const [index] = [...network.nodes].find(([, { operator }]) => isAddressEqual(operator, holder!))!;
  await network.stopNode(index);
  await page.goBack();
  await encode(page, path, "2 of 3");
  await page.getByText("Not all storage nodes give their bundles back").waitFor();
  const row = page.getByRole("table", { name: "Bundles that were not given back" }).getByRole("row");
  assert.equal(await row.count(), 2, "the head, and the bundle of the node that is away");
  await page.getByRole("button", { name: "Remove notes.bin" }).click();
  await page.getByText("Remove it, though it was not given back").waitFor();
  await assertAccessible(page);
  await network.startNode(index);
  await page.getByRole("button", { name: "Ask them again" }).click();
  await page.getByText("It is stored", { exact: true }).waitFor();
}

/** Who has data stored, from a browser alone. */
export function storingFlows(flow: Flow): void {
  async function arrive() {
    const { browser, open } = flow();
    const visitor = await visit(browser);
    const { page } = visitor;
    page.setDefaultTimeout(60_000);
    await open(page, "/datasets");
    await page.getByRole("link", { name: "Add a dataset" }).click();
    return visitor;
  }

  async function connect(page: Page): Promise<void> {
    await page.getByRole("button", { name: "Connect wallet" }).click();
    await page.getByRole("button", { name: "Development wallet" }).click();
  }

  it("brings a dataset to storage nodes, goes on where a closed page stopped, pays, and gets it back", async () => {
    const { world } = flow();
    const { page, context, faults } = await arrive();
    const bytes = notes(3);
    const path = join(world.folder, "notes.bin");
    await writeFile(path, bytes);
    await encode(page, path, "2 of 3");
    await page.getByRole("row", { name: /^notes\.bin 3 / }).waitFor();
    await page.getByText("Connect a wallet to have it stored from here.").waitFor();
    await connect(page);
    await page.getByLabel("Audits paid in advance").fill("none");
    await page.getByText("a whole number from 1 to 16,384").waitFor();
    assert.ok(await page.getByRole("button", { name: "Send the bundles" }).isDisabled());
    await page.getByLabel("Audits paid in advance").fill("2");
    await page.getByRole("button", { name: "Send the bundles" }).click();
    await page.getByText("3 of 3 bundles").waitFor();
    await assertAccessible(page);
    const sentBefore = await world.network.chain.now();
    await page.reload();
    await connect(page);
    await world.network.chain.advance(600);
    await encode(page, path, "2 of 3");
    await page.getByText("3 bundles were finished before and taken over.").waitFor();
    await page.getByRole("button", { name: "Send the bundles" }).click();
    await page.getByText("3 of 3 bundles").waitFor();
    assert.equal(await page.getByLabel("Audits paid in advance").inputValue(), "2");
    await anchorAndPlace(page);
    await page.getByText("It is stored", { exact: true }).waitFor();
    await page.getByText("has just given pieces of its bundle back").waitFor();
    await page.setViewportSize({ width: 360, height: 740 });
    await assertFits(page);
    await page.setViewportSize({ width: 1200, height: 900 });
    // Another licence makes another dataset of the same bundles, which would be paid for by itself.
    await page.getByLabel("Licence").fill("MIT");
    await page.getByRole("button", { name: "Encode it" }).click();
    await page.getByText("These files were sent before, as another dataset").waitFor();
    await page.getByText("On chain").locator("..").getByText("nothing yet").waitFor();
    await page.getByLabel("Licence").fill("");
    await page.getByRole("button", { name: "Encode it" }).click();
    await page.getByText("It is stored", { exact: true }).waitFor();
    await page.getByRole("link", { name: "Open the dataset" }).click();
    await page.waitForURL(/#\/datasets\/0x[0-9a-f]{64}$/);
    const datasetId = /#\/datasets\/(0x[0-9a-f]{64})/.exec(page.url())![1] as Hex;
    await page.getByText(datasetId, { exact: true }).first().waitFor();
    for (const validUntil of await termsOf(world, datasetId))
      assert.ok(validUntil <= sentBefore + 86_400, "nodes were asked again for what they had signed");
    const { files } = await get(world.owner, {
      datasetId,
      target: join(world.folder, "restored"),
      directory: join(world.folder, "downloads"),
    });
    assert.deepEqual(await readFile(join(world.folder, "restored", files[0]!.path)), bytes);
    assert.deepEqual(faults, []);
    await findsWhoDoesNotServe(page, world, { datasetId, path });
    await context.close();
  });

  it("has nothing paid while too few storage nodes have taken bundles", async () => {
    const { page, context, faults } = await arrive();
    await connect(page);
    const path = join(flow().world.folder, "wide.bin");
    await writeFile(path, notes(5));
    await encode(page, path, "8 of 11");
    await page.getByRole("button", { name: "Send the bundles" }).click();
    await page.getByText("5 of 11 bundles").waitFor();
    await page.getByText("Too few storage nodes have taken bundles").waitFor();
    assert.equal(await page.getByRole("button", { name: "Anchor it and pay" }).count(), 0);
    await page.getByRole("button", { name: "Send what nobody has taken" }).click();
    await page.getByText("5 of 11 bundles").waitFor();
    await page.getByRole("button", { name: "Remove wide.bin" }).click();
    await page.getByText("Remove it, with its receipts").click();
    await page.getByText("Kept in this browser").first().waitFor({ state: "detached" });
    // No storage node is blamed for what is not here any more.
    await page.getByRole("button", { name: "Send what nobody has taken" }).click();
    await page.getByText("are not kept in this browser any more").waitFor();
    await assertAccessible(page);
    assert.deepEqual(faults, []);
    await context.close();
  });
}

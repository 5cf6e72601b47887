// Takes the pictures of docs/page.md anew, or those that are named: `node test/dapp/pictures.ts [name ...]`. Look at them
// afterwards.
import { mkdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Browser, Page } from "playwright-core";
import { embeddedChainId } from "../../dapp/src/network/network-file.ts";
import { openBrowser, visit } from "./support/browser.ts";
import { passEpoch } from "./support/clock.ts";
import { installWallet } from "./support/wallet.ts";
import { openWorld, type World } from "./support/world.ts";

const folder = resolve(import.meta.dirname, "../../docs/images");
const wide = { width: 1200, height: 800 };
const phone = { width: 390, height: 844 };

type Picture = {
  readonly name: string;
  readonly path: string | ((world: World) => string);
  readonly colorScheme: "light" | "dark";
  readonly viewport?: typeof wide;
  /** What is there once the page is whole. */
  readonly until: string;
  readonly prepare?: (page: Page, world: World) => Promise<void>;
};

const connect = async (page: Page, wallet = "Development wallet") => {
  await page.getByRole("button", { name: "Connect wallet" }).click();
  await page.getByRole("button", { name: wallet }).click();
  await page.getByRole("button", { name: /^0x[0-9a-f]+…/i }).waitFor();
};

/** The account of a storage node on the embedded chain. */
const node = 1;

const scrollTo = (page: Page, name: string) =>
  page.getByRole("heading", { name, exact: true }).evaluate((head) => head.scrollIntoView());

const pictures: readonly Picture[] = [
  ...(["light", "dark"] as const).map((colorScheme) => ({
    name: `page-overview-${colorScheme}`,
    path: "/",
    colorScheme,
    until: "1 paid, 1 failed",
  })),
  {
    name: "page-dispute-light",
    path: "/jobs/2",
    colorScheme: "light",
    viewport: { width: 1200, height: 1080 },
    until: "The provider said",
  },
  { name: "page-committee-dark", path: "/jobs/1", colorScheme: "dark", until: "drawn by lot" },
  { name: "page-certificate-light", path: "/certificates/1", colorScheme: "light", until: "Issued in" },
  {
    name: "page-order-light",
    path: "/order",
    colorScheme: "light",
    until: "Look it over and sign",
    viewport: { width: 1200, height: 1400 },
    prepare: async (page, { datasetId }) => {
      await connect(page);
      await page.getByLabel("Dataset", { exact: true }).selectOption(datasetId);
      await page.getByText("In all, at most").waitFor();
    },
  },
  {
    name: "page-curves-light",
    path: "/jobs/1",
    colorScheme: "light",
    until: "Draw its curves",
    prepare: async (page) => {
      await page.getByRole("button", { name: "Draw its curves" }).click();
      await page.getByRole("cell", { name: "264", exact: true }).waitFor({ timeout: 180_000 });
      await scrollTo(page, "How it learns");
    },
  },
  {
    name: "page-job-phone-dark",
    path: "/jobs/2",
    colorScheme: "dark",
    viewport: phone,
    until: "Leaf 2",
  },
  {
    name: "page-overview-phone-light",
    path: "/",
    colorScheme: "light",
    viewport: phone,
    until: "1 paid, 1 failed",
  },
  {
    name: "page-add-dataset-light",
    path: "/datasets/add",
    colorScheme: "light",
    until: "What is in it",
    viewport: { width: 1200, height: 1200 },
    prepare: async (page, { folder }) => {
      await connect(page);
      const samples = join(folder, "samples");
      await mkdir(samples, { recursive: true });
      const path = join(samples, "measurements.bin");
      await writeFile(path, Buffer.alloc(200_000, "measured "));
      await page.getByLabel("Files to read").setInputFiles(path);
      await page.getByLabel("Any of these bundles are enough").selectOption("2 of 3");
      await page.getByRole("button", { name: "Encode it" }).click();
      await page.getByRole("button", { name: "Send the bundles" }).click();
      await page.getByText("3 of 3 bundles").waitFor({ timeout: 180_000 });
      await page.getByRole("button", { name: "Anchor it and pay" }).waitFor();
      await scrollTo(page, "What is in it");
    },
  },
];

/** What shows how data is held: taken when the audits of an epoch have been answered. */
const stored: readonly Picture[] = [
  {
    name: "page-dataset-light",
    path: ({ datasetId }) => `/datasets/${datasetId}`,
    colorScheme: "light",
    until: "Trained on it",
  },
  {
    name: "page-operator-dark",
    path: ({ network }) => `/operators/${network.chain.account(node).address.toLowerCase()}`,
    colorScheme: "dark",
    until: "Peer id of its keeper",
    viewport: { width: 1200, height: 1000 },
  },
  {
    name: "page-mine-light",
    path: "/mine",
    colorScheme: "light",
    until: "Connect wallet",
    viewport: { width: 1200, height: 1200 },
    prepare: async (page, { network: { chain } }) => {
      const keys = [chain.privateKey(node)];
      await installWallet(page.context(), { rpcUrl: chain.rpcUrl, chainId: embeddedChainId, keys });
      await page.reload();
      await connect(page, "Test wallet");
      await page.getByText(/answered, .* missed/).waitFor();
      await scrollTo(page, "My stake");
    },
  },
];

async function takePictures(browser: Browser, world: World, all: readonly Picture[]): Promise<void> {
  for (const { name, path, colorScheme, viewport = wide, until, prepare } of all) {
    const { page, context } = await visit(browser, { colorScheme, viewport, reducedMotion: "reduce" });
    await page.goto(`${world.page.url}#${typeof path === "string" ? path : path(world)}`);
    await page.getByText(until).first().waitFor();
    await prepare?.(page, world);
    await page.getByRole("status", { name: "Loading" }).first().waitFor({ state: "detached" });
    await page.waitForLoadState("networkidle").catch(() => {});
    await page.screenshot({ path: join(folder, `${name}.png`) });
    await context.close();
  }
}

if (import.meta.main) {
  const names = process.argv.slice(2);
  const wanted = ({ name }: Picture) => names.length === 0 || names.includes(name);
  const world = await openWorld();
  const browser = await openBrowser();
  try {
    await takePictures(browser, world, pictures.filter(wanted));
    if (stored.some(wanted)) await passEpoch(world);
    await takePictures(browser, world, stored.filter(wanted));
  } finally {
    await browser.close();
    await world.close();
  }
  process.exit(0);
}

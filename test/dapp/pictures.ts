// Takes the pictures of docs/page.md anew: `node test/dapp/pictures.ts`. Look at them afterwards.
import { join, resolve } from "node:path";
import type { Browser, Page } from "playwright-core";
import { openBrowser, visit } from "./support/browser.ts";
import { openWorld } from "./support/world.ts";

const folder = resolve(import.meta.dirname, "../../docs/images");
const wide = { width: 1200, height: 800 };
const phone = { width: 390, height: 844 };

type Picture = {
  readonly name: string;
  readonly path: string;
  readonly colorScheme: "light" | "dark";
  readonly viewport?: typeof wide;
  /** What is there once the page is whole. */
  readonly until: string;
  readonly prepare?: (page: Page, datasetId: string) => Promise<void>;
};

const connect = async (page: Page) => {
  await page.getByRole("button", { name: "Connect wallet" }).click();
  await page.getByRole("button", { name: "Development wallet" }).click();
  await page.getByRole("button", { name: /^0x[0-9a-f]+…/i }).waitFor();
};

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
    prepare: async (page, datasetId) => {
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
      await page.getByRole("heading", { name: "How it learns" }).evaluate((head) => head.scrollIntoView());
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
];

/** Takes all pictures of a page in front of a network like that of {@link openWorld}. */
export async function takePictures(browser: Browser, url: string, datasetId: string): Promise<void> {
  for (const { name, path, colorScheme, viewport = wide, until, prepare } of pictures) {
    const { page, context } = await visit(browser, { colorScheme, viewport, reducedMotion: "reduce" });
    await page.goto(`${url}#${path}`);
    await page.getByText(until).first().waitFor();
    await prepare?.(page, datasetId);
    await page.waitForLoadState("networkidle").catch(() => {});
    await page.screenshot({ path: join(folder, `${name}.png`) });
    await context.close();
  }
}

if (import.meta.main) {
  const world = await openWorld();
  const browser = await openBrowser();
  try {
    await takePictures(browser, world.page.url, world.datasetId);
  } finally {
    await browser.close();
    await world.close();
  }
  process.exit(0);
}

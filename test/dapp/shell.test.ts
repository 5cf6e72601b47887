import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Browser } from "playwright-core";
import { type PageServer, servePage } from "../../scripts/page-server.ts";
import { pageFolder, setupPage } from "../../scripts/setup.ts";
import { assertAccessible, assertFits, noBrowser, openBrowser, visit } from "./support/browser.ts";

describe("the page without a network", { skip: noBrowser }, () => {
  let browser: Browser;
  let server: PageServer;

  before(async () => {
    await setupPage();
    browser = await openBrowser();
    server = await servePage({ folder: pageFolder, network: undefined, base: "/ipfs/bafytest/" });
  });

  after(async () => {
    await browser?.close();
    await server?.close();
  });

  it("says below any path that it does not know which network it is for", async () => {
    const { page, context } = await visit(browser);
    await page.goto(server.url);
    await page.getByText("There is no network.json beside this page (HTTP 404).").waitFor();
    await assertAccessible(page);
    await context.close();
  });

  it("refuses a network file that is not one, and reads it again when asked to", async () => {
    const wrong = await servePage({ folder: pageFolder, network: { name: "x", rpc: ["ftp://a"] } });
    after(() => wrong.close());
    const { page, context } = await visit(browser);
    await page.goto(wrong.url);
    await page.getByText(/network\.json is not valid: .*rpc\.0: /).waitFor();
    await wrong.close();
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByText("Failed to fetch").waitFor();
    await context.close();
  });

  it("takes and keeps a choice of colours, and fits a phone", async () => {
    const { page, context } = await visit(browser, {
      viewport: { width: 360, height: 740 },
      colorScheme: "light",
    });
    await page.goto(server.url);
    await page.getByRole("radio", { name: "Dark" }).click();
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await ground();
    await page.reload();
    assert.equal(await ground(), dark);
    await assertAccessible(page);
    await assertFits(page);
    await page.getByRole("radio", { name: "As the system" }).click();
    assert.notEqual(await ground(), dark);
    await context.close();
  });

  it("is led through by keyboard", async () => {
    const { page, context } = await visit(browser);
    await page.goto(server.url);
    await page.getByRole("alert").waitFor();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement?.id), "content");
    await context.close();
  });
});

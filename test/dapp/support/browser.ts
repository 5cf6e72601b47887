import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { AxeBuilder } from "@axe-core/playwright";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";

/**
 * Why there is no browser to test with, for `skip`; false where there is one. With `CI` set nothing is skipped: the tests
 * then fail.
 */
export const noBrowser: string | false =
  existsSync(executablePath) || process.env.CI !== undefined ? false : `there is no ${executablePath}`;

export function openBrowser(): Promise<Browser> {
  // Containers give no right to make the sandbox; what is shown here is the project's own page.
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
}

export type Visit = {
  readonly context: BrowserContext;
  readonly page: Page;
  /** What the console has said that is wrong, violations of the content security policy among it. */
  readonly faults: readonly string[];
};

/** A fresh visitor. */
export async function visit(
  browser: Browser,
  options: Parameters<Browser["newContext"]>[0] = {},
): Promise<Visit> {
  const context = await browser.newContext({ viewport: { width: 1200, height: 900 }, ...options });
  const page = await context.newPage();
  const faults: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error") faults.push(message.text());
  });
  page.on("pageerror", (error) => faults.push(error.message));
  return { context, page, faults };
}

/** Fails when axe finds something serious on the page as it is. */
export async function assertAccessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  assert.deepEqual(
    serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(" | ")}`),
    [],
  );
}

/** Fails when something on the page is wider than the screen. */
export async function assertFits(page: Page): Promise<void> {
  const [wide, screen] = await page.evaluate(() => [
    document.documentElement.scrollWidth,
    document.documentElement.clientWidth,
  ]);
  assert.ok(wide! <= screen!, `the page is ${wide} pixels wide on a screen of ${screen}`);
}

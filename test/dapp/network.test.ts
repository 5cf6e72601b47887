import { after, before, describe } from "node:test";
import type { Browser } from "playwright-core";
import type { JobCast } from "../../keepers/src/roles/embedded/job-cast.ts";
import { standBy } from "../../keepers/src/roles/embedded/standing-keepers.ts";
import { auditorFlows } from "./flows/auditor.ts";
import { computeFlows } from "./flows/compute.ts";
import { consumerFlows } from "./flows/consumer.ts";
import { curveFlows, liveCurveFlows } from "./flows/curves.ts";
import type { Flow } from "./flows/flow.ts";
import { operatorFlows } from "./flows/operator.ts";
import { storingFlows } from "./flows/storing.ts";
import { walletFlows } from "./flows/wallet.ts";
import { noBrowser, openBrowser } from "./support/browser.ts";
import { openWorld, type World } from "./support/world.ts";

describe("the page in front of an embedded network", { skip: noBrowser }, () => {
  let world: World;
  let browser: Browser;

  before(async () => {
    world = await openWorld();
    browser = await openBrowser();
  });

  after(async () => {
    await browser?.close();
    await world?.close();
  });

  const flow: Flow = () => ({
    browser,
    world,
    url: world.page.url,
    open: async (page, path) => {
      await page.goto(`${world.page.url}#${path}`);
    },
  });

  describe("for who reads", () => auditorFlows(flow));
  describe("for who computes", () => computeFlows(flow));
  describe("for who sees it learn", () => curveFlows(flow));
  describe("for who stores", () => storingFlows(flow));
  describe("for who signs", () => walletFlows(flow));

  describe("for who orders", () => {
    let keepers: JobCast;

    before(async () => {
      keepers = await standBy({ network: world.network, folder: world.folder });
    });

    after(async () => {
      await keepers?.close();
    });

    consumerFlows(flow);
    liveCurveFlows(flow);
  });

  // Weeks pass in it: nothing that needs the storage nodes can come after.
  describe("for who works", () => operatorFlows(flow));
});

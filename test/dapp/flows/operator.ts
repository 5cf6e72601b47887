import assert from "node:assert/strict";
import { it } from "node:test";
import type { Page } from "playwright-core";
import { Gauge } from "prom-client";
import { createWalletClient, http } from "viem";
import { hardhat } from "viem/chains";
import { embeddedChainId } from "../../../dapp/src/network/network-file.ts";
import { encodeCall } from "../../../keepers/src/chain/contracts.ts";
import { createTelemetry } from "../../../keepers/src/roles/telemetry.ts";
import { assertAccessible, assertFits, visit } from "../support/browser.ts";
import { advancePast } from "../support/clock.ts";
import { installWallet } from "../support/wallet.ts";
import type { World } from "../support/world.ts";
import { type Flow, peerId } from "./flow.ts";
import { chooseDataset, placeOrder } from "./ordering.ts";

const tokens = 10n ** 18n;
/** The account of the development wallet's operator, and one that nobody else in these tests sends from. */
const [operator, stranger] = [42, 41];

/** A keeper of whom one part is not well, with the metrics that a page of this origin may read. */
async function ailingKeeper(origin: string) {
  const telemetry = createTelemetry({ level: "silent", processMetrics: false });
  new Gauge({ name: "assay_open_jobs", help: "jobs", registers: [telemetry.metrics] }).set(3);
  telemetry.addHealthCheck("bundles", () => ({ ok: true, bundles: 12 }));
  telemetry.addHealthCheck("chain", () => ({ ok: false, error: "no answer" }));
  return telemetry.serve({ port: 0, origin });
}

/** Signs and sends whatever the dialog that is open wants, step by step. */
async function carryOut(page: Page, steps: readonly ("Sign" | "Send")[]): Promise<void> {
  for (const step of steps) {
    if (step === "Send") {
      // However little it is, it is said how much.
      const cost = page.getByRole("definition").filter({ hasText: /^[\d,]+: [\d,.]*[1-9][\d,.]* ETH$/ });
      await cost.waitFor();
    }
    await page.getByRole("button", { name: step, exact: true }).click();
  }
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("status").getByText("Done", { exact: true }).waitFor();
  await dialog.getByRole("button", { name: "Close" }).last().click();
}

/** Ends a job that nobody took. */
async function expire({ network, owner }: World, job: bigint): Promise<void> {
  const account = network.guest(stranger);
  const transport = http(network.chain.rpcUrl);
  const wallet = createWalletClient({ account, chain: hardhat, transport });
  const hash = await wallet.sendTransaction(encodeCall(network.deployment, "JobRegistry", "expire", [job]));
  await owner.chain.public.waitForTransactionReceipt({ hash });
}

/** What an operator does with its stake, and sees of its work. */
export function operatorFlows(flow: Flow): void {
  it("fetches what is owed and stake that is ready, and sees how its keeper is", async () => {
    const { browser, world, open } = flow();
    const { page, context } = await visit(browser);
    const { network, owner } = world;
    const { address } = network.guest(operator);
    await installWallet(context, {
      rpcUrl: network.chain.rpcUrl,
      chainId: embeddedChainId,
      keys: [network.guestKey(operator)],
    });
    const keeper = await ailingKeeper(new URL(world.page.url).origin);
    const { Staking, Escrow, AssayToken, JobRegistry } = owner.contracts;
    try {
      await open(page, "/mine");
      await page.getByRole("button", { name: "Connect wallet" }).click();
      await page.getByRole("button", { name: "Test wallet" }).click();

      await page.getByLabel("Address of its metrics").fill(keeper.url);
      await page.getByRole("button", { name: "Look", exact: true }).click();
      await page.getByText("Something is wrong").waitFor();
      const parts = page.getByRole("region", { name: "How its parts are" }).getByRole("row");
      await parts.filter({ hasText: "chain" }).getByText("Not well").waitFor();
      await parts.filter({ hasText: "no answer" }).waitFor();
      await parts
        .filter({ hasText: "bundles 12" })
        .getByText(/^\W*Well$/)
        .waitFor();
      await page.getByRole("cell", { name: "assay_open_jobs" }).waitFor();

      await page.getByText("Register as an operator").click();
      await page.getByLabel("Peer id of the keeper").fill(peerId);
      await page.getByRole("button", { name: "Register", exact: true }).click();
      await carryOut(page, ["Send"]);
      const stake = page.getByRole("region", { name: "My stake", exact: true });
      await stake.getByLabel("Tokens", { exact: true }).fill("150");
      await stake.getByRole("button", { name: "Stake", exact: true }).click();
      await carryOut(page, ["Sign", "Send"]);
      await page
        .getByRole("region", { name: "Room for more work" })
        .getByText(/more at once/)
        .waitFor();
      await stake.getByLabel("Tokens", { exact: true }).fill("50");
      await stake.getByRole("button", { name: "Take out" }).click();
      await carryOut(page, ["Send"]);
      await stake.getByText("On its way out").waitFor();

      await open(page, "/order");
      await chooseDataset(world, page);
      await page.getByLabel("Validators that check it").fill("0");
      await page.getByLabel("Steps", { exact: true }).fill("22");
      const job = await placeOrder(page);
      const [ticket] = await Staking.read.ticketsOf([address]);
      const { availableAt } = await Staking.read.ticketOf([ticket!]);
      const { expiry } = await JobRegistry.read.jobOf([job]);
      await advancePast(world, availableAt > BigInt(expiry) ? availableAt : expiry);
      await expire(world, job);
      const owed = await Escrow.read.creditOf([address]);
      assert.ok(owed > 0n);

      await open(page, "/mine");
      const before = await AssayToken.read.balanceOf([address]);
      const purse = page.getByRole("region", { name: "To fetch", exact: true });
      const refund = purse.getByRole("row").filter({ hasText: "Prices, fees and refunds of jobs" });
      await refund.waitFor();
      await assertAccessible(page);
      await refund.getByRole("button", { name: "Fetch" }).click();
      await carryOut(page, ["Send"]);
      await refund.waitFor({ state: "detached" });
      assert.equal(await AssayToken.read.balanceOf([address]), before + owed);

      await stake.getByText("Ready", { exact: true }).waitFor();
      await stake.getByRole("button", { name: "Fetch" }).click();
      await carryOut(page, ["Send"]);
      await stake.getByRole("button", { name: "Fetch" }).waitFor({ state: "detached" });
      assert.equal(await AssayToken.read.balanceOf([address]), before + owed + 50n * tokens);

      const paid = page.getByRole("region", { name: "What this account was paid" });
      await paid.getByRole("link", { name: "Money back" }).first().waitFor();
      await page.getByText("This account never lost stake.").waitFor();
      await page.setViewportSize({ width: 360, height: 740 });
      await assertFits(page);
    } finally {
      await keeper.close();
      await context.close();
    }
  });

  it("sees what storage nodes have to prove, have proved, and were paid", async () => {
    const { browser, world, open } = flow();
    const { page, context } = await visit(browser);
    const { network } = world;
    await installWallet(context, {
      rpcUrl: network.chain.rpcUrl,
      chainId: embeddedChainId,
      keys: [network.chain.privateKey(1)],
    });
    await open(page, "/mine");
    await page.getByRole("button", { name: "Connect wallet" }).click();
    await page.getByRole("button", { name: "Test wallet" }).click();
    await page
      .getByRole("region", { name: "Audits", exact: true })
      .getByText(/answered, .* missed/)
      .waitFor();
    await page
      .getByRole("region", { name: "Room for more work" })
      .getByText(/each locks/)
      .first()
      .waitFor();
    await page.getByRole("region", { name: "Stake that was lost", exact: true }).first().waitFor();
    await assertAccessible(page);
    await context.close();
  });
}

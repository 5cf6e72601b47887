import assert from "node:assert/strict";
import { it } from "node:test";
import type { Page } from "playwright-core";
import { embeddedChainId } from "../../../dapp/src/network/network-file.ts";
import { assertAccessible, visit } from "../support/browser.ts";
import { installWallet } from "../support/wallet.ts";
import type { Flow } from "./flow.ts";

/** What goes wrong between page, wallet and chain. */
export function walletFlows(flow: Flow): void {
  /** A visitor whose wallet has the keys of the test consumer and the test operator. */
  async function connected(path: string) {
    const { browser, world, open } = flow();
    const visitor = await visit(browser);
    const accounts = world.page.file.accounts as { privateKey: `0x${string}` }[];
    const wallet = await installWallet(visitor.context, {
      rpcUrl: world.network.chain.rpcUrl,
      chainId: embeddedChainId,
      keys: accounts.map(({ privateKey }) => privateKey),
    });
    await open(visitor.page, path);
    await visitor.page.getByRole("button", { name: "Connect wallet" }).click();
    await visitor.page.getByRole("button", { name: "Test wallet" }).click();
    await visitor.page.getByRole("button", { name: /^0x[0-9a-f]+…/i }).waitFor();
    return { ...visitor, wallet };
  }

  const guest = (index: number) => flow().world.network.guest(index).address;
  const last = () => guest(43);
  const before = () => guest(42);

  /** Opens the dialog that registers the account. */
  async function toRegister(page: Page): Promise<void> {
    await page.getByText("Register as an operator").click();
    await page.getByLabel("Peer id of the keeper, in hexadecimal").fill("0x0102");
    await page.getByRole("button", { name: "Register", exact: true }).click();
    await page.getByText("Gas, at most").waitFor();
  }

  it("says that nothing was sent when the wallet rejects, and goes on when it does not", async () => {
    const { page, context, wallet } = await connected("/mine");
    await toRegister(page);
    await assertAccessible(page);
    await wallet.behave(page, { rejects: true });
    await page.getByRole("button", { name: "Send" }).click();
    await page.getByText("You rejected it in the wallet. Nothing was sent.").waitFor();
    await wallet.behave(page, { rejects: false });
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByText("Done", { exact: true }).last().waitFor();
    await page.getByRole("button", { name: "Close" }).last().click();
    await page.getByText(/^\W*Registered$/).waitFor();
    await context.close();
  });

  it("stakes by a permit, which is refused when another key signed it", async () => {
    const { page, context, wallet } = await connected("/mine");
    await page.getByLabel("Tokens", { exact: true }).fill("150");
    await page.getByRole("button", { name: "Stake", exact: true }).click();
    await page.getByText("exactly 150 tokens, once").waitFor();
    await wallet.behave(page, { forges: true });
    await page.getByRole("button", { name: "Sign" }).click();
    await page.getByText(/The wallet signed as 0x[0-9a-fA-F]{40}, not as/).waitFor();
    await wallet.behave(page, { forges: false });
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByText("Gas, at most").waitFor();
    await page.getByRole("button", { name: "Send" }).click();
    await page.getByText("Done", { exact: true }).last().waitFor();
    const { stake } = await flow().world.owner.contracts.Staking.read.operatorOf([last()]);
    assert.equal(stake, 150n * 10n ** 18n);
    await context.close();
  });

  it("sends nothing when the account is switched in the middle", async () => {
    const { page, context, wallet } = await connected("/mine");
    await page.getByLabel("Tokens", { exact: true }).fill("50");
    await page.getByRole("button", { name: "Take out" }).click();
    await page.getByText("it can still be slashed").waitFor();
    const sent = () => wallet.asked.filter((method) => method === "eth_sendTransaction").length;
    const count = sent();
    await wallet.behave(page, { account: before() });
    const button = page.getByRole("button", { name: "Send" });
    // The page may have closed what was prepared for the other account; nothing may be sent either way.
    if (await button.isVisible()) {
      await button.click();
      await page.getByText("Nothing was sent.").waitFor();
    }
    assert.equal(sent(), count);
    await context.close();
  });

  it("offers to switch when the wallet is on another chain, and signs nothing there", async () => {
    const { page, context, wallet } = await connected("/mine");
    await wallet.behave(page, { chainId: 1 });
    const button = page.getByRole("button", { name: "Wrong network: switch to Embedded network" });
    await button.waitFor();
    await assertAccessible(page);
    await button.click();
    await page.getByRole("button", { name: /^0x[0-9a-f]+…/i }).waitFor();
    assert.ok(wallet.asked.includes("wallet_switchEthereumChain"));
    await context.close();
  });

  it("has the development wallet on the embedded network alone", async () => {
    const { browser, open } = flow();
    const { page, context } = await visit(browser);
    await open(page, "/");
    await page.getByRole("button", { name: "Connect wallet" }).click();
    await page.getByRole("button", { name: "Development wallet" }).click();
    await page.getByRole("button", { name: /^0x[0-9a-f]+…/i }).click();
    await page
      .getByText("20,000 tokens")
      .or(page.getByText(/tokens$/))
      .first()
      .waitFor();
    await page.getByLabel(/Test operator/).check();
    await page.getByText(before()).waitFor();
    await context.close();
  });
}

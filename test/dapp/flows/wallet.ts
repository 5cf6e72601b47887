import assert from "node:assert/strict";
import { it } from "node:test";
import type { Page } from "playwright-core";
import { embeddedChainId } from "../../../dapp/src/network/network-file.ts";
import { assertAccessible, assertFits, visit } from "../support/browser.ts";
import { installWallet } from "../support/wallet.ts";
import { type Flow, peerId } from "./flow.ts";

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
    const peer = page.getByLabel("Peer id of the keeper");
    await peer.fill(peerId.slice(0, -1));
    await page.getByText("some of it is missing or mistyped").waitFor();
    assert.ok(await page.getByRole("button", { name: "Register", exact: true }).isDisabled());
    await peer.fill(peerId);
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

  it("moves the focus into a dialog, and back to what opened it", async () => {
    const { page, context } = await connected("/mine");
    const focused = () => page.evaluate(() => document.activeElement?.textContent);
    const wallet = page.getByRole("button", { name: /^0x[0-9a-f]+…/i });
    await wallet.press("Enter");
    await page.getByRole("heading", { name: "Your wallet" }).waitFor();
    assert.equal(await focused(), "Your wallet");
    await page.keyboard.press("Escape");
    assert.equal(await focused(), await wallet.textContent());
    await page.getByText(/^(Register as an operator|Change roles or address of my keeper)$/).click();
    await page.getByLabel("Peer id of the keeper").fill(peerId);
    const change = page.getByRole("button", { name: /^(Register|Change)$/ });
    await change.press("Enter");
    await page.getByText("Gas, at most").waitFor();
    assert.match((await focused())!, /^(Register as an operator|Change what is known of your keeper)$/);
    await page.keyboard.press("Escape");
    await page.getByText("Gas, at most").waitFor({ state: "detached" });
    assert.equal(await focused(), await change.textContent());
    await context.close();
  });

  it("sends nothing when the account is switched in the middle", async () => {
    const { page, context, wallet } = await connected("/mine");
    await page.getByLabel("Tokens", { exact: true }).fill("50");
    await page.getByRole("button", { name: "Take out" }).click();
    await page.getByText("nobody can slash it").waitFor();
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

  it("waits for a wallet that takes its time, in sight or out of it, and asks it nothing twice", async () => {
    const { page, context, wallet } = await connected("/mine");
    const asked = (method: string) => wallet.asked.filter((each) => each === method).length;
    const staked = async () => (await flow().world.owner.contracts.Staking.read.operatorOf([last()])).stake;
    const before = { stake: await staked(), sent: asked("eth_sendTransaction") };
    const stake = async () => {
      await page.getByLabel("Tokens", { exact: true }).fill("10");
      await page.getByRole("button", { name: "Stake", exact: true }).click();
    };
    await stake();
    await page.getByText("exactly 10 tokens, once").waitFor();
    await wallet.behave(page, { holds: true });
    await page.getByRole("button", { name: "Sign" }).click();
    await page.getByText("Confirm it in your wallet").waitFor();
    await assertAccessible(page);
    await page.getByRole("button", { name: "Leave it" }).click();
    await page.getByRole("link", { name: "Jobs", exact: true }).click();
    await page.getByText("Stake 10 tokens: your wallet has not answered yet").waitFor();
    await assertAccessible(page);
    // Whoever begins it again is led back to the question that is open.
    await page.getByRole("button", { name: /^0x[0-9a-f]+…/i }).click();
    await page.getByRole("link", { name: "My jobs and stake" }).click();
    await stake();
    await page.getByText("This is still under way").waitFor();
    assert.ok(await page.getByRole("button", { name: "Sign" }).isDisabled());
    await page.getByRole("button", { name: "Leave it" }).click();
    await wallet.behave(page, { holds: false });
    await page.getByText("Stake 10 tokens: its next step waits for you").waitFor();
    assert.equal(asked("eth_signTypedData_v4"), 1);
    await wallet.behave(page, { holds: true });
    await page.getByRole("button", { name: "Come back to it" }).click();
    await page.getByText("Gas, at most").waitFor();
    await page.getByRole("button", { name: "Send" }).click();
    await page.getByText("Confirm it in your wallet").waitFor();
    await page.keyboard.press("Escape");
    await page.getByText("Stake 10 tokens: your wallet has not answered yet").waitFor();
    assert.equal(await staked(), before.stake);
    await wallet.behave(page, { holds: false });
    await page.getByText("Stake 10 tokens: it is done").waitFor();
    assert.equal(await staked(), before.stake + 10n * 10n ** 18n);
    assert.equal(asked("eth_sendTransaction"), before.sent + 1);
    await page.getByRole("button", { name: "Leave it" }).click();
    await context.close();
  });

  it("says that something else took the place of what no endpoint has seen, and offers to look again", async () => {
    const { page, context, wallet } = await connected("/mine");
    await page.getByLabel("Tokens", { exact: true }).fill("5");
    await page.getByRole("button", { name: "Take out" }).click();
    await page.getByText("nobody can slash it").waitFor();
    await page.getByText("Gas, at most").waitFor();
    await wallet.behave(page, { replaces: true });
    await page.getByRole("button", { name: "Send" }).click();
    await page.getByText("Another transaction took its place").waitFor();
    await page.getByText("The network has never seen what the wallet said it sent").waitFor();
    await assertAccessible(page);
    await page.getByRole("button", { name: "Look again" }).click();
    await page.getByText("Another transaction took its place").waitFor();
    await wallet.behave(page, { replaces: false });
    await page.getByRole("button", { name: "Send it anew" }).click();
    await page.getByText("Done", { exact: true }).last().waitFor();
    // The dialog is not in the way of what it leads to.
    await page.getByRole("dialog").getByRole("link").click();
    await page.getByText("What was called").waitFor();
    assert.equal(await page.getByRole("dialog").count(), 0);
    await context.close();
  });

  it("offers to switch when the wallet is on another chain, and signs nothing there", async () => {
    const { page, context, wallet } = await connected("/mine");
    await wallet.behave(page, { chainId: 1 });
    const button = page.getByRole("button", { name: "Wrong network: switch to Embedded network" });
    await button.waitFor();
    await assertAccessible(page);
    await button.click();
    await button.waitFor({ state: "detached" });
    assert.ok(wallet.asked.includes("wallet_switchEthereumChain"));
    await context.close();
  });

  it("says why the wallet did not switch, and lets it go", async () => {
    const { page, context, wallet } = await connected("/mine");
    await wallet.behave(page, { chainId: 1, rejects: true });
    const button = page.getByRole("button", { name: "Wrong network: switch to Embedded network" });
    await button.click();
    await page.getByText("You rejected it in the wallet: it is on the other network still.").waitFor();
    await assertAccessible(page);
    await page.keyboard.press("Escape");
    await wallet.behave(page, { rejects: false, isFixed: true });
    await button.click();
    await page.getByText(/It says: Networks cannot be added here\..*\(chain id 31337\)/).waitFor();
    await page.keyboard.press("Escape");
    await page.setViewportSize({ width: 360, height: 740 });
    await assertFits(page);
    // The dialog is there as it is on the right network: the wallet can be let go, another one chosen.
    await page.getByRole("button", { name: /^0x[0-9a-f]+…/i }).click();
    await page.getByText("Nothing is signed or sent until it is on Embedded network").waitFor();
    await page.getByRole("button", { name: "Use another wallet" }).click();
    await page.getByRole("button", { name: "Development wallet" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Connect wallet" }).waitFor();
    await context.close();
  });

  it("signs an order for whoever takes it first, which then stands under what is mine", async () => {
    const { datasetId } = flow().world;
    // As a dataset's own page leads there.
    const { page, context, faults, wallet } = await connected(`/order/${datasetId}`);
    assert.equal(await page.getByLabel("Its id").inputValue(), datasetId);
    await page.getByText("Optical Recognition of Handwritten Digits", { exact: false }).last().waitFor();
    await page.getByLabel("Who gets the order").selectOption("direct");
    // Less than any keeper of this network works for: it stays untaken.
    await page.getByLabel("Pay at most, tokens").fill("5");
    await page.getByLabel("Validators that check it").fill("0");
    await page.getByLabel("Steps", { exact: true }).fill("22");
    await page.getByText("In all, at most").waitFor();
    assert.ok(!(await page.getByLabel("Instalments").isVisible()));
    await assertAccessible(page);
    await page.getByRole("button", { name: "Look it over and sign" }).click();
    await page.getByText("Gas, at most").waitFor();
    await page.getByRole("button", { name: "Send" }).click();
    await page.getByText("nothing: it is signed, not sent").waitFor();
    const shown = async (name: string) =>
      page.getByRole("dialog").getByText(name, { exact: true }).locator("xpath=../dd").textContent();
    const words = {
      trainingHash: await shown("Training (trainingHash)"),
      programRoot: await shown("Program (programRoot)"),
      programDigest: await shown("Model and options (programDigest)"),
      datasetId: await shown("Train on dataset"),
    };
    assert.match((await shown("Model"))!, /^mlp · .*hidden 32/);
    assert.equal(await shown("Learning rate"), "0.1 (6554/2^16)");
    assert.equal(await shown("Numbers"), "8-bit integers, exact");
    await assertAccessible(page);
    await page.getByRole("button", { name: "Sign", exact: true }).click();
    await page.getByText("Taken from you when it is taken").waitFor();
    const { primaryType, message } = wallet.signed.at(-1)!;
    assert.equal(primaryType, "Order");
    const problem = message.problem as Record<string, unknown>;
    for (const [name, text] of Object.entries(words)) assert.equal(text, problem[name], name);
    await page.getByText("Gas, at most").waitFor();
    await page.getByRole("button", { name: "Send" }).click();
    await page.getByText("All providers see your order").waitFor();
    await assertAccessible(page);
    await page.getByRole("main").getByRole("link", { name: "My jobs and stake" }).click();
    const waiting = page.getByRole("region", { name: "Orders that nobody has taken yet" });
    await waiting.getByRole("cell", { name: "Waits for a provider" }).waitFor();
    await waiting.getByRole("button", { name: "Take it back" }).click();
    await page.getByText("Number of the order (nonce)").waitFor();
    await page.getByText("Gas, at most").waitFor();
    await page.getByRole("button", { name: "Send" }).click();
    await page.getByText("Done", { exact: true }).last().waitFor();
    await page.getByRole("button", { name: "Close" }).last().click();
    await waiting.getByRole("cell", { name: "Taken back" }).waitFor();
    assert.deepEqual(faults, []);
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

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { type Address, type Hex, isAddressEqual, type LocalAccount, parseTransaction, toHex } from "viem";
import { type ChainClient, connectChain } from "../../../keepers/src/chain/client.ts";
import type { Eip1193 } from "../../../keepers/src/chain/rpc/endpoint.ts";
import { TransactionFailedError } from "../../../keepers/src/chain/transactions/errors.ts";
import {
  createTransactionQueue,
  type Intent,
  type TransactionQueue,
} from "../../../keepers/src/chain/transactions/queue.ts";
import { transactionSchema } from "../../../keepers/src/chain/transactions/store.ts";
import { tryCall } from "../../../keepers/src/roles/storage-node/context.ts";
import { openState, type State } from "../../../keepers/src/storage/state/state.ts";
import { contextOf } from "../roles/doubles.ts";
import { accounts, type EmbeddedChain, startEmbeddedChain, untilCall } from "./embedded-chain.ts";
import { ManualClock } from "./fixtures.ts";

const [account] = accounts;
const forever = 2n ** 64n;

let folder: string;
let chain: EmbeddedChain;
let target: Address;
let clock: ManualClock;
const states: State[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "assay-queue-"));
  chain = await startEmbeddedChain();
  target = await chain.deploy("until");
  clock = new ManualClock();
});
afterEach(async () => {
  for (const state of states.splice(0)) state.close();
  await chain.close();
  rmSync(folder, { recursive: true, force: true });
});

const call = (deadline = forever): Intent => ({
  key: "commit:7",
  to: target,
  data: untilCall(deadline),
  value: 0n,
});
function queueOn(client: ChainClient = chain.client): TransactionQueue {
  const state = openState({ path: join(folder, "keeper.sqlite"), schemas: [transactionSchema] });
  states.push(state);
  const replaceAfter = { milliseconds: 60_000, blocks: 100 };
  return createTransactionQueue({
    client,
    state,
    account: account as LocalAccount,
    clock,
    replaceAfter,
    maximumFeePerGas: 10n ** 15n,
  });
}
const called = async () => (await chain.client.public.getLogs({ address: target, fromBlock: 0n })).length;
const nonce = () => chain.client.public.getTransactionCount({ address: account.address });
const now = async () => (await chain.client.public.getBlock()).timestamp;

/** Has the intent simulated well, and reverted in the block that it gets into. */
async function failOnChain(queue: TransactionQueue): Promise<void> {
  const time = await now();
  await queue.submit(call(time + 50n));
  await chain.rpc("evm_setNextBlockTimestamp", [toHex(time + 100n)]);
  await chain.mine();
  await assert.rejects(queue.wait("commit:7"), /failed on chain: ticket not ripe/);
}

describe("a transaction that has failed on chain", () => {
  it("is sent again, with what is asked for now, as soon as that would succeed, and then never again", async () => {
    const queue = queueOn();
    await failOnChain(queue);
    await assert.rejects(queue.submit(call(1n)), /failed on chain, and would fail again: ticket not ripe/);
    assert.equal(await nonce(), 1, "what would fail is not sent");
    await queue.submit(call());
    await chain.mine();
    const { transactionHash, status } = await queue.wait("commit:7");
    assert.equal(status, "success");
    for (const each of [queue, queueOn()]) {
      assert.equal((await each.send(call())).transactionHash, transactionHash);
      await assert.rejects(each.submit(call(1n)), /another transaction was submitted/);
    }
    await chain.mine(3);
    assert.deepEqual([await called(), await nonce()], [1, 2]);
  });

  it("is sent once by all who ask for it again, also when the process is killed in between", async () => {
    await failOnChain(queueOn());
    const queue = queueOn();
    await Promise.all([queue.submit(call()), queue.submit(call()), queue.submit(call())]);
    const reborn = queueOn();
    await reborn.submit(call());
    await reborn.tick();
    await chain.mine(2);
    await reborn.wait("commit:7");
    assert.deepEqual([await called(), await nonce()], [1, 2]);
  });

  it("is sent again at once although the clock was set back before the keeper started again", async () => {
    await failOnChain(queueOn());
    clock.time -= 6 * 3_600_000;
    const queue = queueOn();
    await queue.submit(call());
    await chain.mine();
    await queue.wait("commit:7");
    assert.equal(await called(), 1);
  });

  it("is tried ever more seldom when it fails each time although it seems to succeed", async () => {
    const queue = queueOn();
    for (let i = 0; i < 3; i++) await failOnChain(queue);
    await assert.rejects(queue.submit(call()), /failed on chain: ticket not ripe/);
    clock.time += 60_000;
    await failOnChain(queue);
    clock.time += 60_000;
    await assert.rejects(queue.submit(call()), /failed on chain/);
    clock.time += 60_000;
    await queue.submit(call());
    await chain.mine();
    await queue.wait("commit:7");
    assert.deepEqual([await called(), await nonce()], [1, 5]);
  });

  it("is a warning in the log, other than what another keeper was faster with", async () => {
    const { context, queue, log } = contextOf(account.address, {});
    const key = "commit:7";
    for (const hash of [undefined, toHex(1, { size: 32 })]) {
      queue.onSend = () => {
        throw new TransactionFailedError("the transaction failed on chain", { key, hash });
      };
      assert.equal(await tryCall(context, key, "JobRegistry", "finalise", [7n]), false);
    }
    assert.deepEqual(
      log.lines.map(({ level, msg }) => [level, msg]),
      [
        [20, "left to others"],
        [40, "failed on chain"],
      ],
    );
  });
});

describe("a transaction that was cancelled", () => {
  it("is sent again when it would succeed after all", async () => {
    const queue = queueOn();
    const time = await now();
    await chain.rpc("hardhat_setNextBlockBaseFeePerGas", [toHex(10n ** 12n)]);
    await queue.submit(call(time + 50n));
    await chain.rpc("evm_setNextBlockTimestamp", [toHex(time + 100n)]);
    await chain.mine();
    clock.time += 60_000;
    await queue.tick();
    await chain.mine();
    await assert.rejects(queue.wait("commit:7"), /cancelled, because it would have failed/);
    await queue.submit(call());
    await chain.mine();
    assert.equal((await queue.wait("commit:7")).status, "success");
    assert.deepEqual([await called(), await nonce()], [1, 2]);
  });

  it("is carried out under the same nonce when one endpoint lagged, and no block has the cancellation", async () => {
    let isLagging = false;
    const sent: { to?: Address | null }[] = [];
    const provider: Eip1193 = {
      async request(request) {
        const { method, params } = request as unknown as { method: string; params: readonly Hex[] };
        if (isLagging && method === "eth_call") {
          throw Object.assign(new Error("execution reverted"), { code: 3, data: "0x" });
        }
        if (method === "eth_sendRawTransaction") sent.push(parseTransaction(params[0]!));
        return chain.provider.request(request);
      },
    };
    const client = await connectChain({ chainId: 31337, provider });
    const queue = queueOn(client);
    await queue.submit(call());
    for (const [lags, fee] of [
      [true, 10n ** 12n],
      [false, 10n ** 13n],
    ] as const) {
      isLagging = lags;
      await chain.rpc("hardhat_setNextBlockBaseFeePerGas", [toHex(fee)]);
      await chain.mine();
      clock.time += 60_000;
      await queue.tick();
    }
    await chain.mine();
    assert.equal((await queue.wait("commit:7")).status, "success");
    const isCancelling = sent.map(({ to }) => isAddressEqual(to!, account.address));
    assert.deepEqual(isCancelling, [false, true, false]);
    assert.deepEqual([await called(), await nonce()], [1, 1]);
  });
});

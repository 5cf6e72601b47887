import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { type Address, createWalletClient, custom, type Hex, type LocalAccount, toHex } from "viem";
import { type ChainClient, connectChain } from "../../../keepers/src/chain/client.ts";
import type { Eip1193 } from "../../../keepers/src/chain/rpc/endpoint.ts";
import { TransactionFailedError } from "../../../keepers/src/chain/transactions/errors.ts";
import {
  createTransactionQueue,
  type Intent,
  type QueueOptions,
  type TransactionQueue,
} from "../../../keepers/src/chain/transactions/queue.ts";
import { transactionSchema } from "../../../keepers/src/chain/transactions/store.ts";
import { openState, type State } from "../../../keepers/src/storage/state/state.ts";
import { accounts, type EmbeddedChain, startEmbeddedChain, untilCall } from "./embedded-chain.ts";
import { ManualClock } from "./fixtures.ts";

const [account, other] = accounts;
const never = () => new Promise<never>(() => {});
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

const open = () => {
  const state = openState({ path: join(folder, "keeper.sqlite"), schemas: [transactionSchema] });
  states.push(state);
  return state;
};
const call = (key: string, deadline = forever): Intent => ({
  key,
  to: target,
  data: untilCall(deadline),
  value: 0n,
});
const queueOn = (client: ChainClient, extra: Partial<QueueOptions> = {}): TransactionQueue =>
  createTransactionQueue({
    client,
    state: open(),
    account: account as LocalAccount,
    clock,
    replaceAfter: { milliseconds: 60_000, blocks: 5 },
    ...extra,
  });
const called = async () => (await chain.client.public.getLogs({ address: target, fromBlock: 0n })).length;
const nonceOf = (address: Address = account.address) => chain.client.public.getTransactionCount({ address });

/** The embedded chain behind a provider that can be made to fail, hang, or answer something else. */
async function through(intercept: (method: string, forward: () => Promise<unknown>) => Promise<unknown>) {
  const provider: Eip1193 = {
    request: (request) => intercept(request.method, () => chain.provider.request(request)),
  };
  return connectChain({ chainId: 31337, provider });
}

describe("transaction queue", () => {
  it("sends, waits for the block, and returns the receipt", async () => {
    const queue = queueOn(chain.client);
    await queue.submit(call("a"));
    assert.equal(queue.pending().length, 1);
    await chain.mine();
    const receipt = await queue.wait("a");
    assert.equal(receipt.status, "success");
    assert.equal(await called(), 1);
    assert.equal(queue.pending().length, 0);
  });

  it("sends an intent once, however often and by however many it is asked for", async () => {
    const queue = queueOn(chain.client);
    await Promise.all([queue.submit(call("a")), queue.submit(call("a")), queue.submit(call("a"))]);
    await queueOn(chain.client).submit(call("a"));
    await chain.mine();
    const hashes = [await queue.wait("a"), await queue.send(call("a"))].map((r) => r.transactionHash);
    assert.equal(hashes[0], hashes[1]);
    await chain.mine(3);
    assert.equal(await called(), 1);
    assert.equal(await nonceOf(), 1);
  });

  it("refuses to reuse a key for another call", async () => {
    const queue = queueOn(chain.client);
    await queue.submit(call("a"));
    await assert.rejects(queue.submit({ ...call("a"), value: 1n }), /another transaction was submitted as a/);
  });

  it("gives parallel intents consecutive nonces and gets all of them mined", async () => {
    const queue = queueOn(chain.client);
    const keys = Array.from({ length: 12 }, (_, i) => `k${i}`);
    await Promise.all(keys.map((key) => queue.submit(call(key))));
    assert.deepEqual(
      queue.pending().map(({ nonce }) => nonce),
      keys.map((_, i) => i),
    );
    await chain.mine();
    await Promise.all(keys.map((key) => queue.wait(key)));
    assert.equal(await called(), 12);
  });

  it("gives no nonce out twice when an endpoint has not seen the last transaction yet", async () => {
    const queue = queueOn(
      await through((method, forward) =>
        method === "eth_getTransactionCount" ? Promise.resolve("0x0") : forward(),
      ),
    );
    for (const key of ["a", "b", "c"]) await queue.submit(call(key));
    await chain.mine();
    assert.equal(await called(), 3);
  });

  it("does not send what the contract would refuse, and says why in words", async () => {
    const queue = queueOn(chain.client);
    await assert.rejects(
      queue.submit({ ...call("late", 1n), description: "withdrawing the stake" }),
      (error) => {
        assert.ok(error instanceof TransactionFailedError);
        assert.equal(
          error.message,
          "withdrawing the stake would fail: ticket not ripe (ticket 7, available at 1700000000)",
        );
        assert.equal(error.errorName, "TicketNotRipe");
        assert.deepEqual(error.args, [7n, 1_700_000_000n]);
        assert.equal(error.hash, undefined);
        assert.equal(error.kept, "nothing was sent, nothing was spent");
        return true;
      },
    );
    assert.equal(await nonceOf(), 0);
    assert.deepEqual(queue.pending(), []);
    await queue.submit(call("next"));
    await chain.mine();
    assert.equal((await queue.wait("next")).status, "success");
  });

  it("reports a transaction that was reverted on chain with its reason, and does not send it again", async () => {
    const queue = queueOn(chain.client);
    const { timestamp } = await chain.client.public.getBlock();
    await queue.submit(call("tight", timestamp + 50n));
    await chain.rpc("evm_setNextBlockTimestamp", [toHex(timestamp + 100n)]);
    await chain.mine();
    for (const each of [queue, queueOn(chain.client)]) {
      await assert.rejects(each.send(call("tight", timestamp + 50n)), (error) => {
        assert.ok(error instanceof TransactionFailedError);
        assert.match(error.message, /ticket not ripe/);
        assert.ok(error.hash);
        return true;
      });
    }
    assert.equal(await nonceOf(), 1);
  });

  it("records nothing of an intent that the account cannot pay for", async () => {
    const queue = queueOn(
      await through((method, forward) => (method === "eth_getBalance" ? Promise.resolve("0x1") : forward())),
    );
    await assert.rejects(queue.submit(call("poor")), /too little of the chain's native coin/);
    assert.deepEqual(queue.pending(), []);
    const healthy = queueOn(chain.client);
    await healthy.submit(call("rich"));
    await chain.mine();
    await healthy.wait("rich");
    assert.deepEqual([await called(), await nonceOf()], [1, 1]);
  });

  it("makes a transaction void that a node has refused, and may have kept", async () => {
    const kept: Hex[] = [];
    const provider: Eip1193 = {
      async request(request) {
        const { method, params } = request as unknown as { method: string; params: readonly Hex[] };
        if (method !== "eth_sendRawTransaction" || kept.length > 0) return chain.provider.request(request);
        kept.push(params[0]!);
        throw Object.assign(new Error("insufficient funds for gas * price + value"), { code: -32000 });
      },
    };
    const queue = queueOn(await connectChain({ chainId: 31337, provider }));
    await assert.rejects(queue.submit(call("refused")), /too little of the chain's native coin/);
    assert.deepEqual([queue.pending(), queue.isBegun("refused")], [[], false]);
    await queue.submit(call("next"));
    await queue.tick();
    await chain.mine();
    await queue.wait("next");
    await assert.rejects(chain.rpc("eth_sendRawTransaction", kept), /nonce/i);
    assert.deepEqual([await called(), await nonceOf()], [1, 2]);
    await queue.submit(call("refused"));
    await chain.mine();
    await queue.wait("refused");
    assert.deepEqual([await called(), await nonceOf()], [2, 3]);
  });

  it("keeps the queues of two accounts apart, although they share a state", async () => {
    const state = open();
    const first = queueOn(chain.client, { state });
    const second = queueOn(chain.client, { state, account: other as LocalAccount });
    await Promise.all([first.submit(call("a")), second.submit(call("a")), second.submit(call("b"))]);
    assert.deepEqual([first.pending().length, second.pending().length], [1, 2]);
    await chain.mine();
    await Promise.all([first.wait("a"), second.wait("a"), second.wait("b")]);
    assert.equal(await called(), 3);
  });
});

describe("transaction queue, killed", () => {
  /** When the process dies, by the request at which it stops for ever, before or after that took effect. */
  const deaths: { name: string; method: string; after?: boolean; nth?: number; mined?: boolean }[] = [
    { name: "before the nonce is on record", method: "eth_getTransactionCount" },
    { name: "after the nonce is on record, before anything is signed", method: "eth_blockNumber" },
    {
      name: "after the signed transaction is on record, before it is sent",
      method: "eth_sendRawTransaction",
    },
    { name: "after it is sent, before the answer comes", method: "eth_sendRawTransaction", after: true },
    {
      name: "after it is mined, before the receipt is read",
      method: "eth_getTransactionReceipt",
      mined: true,
    },
    {
      name: "after the receipt is read, before it is settled",
      method: "eth_getTransactionReceipt",
      after: true,
      mined: true,
    },
  ];
  for (const { name, method, after = false, mined = false } of deaths) {
    it(`carries an intent out exactly once when it is killed ${name}`, async () => {
      let died = () => {};
      const death = new Promise<void>((resolve) => {
        died = resolve;
      });
      let dead = false;
      const state = openState({ path: join(folder, "keeper.sqlite"), schemas: [transactionSchema] });
      const dying = queueOn(
        await through(async (each, forward) => {
          if (dead) return never();
          if (each !== method) return forward();
          dead = true;
          if (after) await forward();
          died();
          return never();
        }),
        { state },
      );
      const attempt = mined
        ? dying
            .submit(call("a"))
            .then(() => chain.mine())
            .then(() => dying.tick())
        : dying.submit(call("a"));
      attempt.catch(() => {});
      await death;
      // A dead process writes nothing more, whatever it was waiting for.
      state.close();
      if (after && !mined) await chain.mine();

      const reborn = queueOn(chain.client);
      await reborn.submit(call("a"));
      for (let i = 0; i < 8; i++) {
        await reborn.tick();
        await chain.mine();
      }
      assert.deepEqual(reborn.pending(), []);
      assert.equal((await reborn.wait("a")).status, "success");
      assert.equal(await called(), 1);
      assert.equal(await nonceOf(), 1);
    });
  }
});

describe("transaction queue, in bad weather", () => {
  it("replaces a stuck transaction by one with at least an eighth more, and only one of them takes effect", async () => {
    const sent: bigint[] = [];
    const queue = queueOn(chain.client, {
      observer: { sent: ({ fees }) => sent.push(fees.maxFeePerGas) },
    });
    await queue.submit(call("a"));
    await queue.tick();
    assert.equal(sent.length, 1, "not stuck yet");
    clock.time += 60_000;
    await queue.tick();
    assert.equal(sent.length, 2);
    assert.ok(sent[1]! * 8n >= sent[0]! * 9n);
    await chain.mine();
    await queue.wait("a");
    await chain.mine(3);
    assert.equal(await called(), 1);
    assert.equal(await nonceOf(), 1);
  });

  it("follows a tenfold gas price, up to the cap and not above, then waits until it is affordable", async () => {
    const base = (await chain.client.public.getBlock()).baseFeePerGas!;
    const waiting: string[] = [];
    const sent: bigint[] = [];
    const cap = base * 100n;
    const queue = queueOn(chain.client, {
      maximumFeePerGas: cap,
      observer: {
        sent: ({ fees }) => sent.push(fees.maxFeePerGas),
        waiting: ({ reason }) => waiting.push(reason),
      },
    });
    await queue.submit(call("a"));
    await chain.rpc("hardhat_setNextBlockBaseFeePerGas", [toHex(sent[0]! * 10n)]);
    await chain.mine();
    await queue.tick();
    assert.equal(await called(), 0, "priced out");
    clock.time += 60_000;
    await queue.tick();
    assert.ok(sent.at(-1)! >= sent[0]! * 10n, "the replacement pays the new price");

    await chain.rpc("hardhat_setNextBlockBaseFeePerGas", [toHex(cap * 2n)]);
    await chain.mine();
    for (let i = 0; i < 4; i++) {
      clock.time += 60_000;
      await queue.tick();
    }
    assert.ok(sent.every((fee) => fee <= cap));
    assert.ok(waiting.length > 0, "it says that it waits");
    assert.equal(queue.pending().length, 1);

    await chain.rpc("hardhat_setNextBlockBaseFeePerGas", [toHex(base)]);
    await chain.mine();
    assert.equal((await queue.wait("a")).status, "success");
    assert.equal(await called(), 1);
  });

  it("sends a transaction again that the nodes have dropped", async () => {
    const queue = queueOn(chain.client);
    await queue.submit(call("a"));
    const hash = (await chain.client.public.getBlock({ blockTag: "pending" })).transactions[0]!;
    await chain.rpc("hardhat_dropTransaction", [hash]);
    await chain.mine();
    clock.time += 60_000;
    await queue.tick();
    await chain.mine();
    await queue.wait("a");
    assert.equal(await called(), 1);
  });

  it("sends the transactions of a killed process again at the first look", async () => {
    await queueOn(chain.client).submit(call("a"));
    const hash = (await chain.client.public.getBlock({ blockTag: "pending" })).transactions[0]!;
    await chain.rpc("hardhat_dropTransaction", [hash]);
    const reborn = queueOn(chain.client);
    await reborn.tick();
    await chain.mine();
    assert.equal((await reborn.wait("a")).transactionHash, hash);
  });

  it("cancels a stuck transaction that would fail by now, instead of paying more for its failure", async () => {
    const { timestamp } = await chain.client.public.getBlock();
    await chain.rpc("hardhat_setNextBlockBaseFeePerGas", [toHex(10n ** 12n)]);
    const queue = queueOn(chain.client, { maximumFeePerGas: 10n ** 14n });
    await queue.submit(call("tight", timestamp + 50n));
    await chain.rpc("evm_setNextBlockTimestamp", [toHex(timestamp + 100n)]);
    await chain.mine();
    clock.time += 60_000;
    await queue.tick();
    await chain.mine();
    await assert.rejects(queue.wait("tight"), /cancelled, because it would have failed/);
    assert.equal(await nonceOf(), 1);
    assert.equal(await called(), 0);
  });

  it("heals a gap of nonces that holds everything back", async () => {
    const state = open();
    const queue = queueOn(chain.client, { state });
    await queue.submit(call("lost"));
    await queue.submit(call("held"));
    const [first] = queue.pending();
    const block = await chain.client.public.getBlock({ blockTag: "pending" });
    for (const hash of block.transactions) {
      const { nonce } = await chain.client.public.getTransaction({ hash });
      if (nonce === first!.nonce) await chain.rpc("hardhat_dropTransaction", [hash]);
    }
    state.run("DELETE FROM attempts WHERE key = 'lost'");
    state.run("DELETE FROM intents WHERE key = 'lost'");
    await chain.mine();
    assert.equal(await called(), 0, "the later one is held back");
    clock.time += 60_000;
    await queue.tick();
    await chain.mine();
    assert.equal((await queue.wait("held")).status, "success");
    assert.equal(await called(), 1);
  });

  it("takes another nonce when a different program has used its own", async () => {
    let deaf = true;
    await chain.mine(6);
    const queue = queueOn(
      await through((method, forward) => {
        if (method === "eth_sendRawTransaction" && deaf) throw new Error("connection reset");
        return forward();
      }),
      { finality: 4 },
    );
    await queue.submit(call("a"));
    const wallet = createWalletClient({
      account: account as LocalAccount,
      chain: chain.client.chain,
      transport: custom(chain.provider),
    });
    await wallet.sendTransaction({ to: other.address, value: 1n });
    await chain.mine();
    deaf = false;
    await queue.tick();
    assert.equal(queue.pending()[0]!.nonce, 0, "a block that may still be reorganised proves nothing");
    await chain.mine(5);
    await queue.tick();
    assert.equal(queue.pending()[0]!.nonce, 1);
    await chain.mine();
    assert.equal((await queue.wait("a")).status, "success");
    assert.equal(await called(), 1);
    assert.equal(await nonceOf(), 2);
  });

  it("does not believe a receipt whose block is no longer in the chain", async () => {
    let stale: unknown;
    const queue = queueOn(
      await through((method, forward) =>
        method === "eth_getTransactionReceipt" && stale !== undefined ? Promise.resolve(stale) : forward(),
      ),
    );
    const snapshot = await chain.rpc("evm_snapshot");
    await queue.submit(call("a"));
    const [hash] = (await chain.client.public.getBlock({ blockTag: "pending" })).transactions;
    await chain.mine();
    stale = await chain.rpc("eth_getTransactionReceipt", [hash]);
    await chain.rpc("evm_revert", [snapshot]);
    await chain.mine(2);
    await queue.tick();
    assert.equal(queue.pending().length, 1);
  });

  it("sends a transaction again whose block has been reorganised away", async () => {
    const queue = queueOn(chain.client, { confirmations: 3 });
    const snapshot = await chain.rpc("evm_snapshot");
    await queue.submit(call("a"));
    await chain.mine(2);
    await queue.tick();
    assert.equal(queue.pending().length, 1, "two blocks are not three");
    await chain.rpc("evm_revert", [snapshot]);
    await chain.mine(2);
    assert.equal(await called(), 0);
    clock.time += 60_000;
    await queue.tick();
    await chain.mine(4);
    await queue.wait("a");
    assert.equal(await called(), 1);
  });

  it("sends again what a reorganisation of one block has taken back, although callers were told that it was mined", async () => {
    const queue = queueOn(chain.client, { finality: 6 });
    const snapshot = await chain.rpc("evm_snapshot");
    await queue.submit(call("a"));
    await chain.mine();
    assert.equal((await queue.wait("a")).status, "success");
    assert.deepEqual(queue.pending(), []);
    await chain.rpc("evm_revert", [snapshot]);
    await chain.mine();
    assert.equal(await called(), 0);
    await queue.tick();
    assert.equal(queue.pending().length, 1);
    await chain.mine(2);
    await queue.wait("a");
    assert.equal(await called(), 1);
  });

  it("does not ask again for what has failed before that is final", async () => {
    const queue = queueOn(chain.client, { finality: 4 });
    const { timestamp } = await chain.client.public.getBlock();
    await queue.submit(call("tight", timestamp + 50n));
    await chain.rpc("evm_setNextBlockTimestamp", [toHex(timestamp + 100n)]);
    await chain.mine();
    await assert.rejects(queue.wait("tight"), /ticket not ripe/);
    await assert.rejects(queue.submit(call("tight")), /ticket not ripe/);
    await chain.mine(3);
    await queue.tick();
    await queue.submit(call("tight"));
    await chain.mine();
    await queue.wait("tight");
    assert.deepEqual([await called(), await nonceOf()], [1, 2]);
  });

  it("submits while broadcasting fails everywhere, and sends as soon as it can", async () => {
    let deaf = true;
    const failures: Error[] = [];
    const queue = queueOn(
      await through((method, forward) => {
        if (method === "eth_sendRawTransaction" && deaf) throw new Error("connection reset");
        return forward();
      }),
      { observer: { failed: (error) => failures.push(error) } },
    );
    await queue.submit(call("a"));
    await chain.mine();
    assert.equal(await called(), 0);
    deaf = false;
    await queue.tick();
    await chain.mine();
    await queue.wait("a");
    assert.equal(await called(), 1);
  });

  it("refuses a transaction that needs more gas than the limit", async () => {
    const queue = queueOn(chain.client, { maximumGas: 21_000n });
    await assert.rejects(queue.submit(call("a")), /needs \d+ gas, more than 21000/);
  });
});

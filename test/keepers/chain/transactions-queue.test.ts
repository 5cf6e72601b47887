import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeErrorResult, type Hex, parseAbi, toHex } from "viem";
import { TransactionFailedError } from "../../../keepers/src/chain/transactions/errors.ts";
import { AssayError, BadInputError } from "../../../keepers/src/core/errors.ts";
import {
  account,
  broken,
  finality,
  intent,
  mine,
  minute,
  nextIsOdd,
  odd,
  refuse,
  sent,
  sure,
  target,
  type World,
  world,
} from "./queue-world.ts";

describe("an intent", () => {
  it("is signed for the account's next nonce, told of, mined, and its receipt returned", async () => {
    const w = await world();
    await w.queue.submit(intent("a", { value: 7n }));
    assert.equal(w.queue.address, account.address);
    const [transaction] = sent(w);
    const { type, chainId, nonce, to, data, value, gas, maxFeePerGas, maxPriorityFeePerGas } = transaction!;
    assert.deepEqual(
      [type, chainId, nonce ?? 0, to, data, value, gas, maxFeePerGas, maxPriorityFeePerGas],
      ["eip1559", 1, 0, target, sure, 7n, 26_250n, 15n, 1n],
    );
    const [hash] = [...w.chain.known.keys()] as [Hex];
    const fees = { maxFeePerGas: 15n, maxPriorityFeePerGas: 1n };
    assert.deepEqual(w.events, [["sent", { key: "a", hash, nonce: 0, fees, replaces: false }]]);
    assert.deepEqual(
      [w.queue.pending().length, w.queue.isBegun("a"), w.queue.isBegun("b")],
      [1, true, false],
    );
    mine(w, 1);
    const { transactionHash, status } = await w.queue.wait("a");
    assert.deepEqual([transactionHash, status], [hash, "success"]);
    const settled = { key: "a", hash, status: "mined", gasUsed: 21_000n, cost: 168_000n };
    assert.deepEqual(w.events.slice(1), [["settled", settled]]);
    assert.deepEqual([w.queue.pending(), w.queue.isBegun("a")], [[], true]);
  });

  it("is waited for at intervals, a second by default, until it has its confirmations", async () => {
    for (const [options, pause] of [
      [{ confirmations: 2 }, 1_000],
      [{ confirmations: 2, pollInterval: 300 }, 300],
    ] as const) {
      const w = await world(options);
      const sleep = w.clock.sleep.bind(w.clock);
      const pauses: number[] = [];
      w.clock.sleep = async (milliseconds, signal) => {
        // What an endpoint is given to answer is another pause.
        if (milliseconds === pause) {
          pauses.push(milliseconds);
          w.chain.mine();
        }
        await sleep(milliseconds, signal);
      };
      assert.equal((await w.queue.send(intent("a"))).status, "success");
      assert.deepEqual(pauses, [pause, pause]);
    }
  });

  it("that nobody submitted cannot be waited for", async () => {
    const w = await world();
    await assert.rejects(w.queue.wait("a"), (error: unknown) => {
      assert.ok(error instanceof AssayError);
      assert.deepEqual([error.message, error.exitCode], ["no transaction was submitted as a", 70]);
      return true;
    });
  });

  it("is sent once however often it is submitted, and its key is no other's", async () => {
    const w = await world();
    const again = () => w.queue.submit(intent("a", { to: target.toUpperCase().replace("0X", "0x") as Hex }));
    await Promise.all([w.queue.submit(intent("a")), again(), again()]);
    assert.equal(w.raws.length, 1);
    for (const other of [{ to: account.address }, { data: "0x1232" as Hex }, { value: 1n }]) {
      await assert.rejects(w.queue.submit(intent("a", other)), (error: unknown) => {
        assert.ok(error instanceof BadInputError);
        assert.equal(error.message, "another transaction was submitted as a");
        return true;
      });
    }
  });

  it("is not sent where the contract refuses it, in the words of whoever asked", async () => {
    const w = await world();
    w.answers.eth_call = () => {
      throw Object.assign(new Error("execution reverted"), { code: 3, data: "0x" });
    };
    await assert.rejects(w.queue.submit(intent("a")), (error: unknown) => {
      assert.ok(error instanceof TransactionFailedError);
      assert.match(error.message, /^the transaction a would fail: ./);
      assert.deepEqual([error.key, error.hash], ["a", undefined]);
      assert.match(String(error.cause), /reverted/);
      return true;
    });
    const named = intent("a", { description: "answering the audit" });
    await assert.rejects(w.queue.submit(named), /^TransactionFailedError: answering the audit would fail: ./);
    assert.deepEqual([w.queue.pending(), w.raws, w.queue.isBegun("a")], [[], [], false]);
  });

  it("is not sent where it needs more gas than is allowed", async () => {
    const w = await world({ maximumGas: 20_999n });
    await assert.rejects(w.queue.submit(intent("a")), (error: unknown) => {
      assert.ok(error instanceof TransactionFailedError);
      assert.equal(error.message, "the transaction a needs 21000 gas, more than 20999");
      assert.equal(error.next, "split it into smaller ones");
      return true;
    });
    const wide = await world({ maximumGas: 21_000n, gasMargin: 100 });
    await wide.queue.submit(intent("a"));
    assert.equal(sent(wide)[0]!.gas, 21_000n);
    const usual = await world();
    usual.answers.eth_estimateGas = () => toHex(15_000_000n);
    await usual.queue.submit(intent("a"));
    usual.answers.eth_estimateGas = () => toHex(15_000_001n);
    await assert.rejects(usual.queue.submit(intent("b")), /more than 15000000/);
  });

  it("needs an account that can pay its value and all its gas at the highest fee, to the last wei", async () => {
    const w = await world();
    const needed = 7n + 26_250n * 15n;
    w.answers.eth_getBalance = () => toHex(needed - 1n);
    await assert.rejects(w.queue.submit(intent("a", { value: 7n })), (error: unknown) => {
      assert.ok(error instanceof TransactionFailedError);
      const reason = "the account has too little of the chain's native coin for the fee";
      assert.equal(error.message, `the transaction a was refused: ${reason}`);
      assert.equal(error.next, "fund the account, or change the request, and try again");
      return true;
    });
    assert.deepEqual([w.queue.pending(), w.raws], [[], []]);
    w.answers.eth_getBalance = () => toHex(needed);
    await w.queue.submit(intent("a", { value: 7n }));
    assert.equal(w.raws.length, 1);
  });
});

describe("an intent that a node refuses", () => {
  it("is made void at the same nonce by a transfer of nothing to the account itself", async () => {
    const w = await world();
    w.answers.eth_sendRawTransaction = refuse("insufficient funds");
    await assert.rejects(w.queue.submit(intent("a")), /was refused: the account has too little/);
    assert.deepEqual([w.queue.pending(), w.queue.isBegun("a")], [[], false]);
    delete w.answers.eth_sendRawTransaction;
    await w.queue.tick();
    const [first, second] = sent(w);
    assert.deepEqual(
      [second!.nonce ?? 0, second!.to, second!.data, second!.value ?? 0n],
      [...[0, account.address.toLowerCase(), undefined, 0n]],
    );
    assert.equal(second!.gas, first!.gas);
    assert.ok(second!.maxFeePerGas! > first!.maxFeePerGas!);
    assert.deepEqual(
      w.named("sent").map((event) => (event as { replaces: boolean }).replaces),
      [false, true],
    );
    await w.queue.tick();
    assert.equal(w.raws.length, 2, "once is enough");
    mine(w, 1);
    await assert.rejects(w.queue.wait("a"), (error: unknown) => {
      assert.ok(error instanceof TransactionFailedError);
      assert.match(error.message, /^the transaction a failed on chain: it was cancelled, because it would/);
      assert.equal(error.next, "it can be tried again once its block is final");
      return true;
    });
    assert.equal(w.queue.isBegun("a"), false);
  });

  it("is carried out under the same nonce when it is asked for again before that", async () => {
    const w = await world();
    w.answers.eth_sendRawTransaction = refuse("insufficient funds");
    await assert.rejects(w.queue.submit(intent("a")), /was refused/);
    delete w.answers.eth_sendRawTransaction;
    await w.queue.submit(intent("a"));
    assert.deepEqual([w.queue.pending().length, w.queue.isBegun("a")], [1, true]);
    w.clock.time += minute;
    await w.queue.tick();
    assert.deepEqual(
      sent(w).map(({ nonce = 0, data }) => [nonce, data]),
      [
        [0, sure],
        [0, sure],
      ],
    );
    mine(w, 1);
    assert.equal((await w.queue.wait("a")).status, "success");
    assert.equal(w.chain.effects(sure), 1);
  });
});

describe("an intent whose broadcast is uncertain", () => {
  it("stays, and is broadcast again as it is at every look until a node has it", async () => {
    const w = await world();
    w.answers.eth_sendRawTransaction = broken;
    await w.queue.submit(intent("a"));
    assert.equal(w.queue.pending().length, 1);
    await w.queue.tick();
    delete w.answers.eth_sendRawTransaction;
    const before = w.raws.length;
    await w.queue.tick();
    await w.queue.tick();
    assert.equal(w.raws.length, before + 1);
    assert.equal(new Set(w.raws).size, 1);
    mine(w, 1);
    assert.equal((await w.queue.wait("a")).status, "success");
  });

  it("waits where a node refuses it for now, and tells why where it refuses for good", async () => {
    const w = await world();
    w.answers.eth_sendRawTransaction = refuse("nonce too high");
    await w.queue.submit(intent("a"));
    assert.deepEqual(w.named("waiting"), []);
    w.answers.eth_sendRawTransaction = broken;
    const reborn = w.open();
    await reborn.tick();
    w.answers.eth_sendRawTransaction = refuse("invalid sender");
    await reborn.tick();
    const reason = "the chain does not accept the signature";
    assert.deepEqual(w.named("waiting"), [{ key: "a", reason }]);
    w.clock.time += minute;
    await reborn.tick();
    assert.deepEqual(w.named("waiting").slice(1), [{ key: "a", reason }], "a replacement that is refused");
  });

  it("is on record although signing could not be finished, and is signed at the next look", async () => {
    const w = await world();
    w.answers.eth_blockNumber = broken;
    await w.queue.submit(intent("a"));
    assert.deepEqual([w.queue.pending().length, w.raws.length], [1, 0]);
    assert.equal(w.named("failed").length, 1);
    delete w.answers.eth_blockNumber;
    await w.queue.tick();
    assert.equal(w.raws.length, 1);
    assert.deepEqual((w.named("sent")[0] as { replaces: boolean }).replaces, false);
  });
});

describe("an intent that is stuck", () => {
  it("is replaced after a minute or five blocks, and not before", async () => {
    const w = await world();
    await w.queue.submit(intent("a"));
    w.clock.time += minute - 1;
    await w.queue.tick();
    assert.equal(w.raws.length, 1);
    w.clock.time += 1;
    await w.queue.tick();
    assert.equal(w.raws.length, 2);
    for (let i = 0; i < 4; i++) w.chain.mine(0);
    await w.queue.tick();
    assert.equal(w.raws.length, 2);
    w.chain.mine(0);
    await w.queue.tick();
    const [first, second, third] = sent(w);
    assert.deepEqual(
      [first, second, third].map((each) => each!.nonce ?? 0),
      [0, 0, 0],
    );
    assert.deepEqual([second!.maxFeePerGas, third!.maxFeePerGas], [15n + 15n / 8n + 1n, 17n + 17n / 8n + 1n]);
    assert.equal(third!.data, sure);
    mine(w, 1);
    await w.queue.wait("a");
    assert.equal(w.chain.effects(sure), 1);
  });

  it("is replaced after a minute or twelve blocks by default", async () => {
    const w = await world({ replaceAfter: undefined });
    await w.queue.submit(intent("a"));
    for (let i = 0; i < 11; i++) w.chain.mine(0);
    w.clock.time += minute - 1;
    await w.queue.tick();
    assert.equal(w.raws.length, 1);
    w.chain.mine(0);
    await w.queue.tick();
    assert.equal(w.raws.length, 2);
    w.clock.time += minute;
    await w.queue.tick();
    assert.equal(w.raws.length, 3);
  });

  it("attack: is replaced once while the chain stands still, and keeps up with a base fee that rises when it goes on", async () => {
    const w = await world();
    let base = 1_000n;
    w.answers.eth_getBlockByNumber = async (_, forward) => ({
      ...((await forward()) as object),
      baseFeePerGas: toHex(base),
    });
    await w.queue.submit(intent("a"));
    const standStill = async () => {
      for (let minutes = 0; minutes < 60; minutes++) {
        w.clock.time += minute;
        await w.queue.tick();
      }
    };
    await standStill();
    assert.equal(sent(w).length, 2);
    const reborn = w.open();
    await reborn.tick();
    await standStill();
    assert.equal(new Set(w.raws).size, 2, "nor by a process that was started again");

    for (let block = 0; block < 60; block++) {
      base += base / 8n;
      w.chain.mine(0);
      w.clock.time += minute / 5;
      await w.queue.tick();
      assert.ok(sent(w).at(-1)!.maxFeePerGas! >= base, "it may be in the next block");
    }
    const replacements = w.named("sent").length - 1;
    assert.ok(replacements >= 12 && replacements <= 14, `${replacements} times in 12 minutes`);
    mine(w, 1);
    assert.equal((await w.queue.wait("a")).status, "success");
    assert.equal(w.chain.effects(sure), 1);
  });

  it("behind another one waits for that", async () => {
    const w = await world();
    await w.queue.submit(intent("a"));
    await w.queue.submit(intent("b"));
    w.clock.time += minute;
    await w.queue.tick();
    assert.deepEqual(
      sent(w).map(({ nonce = 0 }) => nonce),
      [0, 1, 0],
    );
  });

  it("is cancelled when it would fail by now, and carried out when the next look says that it would not", async () => {
    const w = await world();
    await w.queue.submit(intent("a"));
    w.answers.eth_call = () => {
      throw Object.assign(new Error("execution reverted"), { code: 3, data: "0x" });
    };
    w.clock.time += minute;
    await w.queue.tick();
    delete w.answers.eth_call;
    w.clock.time += minute;
    await w.queue.tick();
    assert.deepEqual(
      sent(w).map(({ to }) => to),
      [target, account.address.toLowerCase(), target],
    );
    w.answers.eth_call = broken;
    w.chain.mine(0);
    w.clock.time += minute;
    await assert.rejects(w.queue.tick(), "what no endpoint says decides nothing");
    assert.equal(w.raws.length, 3);
  });

  it("is broadcast once more where fees are at the cap, and tells that it waits", async () => {
    const w = await world({ maximumFeePerGas: 15n });
    await w.queue.submit(intent("a"));
    w.clock.time += minute;
    await w.queue.tick();
    assert.deepEqual(w.named("waiting"), [{ key: "a", reason: "the network's fees are at the cap" }]);
    assert.deepEqual([w.raws.length, new Set(w.raws).size], [2, 1]);
  });

  it("is cheap enough at five hundred gwei by default", async () => {
    const w = await world({ maximumFeePerGas: undefined });
    w.answers.eth_maxPriorityFeePerGas = () => toHex(10n ** 15n);
    await w.queue.submit(intent("a"));
    assert.equal(sent(w)[0]!.maxFeePerGas, 500_000_000_000n);
  });
});

describe("an intent that was reverted on chain", () => {
  const fail = async (w: World) => {
    nextIsOdd(w, false);
    await w.queue.submit(intent("a", { data: odd }));
    // Tried for an even block, included in an odd one.
    w.chain.mine(0);
    w.chain.mine();
  };

  it("fails with what a replay says, and may be tried again when it is final", async () => {
    const w = await world();
    await fail(w);
    await assert.rejects(w.queue.wait("a"), (error: unknown) => {
      assert.ok(error instanceof TransactionFailedError);
      assert.match(error.message, /^the transaction a failed on chain: ./);
      assert.deepEqual([error.hash, error.kept], [[...w.chain.known.keys()][0], "only the fee was spent"]);
      assert.equal(error.next, "it can be tried again once its block is final");
      return true;
    });
    assert.equal((w.named("settled")[0] as { status: string }).status, "failed");
    await assert.rejects(w.queue.submit(intent("a", { data: odd })), /failed on chain/);
    for (let i = 0; i < finality - 1; i++) w.chain.mine(0);
    await w.queue.tick();
    await assert.rejects(w.queue.wait("a"), (error: unknown) => {
      assert.match((error as AssayError).next!, /^look at the reason/);
      return true;
    });
    nextIsOdd(w, true);
    await assert.rejects(
      w.queue.submit(intent("a", { data: odd })),
      /^TransactionFailedError: the transaction a failed on chain, and would fail again: /,
    );
    nextIsOdd(w, false);
    await w.queue.submit(intent("a", { data: odd }));
    w.chain.mine();
    assert.equal((await w.queue.wait("a")).status, "success");
    assert.equal(w.chain.effects(odd), 1);
  });

  it("says that there is no reason where the replay finds none", async () => {
    const w = await world();
    await fail(w);
    const replayed: unknown[] = [];
    w.answers.eth_call = (params) => {
      replayed.push(params);
      return "0x";
    };
    await assert.rejects(w.queue.wait("a"), /failed on chain: the contract gave no reason/);
    const { to, data } = intent("a", { data: odd });
    assert.equal(replayed.length, 1);
    const [call, block] = replayed[0] as [object, Hex];
    assert.deepEqual(call, { from: w.queue.address, to, data, value: "0x0" });
    const { blockNumber } = w.state.get("SELECT block_number AS blockNumber FROM intents")!;
    assert.equal(BigInt(block), blockNumber);
  });

  it("gives the reason that the contract gave in the replay", async () => {
    const w = await world();
    await fail(w);
    w.answers.eth_call = () => {
      const data = encodeErrorResult({ abi: parseAbi(["error Error(string)"]), args: ["no such job"] });
      throw Object.assign(new Error("execution reverted"), { code: 3, data });
    };
    await assert.rejects(w.queue.wait("a"), /failed on chain: .*no such job/);
  });

  it("rests ever longer after the third time", async () => {
    const w = await world();
    for (let i = 0; i < 3; i++) {
      await fail(w);
      for (let j = 0; j < finality - 1; j++) w.chain.mine(0);
      await assert.rejects(w.queue.wait("a"));
      await w.queue.tick();
    }
    nextIsOdd(w, false);
    w.clock.time += minute - 1;
    await assert.rejects(w.queue.submit(intent("a", { data: odd })), /failed on chain/);
    assert.equal(w.raws.length, 3);
    w.clock.time += 1;
    await w.queue.submit(intent("a", { data: odd }));
    assert.equal(w.raws.length, 4);
  });
});

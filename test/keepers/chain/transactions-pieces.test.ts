import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Address, type Hex, toHex } from "viem";
import type { ChainClient } from "../../../keepers/src/chain/client.ts";
import { RpcUnavailableError } from "../../../keepers/src/chain/rpc/errors.ts";
import { broadcast } from "../../../keepers/src/chain/transactions/broadcast.ts";
import { TransactionFailedError } from "../../../keepers/src/chain/transactions/errors.ts";
import { estimateFees, gasOfFiller, replacementFees } from "../../../keepers/src/chain/transactions/fees.ts";
import { placeOf } from "../../../keepers/src/chain/transactions/look.ts";
import { tryOnHead } from "../../../keepers/src/chain/transactions/preflight.ts";
import { isResting, pauseAfter } from "../../../keepers/src/chain/transactions/retry.ts";
import {
  type Attempt,
  type StoredIntent,
  TransactionStore,
  transactionSchema,
} from "../../../keepers/src/chain/transactions/store.ts";
import { AssayError } from "../../../keepers/src/core/errors.ts";
import { openState } from "../../../keepers/src/storage/state/state.ts";

const hash = (n: number): Hex => `0x${n.toString(16).padStart(64, "0")}`;
const account: Address = "0x00000000000000000000000000000000000Acc01";
const target: Address = "0x00000000000000000000000000000000000057a1";

describe("fees of a transaction", () => {
  /** What each endpoint says; one that says nothing of a tip does not know the method. */
  type Says = { readonly base?: bigint | null; readonly tip?: bigint; readonly price?: bigint };
  const chain = (...endpoints: readonly Says[]) => ({
    quotes: async (method: string, params?: readonly unknown[]) =>
      await Promise.allSettled(
        endpoints.map(async ({ base, tip, price }) => {
          if (method === "eth_getBlockByNumber") {
            assert.deepEqual(params, ["latest", false]);
            return { baseFeePerGas: base == null ? base : toHex(base) };
          }
          const value = method === "eth_gasPrice" ? price : tip;
          if (value === undefined) throw new Error(`no ${method}`);
          return toHex(value);
        }),
      ),
  });

  it("are twice the base fee and the tip, and neither is above the cap", async () => {
    const of = (base: bigint | null, tip: bigint, cap: bigint) => estimateFees(chain({ base, tip }), cap);
    assert.deepEqual(await of(100n, 7n, 1_000n), { maxFeePerGas: 207n, maxPriorityFeePerGas: 7n });
    assert.deepEqual(await of(100n, 7n, 207n), { maxFeePerGas: 207n, maxPriorityFeePerGas: 7n });
    assert.deepEqual(await of(100n, 7n, 206n), { maxFeePerGas: 206n, maxPriorityFeePerGas: 7n });
    assert.deepEqual(await of(null, 7n, 5n), { maxFeePerGas: 5n, maxPriorityFeePerGas: 5n });
  });

  it("attack: are the middle of what endpoints say, wherever the one stands that lies", async () => {
    const honest = { base: 100n, tip: 7n };
    const usual = { maxFeePerGas: 207n, maxPriorityFeePerGas: 7n };
    const lies = [{ base: 10n ** 12n, tip: 10n ** 12n }, { base: 0n, tip: 0n }, {}];
    for (const lie of lies) {
      for (const at of [0, 1, 2]) {
        const endpoints = [honest, honest].toSpliced(at, 0, lie as typeof honest);
        assert.deepEqual(await estimateFees(chain(...endpoints), 10n ** 12n), usual);
      }
    }
    const dear = { base: 100n, tip: 4_000n };
    assert.deepEqual(await estimateFees(chain(dear, honest), 10n ** 12n), usual, "the lower of two");
  });

  it("attack: are the higher one of two base fees, if the account affords that", async () => {
    const says = [
      { base: 0n, tip: 7n },
      { base: 100n, tip: 7n },
    ];
    for (const each of [says, says.toReversed()]) {
      const asked: bigint[] = [];
      const upTo = (most: bigint) => async (maxFeePerGas: bigint) => {
        asked.push(maxFeePerGas);
        return maxFeePerGas <= most;
      };
      assert.equal((await estimateFees(chain(...each), 1_000n, upTo(207n))).maxFeePerGas, 207n);
      assert.equal((await estimateFees(chain(...each), 1_000n, upTo(206n))).maxFeePerGas, 7n);
      assert.deepEqual(asked, [207n, 207n]);
    }
  });

  it("are made of the price of gas where no endpoint knows tips, and of nothing where none answers", async () => {
    const old = { base: 100n, price: 107n };
    assert.deepEqual(await estimateFees(chain(old), 1_000n), {
      maxFeePerGas: 207n,
      maxPriorityFeePerGas: 7n,
    });
    assert.equal((await estimateFees(chain({ base: 100n, price: 90n }), 1_000n)).maxPriorityFeePerGas, 0n);
    await assert.rejects(estimateFees(chain({ base: 100n }), 1_000n), RpcUnavailableError);
  });

  it("rise by an eighth and one, or to what is asked for now, where one takes another's place", () => {
    const before = { maxFeePerGas: 800n, maxPriorityFeePerGas: 16n };
    const low = { maxFeePerGas: 1n, maxPriorityFeePerGas: 1n };
    const raised = { maxFeePerGas: 901n, maxPriorityFeePerGas: 19n };
    assert.deepEqual(replacementFees(before, low, 5_000n), raised);
    assert.deepEqual(replacementFees(before, low, 901n), raised, "just within the cap");
    assert.equal(replacementFees(before, low, 900n), undefined);
    const untipped = { maxFeePerGas: 6_400n, maxPriorityFeePerGas: 0n };
    const worked = { maxFeePerGas: 7_201n, maxPriorityFeePerGas: 112n };
    assert.deepEqual(replacementFees(untipped, untipped, 10_000n), worked, "nobody works for nothing");
    const high = { maxFeePerGas: 2_000n, maxPriorityFeePerGas: 50n };
    assert.deepEqual(replacementFees(before, high, 5_000n), high);
    const tipped = { maxFeePerGas: 1n, maxPriorityFeePerGas: 5_000n };
    assert.deepEqual(replacementFees(before, tipped, 5_000n), {
      maxFeePerGas: 901n,
      maxPriorityFeePerGas: 901n,
    });
  });
});

describe("gas of a filler", () => {
  const named = (...estimates: readonly (bigint | undefined)[]) =>
    gasOfFiller(
      {
        quotes: async (method, params) => {
          assert.deepEqual(
            [method, params],
            ["eth_estimateGas", [{ from: account, to: account, value: "0x0" }]],
          );
          return await Promise.allSettled(
            estimates.map(async (each) => {
              if (each === undefined) throw new Error("reset");
              return toHex(each);
            }),
          );
        },
      },
      account,
    );

  it("attack: is the middle of what endpoints say, wherever the one stands that lies, and never less than any transaction takes", async () => {
    for (const lie of [1n, 10n ** 9n, undefined]) {
      for (const at of [0, 1, 2]) {
        assert.equal(await named(...[30_000n, 30_000n].toSpliced(at, 0, lie as bigint)), 30_000n);
      }
    }
    assert.equal(await named(1n), 21_000n);
    assert.equal(await named(1n, 10n ** 9n), 21_000n);
    await assert.rejects(named(undefined), RpcUnavailableError);
  });
});

describe("a pause after failures", () => {
  it("is none for the first two, then a minute that doubles up to sixteen", () => {
    const minutes = [0, 1, 2, 3, 4, 5, 6, 7, 8, 50].map((failures) => pauseAfter(failures) / 60_000);
    assert.deepEqual(minutes, [0, 0, 0, 1, 2, 4, 8, 16, 16, 16]);
  });

  it("ends when its time has passed, or the clock says that it has not begun", () => {
    const madeAt = 1_000_000;
    assert.equal(isResting(madeAt, madeAt, 3), true);
    assert.equal(isResting(madeAt + 59_999, madeAt, 3), true);
    assert.equal(isResting(madeAt + 60_000, madeAt, 3), false);
    assert.equal(isResting(madeAt - 1, madeAt, 3), false);
    assert.equal(isResting(madeAt, madeAt, 2), false);
  });
});

describe("what a node says of a broadcast", () => {
  const outcome = (error?: unknown) => {
    const request = async (method: string, params: readonly unknown[]) => {
      assert.deepEqual([method, params], ["eth_sendRawTransaction", ["0x02"]]);
      if (error !== undefined) throw error;
      return hash(1);
    };
    return broadcast({ request } as unknown as ChainClient, "0x02");
  };
  const said = (message: string, code = -32000) => outcome(Object.assign(new Error(message), { code }));

  it("is that it has it, or has it already", async () => {
    assert.deepEqual(await outcome(), { kind: "sent" });
    assert.deepEqual(await said("already known"), { kind: "sent" });
  });

  it("is nothing where none answers, or where nobody knows what the answer means", async () => {
    const uncertain = { kind: "uncertain" };
    assert.deepEqual(await outcome(new RpcUnavailableError("none")), uncertain);
    assert.deepEqual(await outcome(new Error("viem", { cause: new RpcUnavailableError("none") })), uncertain);
    assert.deepEqual(await outcome(new AssayError("nonce too low")), uncertain);
    assert.deepEqual(await said("the database is busy"), uncertain);
    assert.deepEqual(await said("connection reset", 1), uncertain);
  });

  it("is to wait where the nonce or the fee may explain it", async () => {
    for (const message of [
      "nonce too high",
      "replacement transaction underpriced",
      "max fee per gas less than block base fee",
      "tx fee cap exceeded",
      "maxFeePerGas too low",
      "baseFee is higher",
    ]) {
      assert.deepEqual(await said(message), { kind: "waits" }, message);
    }
  });

  it("is a refusal for good, with a reason in words", async () => {
    const poor = "the account has too little of the chain's native coin for the fee";
    const large = "it needs more gas than the chain allows";
    const stranger = "the chain does not accept the signature";
    for (const [message, reason] of [
      ["insufficient funds for gas * price + value", poor],
      ["sender doesn't have enough funds to send tx", poor],
      ["Insufficient balance", poor],
      ["intrinsic gas too low", large],
      ["exceeds block gas limit", large],
      ["gas required exceeds allowance", large],
      ["above the gas cap", large],
      ["invalid sender", stranger],
      ["invalid signature", stranger],
      ["wrong chain id", stranger],
      ["wrong chainid", stranger],
    ] as const) {
      assert.deepEqual(await said(message), { kind: "refused", reason }, message);
    }
    const long = `execution reverted: ${"x".repeat(300)}`;
    const found = await said(` ${long}`, 3);
    assert.deepEqual(found, { kind: "refused", reason: long.slice(0, 200) });
  });
});

describe("a call that is tried before it is sent", () => {
  const refusal = () => Object.assign(new Error("execution reverted"), { code: 3, data: "0x" });
  type Answer = bigint | "refuses" | "fails";
  const tried = (
    answers: readonly Answer[],
    { quorum = 2, minimumGas, call }: { quorum?: number; minimumGas?: bigint; call?: () => unknown } = {},
  ) => {
    const client = {
      trust: { quorum },
      public: {
        async call(asked: unknown) {
          assert.deepEqual(asked, { account, to: target, data: "0x1234", value: 5n });
          return call?.();
        },
      },
      async quotes(method: string, params: unknown[]) {
        assert.equal(method, "eth_estimateGas");
        assert.deepEqual(params, [{ from: account, to: target, data: "0x1234", value: "0x5" }]);
        return answers.map((answer) =>
          typeof answer === "bigint"
            ? { status: "fulfilled", value: `0x${answer.toString(16)}` }
            : { status: "rejected", reason: answer === "refuses" ? refusal() : new Error("reset") },
        );
      },
    } as unknown as ChainClient;
    const options = { client, address: account, maximumGas: 1_000n, gasMargin: 25n };
    return tryOnHead(options, { to: target, data: "0x1234", value: 5n, minimumGas });
  };

  it("takes the middle estimate with its margin, and what the caller asks for at least", async () => {
    assert.deepEqual(await tried([100n, 8n, 400n]), { kind: "passes", gas: 125n });
    assert.deepEqual(await tried([8n, 100n]), { kind: "passes", gas: 125n, leastGas: 10n });
    assert.deepEqual(await tried([100n, "fails", "refuses"]), { kind: "passes", gas: 125n });
    assert.deepEqual(await tried([100n], { minimumGas: 125n }), { kind: "passes", gas: 125n });
    assert.deepEqual(await tried([100n], { minimumGas: 126n }), { kind: "passes", gas: 126n });
    assert.deepEqual(await tried([900n]), { kind: "passes", gas: 1_000n }, "at most what is allowed");
    assert.deepEqual(await tried([100n], { minimumGas: 5_000n }), { kind: "passes", gas: 1_000n });
  });

  it("is too large only where a quorum says so", async () => {
    assert.deepEqual(await tried([1_001n]), { kind: "tooLarge", gas: 1_001n });
    assert.deepEqual(await tried([1_000n]), { kind: "passes", gas: 1_000n });
    assert.deepEqual(await tried([10n, 1_001n]), { kind: "passes", gas: 12n });
    assert.deepEqual(await tried([10n, 2_000n, 3_000n]), { kind: "tooLarge", gas: 2_000n });
    assert.deepEqual(await tried([10n, 40n, 2_000n, 3_000n], { quorum: 3 }), { kind: "passes", gas: 50n });
  });

  it("is refused where a quorum refuses it, or the call itself does", async () => {
    const refused = await tried(["refuses", "refuses", 10n]);
    assert.equal(refused.kind, "reverts");
    assert.equal((refused as { revert: { reason: string } }).revert.reason.length > 0, true);
    assert.match(String((refused as { cause: unknown }).cause), /execution reverted/);
    assert.equal((await tried(["refuses", "refuses", 10n, 10n])).kind, "passes");
    assert.equal((await tried(["refuses", 10n])).kind, "passes");
    const thrower = (error: Error) => ({
      call: () => {
        throw error;
      },
    });
    const direct = await tried([100n], thrower(refusal()));
    assert.equal(direct.kind, "reverts");
    assert.match(String((direct as { cause: unknown }).cause), /execution reverted/);
    await assert.rejects(tried([100n], thrower(new RpcUnavailableError("nobody"))), /nobody/);
  });

  it("says so where nobody can tell", async () => {
    await assert.rejects(tried(["fails", "refuses"]), (error: unknown) => {
      assert.ok(error instanceof RpcUnavailableError);
      assert.equal(error.message, "no RPC endpoint says how much gas a transaction needs");
      assert.match(String(error.cause), /execution reverted/);
      return true;
    });
    await assert.rejects(tried([]), RpcUnavailableError);
  });
});

describe("a transaction that failed", () => {
  it("says what was spent on it, and is refused unless it says otherwise", () => {
    const unsent = new TransactionFailedError("no", { key: "k" });
    assert.deepEqual(
      [unsent.name, unsent.exitCode, unsent.kept, unsent.key, unsent.hash, unsent.args],
      ["TransactionFailedError", 77, "nothing was sent, nothing was spent", "k", undefined, []],
    );
    const mined = new TransactionFailedError("no", { key: "k", hash: hash(1), errorName: "E", args: [1] });
    assert.deepEqual(
      [mined.kept, mined.hash, mined.errorName, mined.args],
      ["only the fee was spent", hash(1), "E", [1]],
    );
    assert.equal(new TransactionFailedError("no", { key: "k", kept: "all" }).kept, "all");
  });
});

describe("the place where a transaction was seen", () => {
  it("has a number and a hash, or is none", () => {
    const at = (blockNumber: bigint | undefined, blockHash: Hex | undefined) =>
      placeOf({ blockNumber, blockHash } as StoredIntent);
    assert.deepEqual(at(7n, hash(7)), [{ number: 7n, hash: hash(7) }]);
    assert.deepEqual([at(undefined, hash(7)), at(7n, undefined)], [[], []]);
  });
});

describe("the transactions on disk", () => {
  const open = () => {
    const state = openState({ path: ":memory:", schemas: [transactionSchema] });
    return { state, store: new TransactionStore(state, 1, account) };
  };
  const counts = { counted: 4, pooled: 4 };
  const intent = (key: string) => ({ key, to: target, data: "0x12" as Hex, value: 10n ** 30n, gas: 21_000n });
  const attempt = (n: number, more: Partial<Attempt> = {}): Attempt => ({
    hash: hash(n),
    nonce: 4,
    raw: "0x02ff",
    maxFeePerGas: 10n ** 25n,
    maxPriorityFeePerGas: 3n,
    cancels: false,
    madeAt: 1_000.7,
    madeAtBlock: 9n,
    ...more,
  });
  const fresh = {
    status: "pending",
    hash: undefined,
    blockNumber: undefined,
    blockHash: undefined,
    isFinal: false,
    isUnwanted: false,
    isFiller: false,
    reason: undefined,
    errorName: undefined,
    failures: 0,
  } as const;
  const place = { hash: hash(1), blockNumber: 12n, blockHash: hash(12) };

  it("come back as they were written, lowest nonce first", () => {
    const { store } = open();
    assert.deepEqual(store.assign(intent("a"), counts), { ...intent("a"), nonce: 4, ...fresh });
    assert.equal(store.assign(intent("b"), counts).nonce, 5);
    assert.equal(store.assign(intent("c"), { counted: 4, pooled: 9 }).nonce, 9);
    assert.deepEqual(
      store.live().map(({ key, nonce }) => [key, nonce]),
      [
        ["a", 4],
        ["b", 5],
        ["c", 9],
      ],
    );
    assert.equal(store.find("d"), undefined);
    store.addAttempt("a", attempt(1));
    store.addAttempt("a", attempt(1, { raw: "0x00" }));
    store.addAttempt("a", attempt(2, { cancels: true, maxFeePerGas: 10n ** 24n, nonce: 3 }));
    assert.deepEqual(store.attempts("a"), [
      attempt(2, { cancels: true, maxFeePerGas: 10n ** 24n, nonce: 3, madeAt: 1_000 }),
      attempt(1, { madeAt: 1_000 }),
    ]);
    assert.deepEqual([store.keyOf(hash(1)), store.keyOf(hash(3))], ["a", undefined]);
    store.addAttempt("b", attempt(5, { maxFeePerGas: 10n ** 26n }));
    assert.equal(store.feesAt(4)?.maxFeePerGas, 10n ** 26n, "the dearest, whatever it was for");
    assert.equal(store.feesAt(7), undefined);
  });

  it("are another account's or another chain's business there", () => {
    const { state, store } = open();
    store.assign(intent("a"), counts);
    store.addAttempt("a", attempt(1));
    store.settle("a", { status: "failed", isFinal: true, ...place });
    store.assign(intent("a"), counts);
    const others = [new TransactionStore(state, 2, account), new TransactionStore(state, 1, target)];
    for (const other of others) {
      assert.deepEqual([other.find("a"), other.live(), other.attempts("a")], [undefined, [], []]);
      assert.deepEqual([other.keyOf(hash(1)), other.feesAt(4)], [undefined, undefined]);
      other.renumber("a", counts);
      other.settle("a", { status: "mined", isFinal: true, ...place });
      other.setUnwanted("a", true);
      other.drop("a");
      assert.equal(other.assign(intent("z"), counts).nonce, 4, "their nonces are their own");
    }
    assert.deepEqual(store.find("a"), { ...intent("a"), nonce: 4, ...fresh, failures: 1 });
    const same = new TransactionStore(state, 1, account.toLowerCase() as Address);
    assert.equal(same.find("a")?.nonce, 4);
  });

  it("are settled once, reopened while they are not final, and forgotten by nobody", () => {
    const { store } = open();
    store.assign(intent("a"), counts);
    store.finish("a");
    assert.equal(store.find("a")?.isFinal, false, "what is pending is not final");
    store.settle("a", { status: "failed", isFinal: false, ...place, reason: "why", errorName: "Why" });
    const failed = { ...intent("a"), nonce: 4, ...fresh, status: "failed", ...place, failures: 1 };
    assert.deepEqual(store.find("a"), { ...failed, reason: "why", errorName: "Why" });
    store.settle("a", { status: "mined", isFinal: true, ...place });
    assert.equal(store.find("a")?.status, "failed", "only what is pending is settled");
    store.reopen("a");
    assert.deepEqual(store.find("a"), { ...intent("a"), nonce: 4, ...fresh });
    store.settle("a", { status: "mined", isFinal: false, ...place });
    assert.equal(store.find("a")?.failures, 0);
    store.reopen("a");
    assert.equal(store.find("a")?.failures, 0);
    store.settle("a", { status: "mined", isFinal: false, ...place });
    store.finish("a");
    store.reopen("a");
    assert.deepEqual([store.find("a")?.status, store.find("a")?.isFinal], ["mined", true]);
    assert.deepEqual(store.live(), []);
    store.assign(intent("b"), counts);
    store.settle("b", {
      status: "mined",
      isFinal: true,
      hash: undefined,
      blockNumber: undefined,
      blockHash: undefined,
    });
    assert.equal(store.find("b")?.hash, undefined);
  });

  it("are put by when they have failed, and the same key is asked for again", () => {
    const { store } = open();
    store.assign(intent("a"), counts);
    store.addAttempt("a", attempt(1));
    store.settle("a", { status: "failed", isFinal: false, ...place });
    const again = store.assign(intent("a"), counts);
    assert.deepEqual([again.nonce, again.failures, again.status], [5, 1, "pending"]);
    assert.deepEqual(store.attempts("a"), []);
    const old = "a (failed, nonce 4)";
    assert.deepEqual([store.find(old)?.nonce, store.attempts(old).length, store.keyOf(hash(1))], [4, 1, old]);
  });

  it("are marked as unwanted and wanted again, given other nonces, and dropped", () => {
    const { store } = open();
    store.assign(intent("a"), counts);
    store.assign(intent("b"), counts);
    store.addAttempt("b", attempt(2, { nonce: 5 }));
    store.setUnwanted("a", true);
    assert.deepEqual([store.find("a")?.isUnwanted, store.find("b")?.isUnwanted], [true, false]);
    store.setUnwanted("a", false);
    assert.equal(store.find("a")?.isUnwanted, false);
    store.renumber("a", { counted: 5, pooled: 5 });
    assert.deepEqual([store.find("a")?.nonce, store.find("b")?.nonce], [6, 5]);
    store.drop("b");
    assert.deepEqual([store.find("b"), store.attempts("b"), store.find("a")?.nonce], [undefined, [], 6]);
  });

  it("leave no nonce without somebody who holds it", () => {
    const { store } = open();
    store.assign(intent("a"), { counted: 90, pooled: 90 });
    store.assign(intent("b"), { counted: 95, pooled: 95 });
    store.assign(intent("c"), { counted: 2 ** 40, pooled: 0 });
    store.addAttempt("a", attempt(1, { nonce: 90 }));
    store.addAttempt("b", attempt(2, { nonce: 95 }));
    const call = { to: account, gas: 30_000n };
    store.moveDown(
      [
        ["a", 4],
        ["b", 5],
        ["c", 6],
      ],
      call,
    );
    const filler = (nonce: number) => ({
      ...{ key: `gap:${nonce}`, to: account, data: "0x", value: 0n, gas: 30_000n, nonce },
      ...{ ...fresh, isFiller: true },
    });
    assert.deepEqual(store.live(), [
      { ...intent("a"), nonce: 4, ...fresh },
      { ...intent("b"), nonce: 5, ...fresh },
      { ...intent("c"), nonce: 6, ...fresh },
      filler(90),
      filler(95),
    ]);
    assert.equal(store.addFiller(4, call), undefined, "it is held");
    assert.deepEqual(store.addFiller(7, call), filler(7));
    store.settle("gap:7", { status: "mined", isFinal: true, ...place });
    assert.equal(store.addFiller(7, call), undefined, "it was held");
  });
});

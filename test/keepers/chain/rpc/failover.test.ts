import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { keccak256, toHex } from "viem";
import { connectChain } from "../../../../keepers/src/chain/client.ts";
import { systemClock } from "../../../../keepers/src/chain/clock.ts";
import { checkAnswer } from "../../../../keepers/src/chain/rpc/checks.ts";
import type { Endpoint } from "../../../../keepers/src/chain/rpc/endpoint.ts";
import {
  InconsistentAnswerError,
  RpcUnavailableError,
  WrongChainError,
} from "../../../../keepers/src/chain/rpc/errors.ts";
import { RateLimit } from "../../../../keepers/src/chain/rpc/rate-limit.ts";
import { ManualClock, OrderedClock } from "../fixtures.ts";

type Answers = Record<string, unknown>;
const hash = (n: number) => toHex(n, { size: 32 });

/** An endpoint that answers from a table; functions are called, errors thrown. Counts what it is asked. */
function scripted(name: string, answers: Answers) {
  const asked: string[] = [];
  const endpoint: Endpoint = {
    name,
    async request({ method }) {
      asked.push(method);
      let answer = method in answers ? answers[method] : method === "eth_chainId" ? "0x1" : undefined;
      if (typeof answer === "function") answer = await answer();
      if (answer instanceof Error) throw answer;
      return answer;
    },
  };
  return { endpoint, asked, answers };
}

const connect = (
  scripts: { endpoint: Endpoint }[],
  extra: Partial<Parameters<typeof connectChain>[0]> = {},
) =>
  connectChain({
    chainId: 1,
    endpoints: scripts.map(({ endpoint }) => endpoint),
    clock: new ManualClock(),
    timeout: 1000,
    ...extra,
  });
const rpcError = (code: number, message: string) => Object.assign(new Error(message), { code });
const block = (number: number, id = number) => ({
  number: toHex(number),
  hash: hash(id),
  parentHash: hash(id - 1),
  timestamp: toHex(number),
});

describe("failover", () => {
  it("asks the next endpoint when one fails, and comes back to the first after its rest", async () => {
    const clock = new ManualClock();
    const bad = scripted("bad", { eth_gasPrice: new Error("connection reset") });
    const good = scripted("good", { eth_gasPrice: "0x2" });
    const client = await connect([bad, good], { clock });
    assert.equal(await client.request("eth_gasPrice"), "0x2");
    assert.equal(await client.request("eth_gasPrice"), "0x2");
    assert.equal(bad.asked.filter((method) => method === "eth_gasPrice").length, 1, "it rests");
    bad.answers.eth_gasPrice = "0x3";
    clock.time += 600_000;
    assert.equal(await client.request("eth_gasPrice"), "0x3");
    assert.equal(client.health()[0]!.failures, 0);
  });

  it("asks an endpoint that rests once those that are awake have failed, for heads and counts alike", async () => {
    const reset = new Error("connection reset");
    const first = scripted("first", { eth_gasPrice: reset });
    const second = scripted("second", { eth_gasPrice: "0x1" });
    const client = await connect([first, second]);
    await client.request("eth_gasPrice");
    assert.ok(client.health()[0]!.restingUntil > 0, "the first rests");
    first.answers.eth_getTransactionCount = "0x5";
    second.answers.eth_getTransactionCount = reset;
    assert.equal(await client.attested("eth_getTransactionCount", [hash(1), "latest"]), 5n);
    Object.assign(first.answers, { eth_getTransactionCount: reset, eth_blockNumber: "0x7" });
    Object.assign(second.answers, { eth_gasPrice: "0x1", eth_blockNumber: reset });
    await assert.rejects(
      client.attested("eth_getTransactionCount", [hash(1), "latest"]),
      RpcUnavailableError,
    );
    await client.request("eth_gasPrice");
    assert.equal(await client.request("eth_blockNumber"), "0x7");
  });

  it("rests a failing endpoint for longer with every failure in a row", async () => {
    const clock = new ManualClock();
    const bad = scripted("bad", { eth_gasPrice: new Error("down") });
    const client = await connect([bad], { clock });
    const rests: number[] = [];
    for (let i = 0; i < 12; i++) {
      await assert.rejects(client.request("eth_gasPrice"), RpcUnavailableError);
      const { restingUntil } = client.health()[0]!;
      rests.push(restingUntil - clock.time);
      clock.time = restingUntil;
    }
    assert.deepEqual(rests.slice(0, 3), [1000, 2000, 4000]);
    assert.equal(rests.at(-1), 120_000);
  });

  it("rests an endpoint that does not answer for much longer than it was waited for", async () => {
    const clock = new ManualClock();
    const silent = scripted("silent", { eth_gasPrice: () => new Promise(() => {}) });
    const client = await connect([silent], { clock, timeout: 5_000 });
    await assert.rejects(client.request("eth_gasPrice"), RpcUnavailableError);
    assert.equal(client.health()[0]!.restingUntil - clock.time, 40_000);
    clock.time += 40_000;
    const patient = await connect([silent], { clock, timeout: 50_000 });
    await assert.rejects(patient.request("eth_gasPrice"), RpcUnavailableError);
    assert.equal(patient.health()[0]!.restingUntil - clock.time, 120_000, "and is asked again some time");
  });

  it("gives up on an endpoint that does not answer in time", async () => {
    const silent = scripted("silent", { eth_gasPrice: () => new Promise(() => {}) });
    const good = scripted("good", { eth_gasPrice: "0x2" });
    assert.equal(await (await connect([silent, good])).request("eth_gasPrice"), "0x2");
  });

  it("hands the chain's own answers on instead of asking around", async () => {
    const first = scripted("first", { eth_call: rpcError(3, "execution reverted") });
    const second = scripted("second", { eth_call: "0x" });
    const client = await connect([first, second]);
    await assert.rejects(client.request("eth_call", [{}]), /reverted/);
    assert.ok(!second.asked.includes("eth_call"));
    assert.equal(client.health()[0]!.failures, 0);
  });

  it("takes an answer to a call that has no words only when two give it, or nobody gives another", async () => {
    const word = hash(7);
    const answering = (...answers: unknown[]) =>
      connect(answers.map((eth_call, i) => scripted(`n${i}`, { eth_call }))).then((client) =>
        client.request("eth_call", [{}, "latest"]),
      );
    assert.equal(await answering("0x", word, word), word);
    assert.equal(await answering(`0x${"ff".repeat(33)}`, "0x", word), word);
    assert.equal(await answering("0x", new Error("down"), "0x"), "0x");
    assert.equal(await answering("0x", new Error("down"), new Error("down")), "0x");
    assert.equal(await answering("0x"), "0x");
    await assert.rejects(answering("0x", "0x01", new Error("down")), InconsistentAnswerError);
  });

  it("never uses an endpoint of another chain, and refuses to start with none of the right one", async () => {
    const wrong = scripted("wrong", { eth_chainId: "0x5", eth_gasPrice: "0xbad" });
    const right = scripted("right", { eth_gasPrice: "0x2" });
    const client = await connect([wrong, right]);
    for (let i = 0; i < 5; i++) assert.equal(await client.request("eth_gasPrice"), "0x2");
    assert.ok(!wrong.asked.includes("eth_gasPrice"));
    await assert.rejects(connect([wrong]), WrongChainError);
    await assert.rejects(
      connect([scripted("down", { eth_chainId: new Error("down") })]),
      RpcUnavailableError,
    );
    await assert.rejects(connect([]), /0 RPC endpoints are configured/);
    await assert.rejects(connect([right], { quorum: 2 }), /1 RPC endpoints are configured, 2 needed/);
  });

  it("looks elsewhere for a block that an endpoint has not seen yet", async () => {
    const lagging = scripted("lagging", { eth_getBlockByNumber: null });
    const current = scripted("current", { eth_getBlockByNumber: block(7) });
    const client = await connect([lagging, current]);
    assert.equal((await client.public.getBlock({ blockNumber: 7n })).number, 7n);
    current.answers.eth_getBlockByNumber = null;
    assert.equal(await client.request("eth_getBlockByNumber", ["0x7", false]), null);
  });

  it("takes the middle of three heads, so that neither a liar nor a laggard decides", async () => {
    const heads = ["0x3e8", "0x3b9aca00", "0x3e7"].map((head, i) =>
      scripted(`n${i}`, { eth_blockNumber: head }),
    );
    const client = await connect(heads);
    assert.equal(await client.public.getBlockNumber(), 1000n);
    const [, liar, honest] = client.health();
    assert.equal(liar!.contradictions, 1);
    assert.deepEqual([honest!.lagging, honest!.failures], [false, 0]);
    const slow = [1000, 1000, 100].map((head, i) => scripted(`n${i}`, { eth_blockNumber: toHex(head) }));
    const second = await connect(slow);
    assert.equal(await second.public.getBlockNumber(), 1000n);
    assert.deepEqual(
      second.health().map(({ lagging }) => lagging),
      [false, false, true],
    );
  });

  it("attack: takes no head that a quorum has not reached while one endpoint rests", async () => {
    const down = new Error("connection reset");
    for (const [said, asked] of [
      ["0x3b9aca00", 100n],
      ["0x1", 100n],
    ] as const) {
      const liar = scripted("liar", { eth_blockNumber: said, eth_getTransactionCount: said });
      const honest = scripted("honest", { eth_blockNumber: "0x64", eth_getTransactionCount: "0x64" });
      const third = scripted("third", { eth_blockNumber: down, eth_getTransactionCount: down });
      const client = await connect([third, liar, honest]);
      const lower = BigInt(said) < asked ? BigInt(said) : asked;
      assert.equal(await client.public.getBlockNumber(), lower);
      assert.ok(client.health()[0]!.restingUntil > 0, "one rests");
      assert.equal(client.health()[2]!.contradictions, 0, "the honest one is not taken for a liar");
      Object.assign(third.answers, { eth_blockNumber: "0x64", eth_getTransactionCount: "0x64" });
      assert.equal(await client.public.getBlockNumber(), asked, "where two contradict, the third is asked");
    }
  });

  it("takes the higher of two heads, and asks the one that is behind last", async () => {
    const behind = scripted("behind", { eth_blockNumber: "0x10", eth_gasPrice: "0x1" });
    const ahead = scripted("ahead", { eth_blockNumber: "0x20", eth_gasPrice: "0x2" });
    const client = await connect([behind, ahead]);
    assert.equal(await client.public.getBlockNumber(), 32n);
    assert.equal(await client.request("eth_gasPrice"), "0x2");
  });

  it("believes receipts only when the quorum agrees, and nobody when all contradict each other", async () => {
    const receipt = (status: string, id = 9) => ({
      eth_getTransactionReceipt: {
        transactionHash: hash(1),
        blockHash: hash(id),
        blockNumber: "0x1",
        status,
        logs: [],
      },
    });
    const scripts = [
      scripted("liar", receipt("0x1")),
      scripted("b", receipt("0x0")),
      scripted("c", receipt("0x0")),
    ];
    const client = await connect(scripts, { quorum: 2 });
    const answer = (await client.request("eth_getTransactionReceipt", [hash(1)])) as { status: string };
    assert.equal(answer.status, "0x0");
    assert.deepEqual(
      client.health().map(({ contradictions }) => contradictions),
      [1, 0, 0],
    );
    const divided = await connect(
      [scripted("a", receipt("0x1")), scripted("b", receipt("0x0")), scripted("c", receipt("0x1", 8))],
      { quorum: 2 },
    );
    await assert.rejects(divided.request("eth_getTransactionReceipt", [hash(1)]), InconsistentAnswerError);
  });

  it("broadcasts to every endpoint; one that takes it is enough", async () => {
    const raw = "0x02c0";
    const silent = scripted("silent", { eth_sendRawTransaction: () => new Promise(() => {}) });
    const down = scripted("down", { eth_sendRawTransaction: new Error("down") });
    const taking = scripted("taking", { eth_sendRawTransaction: keccak256(raw) });
    const client = await connect([silent, down, taking]);
    assert.equal(await client.request("eth_sendRawTransaction", [raw]), keccak256(raw));
    for (const { asked } of [silent, down, taking]) assert.ok(asked.includes("eth_sendRawTransaction"));
  });

  it("attack: waits for no silent endpoint where others know a transaction already, nor long where two refuse it", async () => {
    const raw = "0x02c0";
    for (const [message, expected] of [
      ["already known", 0],
      ["nonce too low", 1_000],
    ] as const) {
      const clock = new OrderedClock();
      const silent = scripted("silent", { eth_sendRawTransaction: () => clock.sleep(3_600_000) });
      const knowing = () => scripted("knowing", { eth_sendRawTransaction: rpcError(-32000, message) });
      const client = await connect([silent, knowing(), knowing()], { clock, timeout: 15_000 });
      const begun = clock.time;
      const answer = await client.request("eth_sendRawTransaction", [raw]).catch((error: unknown) => error);
      assert.equal(clock.time - begun, expected, message);
      if (expected === 0) assert.equal(answer, keccak256(raw));
      else assert.ok(answer instanceof RpcUnavailableError, "the silent one may have taken it");
      assert.ok(silent.asked.includes("eth_sendRawTransaction"));
    }
  });

  it("calls a broadcast refused only when every endpoint refused it", async () => {
    const poor = () => rpcError(-32000, "insufficient funds for gas * price + value");
    const refusing = () => scripted("refusing", { eth_sendRawTransaction: poor() });
    const down = scripted("down", { eth_sendRawTransaction: new Error("down") });
    const all = await connect([refusing(), refusing()]);
    await assert.rejects(all.request("eth_sendRawTransaction", ["0x02c0"]), /insufficient funds/);
    const some = await connect([refusing(), down]);
    await assert.rejects(some.request("eth_sendRawTransaction", ["0x02c0"]), RpcUnavailableError);
  });
});

describe("an endpoint that takes much longer than a quorum of the others", () => {
  const late = 14_900;
  /** Three endpoints that give these heads and counts after so many milliseconds. */
  async function timed(...each: [number, number][]) {
    const clock = new OrderedClock();
    const scripts = each.map(([milliseconds, value], i) => {
      const answer = () => clock.sleep(milliseconds).then(() => toHex(value));
      return scripted(`n${i}`, { eth_getTransactionCount: answer, eth_blockNumber: answer });
    });
    const client = await connect(scripts, { clock, timeout: 15_000 });
    const took = async (work: Promise<unknown>) => {
      const begun = clock.time;
      const value = await work;
      return [value, clock.time - begun];
    };
    const counted = () => client.attested("eth_getTransactionCount", [hash(1), "latest"]);
    return { client, clock, scripts, counted, took };
  }

  it("attack: is waited for in proportion to them, and rests for as long as one that fails", async () => {
    const { client, clock, scripts, counted, took } = await timed([late, 5], [100, 5], [400, 5]);
    assert.deepEqual(await took(counted()), [5n, 2_000]);
    const [slow] = client.health();
    assert.equal(slow!.restingUntil - clock.time, 16_000);
    assert.deepEqual(await took(counted()), [5n, 400]);
    assert.equal(scripts[0]!.asked.filter((method) => method === "eth_getTransactionCount").length, 1);
    clock.time += 16_000;
    assert.deepEqual(await took(client.public.getBlockNumber()), [5n, 2_000]);
    await clock.sleep(late);
    assert.ok(client.health()[0]!.failures > 0, "what it says too late makes good for nothing");
  });

  it("does not rest for that where nothing can be agreed on without it", async () => {
    const { client, clock } = await timed([3_000, 5], [1, 5]);
    await client.public.getBlockNumber();
    assert.ok(client.health().every(({ restingUntil }) => restingUntil <= clock.time));
  });

  it("has a second where they are fast", async () => {
    const { counted, took } = await timed([900, 5], [1, 5], [1, 5]);
    assert.deepEqual(await took(counted()), [5n, 900]);
  });

  it("attack: is waited for where they contradict each other, so that no liar decides by being fast", async () => {
    const { client, counted, took } = await timed([10, 1_000], [10, 5], [late, 5]);
    assert.deepEqual(await took(counted()), [5n, late]);
    assert.deepEqual(await took(client.public.getBlockNumber()), [5n, late]);
    const [liar, , slow] = client.health();
    assert.deepEqual([liar!.contradictions, slow!.failures], [1, 0]);
  });
});

describe("answers that contradict the question or themselves are not used", () => {
  const log = {
    address: `0x${"11".repeat(20)}`,
    topics: [hash(5)],
    data: "0x",
    blockNumber: "0x5",
    blockHash: hash(50),
    transactionHash: hash(60),
    transactionIndex: "0x0",
    logIndex: "0x0",
  };
  const filter = { fromBlock: "0x4", toBlock: "0x6", address: log.address };
  const receipt = {
    transactionHash: hash(1),
    blockHash: hash(9),
    blockNumber: "0x1",
    status: "0x1",
    logs: [],
  };
  const cases: [string, string, unknown[], unknown][] = [
    ["another block than asked", "eth_getBlockByNumber", ["0x7", false], block(8)],
    ["another hash than asked", "eth_getBlockByHash", [hash(7), false], block(8)],
    ["a block without a hash", "eth_getBlockByNumber", ["0x7", false], { ...block(7), hash: null }],
    ["a log before the range", "eth_getLogs", [filter], [{ ...log, blockNumber: "0x3" }]],
    ["a log after the range", "eth_getLogs", [filter], [{ ...log, blockNumber: "0x7" }]],
    ["a log of another contract", "eth_getLogs", [filter], [{ ...log, address: `0x${"22".repeat(20)}` }]],
    ["a log of another block", "eth_getLogs", [{ blockHash: hash(51) }], [log]],
    ["a removed log", "eth_getLogs", [filter], [{ ...log, removed: true }]],
    [
      "two hashes for one block",
      "eth_getLogs",
      [filter],
      [log, { ...log, logIndex: "0x1", blockHash: hash(52) }],
    ],
    ["logs that are no list", "eth_getLogs", [filter], { logs: [] }],
    ["a receipt of another transaction", "eth_getTransactionReceipt", [hash(2)], receipt],
    [
      "a receipt with a log of another block",
      "eth_getTransactionReceipt",
      [hash(1)],
      { ...receipt, logs: [{ ...log, transactionHash: hash(1) }] },
    ],
    ["the hash of another transaction", "eth_sendRawTransaction", ["0x02c0"], hash(3)],
    ["a head that is no number", "eth_blockNumber", [], "latest"],
    ["a balance that is no number", "eth_getBalance", [hash(1), "latest"], "much"],
    ["an estimate that is none", "eth_estimateGas", [{}], null],
    ["an answer of a call that is no bytes", "eth_call", [{}, "latest"], "0x123"],
  ];
  for (const [what, method, params, answer] of cases) {
    it(what, async () => {
      const liar = scripted("liar", { [method]: answer });
      const client = await connect([liar]);
      await assert.rejects(client.request(method, params), RpcUnavailableError);
      assert.equal(client.health()[0]!.contradictions, 1);
    });
  }

  it("attack: of a swarm of malformed logs, or topics, the first one is looked at", () => {
    let looked = 0;
    const malformed = () => ({
      get address() {
        looked++;
        return undefined;
      },
    });
    const logs = Array.from({ length: 1_000 }, malformed);
    const asked = { method: "eth_getTransactionReceipt", params: [hash(1)] };
    for (const check of [
      () => checkAnswer({ method: "eth_getLogs", params: [filter] }, logs),
      () => checkAnswer(asked, { ...receipt, logs }),
    ]) {
      looked = 0;
      assert.throws(check, InconsistentAnswerError);
      assert.ok(looked <= 2, `${looked} were looked at`);
    }
    const topics = Array.from({ length: 1_000 }, () => 0);
    assert.throws(
      () => checkAnswer({ method: "eth_getLogs", params: [filter] }, [{ ...log, topics }]),
      /malformed log 0: topics Too big/,
    );
    const many = Array<typeof log>(100_001).fill(log);
    assert.throws(() => checkAnswer({ method: "eth_getLogs", params: [filter] }, many), /too many logs/);
  });

  it("while honest ones are", async () => {
    const mine = { ...log, transactionHash: hash(1), blockHash: hash(9), blockNumber: "0x1" };
    const honest = scripted("honest", {
      eth_getBlockByNumber: block(7),
      eth_getLogs: [log],
      eth_getTransactionReceipt: { ...receipt, logs: [mine] },
      eth_sendRawTransaction: keccak256("0x02c0"),
    });
    const client = await connect([honest]);
    await client.request("eth_getBlockByNumber", ["0x7", false]);
    await client.request("eth_getLogs", [filter]);
    await client.request("eth_getTransactionReceipt", [hash(1)]);
    await client.request("eth_sendRawTransaction", ["0x02c0"]);
    assert.equal(client.health()[0]!.failures, 0);
  });
});

describe("rate limit", () => {
  it("lets a second's worth through at once and then keeps to the rate", async () => {
    const slept: number[] = [];
    let time = 0;
    const limit = new RateLimit(10, {
      now: () => time,
      async sleep(milliseconds) {
        slept.push(milliseconds);
        time += milliseconds;
      },
    });
    for (let i = 0; i < 30; i++) await limit.wait();
    assert.equal(slept.length, 20);
    assert.ok(Math.abs(time - 2000) < 1, `${time}`);
    time += 60_000;
    await limit.wait();
    assert.equal(slept.length, 20, "a rest fills the bucket again");
  });
});

describe("system clock", () => {
  it("wakes up at once when it is told to stop", async () => {
    const stop = new AbortController();
    const sleeping = systemClock.sleep(3_600_000, stop.signal);
    stop.abort();
    await sleeping;
    await systemClock.sleep(3_600_000, stop.signal);
  });
});

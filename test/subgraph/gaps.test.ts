import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, it } from "node:test";
import { type ChainShape, EventChain } from "./event-chain.ts";
import { openIndexer } from "./staking-node.ts";

type Log = { readonly blockNumber: string; readonly logIndex: string };

const shape: ChainShape = { blocks: 40, eventsPerBlock: 4, operators: 101 };

describe("an RPC endpoint that leaves things out or makes them up", () => {
  let honest: string;

  const proofOf = async (chain: EventChain): Promise<string> => {
    const { indexer, store } = await openIndexer(chain);
    await indexer.catchUp();
    return store.head()!.proof;
  };

  before(async () => {
    honest = await proofOf(new EventChain(shape));
  });

  /** An endpoint that lies in one way, until it is told not to. */
  async function lying(lie: (method: string, answer: never, params: readonly unknown[]) => unknown) {
    const chain = new EventChain(shape);
    const state = { isLying: true, chain };
    const opened = await openIndexer(chain, {
      answer: (method, params) => {
        const answer = chain.answer(method, params);
        return state.isLying ? lie(method, answer as never, params) : answer;
      },
    });
    return { ...opened, state };
  }

  const logsBut = (change: (logs: readonly Log[]) => unknown) => (method: string, answer: never) =>
    method === "eth_getLogs" ? change(answer as readonly Log[]) : answer;

  for (const [what, lie, expected] of [
    ["all logs of a block", logsBut((logs) => logs.filter((log) => log.blockNumber !== "0x14")), /left out/],
    [
      "the only slash of a block",
      logsBut((logs) => logs.filter((log) => !(log.blockNumber === "0x1b" && log.logIndex === "0x1"))),
      /left out/,
    ],
    [
      "one of several logs of a kind",
      logsBut((logs) => logs.filter((log) => !(log.blockNumber === "0x14" && log.logIndex === "0x1"))),
      /left out/,
    ],
    [
      "a block in the middle",
      (method: string, answer: never, params: readonly unknown[]) =>
        method === "eth_getBlockByNumber" && params[0] === "0x14" ? null : answer,
      /missing|no RPC endpoint/,
    ],
    [
      "transactions of a block with logs",
      (method: string, answer: never) =>
        method === "eth_getBlockByNumber" && answer !== null
          ? { ...(answer as object), transactions: [] }
          : answer,
      /lacks transactions/,
    ],
  ] as const) {
    it(`that leaves out ${what} is noticed, and nothing of it is stored`, async () => {
      const { indexer, store, state } = await lying(lie);
      await assert.rejects(indexer.catchUp(), expected);
      const stored = store.head()?.number ?? -1n;
      assert.ok(stored < 0x1bn, `block ${stored} was stored`);
      state.isLying = false;
      await indexer.catchUp();
      assert.equal(store.head()!.proof, honest);
    });
  }

  it("that invents a log is noticed by the header's bloom", async () => {
    const { indexer, store } = await lying((method, answer) => {
      if (method !== "eth_getBlockByNumber" || answer === null) return answer;
      const bloom = `0x${"0".repeat(510)}01`;
      return { ...(answer as object), logsBloom: bloom };
    });
    await assert.rejects(indexer.catchUp(), /logs that its header does not know of/);
    assert.equal(store.head(), undefined);
  });

  it("that reorders and repeats logs changes nothing", async () => {
    const { indexer, store } = await lying(logsBut((logs) => [...logs].reverse().concat(logs.slice(0, 30))));
    await indexer.catchUp();
    assert.equal(store.head()!.proof, honest);
  });

  it("that gives two different logs one place is noticed", async () => {
    const { indexer } = await lying(
      logsBut((logs) => (logs.length < 2 ? logs : [...logs, { ...logs[1]!, logIndex: logs[0]!.logIndex }])),
    );
    await assert.rejects(indexer.catchUp(), /two different logs/);
  });

  it("whose head goes backwards takes nothing back", async () => {
    const { indexer, store, state } = await lying((_, answer) => answer);
    await indexer.catchUp();
    const lagging = await lying((method, answer) => (method === "eth_blockNumber" ? "0x9" : answer));
    lagging.state.isLying = false;
    await lagging.indexer.catchUp();
    lagging.state.isLying = true;
    assert.deepEqual(await lagging.indexer.step(), { kind: "idle" });
    assert.equal(lagging.store.head()!.number, 39n);
    assert.equal(lagging.store.head()!.proof, store.head()!.proof);
    state.chain.mine(5);
    await indexer.catchUp();
    assert.equal(store.head()!.number, 44n);
  });

  it("that changes to another chain is not followed there", async () => {
    let served: string | undefined;
    const { indexer, store, state } = await lying((method, answer) =>
      method === "eth_chainId" ? (served ?? answer) : answer,
    );
    await indexer.catchUp();
    served = "0x1";
    state.chain.mine(3);
    await assert.rejects(indexer.step(), { name: "WrongChainError" });
    assert.equal(store.head()!.number, 39n);
  });

  it("that does not answer for a while is asked again", async () => {
    const chain = new EventChain(shape);
    let silent = 2;
    const stop = new AbortController();
    const retries: Error[] = [];
    const { indexer, store } = await openIndexer(chain, {
      timeout: 50,
      observer: {
        retried: (error) => retries.push(error),
        indexed: (head, { number }) => head === number && stop.abort(),
      },
      answer: (method, params) =>
        method === "eth_getLogs" && silent-- > 0 ? new Promise(() => {}) : chain.answer(method, params),
    });
    await indexer.run(stop.signal);
    assert.ok(retries.length > 0);
    assert.equal(store.head()!.proof, honest);
  });
});

describe("a node that is killed", () => {
  let folder: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "assay-killed-"));
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  it("goes on where it stopped, to the same proof of indexing", async () => {
    const blocks = 400;
    const path = join(folder, "killed.sqlite");
    const script = resolve(import.meta.dirname, "index-chain.ts");
    const child = spawn(process.execPath, [script, path, String(blocks)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    for await (const line of createInterface({ input: child.stdout }))
      if (Number(line) >= 30) {
        child.kill("SIGKILL");
        break;
      }
    const [, signal] =
      (child.exitCode ?? child.signalCode) === null ? await once(child, "exit") : [0, "SIGKILL"];
    assert.equal(signal, "SIGKILL");
    const chain = new EventChain({ ...shape, blocks });
    const again = await openIndexer(chain, { path });
    const kept = again.store.head()!.number;
    assert.ok(kept >= 30n && kept < BigInt(blocks - 1), `it was killed at block ${kept}`);
    await again.indexer.catchUp();
    const other = await openIndexer(chain);
    await other.indexer.catchUp();
    assert.equal(again.store.head()!.number, BigInt(blocks - 1));
    assert.equal(again.store.head()!.proof, other.store.head()!.proof);
    again.database.close();
  });
});

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { zeroHash } from "viem";
import { writeDeployment } from "../../../keepers/src/chain/deployment.ts";
import { committee, type JobNetwork, startJobNetwork, tokens } from "../roles/jobs/network.ts";
import { assay, freePort, type Ran } from "./terminal.ts";

const index = 5;
const weight = 2n;

describe("assay validator", () => {
  let network: JobNetwork;
  let deployment: string;
  let port: number;
  const stopping = new AbortController();
  const running: Promise<Ran>[] = [];

  before(async () => {
    network = await startJobNetwork();
    const keyHashes = { possession: zeroHash, covering: zeroHash, registration: zeroHash };
    deployment = writeDeployment({ ...network.deployment, keyHashes }, join(network.folder, "deployments"));
    await network.give(network.chain.account(index).address, 1_000n * tokens);
    port = await freePort();
  });

  after(async () => {
    stopping.abort(new Error("the test is over"));
    await Promise.all(running);
    await network?.close();
  });

  const run = (argv: string[], signal?: AbortSignal) =>
    assay([...argv, "--json"], {
      cwd: network.folder,
      env: {
        ASSAY_RPC_URL: network.chain.rpcUrl,
        ASSAY_DEPLOYMENT: deployment,
        ASSAY_PRIVATE_KEY: network.chain.privateKey(index),
        ASSAY_HOME: join(network.folder, "home"),
      },
      signal,
    });
  const json = async <T>(argv: string[]): Promise<T> => {
    const { code, out, err } = await run(argv);
    assert.equal(code, 0, err + out);
    return JSON.parse(out) as T;
  };
  type Status = { enrolled: boolean; weight: number; locked: string; leaves: number | null; duties: number };
  const status = () => json<Status>(["validator", "status"]);

  it("run enrols, serves metrics and health, and ends when it is told to", async () => {
    assert.equal((await status()).enrolled, false);
    const ended = new AbortController();
    const argv = ["validator", "run", "--listen", "/ip4/127.0.0.1/tcp/0", "--metrics-port", String(port)];
    const done = run(argv, ended.signal);
    for (let look = 0; !(await status()).enrolled; look++) {
      assert.ok(look < 60, "it never enrolled");
      await delay(500);
    }
    const health = await fetch(`http://127.0.0.1:${port}/healthz`);
    const report = (await health.json()) as { ok: boolean; checks: Record<string, { ok: boolean }> };
    assert.equal(health.status, 200, JSON.stringify(report));
    assert.deepEqual(Object.keys(report.checks).sort(), ["chain", "duties", "following"]);
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    const value = (name: string) =>
      Number(
        metrics
          .split("\n")
          .find((line) => line.startsWith(`${name} `))
          ?.split(" ")[1],
      );
    assert.equal(value('assay_stake_tokens{part="locked"}'), 100);
    assert.equal(value('assay_jobs{status="Finalised"}'), 0);
    assert.equal(value('assay_open_challenges{of="all"}'), 0);
    assert.ok(value("assay_transactions_sent_total") >= 4, metrics);
    assert.ok(
      value("assay_follower_block") > 0 && value("assay_chain_head") >= value("assay_follower_block"),
    );
    assert.ok(value("assay_balance_coins") > 9_000);
    assert.match(metrics, /^process_cpu_seconds_total /m);
    ended.abort(new Error("that is enough"));
    const { out } = await done;
    const events = out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { event?: string; telemetry?: string });
    assert.deepEqual(events.map(({ event }) => event).slice(0, 2), ["ready", "stopped"]);
    assert.equal(events[0]!.telemetry, `http://127.0.0.1:${port}`);
    await assert.rejects(fetch(`http://127.0.0.1:${port}/healthz`));
  });

  it("enrol raises the weight, and never lowers it", async () => {
    const endpoint = ["--endpoint", "/ip4/127.0.0.1/tcp/4702"];
    const raised = await json<Status>(["validator", "enrol", "--weight", String(weight), ...endpoint]);
    assert.deepEqual([raised.weight, raised.locked], [2, String(weight * committee.unit)]);
    assert.equal((await json<Status>(["validator", "enrol", ...endpoint])).weight, 2);
  });

  it("lower gives it a lower weight from the next rotation on, and refuses one that is none", async () => {
    type Lowered = { weight: number; before: number; freeFrom: number };
    const lowered = await json<Lowered>(["validator", "lower", "1"]);
    assert.deepEqual([lowered.before, lowered.weight], [2, 1]);
    const { weight, locked } = await status();
    assert.deepEqual([weight, locked], [1, String(2n * committee.unit)], "free after the delay");
    assert.ok(lowered.freeFrom > (await network.chain.now()));
    assert.equal((await run(["validator", "lower", "1"])).code, 64);
  });

  it("leave takes the account out of the draws, and unlocks its stake once the delay is over", async () => {
    type Left = { released: boolean; leaves: number; transactions: string[] };
    const first = await json<Left>(["validator", "leave"]);
    assert.deepEqual([first.released, first.transactions.length], [false, 1]);
    assert.equal((await status()).leaves, first.leaves);
    const second = await json<Left>(["validator", "leave"]);
    assert.deepEqual(
      [second.released, second.transactions.length],
      [false, 0],
      "too early, and nothing is sent",
    );
    await network.chain.advance(first.leaves - (await network.chain.now()) + 1);
    const last = await json<Left>(["validator", "leave"]);
    assert.deepEqual([last.released, last.transactions.length], [true, 1]);
    assert.equal((await status()).enrolled, false);
    const { locked } = await network.contracts.Staking.read.operatorOf([
      network.chain.account(index).address,
    ]);
    assert.equal(locked, 0n);
  });

  it("a janitor runs beside it, and says when its port is taken", async () => {
    const taken = createServer().listen(port, "127.0.0.1");
    const refused = await run(["janitor", "run", "--metrics-port", String(port)]);
    assert.equal(refused.code, 69, refused.out);
    await new Promise((closed) => taken.close(closed));
    const ended = new AbortController();
    const done = run(["janitor", "run", "--metrics-port", String(port)], ended.signal);
    for (let look = 0; ; look++) {
      const answer = await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => undefined);
      if (answer?.status === 200) break;
      assert.ok(look < 60, "it never served");
      await delay(250);
    }
    ended.abort(new Error("that is enough"));
    assert.match((await done).out, /"role":"janitor"[\s\S]*"stopped"/);
  });
});

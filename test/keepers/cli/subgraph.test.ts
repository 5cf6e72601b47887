import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { zeroHash } from "viem";
import { writeDeployment } from "../../../keepers/src/chain/deployment.ts";
import { type JobNetwork, startJobNetwork, tokens } from "../roles/jobs/network.ts";
import { assay, freePort, type Ran } from "./terminal.ts";

describe("assay subgraph", () => {
  let network: JobNetwork;
  let env: Record<string, string>;
  let url: string;
  let metrics: number;
  let done: Promise<Ran>;
  const ended = new AbortController();

  const run = (argv: string[], signal?: AbortSignal) =>
    assay([...argv, "--json"], { cwd: network.folder, env, signal });
  const json = async <T>(argv: string[]): Promise<T> => {
    const { code, out, err } = await run(argv);
    assert.equal(code, 0, err + out);
    return JSON.parse(out) as T;
  };
  type Status = { block: { number: number }; head: number; behind: number; hasIndexingErrors: boolean };

  before(async () => {
    network = await startJobNetwork();
    const keyHashes = { possession: zeroHash, covering: zeroHash, registration: zeroHash };
    const deployment = writeDeployment(
      { ...network.deployment, keyHashes },
      join(network.folder, "deployments"),
    );
    env = {
      ASSAY_RPC_URL: network.chain.rpcUrl,
      ASSAY_DEPLOYMENT: deployment,
      ASSAY_HOME: join(network.folder, "home"),
    };
    const port = await freePort();
    metrics = await freePort();
    url = `http://127.0.0.1:${port}/subgraphs/name/assay`;
    const argv = [
      "subgraph",
      "run",
      "--port",
      String(port),
      "--metrics-port",
      String(metrics),
      "--poll",
      "50",
    ];
    done = run(argv, ended.signal);
    for (let look = 0; ; look++) {
      const { code, out, all } = await run(["subgraph", "status", "--url", url]);
      if (code === 0 && (JSON.parse(out) as Status).behind === 0) break;
      assert.ok(look < 2_000, `the node never caught up: ${all}`);
      await delay(100);
    }
  });

  after(async () => {
    ended.abort(new Error("the test is over"));
    await done;
    await network?.close();
  });

  it("run indexes the deployment and follows it; status says how far", async () => {
    const before = await json<Status>(["subgraph", "status", "--url", url]);
    assert.equal(before.hasIndexingErrors, false);
    await network.give(network.chain.account(3).address, 5n * tokens);
    for (let status = before; status.block.number <= before.block.number || status.behind > 0; ) {
      await delay(50);
      status = await json<Status>(["subgraph", "status", "--url", url]);
    }
    type Answer = { events: { parameters: string }[] };
    const { events } = await json<Answer>([
      "subgraph",
      "query",
      '{ events(where: { contract: "AssayToken", name: "Transfer" }, orderBy: block, orderDirection: desc, first: 1) { parameters } }',
      "--url",
      url,
    ]);
    const logs = await network.contracts.AssayToken.read.balanceOf([network.chain.account(3).address]);
    assert.ok(logs >= 5n * tokens);
    assert.match(events[0]?.parameters ?? "", new RegExp(String(5n * tokens)));
  });

  it("query knows the ready-made ones by name", async () => {
    const { _meta, network: totals } = await json<{
      _meta: { hasIndexingErrors: boolean };
      network: unknown;
    }>(["subgraph", "query", "network-totals", "--url", url]);
    assert.equal(_meta.hasIndexingErrors, false);
    assert.ok(totals !== undefined);
  });

  it("serves metrics and health", async () => {
    const health = await fetch(`http://127.0.0.1:${metrics}/healthz`);
    const report = (await health.json()) as { checks: { subgraph: { ok: boolean; failed: boolean } } };
    assert.equal(health.status, 200);
    assert.deepEqual([report.checks.subgraph.ok, report.checks.subgraph.failed], [true, false]);
    const text = await (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text();
    assert.match(text, /^assay_subgraph_block [1-9]\d*$/m);
  });

  it("says what is wrong: a query that is refused, an endpoint that is not there, a name that is none", async () => {
    for (const [argv, code, said] of [
      [["query", "{ nothing }", "--url", url], 65, /Cannot query field/],
      [["query", "no-such-query", "--url", url], 65, /no ready-made query/],
      [["query", "network-totals", "--variables", "[1]", "--url", url], 65, /not a JSON object/],
      [["status", "--url", `http://127.0.0.1:${await freePort()}/`], 69, /cannot be reached/],
      [["status", "--url", "file:///etc/passwd"], 78, /not an http/],
      [["run", "--manifest", "nowhere.yaml"], 78, /no built subgraph/],
    ] as const) {
      const ran = await run(["subgraph", ...argv]);
      assert.equal(ran.code, code, ran.all);
      assert.match(ran.all, said);
    }
  });
});

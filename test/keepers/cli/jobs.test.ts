import assert from "node:assert/strict";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { encodeCall } from "../../../keepers/src/chain/contracts.ts";
import { startTestNetwork, type TestNetwork, tokens } from "../storage/client/network.ts";
import { assay, freePort, type Ran } from "./terminal.ts";

const config = `
dataset: { source: digits, split: { seed: 1, train: 4/5 } }
input: { exponent: -4 }
model: { kind: mlp, hidden: [16] }
microBatch: 32
steps: 40
interval: 5
learningRate: 0.1
`;

/** Accounts of the development mnemonic; the nodes take the first ones. */
const providerIndex = 16;
const challengerIndex = 17;

type Job = {
  jobId: string;
  status: string;
  price: string | null;
  provider: string | null;
  challenges: unknown[];
};

describe("assay's jobs on a network", () => {
  let network: TestNetwork;
  let cwd: string;
  const stopping = new AbortController();
  const running: Promise<Ran>[] = [];

  before(async () => {
    network = await startTestNetwork(3);
    cwd = join(network.folder, "user");
    await mkdir(cwd);
    await writeFile(join(cwd, "digits.yaml"), config);
    const provider = network.chain.account(providerIndex);
    const transfer = encodeCall(network.deployment, "AssayToken", "transfer", [
      provider.address,
      5_000n * tokens,
    ]);
    await network.send(network.owner, transfer);
  });

  after(async () => {
    stopping.abort(new Error("the test is over"));
    await Promise.all(running);
    await network?.close();
  });

  const run = (argv: string[], index = network.ownerIndex, signal?: AbortSignal) =>
    assay(argv, {
      cwd,
      env: {
        ASSAY_RPC_URL: network.chain.rpcUrl,
        ASSAY_DEPLOYMENT: network.deploymentFile,
        ASSAY_PRIVATE_KEY: network.chain.privateKey(index),
        ASSAY_HOME: join(network.folder, `home-${index}`),
      },
      signal,
    });
  const json = async <T>(argv: string[]): Promise<T> => {
    const { code, out, err } = await run([...argv, "--json"]);
    assert.equal(code, 0, err + out);
    return JSON.parse(out) as T;
  };
  const status = async (): Promise<string | undefined> => {
    const { jobs } = await json<{ jobs: Job[] }>(["job", "list"]);
    return jobs[0]?.status;
  };
  const until = async (wanted: string) => {
    for (let look = 0; look < 120; look++) {
      if ((await status()) === wanted) return;
      await delay(500);
    }
    assert.fail(`the job did not become ${wanted}`);
  };

  const untilMeasured = async (port: number, line: string) => {
    for (let look = 0; look < 60; look++) {
      const lines = (await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()).split("\n");
      if (lines.includes(line)) return;
      await delay(500);
    }
    assert.fail(`the metrics never said: ${line}`);
  };

  it("orders a training, has it done and checked, fetches the certified model and scores it", async () => {
    const put = ["data", "put", "digits", "-k", "2", "-n", "3", "--epochs", "60", "--fee", "0"];
    const { datasetId } = await json<{ datasetId: string }>(put);
    const keepers: [string[], number][] = [
      [
        ["provider", "run", "--stake", "1000", "--floor", "5", "-k", "2", "-n", "3", "--epochs", "60"],
        providerIndex,
      ],
      [["challenger", "run"], challengerIndex],
    ];
    const ports = [await freePort(), await freePort()] as const;
    for (const [i, [argv, index]] of keepers.entries()) {
      running.push(run([...argv, "--metrics-port", String(ports[i])], index, stopping.signal));
    }

    const order = ["order", "create", "digits.yaml", "--dataset", datasetId, "--price", "50"];
    const { orderHash } = await json<{ orderHash: string }>(order);
    assert.match(orderHash, /^0x[0-9a-f]{64}$/);
    await until("Committed");
    await untilMeasured(ports[1], 'assay_intervals_checked_total{outcome="right"} 8');
    await network.chain.advance(3 * 86_400 + 1);
    await until("Finalised");

    const job = await json<Job>(["job", "show", "1"]);
    assert.equal(job.price, String(5n * tokens));
    assert.deepEqual(job.challenges, []);
    await untilMeasured(ports[0], 'assay_paid_out_total{purse="Escrow"} 5');
    await untilMeasured(ports[0], 'assay_jobs{status="Finalised"} 1');
    const { model, score } = await json<{ model: string; score: { exact: { accuracy: number } } }>([
      "job",
      "fetch",
      "1",
      "--to",
      "model",
    ]);
    assert.equal(model, join(cwd, "model", "model.onnx"));
    assert.ok((await readdir(join(cwd, "model"))).includes("model.onnx"));
    assert.ok(score.exact.accuracy > 0.5, `accuracy ${score.exact.accuracy}`);
  });

  it("refuses what nobody could take, before anything is sent", async () => {
    const bare = await run(["order", "create", "digits.yaml", "--price", "50"]);
    assert.equal(bare.code, 64);
    assert.match(bare.err, /stored dataset/);
    const unknown = await run(["job", "show", "99"]);
    assert.equal(unknown.code, 65);
    assert.match(unknown.err, /no job 99/);
    assert.equal((await run(["job", "show", "0x1"])).code, 64);
    assert.equal((await run(["order", "create", "digits.yaml", "--price", "-1"])).code, 64);
  });
});

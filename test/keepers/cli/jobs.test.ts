import assert from "node:assert/strict";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
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
const strangerIndex = 18;

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
  let datasetId: string;
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
    // A minute of it passes between the timeout that is called and its grace's end.
    for (let look = 0; look < 300; look++) {
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
    ({ datasetId } = await json<{ datasetId: string }>(put));
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
    const whole = await json<{ samples: string; score: { exact: { samples: number } } }>([
      "job",
      "evaluate",
      "1",
      "--dataset",
      datasetId,
    ]);
    assert.deepEqual([whole.samples, whole.score.exact.samples], ["all", 1_797]);
  });

  it("shows the certificate, and holds every claim of it against its source", async () => {
    const shown = await json<{ owner: string; metadata: { attributes: Record<string, string> } }>([
      "certificate",
      "show",
      "1",
    ]);
    assert.equal(shown.owner, network.owner.address);
    assert.equal(shown.metadata.attributes.dataset, datasetId);
    const { ok, claims } = await json<{ ok: boolean; claims: { claim: string; verdict: string }[] }>([
      "certificate",
      "verify",
      "1",
      "--steps",
    ]);
    assert.equal(ok, true);
    assert.deepEqual(new Set(claims.map(({ verdict }) => verdict)), new Set(["holds"]));
    assert.equal(claims.length, 8);
    const missing = await run(["certificate", "show", "7"]);
    assert.equal(missing.code, 65);
    assert.match(missing.err, /no certificate 7/);
  });

  it("signs an order and a bid off chain, brings them together, and challenges the result in vain", async () => {
    const order = ["order", "sign", "digits.yaml", "--dataset", datasetId, "--price", "50", "--to", "o.json"];
    order.push("--regulations", "3,7", "--privacy", "2");
    const { orderHash } = await json<{ orderHash: string }>(order);
    const again = await run(order);
    assert.equal(again.code, 73, "a signed order is not overwritten");
    const plain = ["provider", "bid", "o.json", "--price", "40", "--to", "b.json", "--json"];
    for (const [unmet, reason] of [
      [["--privacy", "2"], /regulation/],
      [["--regulations", "7", "--privacy", "2"], /regulation/],
      [["--regulations", "3,7", "--privacy", "1"], /privacy/],
    ] as const) {
      const refused = await run([...plain, ...unmet], providerIndex);
      assert.equal(refused.code, 77, refused.err);
      assert.match(refused.err, reason);
    }
    for (const wrong of [
      ["--regulations", "64"],
      ["--regulations", "3;7"],
      ["--privacy", "256"],
    ])
      assert.equal((await run([...plain, ...wrong], providerIndex)).code, 64);
    const bid = [...plain, "--regulations", "3,5,7", "--privacy", "2"];
    assert.equal((await run([...bid.slice(0, 4), "51", ...bid.slice(5)], providerIndex)).code, 77);
    const signed = await run(bid, providerIndex);
    assert.equal(signed.code, 0, signed.err);
    const { bid: made } = JSON.parse(signed.out) as { bid: Record<string, unknown> };
    assert.deepEqual([made.order, made.regulations, made.privacyTier], [orderHash, "168", 2]);

    const text = await readFile(join(cwd, "b.json"), "utf8");
    await writeFile(join(cwd, "forged.json"), text.replace(String(40n * tokens), String(30n * tokens)));
    const forged = await run(["order", "accept", "o.json", "forged.json"]);
    assert.equal(forged.code, 77);
    assert.match(forged.err, /bid is not signed by its provider/);
    const swapped = await run(["order", "accept", "b.json", "o.json"]);
    assert.equal(swapped.code, 65);
    assert.match(swapped.err, /signed order is malformed/);

    const { jobId } = await json<{ jobId: string }>(["order", "accept", "o.json", "b.json"]);
    const twice = await json<{ jobId: string }>(["order", "accept", "o.json", "b.json"]);
    assert.equal(twice.jobId, jobId);
    for (let look = 0; (await json<Job>(["job", "show", jobId])).status !== "Committed"; look++) {
      assert.ok(look < 120, "nothing was committed");
      await delay(500);
    }
    const checked = await run(["challenge", jobId, "--json"], strangerIndex);
    assert.equal(checked.code, 0, checked.err);
    const report = JSON.parse(checked.out) as { outcome: string; challenges: unknown[] };
    assert.deepEqual([report.outcome, report.challenges], ["right", []]);
    const none = await run(["order", "bids", jobId]);
    assert.equal(none.code, 65);
    assert.match(none.err, /not put up for auction/);
  });

  it("shows an auction's bids: sealed while they are, and what they offer once they are opened", async () => {
    const windows = ["--commit-window", "300", "--reveal-window", "300"];
    const order = ["order", "create", "digits.yaml", "--dataset", datasetId, "--price", "50", "--auction"];
    const { jobId } = await json<{ jobId: string }>([...order, ...windows]);
    type Bids = { phase: string; bids: { state: string; price: string | null; tokens: string | null }[] };
    const bids = () => json<Bids>(["order", "bids", jobId]);
    const untilBid = async (state: string): Promise<Bids> => {
      for (let look = 0; look < 120; look++) {
        const shown = await bids();
        if (shown.bids[0]?.state === state) return shown;
        await delay(500);
      }
      assert.fail(`no bid became ${state}`);
    };
    assert.deepEqual(await bids(), { ...(await bids()), phase: "sealing" });
    const sealed = await untilBid("sealed");
    assert.deepEqual([sealed.bids[0]!.price, sealed.bids[0]!.tokens], [null, null]);
    await network.chain.advance(301);
    const opened = await untilBid("opened");
    assert.equal(opened.phase, "opening");
    assert.equal(opened.bids[0]!.tokens, String(5n * tokens));
    await network.chain.advance(301);
    assert.equal((await untilBid("won")).phase, "awarded");
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

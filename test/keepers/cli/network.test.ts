import assert from "node:assert/strict";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { formatEther, type Hex, parseUnits } from "viem";
import { connectContracts } from "../../../keepers/src/chain/contracts.ts";
import { RefusalError } from "../../../keepers/src/storage/transport/errors.ts";
import { startTestNetwork, type TestNetwork } from "../storage/client/network.ts";
import { assay, type Ran } from "./terminal.ts";

describe("assay on a network", () => {
  let network: TestNetwork;
  let cwd: string;

  before(async () => {
    network = await startTestNetwork(4);
    cwd = join(network.folder, "user");
    await mkdir(cwd);
    await writeFile(
      join(cwd, "notes.jsonl"),
      Array.from({ length: 200 }, (_, i) => `{"line":${i}}\n`).join(""),
    );
  });
  after(() => network?.close());

  const env = (index = network.ownerIndex) => ({
    ASSAY_RPC_URL: network.chain.rpcUrl,
    ASSAY_DEPLOYMENT: network.deploymentFile,
    ASSAY_PRIVATE_KEY: network.chain.privateKey(index),
  });
  const ran = async (argv: string[], index?: number): Promise<Ran> => {
    const result = await assay(argv, { cwd, env: env(index) });
    assert.ok(!result.all.includes(network.chain.privateKey(index ?? network.ownerIndex).slice(2)));
    return result;
  };
  /** The one JSON document that a command prints. */
  const json = async <T = Record<string, unknown>>(argv: string[], index?: number): Promise<T> => {
    const { code, out, err } = await ran([...argv, "--json"], index);
    assert.equal(code, 0, err + out);
    assert.equal(out.trim().split("\n").length, 1);
    return JSON.parse(out) as T;
  };
  const put = ["data", "put", "notes.jsonl", "-k", "2", "-n", "3", "--epochs", "5", "--fee", "0.5"];

  it("puts, lists, checks, reads and gets a dataset back byte for byte", async () => {
    const first = await json<{ datasetId: string; placed: unknown[]; fees: string; complete: boolean }>(put);
    assert.equal(first.placed.length, 3);
    assert.equal(first.complete, true);
    assert.equal(first.fees, parseUnits("7.5", 18).toString());
    const id = first.datasetId;

    const again = await json<{ datasetId: string; bond: string; transactions: unknown[] }>(put);
    assert.deepEqual([again.datasetId, again.bond, again.transactions], [id, "0", []]);

    const { datasets } = await json<{ datasets: { datasetId: string; held: number; status: string }[] }>([
      "data",
      "list",
    ]);
    assert.deepEqual(
      datasets.map(({ datasetId, held, status }) => [datasetId, held, status]),
      [[id, 3, "active"]],
    );
    assert.deepEqual(await json(["data", "list"], 17), { datasets: [] });

    const health = await json<{ vacant: number; spare: number; bundles: unknown[] }>(["data", "health", id]);
    assert.deepEqual([health.vacant, health.spare, health.bundles.length], [0, 1, 3]);

    const verified = await json<{ ok: boolean; trusted: string[] }>([
      "data",
      "verify",
      id,
      "--full",
      "--proofs",
      "none",
    ]);
    assert.equal(verified.ok, true);
    assert.ok(verified.trusted.length > 0);

    const got = await json<{ target: string; files: { path: string }[] }>([
      "data",
      "get",
      id,
      "--to",
      "copy",
    ]);
    assert.equal(got.target, join(cwd, "copy"));
    assert.deepEqual(
      await readFile(join(cwd, "copy", "notes.jsonl")),
      await readFile(join(cwd, "notes.jsonl")),
    );

    const object = await json<{ object: string }>(["data", "object", id, "0"]);
    assert.ok(Buffer.from(object.object.slice(2), "hex").toString().startsWith('{"line":0}\n{"line":1}\n'));

    assert.deepEqual((await json<{ vacant: number[] }>(["data", "repair", id])).vacant, []);
  });

  it("speaks to people on standard error and in lines, to scripts in one document", async () => {
    const { code, out, err } = await ran([...put, "--name", "for people"]);
    assert.equal(code, 0);
    assert.match(out, /^dataset {3}0x[0-9a-f]{64}$/m);
    assert.match(err, /^encode: 2 objects$/m);
    assert.match(err, /^upload: 3 of 3 bundles$/m);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: no escape sequences where there is no terminal
    assert.doesNotMatch(err, /\x1b/);
  });

  it("restores a bundle that its holder gave up", async () => {
    const { datasetId, placed } = await json<{
      datasetId: string;
      placed: { bundleIndex: number; operator: string }[];
    }>([...put, "--name", "lost"]);
    const lostFrom = placed.find(({ bundleIndex }) => bundleIndex === 1)!.operator;
    const holder = network.nodes.find(({ operator }) => operator === lostFrom)!;
    const { contracts, deployment } = holder.writer;
    const { encodeCall } = await import("../../../keepers/src/chain/contracts.ts");
    const id = await contracts.BundleRegistry.read.bundleIdOf([datasetId as `0x${string}`, 1]);
    await network.send(holder.account, encodeCall(deployment, "BundleRegistry", "surrender", [id]));
    const lost = await json<{ vacant: number; bundles: { bounty: string }[] }>(["data", "health", datasetId]);
    assert.equal(lost.vacant, 1);
    assert.ok(BigInt(lost.bundles[1]!.bounty) > 0n);
    const result = await json<{
      repaired: { bundleIndex: number; operator: string }[];
      notRepaired: unknown[];
    }>(["data", "repair", datasetId]);
    assert.deepEqual(result.notRepaired, []);
    assert.equal(result.repaired[0]?.bundleIndex, 1);
    assert.ok(!placed.some(({ operator }) => operator === result.repaired[0]?.operator));
    // It has the bytes; it takes the bundle over with a proof under the next epoch's seed.
    const restorer = network.nodes.find(({ operator }) => operator === result.repaired[0]?.operator)!;
    const { bundles } = await restorer.service.status({
      datasetId: datasetId as `0x${string}`,
      bundleIndices: [1],
    });
    assert.equal(bundles[0]?.state, "held");
    assert.equal((await json<{ vacant: number }>(["data", "health", datasetId])).vacant, 1);
  });

  it("ends with 75 when some bundles found no operator, and says which", async () => {
    const { code, out } = await ran(["data", "put", "notes.jsonl", "-k", "2", "-n", "9", "--json"]);
    assert.equal(code, 75);
    const { placed, notPlaced, complete } = JSON.parse(out) as {
      placed: unknown[];
      notPlaced: unknown[];
      complete: boolean;
    };
    assert.deepEqual([placed.length, notPlaced.length, complete], [4, 5, false]);
  });

  it("ends with 77 and anchors nothing when the account has no tokens", async () => {
    const { code, err } = await ran(put, 17);
    assert.equal(code, 77);
    assert.match(err, /anchoring costs \d+ base units of ASSAY, the account has 0/);
    assert.deepEqual(await json(["data", "list"], 17), { datasets: [] });
  });

  it("ends with 73 when the target has files in it, and leaves them alone", async () => {
    const { datasetId } = await json<{ datasetId: string }>(put);
    await mkdir(join(cwd, "full"), { recursive: true });
    await writeFile(join(cwd, "full", "mine.txt"), "mine");
    const { code } = await ran(["data", "get", datasetId, "--to", "full"]);
    assert.equal(code, 73);
    assert.deepEqual(await readdir(join(cwd, "full")), ["mine.txt"]);
  });

  it("registers an operator, stakes, unbonds after the delay and withdraws", async () => {
    const index = 18;
    const operator = network.chain.account(index).address;
    await network.send(network.owner, await transfer(network, operator, 500n * 10n ** 18n));
    const peer = "12D3KooWEya1eaZcTngYw6xNtmeMqwgXaQ4YGrux5j5GuAzFjFME";
    const endpoint = `/dns4/keeper.example.org/tcp/4701/p2p/${peer}`;
    await json(["stake", "register", "--endpoint", endpoint], index);
    await json(["stake", "add", "300.5"], index);
    type Status = {
      registered: boolean;
      roles: string[];
      peerId: string;
      stake: string;
      unbonding: { ripe: boolean }[];
    };
    const staked = await json<Status>(["stake", "status"], index);
    assert.deepEqual(
      [staked.registered, staked.roles, staked.peerId, staked.stake],
      [true, ["storage"], peer, parseUnits("300.5", 18).toString()],
    );
    await json(["stake", "unbond", "100"], index);
    assert.equal((await json<{ withdrawn: string }>(["stake", "withdraw"], index)).withdrawn, "0");
    const [delay] = await network.nodes[0]!.writer.contracts.Staking.read.parameters();
    await network.chain.advance(Number(delay) + 1);
    const { withdrawn } = await json<{ withdrawn: string }>(["stake", "withdraw"], index);
    assert.equal(withdrawn, parseUnits("100", 18).toString());
    const { code, err } = await ran(["stake", "unbond", "1000"], index);
    assert.equal(code, 77);
    assert.match(err, /insufficient unlocked/);
    type Retired = { transaction: string | null };
    assert.notEqual((await json<Retired>(["stake", "retire"], index)).transaction, null);
    assert.equal((await json<Status & { active: boolean }>(["stake", "status"], index)).active, false);
    assert.equal((await json<Retired>(["stake", "retire"], index)).transaction, null, "once");
    await json(["stake", "unbond", "200.5"], index);
  });

  it("ends with 1 when not every segment was looked at in time, though nothing was refused", async () => {
    type Looked = { looked: number; segments: number; unreadable: unknown[] };
    const { datasetId } = await json<{ datasetId: string }>([
      ...put,
      "--name",
      "slowly served",
      "--segment-objects",
      "1",
    ]);
    const command = ["data", "challenge", datasetId, "--dry-run", "--json"];
    const look = async (...more: string[]) => {
      const { code, out } = await ran([...command, ...more]);
      return { code, ...(JSON.parse(out) as Looked) };
    };
    const whole = await look();
    assert.ok(whole.segments >= 2, `${whole.segments} segments`);
    assert.deepEqual([whole.code, whole.looked], [0, whole.segments]);
    assert.deepEqual([(await look("--segments", "1")).code], [0], "as many as were asked for");
    for (const node of network.nodes)
      node.misbehave({
        get: async function* (request) {
          await delay(1_200);
          yield* node.service.get(request);
        },
      });
    const cut = await look("--fetch-time", "1");
    for (const node of network.nodes) node.misbehave({});
    assert.ok(cut.looked < cut.segments, `${cut.looked} of ${cut.segments}`);
    assert.deepEqual([cut.unreadable, cut.code], [[], 1]);
  });

  it("asks on chain for what holders do not serve, says first what it would cost, and sends nothing when all is served", async () => {
    type Challenged = {
      unreadable: { served: number; unserved: unknown[] }[];
      isSent: boolean;
      asked: { bundleIndex: number; cell: number }[];
      bond: string;
      bonds: string;
      open: number;
    };
    const { datasetId } = await json<{ datasetId: string }>([...put, "--name", "withheld"]);
    const command = ["data", "challenge", datasetId];
    const served = await json<Challenged>(command);
    assert.deepEqual([served.unreadable, served.asked, served.bonds, served.open], [[], [], "0", 0]);

    const refused = async (more: string[]) => {
      const { code, out, err } = await ran([...command, ...more, "--json"]);
      assert.equal(code, 1, err + out);
      return JSON.parse(out) as Challenged;
    };
    const refusal = () => {
      throw new RefusalError("busy", "not now");
    };
    for (const node of network.nodes) node.misbehave({ get: refusal, manifest: refusal });
    const dry = await refused(["--dry-run"]);
    assert.deepEqual([dry.isSent, dry.open, dry.unreadable.length], [false, 0, 1]);
    assert.equal(dry.unreadable[0]!.unserved.length, 3);
    assert.equal(BigInt(dry.bonds), BigInt(dry.asked.length) * BigInt(dry.bond));
    assert.deepEqual((await refused(["--max-challenge-bonds", "0"])).asked, []);

    const two = ["--max-challenge-bonds", formatEther(2n * BigInt(dry.bond))];
    const sent = await refused(two);
    assert.deepEqual([sent.isSent, sent.asked.length, sent.open], [true, 2, 2]);
    assert.equal(new Set(sent.asked.map(({ bundleIndex }) => bundleIndex)).size, 2);
    const { out } = await ran([...command, ...two]);
    assert.match(out, /nothing more/);
    assert.match(out, /open {7}2 challenges; run this again after \d{4}-/);

    // Nobody publishes here. The paid epochs are over by then: nobody is slashed, and the bonds come back.
    await network.chain.advance(30 * 86_400);
    for (const node of network.nodes) node.misbehave({});
    const { code, err } = await ran(command);
    assert.equal(code, 69, err);
    assert.match(err, /nobody has to serve/);
    const { RetrievalChallenges } = connectContracts(network.client.public, network.deployment);
    assert.equal(await RetrievalChallenges.read.creditOf([network.owner.address]), 0n);
    assert.equal(await RetrievalChallenges.read.askedSince([datasetId as Hex]), 0n);
  });
});

async function transfer(network: TestNetwork, to: `0x${string}`, amount: bigint) {
  const { encodeCall } = await import("../../../keepers/src/chain/contracts.ts");
  return encodeCall(network.deployment, "AssayToken", "transfer", [to, amount]);
}

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type Hex, parseUnits, toFunctionSelector } from "viem";
import { encodeCall } from "../../keepers/src/chain/contracts.ts";
import { bundleId } from "../../keepers/src/core/ids.ts";
import { EmbeddedNetwork } from "../../keepers/src/roles/embedded/network.ts";
import { put } from "../../keepers/src/storage/client/put.ts";
import { openSource } from "../../keepers/src/storage/readers/open-source.ts";
import { CliProcess, type CliProcessOptions } from "../keepers/cli/cli-process.ts";
import { freePort } from "../keepers/cli/terminal.ts";
import { type OwnerClient, openOwner } from "./support/client.ts";
import { answeredBundles, nextEpoch, seedOf, until } from "./support/epochs.ts";

const n = 3;
/** A funded account of the embedded chain that no node in this process uses. */
const keeperAccount = 10;
const answer = toFunctionSelector("answer(bytes32,uint32,uint256,uint256[8])");

describe("a keeper in a process of its own", () => {
  let folder: string;
  let network: EmbeddedNetwork;
  let owner: OwnerClient;
  let clock: { chain: EmbeddedNetwork["chain"]; contracts: OwnerClient["contracts"] };
  let keeper: CliProcess | undefined;
  let options: CliProcessOptions;
  let datasetId: Hex;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "assay-processes-"));
    network = await EmbeddedNetwork.start({ folder: join(folder, "network"), nodes: n - 1 });
    owner = await openOwner(network, folder);
    clock = { chain: network.chain, contracts: owner.contracts };
    const funds = [network.chain.account(keeperAccount).address, parseUnits("1000", 18)] as const;
    const transfer = encodeCall(network.deployment, "AssayToken", "transfer", funds);
    await owner.queue.send({ ...transfer, key: "fund the keeper" });
    const listen = `/ip4/127.0.0.1/tcp/${await freePort()}`;
    options = {
      rpcUrl: network.chain.rpcUrl,
      deployment: network.deploymentPath,
      home: join(folder, "keeper"),
      privateKey: network.chain.privateKey(keeperAccount),
      command: ["keeper", "--listen", listen, "--stake", "1000", "--capacity", "1"],
    };
    keeper = await CliProcess.start(options);
    const path = join(folder, "lines.txt");
    await writeFile(path, "a line\n".repeat(500));
    const result = await put(owner, {
      source: await openSource(path),
      identity: path,
      directory: join(folder, "uploads"),
      commit: (bytes) => network.commitPool.commit(bytes),
      k: 2,
      n,
      // The least that a keeper takes that was not told otherwise.
      feePerAudit: parseUnits("0.001", 18),
      epochs: 10,
    });
    assert.equal(result.complete, true, "the keeper is one of the three holders");
    datasetId = result.datasetId;
  });

  after(async () => {
    await keeper?.kill();
    await owner?.close();
    await network?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const rpc = async (method: string, params: unknown[]): Promise<unknown> => {
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
    const headers = { "content-type": "application/json" };
    const response = await fetch(network.chain.rpcUrl, { method: "POST", body, headers });
    const { result, error } = (await response.json()) as { result?: unknown; error?: unknown };
    assert.equal(error, undefined);
    return result;
  };
  const setMining = async (on: boolean) => {
    await rpc("evm_setAutomine", [on]);
    await rpc("evm_setIntervalMining", [on ? 1000 : 0]);
  };
  const nonces = async () => {
    const { address } = network.chain.account(keeperAccount);
    const mined = await network.client.public.getTransactionCount({ address });
    const known = await network.client.public.getTransactionCount({ address, blockTag: "pending" });
    return { mined, known };
  };

  /** Answers that the keeper's account sent, whether the chain took them or not. */
  const sentAnswers = async (): Promise<Hex[]> => {
    const { address } = network.chain.account(keeperAccount);
    const head = await network.client.public.getBlockNumber();
    const found: Hex[] = [];
    for (let blockNumber = network.deployment.startBlock; blockNumber <= head; blockNumber++) {
      const block = await network.client.public.getBlock({ blockNumber, includeTransactions: true });
      for (const { from, input, hash } of block.transactions) {
        if (from.toLowerCase() === address.toLowerCase() && input.startsWith(answer)) found.push(hash);
      }
    }
    return found;
  };

  it("answers an audit exactly once, though it is killed while it proves and after it has sent", async () => {
    const { address } = network.chain.account(keeperAccount);
    const { StorageAudit, BundleRegistry } = owner.contracts;
    const epoch = await nextEpoch(clock);
    await seedOf(clock, epoch);
    await setMining(false);
    await keeper!.kill();
    const own: number[] = [];
    for (let index = 0; index < n; index++) {
      const { operator } = await BundleRegistry.read.holdingOf([bundleId(datasetId, index)]);
      if (operator.toLowerCase() === address.toLowerCase()) own.push(index);
    }
    assert.equal(own.length, 1);
    const id = bundleId(datasetId, own[0]!);
    assert.equal(await StorageAudit.read.isAnswered([id, epoch]), false);
    const { mined, known } = await nonces();
    assert.equal(known, mined, "nothing was sent before the first kill");

    keeper = await CliProcess.start(options);
    await until("the answer to be sent", async () => (await nonces()).known === mined + 1);
    await keeper.kill();
    keeper = await CliProcess.start(options);
    await setMining(true);
    await until("every bundle to be answered", async () => {
      return (await answeredBundles(owner.contracts, datasetId, n, epoch)).length === n;
    });
    const [hash, ...more] = await sentAnswers();
    assert.deepEqual(more, []);
    const { status } = await network.client.public.getTransactionReceipt({ hash: hash! });
    assert.equal(status, "success");
  });

  it("ends with exit code 0 when it is told to, and keeps its bundle", async () => {
    assert.equal(await keeper!.stop(), 0);
    keeper = await CliProcess.start(options);
    const { stake } = await owner.contracts.Staking.read.operatorOf([
      network.chain.account(keeperAccount).address,
    ]);
    assert.equal(stake, parseUnits("1000", 18), "nothing was slashed and nothing staked twice");
  });
});

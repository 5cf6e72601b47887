import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import type { Hex } from "viem";
import { connectContracts } from "../../chain/contracts.ts";
import { followerSchema } from "../../chain/follower/store.ts";
import { createTransactionQueue } from "../../chain/transactions/queue.ts";
import { transactionSchema } from "../../chain/transactions/store.ts";
import { AssayError } from "../../core/errors.ts";
import { bundleId } from "../../core/ids.ts";
import { createStorageClient, type StorageWriter } from "../../storage/client/client.ts";
import { readHolders } from "../../storage/client/dataset.ts";
import { get } from "../../storage/client/get.ts";
import { datasetHealth } from "../../storage/client/health.ts";
import { put } from "../../storage/client/put.ts";
import { openSource } from "../../storage/readers/open-source.ts";
import { openState } from "../../storage/state/state.ts";
import { createHost } from "../../storage/transport/host.ts";
import { hurrySeed } from "./hurry-seed.ts";
import type { EmbeddedNetwork } from "./network.ts";

export type StorageRunOptions = {
  network: EmbeddedNetwork;
  folder: string;
  /** Data and all bundles. */
  k: number;
  n: number;
  /** Holders taken off the network. */
  losses: number;
  /** Runs a named stage; its details are what the stage found. */
  stage: <Details extends Record<string, unknown>>(
    name: string,
    work: () => Promise<Details>,
  ) => Promise<Details>;
  onProgress?: (line: string) => void;
};

const digitsFile = new URL("../../../../data/digits.csv.gz", import.meta.url);

/** Fee per bundle and answered audit, in token units: one thousandth of a token. */
const feePerAudit = 10n ** 15n;
const paidEpochs = 30;
/** Real milliseconds that a stage may wait for something to appear on chain. */
const patience = 20 * 60_000;

/**
 * The life of a dataset, for real: the built-in digits are encoded, placed and anchored; holders vanish, are slashed for
 * the audit they miss, and their bundles are repaired by others; all are audited; what is fetched in the end equals what was
 * put in. The only thing hurried is the chain's clock, which is moved past windows in which nothing is left to be done.
 *
 * @returns the dataset, which stays stored
 */
export async function runStorage(options: StorageRunOptions): Promise<{ datasetId: Hex }> {
  const { stage, k, n, losses } = options;
  const run = await StorageRun.open(options);
  try {
    const { datasetId } = await stage(`encode, place and anchor the digits at (${k}, ${n})`, () => run.put());
    await stage(`lose ${losses} storage nodes`, () => run.lose(datasetId, losses));
    await stage(`audit: ${n - losses} answer, ${losses} miss and are slashed`, () =>
      run.miss(datasetId, losses),
    );
    await stage(`repair: ${losses} bundles restored from ${k} others`, () => run.repair(datasetId));
    await stage(`audit: all ${n} answer, repairs are paid`, () => run.audit(datasetId, n));
    await stage("fetch: proofs checked, exactly k bundles, byte for byte", () => run.fetch(datasetId));
    await stage("books: what operators earned and lost", () => run.books());
    return { datasetId };
  } finally {
    await run.close();
  }
}

class StorageRun {
  readonly #options: StorageRunOptions;
  readonly #client: StorageWriter;
  readonly #close: () => Promise<void>;
  #epoch = 0;
  #slashed: Hex[] = [];

  private constructor(options: StorageRunOptions, client: StorageWriter, close: () => Promise<void>) {
    this.#options = options;
    this.#client = client;
    this.#close = close;
  }

  static async open(options: StorageRunOptions): Promise<StorageRun> {
    const { network, folder } = options;
    const state = openState({
      path: join(folder, "client.sqlite"),
      schemas: [transactionSchema, followerSchema],
    });
    const host = await createHost({ localNetwork: true });
    const queue = createTransactionQueue({
      client: network.client,
      state,
      account: network.owner,
      pollInterval: 100,
    });
    const parameters = { chain: network.client, deployment: network.deployment, host };
    const client = { ...createStorageClient(parameters), account: network.owner, queue };
    return new StorageRun(options, client, async () => {
      await client.peers.close();
      await host.stop();
      state.close();
    });
  }

  close(): Promise<void> {
    return this.#close();
  }

  async put() {
    const { network, folder, k, n } = this.#options;
    const result = await put(this.#client, {
      source: await openSource("digits"),
      identity: "digits",
      directory: join(folder, "uploads"),
      commit: (bytes) => network.commitPool.commit(bytes),
      k,
      n,
      feePerAudit,
      epochs: paidEpochs,
      onProgress: ({ stage, done, total }) =>
        this.#say(`${stage} ${done}${total === undefined ? "" : `/${total}`}`),
    });
    if (!result.complete) {
      throw new AssayError(
        `only ${result.placed.length} of ${n} bundles were placed: ${result.notPlaced[0]?.reason}`,
      );
    }
    return {
      datasetId: result.datasetId,
      objects: result.objectCount,
      objectBytes: result.objectSize,
      bundles: result.placed.length,
      ownerGas: await this.#gasOf(result.transactions),
    };
  }

  /** Waits for an epoch in which every bundle is due, and for its answers. */
  async audit(datasetId: Hex, expected: number) {
    await this.#nextEpoch();
    const answered = await this.#answers(datasetId, expected);
    return { epoch: this.#epoch, answered };
  }

  async lose(datasetId: Hex, losses: number) {
    const { network } = this.#options;
    // Whoever goes away in the middle of a seed loses more than an audit.
    await hurrySeed({ network, until: (what, isSo) => this.#until(what, isSo) });
    const holders = await this.#holders(datasetId);
    const operators: string[] = [];
    for (const [index, node] of [...network.nodes]) {
      if (operators.length === losses) break;
      if (!holders.has(node.operator.toLowerCase())) continue;
      operators.push(node.operator);
      await network.stopNode(index);
    }
    return { operators };
  }

  async miss(datasetId: Hex, losses: number) {
    const { network, n } = this.#options;
    await this.#nextEpoch();
    const answered = await this.#answers(datasetId, n - losses);
    const { StorageAudit, BundleRegistry } = this.#client.contracts;
    const [, , closesAt] = await StorageAudit.read.windowOf([this.#epoch]);
    const missing: Hex[] = [];
    for (let index = 0; index < n; index++) {
      const id = bundleId(datasetId, index);
      if (!(await StorageAudit.read.isAnswered([id, this.#epoch]))) missing.push(id);
    }
    if (missing.length !== losses)
      throw new AssayError(`${missing.length} bundles went unanswered, not ${losses}`);
    await this.#advanceTo(closesAt);
    await this.#until("timeouts to be called", async () => {
      const graces = await Promise.all(missing.map((id) => StorageAudit.read.graceEndsAt([id, this.#epoch])));
      return graces.every((grace) => grace !== 0n);
    });
    const graces = await Promise.all(missing.map((id) => StorageAudit.read.graceEndsAt([id, this.#epoch])));
    for (const grace of graces) await this.#advanceTo(grace);
    const { chain } = this.#client;
    const slashes = async () =>
      chain.public.getContractEvents({
        address: BundleRegistry.address,
        abi: BundleRegistry.abi,
        eventName: "BundleVacated",
        fromBlock: network.deployment.startBlock,
      });
    await this.#until("the missed audits to be slashed", async () => (await slashes()).length >= losses);
    const events = await slashes();
    this.#slashed = events.map(({ args }) => (args as { operator: Hex }).operator);
    return { epoch: this.#epoch, answered, slashed: this.#slashed };
  }

  async repair(datasetId: Hex) {
    const { n, losses } = this.#options;
    // A vacancy is taken with a proof under a seed that nobody knew when it arose.
    await this.#nextEpoch();
    await this.#answers(datasetId, n - losses);
    await this.#until(
      "the lost bundles to be repaired",
      async () => (await this.#holders(datasetId)).size === n,
    );
    const health = await datasetHealth(this.#client, { datasetId });
    return {
      vacant: health.vacant,
      repairedBy: health.bundles.filter(({ bounty }) => bounty > 0n).map(({ operator }) => operator),
    };
  }

  async fetch(datasetId: Hex) {
    const { folder } = this.#options;
    const target = join(folder, "fetched");
    const result = await get(this.#client, { datasetId, target, directory: join(folder, "downloads") });
    const [file] = result.files;
    const original = gunzipSync(await readFile(digitsFile));
    const fetched = await readFile(join(target, file!.path));
    if (!original.equals(fetched)) throw new AssayError("what was fetched is not what was put in");
    return {
      sha256: createHash("sha256").update(fetched).digest("hex"),
      downloadedBytes: result.downloaded,
      proofsVerified: result.proofs.proven.length,
      replaced: result.replaced.length,
    };
  }

  async books() {
    const { network } = this.#options;
    const operators: Record<string, { earned: string; stake: string; bundles: number }> = {};
    for (const node of network.nodes.values()) {
      await node.claimAll();
      const { credited, stake, bundles } = await node.earnings();
      operators[node.operator] = { earned: tokens(credited), stake: tokens(stake), bundles };
    }
    const contracts = connectContracts(network.client.public, network.deployment);
    for (const operator of this.#slashed) {
      const { stake } = await contracts.Staking.read.operatorOf([operator]);
      operators[operator] = { earned: "0", stake: tokens(stake), bundles: 0 };
    }
    return { operators };
  }

  async #answers(datasetId: Hex, expected: number): Promise<number> {
    const { n } = this.#options;
    const { StorageAudit } = this.#client.contracts;
    let answered = 0;
    await this.#until(`${expected} audits to be answered`, async () => {
      const each = await Promise.all(
        Array.from({ length: n }, (_, index) =>
          StorageAudit.read.isAnswered([bundleId(datasetId, index), this.#epoch]),
        ),
      );
      answered = each.filter(Boolean).length;
      this.#say(`epoch ${this.#epoch}: ${answered}/${expected} answered`);
      return answered >= expected;
    });
    return answered;
  }

  async #holders(datasetId: Hex): Promise<Set<string>> {
    const { n } = this.#options;
    const holders = await readHolders(
      this.#client,
      datasetId,
      Array.from({ length: n }, (_, index) => index),
    );
    return new Set(
      holders.flatMap(({ operator }) => (operator === undefined ? [] : [operator.toLowerCase()])),
    );
  }

  /** Moves the chain's clock to the start of the next epoch. */
  async #nextEpoch(): Promise<void> {
    const { DatasetRegistry, StorageAudit } = this.#client.contracts;
    const [genesis, length, current] = await Promise.all([
      DatasetRegistry.read.genesis(),
      DatasetRegistry.read.epochLength(),
      StorageAudit.read.currentEpoch(),
    ]);
    this.#epoch = current + 1;
    await this.#advanceTo(genesis + BigInt(length) * BigInt(this.#epoch));
  }

  async #advanceTo(timestamp: bigint): Promise<void> {
    const { chain } = this.#options.network;
    const missing = Number(timestamp) - (await chain.now());
    if (missing > 0) await chain.advance(missing);
  }

  async #until(what: string, isSo: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + patience;
    while (!(await isSo())) {
      if (performance.now() > deadline) throw new AssayError(`waited in vain for ${what}`);
      await delay(500);
    }
  }

  async #gasOf(transactions: readonly Hex[]): Promise<number> {
    const { chain } = this.#client;
    const receipts = await Promise.all(
      transactions.map((hash) => chain.public.getTransactionReceipt({ hash })),
    );
    return Number(receipts.reduce((sum, { gasUsed }) => sum + gasUsed, 0n));
  }

  #say(line: string): void {
    this.#options.onProgress?.(line);
  }
}

function tokens(amount: bigint): string {
  return (Number(amount / 10n ** 12n) / 1e6).toString();
}

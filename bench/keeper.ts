import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import {
  createPublicClient,
  createWalletClient,
  custom,
  decodeEventLog,
  type Hex,
  http,
  keccak256,
  type Log,
  numberToHex,
  pad,
  parseGwei,
  toHex,
} from "viem";
import { hardhat } from "viem/chains";
import { jobRegistryAbi } from "../keepers/src/chain/abi/job-registry.ts";
import { marketAbi } from "../keepers/src/chain/abi/market.ts";
import { type ChainClient, connectChain } from "../keepers/src/chain/client.ts";
import { encodeCall } from "../keepers/src/chain/contracts.ts";
import type { Eip1193 } from "../keepers/src/chain/rpc/endpoint.ts";
import { JobKeeper } from "../keepers/src/roles/jobs/job-keeper.ts";
import { openJanitor } from "../keepers/src/roles/jobs/open-janitor.ts";
import { Scene } from "../test/keepers/roles/jobs/scene.ts";
import type { BenchOptions, Report } from "./measure.ts";

const silent = pino({ level: "silent" });
const day = 86_400;

/** Hands requests on and counts them by method. */
class Counter {
  readonly calls = new Map<string, number>();
  readonly #answer: (method: string, params: readonly unknown[]) => Promise<unknown>;

  constructor(answer: (method: string, params: readonly unknown[]) => Promise<unknown>) {
    this.#answer = answer;
  }

  readonly provider = {
    request: ({ method, params }: { method: string; params?: readonly unknown[] }) => {
      this.calls.set(method, (this.calls.get(method) ?? 0) + 1);
      return this.#answer(method, params ?? []);
    },
  } as unknown as Eip1193;

  connect(): Promise<ChainClient> {
    return connectChain({ chainId: hardhat.id, provider: this.provider });
  }

  get total(): number {
    return [...this.calls.values()].reduce((sum, count) => sum + count, 0);
  }

  /** "2 eth_blockNumber, 1 eth_getLogs" for `rounds` equal rounds. */
  perRound(rounds: number): string {
    return [...this.calls]
      .sort(([, a], [, b]) => b - a)
      .map(([method, count]) => `${Number((count / rounds).toPrecision(3))} ${method}`)
      .join(", ");
  }
}

/** What a piece of work takes of this process's main thread and of the clock, in seconds. */
async function take(work: () => Promise<void>): Promise<{ cpu: number; wall: number }> {
  const start = performance.now();
  const before = process.threadCpuUsage();
  await work();
  const { user, system } = process.threadCpuUsage(before);
  return { cpu: (user + system) / 1e6, wall: (performance.now() - start) / 1000 };
}

const megabytes = () => process.memoryUsage().rss / 2 ** 20;

/** Opens `count` auctions of one small order, each under a nonce of its own. */
async function openJobs(scene: Scene, count: number): Promise<void> {
  const { network, owner } = scene;
  const { order, training, package: bytes } = await scene.order();
  await network.give(owner.address, BigInt(count) * order.conditions.deposit);
  const wallet = createWalletClient({
    account: owner,
    chain: hardhat,
    transport: http(network.chain.rpcUrl),
  });
  const { Escrow } = network.deployment.addresses;
  const allowance = [Escrow, BigInt(count) * order.conditions.deposit] as const;
  await network.send(owner, encodeCall(network.deployment, "AssayToken", "approve", allowance));
  const first = await network.client.public.getTransactionCount({ address: owner.address });
  const expiry = BigInt((await network.chain.now()) + 6 * day);
  const terms = { commitWindow: day, revealWindow: day, bond: order.conditions.deposit / 10n };
  let last: Hex = "0x";
  for (let i = 0; i < count; i++) {
    const own = { ...order, nonce: BigInt(i + 1), expiry };
    const call = encodeCall(network.deployment, "Market", "openAuction", [own, training, bytes, terms]);
    // Fees and gas are named, so that each is one request.
    const fees = { gas: 3_000_000n, maxFeePerGas: parseGwei("20"), maxPriorityFeePerGas: 1n };
    last = await wallet.sendTransaction({ ...call, ...fees, nonce: first + i });
  }
  const { status } = await network.client.public.waitForTransactionReceipt({ hash: last });
  if (status !== "success") throw new Error("a job was not opened");
}

/** The keepers that look at all open jobs, next to a reader of the same contracts' events that decides nothing. */
async function follow(report: Report, count: number, blocks: number): Promise<readonly Log[]> {
  const scene = await Scene.start();
  try {
    await openJobs(scene, count);
    const { network } = scene;
    const node = createPublicClient({ chain: hardhat, transport: http(network.chain.rpcUrl) });
    const counter = () =>
      new Counter((method, params) => node.request({ method, params } as never) as Promise<unknown>);

    // What a program does that is written with viem: one filter over the contracts of all jobs, decoded, block by block.
    const watching = counter();
    const client = createPublicClient({ chain: hardhat, transport: custom(watching.provider), cacheTime: 0 });
    const { JobRegistry, Market } = network.deployment.addresses;
    const events = [...jobRegistryAbi, ...marketAbi].filter(({ type }) => type === "event");
    const polling = { cpu: 0, wall: 0 };
    for (let block = 0; block < blocks; block++) {
      await network.chain.advance(1);
      const taken = await take(async () => {
        const fromBlock = await client.getBlockNumber();
        await client.getLogs({ address: [JobRegistry, Market], events: events as never, fromBlock });
      });
      polling.cpu += taken.cpu / blocks;
      polling.wall += taken.wall / blocks;
    }
    const peer = "viem: getBlockNumber and one getLogs a block";

    const roles = {
      janitor: (chain: ChainClient) =>
        openJanitor({
          dataDirectory: join(network.folder, "bench-janitor"),
          account: scene.account(),
          chain,
          deployment: network.deployment,
          log: silent,
        }),
      challenger: (chain: ChainClient) => scene.openChallenger(scene.account(), { chain }),
    };
    for (const [role, open] of Object.entries(roles)) {
      const counted = counter();
      const keeper = await open(await counted.connect());
      const before = megabytes();
      const cold = await take(() => keeper.tick());
      const followed = keeper.ledger.openJobs().length;
      if (followed !== count) throw new Error(`the ${role} knows ${followed} of ${count} open jobs`);
      counted.calls.clear();
      const steady = { cpu: 0, wall: 0 };
      for (let block = 0; block < blocks; block++) {
        await network.chain.advance(1);
        const taken = await take(() => keeper.tick());
        steady.cpu += taken.cpu;
        steady.wall += taken.wall;
      }
      report({
        name: `${role}, ${count} open jobs: RPC calls per block`,
        value: counted.total / blocks,
        unit: "calls",
        peer,
        peerValue: watching.total / blocks,
        ratio: counted.total / blocks / (watching.total / blocks),
        note: `lower is better; the peer reads events of latest blocks and neither follows reorganisations nor decides; ${counted.perRound(blocks)}`,
      });
      report({
        name: `${role}, ${count} open jobs: CPU per block`,
        value: (steady.cpu / blocks) * 1000,
        unit: "ms",
        peer,
        peerValue: polling.cpu * 1000,
        ratio: steady.cpu / blocks / polling.cpu,
        note: `lower is better; main thread, the answering node's HTTP side included; ${((steady.wall / blocks) * 1000).toFixed(0)} ms by the clock; first look at all jobs ${cold.cpu.toFixed(1)} s; resident ${Math.round(megabytes())} MB with the chain in the same process, ${Math.round(before)} MB before`,
      });
      await keeper.stop();
    }
    return await node.getLogs({ address: [Market, JobRegistry], fromBlock: 0n });
  } finally {
    await scene.close();
  }
}

/** Blocks full of the given logs, told of other jobs: as many as wanted, made when they are asked for. */
function retold(logs: readonly Log[], perBlock: number, head: number): Counter {
  const numbers = new Map<Hex, number>();
  const hashOf = (number: number) => {
    const hash = keccak256(toHex(`block ${number}`));
    numbers.set(hash, number);
    return hash;
  };
  const logsIn = (number: number) =>
    Array.from({ length: number === 0 ? 0 : perBlock }, (_, i) => {
      const which = (number - 1) * perBlock + i;
      const log = logs[which % logs.length]!;
      const turn = Math.floor(which / logs.length);
      const topics = log.topics.map((topic, j) =>
        j === 1 && turn > 0 ? toHex(BigInt(topic) ^ (BigInt(turn) << 64n), { size: 32 }) : topic,
      );
      return {
        ...{ address: log.address, data: log.data, topics, removed: false },
        ...{ blockNumber: numberToHex(number), blockHash: hashOf(number), logIndex: numberToHex(i) },
        ...{ transactionHash: keccak256(toHex(`${number}/${i}`)), transactionIndex: numberToHex(i) },
      };
    });
  return new Counter(async (method, params) => {
    const [first] = params as [Hex & { fromBlock: Hex; toBlock: Hex; blockHash?: Hex }];
    if (method === "eth_chainId") return numberToHex(hardhat.id);
    if (method === "eth_blockNumber") return numberToHex(head);
    if (method === "eth_getLogs") {
      if (first.blockHash !== undefined) return logsIn(numbers.get(first.blockHash)!);
      const [from, to] = [Number(first.fromBlock), Number(first.toBlock)];
      return Array.from({ length: to - from + 1 }, (_, i) => logsIn(from + i)).flat();
    }
    if (method !== "eth_getBlockByNumber") throw new Error(`not told: ${method}`);
    const number = Number(first);
    return {
      ...{ number: numberToHex(number), hash: hashOf(number), timestamp: numberToHex(number) },
      parentHash: number === 0 ? pad("0x") : hashOf(number - 1),
      // Any log may be in it.
      ...{ logsBloom: `0x${"ff".repeat(256)}`, transactions: [] },
    };
  });
}

/** A keeper that was away: from the first block to the head. */
async function catchUp(report: Report, logs: readonly Log[], events: number): Promise<void> {
  const perBlock = 10;
  const head = events / perBlock;
  const folder = await mkdtemp(join(tmpdir(), "assay-bench-keeper-"));
  const addresses = {
    Market: logs[0]!.address,
    JobRegistry: logs[0]!.address,
    DisputeGame: pad("0x1", { size: 20 }),
  };
  for (const { address, topics } of logs) {
    try {
      decodeEventLog({ abi: jobRegistryAbi, topics: topics as [Hex], strict: false });
      addresses.JobRegistry = address;
    } catch {
      addresses.Market = address;
    }
  }
  const own = retold(logs, perBlock, head);
  const keeper = await JobKeeper.open(
    {
      dataDirectory: folder,
      account: { address: pad("0x2", { size: 20 }) } as never,
      chain: await own.connect(),
      deployment: { chainId: hardhat.id, startBlock: 0n, addresses } as never,
      log: silent,
    },
    { duties: () => [] },
  );
  try {
    const taken = await take(() => keeper.catchUp());
    const plain = retold(logs, perBlock, head);
    const client = createPublicClient({ chain: hardhat, transport: custom(plain.provider), cacheTime: 0 });
    const read = await take(async () => {
      let found = 0;
      for (let from = 0; from <= head; from += 2_000) {
        const toBlock = BigInt(Math.min(head, from + 1_999));
        const found_ = await client.getLogs({
          events: [...jobRegistryAbi, ...marketAbi].filter(({ type }) => type === "event") as never,
          fromBlock: BigInt(from),
          toBlock,
        });
        found += found_.length;
      }
      if (found !== events) throw new Error(`viem read ${found} of ${events} events`);
    });
    report({
      name: `catch-up of ${events.toLocaleString("en")} events into the ledger on disk`,
      value: taken.wall,
      unit: "s",
      peer: "viem getLogs, decoded and dropped",
      peerValue: read.wall,
      ratio: taken.wall / read.wall,
      note: `lower is better; ${own.perRound(1)}; an in-process endpoint whose making of the logs counts for both; resident ${Math.round(megabytes())} MB`,
    });
  } finally {
    await keeper.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** One keeper and many jobs. */
export async function run(report: Report, { quick }: BenchOptions): Promise<void> {
  const logs = await follow(report, quick ? 100 : 1_000, quick ? 5 : 30);
  await catchUp(report, logs, quick ? 10_000 : 100_000);
}

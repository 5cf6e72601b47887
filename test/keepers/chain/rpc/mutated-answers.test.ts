import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Hex, toHex } from "viem";
import { type ChainClient, connectChain } from "../../../../keepers/src/chain/client.ts";
import type { Endpoint } from "../../../../keepers/src/chain/rpc/endpoint.ts";
import { ManualClock } from "../fixtures.ts";

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const hash = (n: number) => toHex(n, { size: 32 });
const address = (n: number) => toHex(n, { size: 20 });
const bloom: Hex = `0x${"0f".repeat(256)}`;

const log = {
  address: address(1),
  topics: [hash(5), hash(6)],
  data: "0x01",
  blockNumber: "0x7",
  blockHash: hash(7),
  blockTimestamp: "0x70",
  transactionHash: hash(1),
  transactionIndex: "0x0",
  logIndex: "0x3",
  removed: false,
};
const transaction = {
  hash: hash(1),
  from: address(8),
  to: address(9),
  input: "0x0102",
  value: "0x0",
  nonce: "0x5",
  gas: "0x5208",
  gasPrice: "0x9",
  maxFeePerGas: "0xa",
  maxPriorityFeePerGas: "0x1",
  maxFeePerBlobGas: "0x1",
  blobVersionedHashes: [hash(70)],
  chainId: "0x1",
  type: "0x4",
  accessList: [{ address: address(9), storageKeys: [hash(2)] }],
  authorizationList: [
    { address: address(3), chainId: "0x1", nonce: "0x1", r: "0x1", s: "0x2", yParity: "0x0" },
  ],
  r: hash(11),
  s: hash(12),
  v: "0x1",
  yParity: "0x1",
  blockHash: hash(7),
  blockNumber: "0x7",
  blockTimestamp: "0x70",
  transactionIndex: "0x0",
};
const block = {
  number: "0x7",
  hash: hash(7),
  parentHash: hash(6),
  timestamp: "0x70",
  logsBloom: bloom,
  nonce: "0x0000000000000000",
  miner: address(4),
  stateRoot: hash(20),
  transactionsRoot: hash(21),
  receiptsRoot: hash(22),
  mixHash: hash(23),
  extraData: "0x",
  baseFeePerGas: "0x7",
  blobGasUsed: "0x0",
  excessBlobGas: "0x0",
  difficulty: "0x0",
  totalDifficulty: "0x1",
  gasLimit: "0x1c9c380",
  gasUsed: "0x5208",
  size: "0x300",
  uncles: [],
  withdrawals: [{ index: "0x1", validatorIndex: "0x2", address: address(3), amount: "0x4" }],
};
const receipt = {
  transactionHash: hash(1),
  transactionIndex: "0x0",
  blockHash: hash(7),
  blockNumber: "0x7",
  from: address(8),
  to: address(9),
  contractAddress: null,
  status: "0x1",
  type: "0x2",
  logs: [log],
  logsBloom: bloom,
  gasUsed: "0x5208",
  cumulativeGasUsed: "0x5208",
  effectiveGasPrice: "0x8",
  blobGasPrice: "0x1",
  blobGasUsed: "0x20000",
};

/** Takes the place of each field, and of each of a few that no node knows. */
const oddities: (Json | undefined)[] = [
  undefined,
  null,
  true,
  -1,
  1.5,
  5,
  "",
  "zz",
  "0x",
  "0xzz",
  "0x01",
  "constructor",
  `0x${"f".repeat(64)}`,
  `0x${"f".repeat(65)}`,
  [],
  [null],
  ["0x"],
  {},
  { length: 3 },
];

/** The value with each of its fields, at any depth, in each odd form in turn. */
function* mutants(value: Json): Generator<Json | undefined> {
  yield* oddities;
  if (typeof value !== "object" || value === null) return;
  for (const key of Object.keys(value)) {
    for (const each of mutants((value as Record<string, Json>)[key]!)) {
      const changed = (Array.isArray(value) ? [...value] : { ...value }) as Record<string, Json | undefined>;
      changed[key] = each;
      yield changed as Json;
    }
  }
  if (!Array.isArray(value))
    for (const each of oddities) yield { ...value, feeRatio: each, l1Fee: each } as Json;
}

/** What is read, of which honest answer, by what, and what is made of it. */
const reads: {
  name: string;
  honest: Json;
  method: string;
  read: (client: ChainClient) => Promise<unknown>;
  used: (answer: never) => unknown;
}[] = [
  {
    name: "a block",
    method: "eth_getBlockByNumber",
    honest: { ...block, transactions: [hash(1), hash(2)] },
    read: ({ public: usual }) => usual.getBlock({ blockNumber: 7n }),
    used: ({ number }: { number: bigint }) => number,
  },
  {
    name: "a block with its transactions",
    method: "eth_getBlockByNumber",
    honest: { ...block, transactions: [transaction] },
    read: ({ public: usual }) => usual.getBlock({ blockNumber: 7n, includeTransactions: true }),
    used: ({ number }: { number: bigint }) => number,
  },
  {
    name: "a block as endpoints agree on it",
    method: "eth_getBlockByNumber",
    honest: { ...block, transactions: [hash(1)] },
    read: ({ confirmed }) => confirmed.getBlock({ blockNumber: 7n }),
    used: ({ number, hash, parentHash, timestamp, logsBloom, transactions }: Record<string, unknown>) => [
      ...[number, hash, parentHash, timestamp, logsBloom, transactions],
    ],
  },
  {
    name: "the newest block in the middle of all",
    method: "eth_getBlockByNumber",
    honest: { ...block, transactions: [hash(1)] },
    read: ({ confirmed }) => confirmed.getBlock(),
    used: ({ timestamp }: { timestamp: bigint }) => typeof timestamp,
  },
  {
    name: "logs",
    method: "eth_getLogs",
    honest: [log, { ...log, logIndex: "0x4" }],
    read: ({ public: usual }) => usual.getLogs({ address: log.address, fromBlock: 6n, toBlock: 8n }),
    used: (logs: Record<string, unknown>[]) =>
      logs.map(({ address, topics, data, blockNumber, blockHash, transactionHash, logIndex, removed }) => [
        ...[address, topics, data, blockNumber, blockHash, transactionHash, logIndex],
        removed ?? false,
      ]),
  },
  {
    name: "a receipt",
    method: "eth_getTransactionReceipt",
    honest: receipt,
    read: ({ public: usual }) => usual.getTransactionReceipt({ hash: hash(1) }),
    used: ({ transactionHash, blockHash, blockNumber, status }: Record<string, unknown>) => [
      ...[transactionHash, blockHash, blockNumber, status],
    ],
  },
  {
    name: "a transaction",
    method: "eth_getTransactionByHash",
    honest: transaction,
    read: ({ public: usual }) => usual.getTransaction({ hash: hash(1) }),
    used: ({ hash }: { hash: Hex }) => hash,
  },
];

/** Three endpoints, of which one gives another answer than the others. */
function connected(method: string, honest: Json, lie: Json | undefined, place: number): Promise<ChainClient> {
  const endpoints = [0, 1, 2].map(
    (i): Endpoint => ({
      name: `n${i}`,
      async request(asked) {
        if (asked.method === "eth_chainId") return "0x1";
        assert.equal(asked.method, method);
        return i === place ? lie : honest;
      },
    }),
  );
  return connectChain({ chainId: 1, endpoints, clock: new ManualClock() });
}

describe("an answer of which one field is something else", () => {
  for (const { name, method, honest, read, used } of reads) {
    it(`attack: keeps nobody from reading ${name}, and is that of the others where they must agree`, async () => {
      const expected = used((await read(await connected(method, honest, honest, 0))) as never);
      for (const lie of mutants(honest)) {
        const client = await connected(method, honest, lie, 0);
        const what = () => JSON.stringify(lie);
        let answer: unknown;
        try {
          answer = await read(client);
        } catch (error) {
          assert.fail(`${what()}: ${error}`);
        }
        assert.deepEqual(used(answer as never), expected, what());
      }
    });
  }

  it("attack: is noted against whoever gave it, for each field that is converted", async () => {
    const { transactions: _, ...fields } = { ...block, transactions: [] };
    const unused = ["mixHash", "extraData", "uncles", "withdrawals"];
    for (const key of Object.keys(fields).filter((each) => !unused.includes(each))) {
      const client = await connected("eth_getBlockByNumber", block, { ...block, [key]: "zz" }, 0);
      await client.public.getBlock({ blockNumber: 7n });
      const [liar] = client.health();
      assert.deepEqual([liar!.contradictions, liar!.restingUntil > 1_000_000], [1, true], key);
    }
    const client = await connected("eth_getBlockByNumber", block, { ...block, extraData: "zz" }, 0);
    const given = await client.public.getBlock({ blockNumber: 7n });
    assert.equal("extraData" in given, false, "what is not used is left out");
  });
});

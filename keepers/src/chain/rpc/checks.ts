import { keccak256 } from "viem";
import { z } from "zod";
import type { RpcRequest } from "./endpoint.ts";
import { InconsistentAnswerError } from "./errors.ts";

/**
 * What can be checked of an answer without asking anyone else. An endpoint that answers another question than it was
 * asked, or contradicts itself, is caught here; two honest-looking answers are compared by `failover`'s quorum, and
 * the chain of block hashes by the follower.
 */
const hash = z.string().regex(/^0x[0-9a-fA-F]{64}$/);
const quantity = z.string().regex(/^0x[0-9a-fA-F]{1,64}$/);
const address = z.string().regex(/^0x[0-9a-fA-F]{40}$/);
const data = z.string().regex(/^0x(?:[0-9a-fA-F]{2})*$/);

const logSchema = z.looseObject({
  address,
  // How many there are is looked at first: of each that is malformed a note is made.
  topics: z.array(z.unknown()).max(4).pipe(z.array(hash)),
  data,
  blockNumber: quantity,
  blockHash: hash,
  transactionHash: hash,
  transactionIndex: quantity,
  logIndex: quantity,
  removed: z.boolean().optional(),
});
const blockSchema = z.looseObject({ number: quantity, hash, parentHash: hash, timestamp: quantity });
const receiptSchema = z.looseObject({
  transactionHash: hash,
  blockHash: hash,
  blockNumber: quantity,
  status: quantity,
  logs: z.array(z.unknown()),
});
/** More logs in one answer than fit into its bytes, or than nodes give at once. */
const mostLogs = 100_000;

type Log = z.infer<typeof logSchema>;
type Filter = { fromBlock?: string; toBlock?: string; blockHash?: string; address?: string | string[] };

const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase();

function shape<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new InconsistentAnswerError(`malformed ${what}: ${issue?.path.join(".")} ${issue?.message}`);
}

/** One after the other, up to the first that is malformed: notes of millions of them would take all of the memory. */
function logsIn(value: unknown): Log[] {
  const list = shape(z.array(z.unknown()), value, "logs");
  ensure(list.length <= mostLogs, `too many logs: ${list.length}`);
  return list.map((each, i) => shape(logSchema, each, `log ${i}`));
}

function ensure(holds: boolean, what: string): void {
  if (!holds) throw new InconsistentAnswerError(what);
}

function checkLogs(logs: readonly Log[], filter: Filter): void {
  const wanted =
    filter.address === undefined ? undefined : [filter.address].flat().map((a) => a.toLowerCase());
  const blocks = new Map<string, string>();
  for (const log of logs) {
    const number = BigInt(log.blockNumber);
    ensure(log.removed !== true, "a log of a block that is no longer in the chain");
    ensure(wanted === undefined || wanted.includes(log.address.toLowerCase()), "a log of another contract");
    if (filter.blockHash !== undefined)
      ensure(same(log.blockHash, filter.blockHash), "a log of another block");
    if (filter.fromBlock?.startsWith("0x"))
      ensure(number >= BigInt(filter.fromBlock), "a log before the range");
    if (filter.toBlock?.startsWith("0x")) ensure(number <= BigInt(filter.toBlock), "a log after the range");
    const known = blocks.get(log.blockNumber);
    ensure(known === undefined || same(known, log.blockHash), "two hashes for one block");
    blocks.set(log.blockNumber, log.blockHash);
  }
}

/** Throws `InconsistentAnswerError` when `answer` cannot be an honest answer to `request`. */
export function checkAnswer({ method, params }: RpcRequest, answer: unknown): void {
  const [first] = Array.isArray(params) ? (params as unknown[]) : [];
  switch (method) {
    case "eth_chainId":
    case "eth_blockNumber":
    case "eth_getTransactionCount":
    case "eth_getBalance":
    case "eth_estimateGas":
    case "eth_gasPrice":
    case "eth_maxPriorityFeePerGas":
      shape(quantity, answer, method);
      return;
    case "eth_getBlockByNumber":
    case "eth_getBlockByHash": {
      // A pending block has no hash yet.
      if (answer === null || first === "pending") return;
      const block = shape(blockSchema, answer, "block");
      if (method === "eth_getBlockByHash")
        ensure(same(block.hash, String(first)), "another block than asked");
      else if (String(first).startsWith("0x"))
        ensure(BigInt(block.number) === BigInt(String(first)), "another block number than asked");
      return;
    }
    case "eth_call":
      shape(data, answer, "answer of a call");
      return;
    case "eth_getLogs":
      checkLogs(logsIn(answer), (first ?? {}) as Filter);
      return;
    case "eth_getTransactionReceipt": {
      if (answer === null) return;
      const receipt = shape(receiptSchema, answer, "receipt");
      ensure(same(receipt.transactionHash, String(first)), "the receipt of another transaction");
      for (const log of logsIn(receipt.logs)) {
        ensure(same(log.blockHash, receipt.blockHash), "a receipt whose logs are of another block");
        ensure(
          same(log.transactionHash, receipt.transactionHash),
          "a receipt with logs of another transaction",
        );
      }
      return;
    }
    case "eth_sendRawTransaction":
      shape(hash, answer, "transaction hash");
      ensure(same(String(answer), keccak256(first as `0x${string}`)), "the hash of another transaction");
      return;
  }
}

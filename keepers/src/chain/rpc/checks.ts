import { keccak256 } from "viem";
import { z } from "zod";
import {
  blockSchemas,
  convertible,
  data,
  hash,
  type Log,
  logSchema,
  quantity,
  receiptSchema,
  shape,
  transactionSchema,
} from "./answers.ts";
import type { RpcRequest } from "./endpoint.ts";
import { InconsistentAnswerError } from "./errors.ts";

/** More logs in one answer than fit into its bytes, or than nodes give at once. */
const mostLogs = 100_000;

type Filter = { fromBlock?: string; toBlock?: string; blockHash?: string; address?: string | string[] };

const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase();

/** One after the other, up to the first that is malformed: notes of millions of them would take all of the memory. */
function logsIn(value: unknown): Log[] {
  const list = shape(z.array(z.unknown()), value, "logs");
  ensure(list.length <= mostLogs, `too many logs: ${list.length}`);
  return list.map((each, i) => convertible("log", shape(logSchema, each, `log ${i}`)));
}

function ensure(holds: boolean, what: string): void {
  if (!holds) throw new InconsistentAnswerError(what);
}

function checkLogs(logs: readonly Log[], filter: Filter): void {
  const wanted =
    filter.address === undefined ? undefined : [filter.address].flat().map((a) => a.toLowerCase());
  const blocks = new Map<bigint, string>();
  for (const log of logs) {
    const number = BigInt(log.blockNumber);
    ensure(log.removed !== true, "a log of a block that is no longer in the chain");
    ensure(wanted === undefined || wanted.includes(log.address.toLowerCase()), "a log of another contract");
    if (filter.blockHash !== undefined)
      ensure(same(log.blockHash, filter.blockHash), "a log of another block");
    if (filter.fromBlock?.startsWith("0x"))
      ensure(number >= BigInt(filter.fromBlock), "a log before the range");
    if (filter.toBlock?.startsWith("0x")) ensure(number <= BigInt(filter.toBlock), "a log after the range");
    const known = blocks.get(number);
    ensure(known === undefined || same(known, log.blockHash), "two hashes for one block");
    blocks.set(number, log.blockHash);
  }
}

function checkedBlock(method: string, [asked, isWhole]: readonly unknown[], answer: unknown): unknown {
  const which = isWhole === true ? "whole" : "usual";
  if (asked === "pending") return convertible("block", shape(blockSchemas.pending[which], answer, "block"));
  const block = convertible("block", shape(blockSchemas.made[which], answer, "block"));
  if (method === "eth_getBlockByHash") ensure(same(block.hash, String(asked)), "another block than asked");
  else if (String(asked).startsWith("0x"))
    ensure(BigInt(block.number) === BigInt(String(asked)), "another block number than asked");
  return block;
}

function checkedReceipt(asked: unknown, answer: unknown): unknown {
  const receipt = convertible("receipt", { ...shape(receiptSchema, answer, "receipt"), logs: [] });
  ensure(same(receipt.transactionHash, String(asked)), "the receipt of another transaction");
  const logs = logsIn((answer as { logs: unknown }).logs);
  for (const log of logs) {
    ensure(same(log.blockHash, receipt.blockHash), "a receipt whose logs are of another block");
    ensure(same(log.transactionHash, receipt.transactionHash), "a receipt with logs of another transaction");
  }
  return { ...receipt, logs };
}

/**
 * What can be checked of an answer without asking anyone else. An endpoint that answers another question than it was
 * asked, or contradicts itself, is caught here; two honest-looking answers are compared by `failover`'s quorum, and
 * the chain of block hashes by the follower.
 *
 * @returns the answer without what its form does not name: an endpoint may have put there whatever it likes
 * @throws InconsistentAnswerError when it cannot be an honest answer to the request
 */
export function checkAnswer({ method, params }: RpcRequest, answer: unknown): unknown {
  const asked = Array.isArray(params) ? (params as unknown[]) : [];
  const [first] = asked;
  switch (method) {
    case "eth_chainId":
    case "eth_blockNumber":
    case "eth_getTransactionCount":
    case "eth_getBalance":
    case "eth_estimateGas":
    case "eth_gasPrice":
    case "eth_maxPriorityFeePerGas":
      return shape(quantity, answer, method);
    case "eth_getBlockByNumber":
    case "eth_getBlockByHash":
      return answer === null ? null : checkedBlock(method, asked, answer);
    case "eth_call":
    case "eth_getCode":
      return shape(data, answer, "answer of a call");
    case "eth_getLogs": {
      const logs = logsIn(answer);
      checkLogs(logs, (first ?? {}) as Filter);
      return logs;
    }
    case "eth_getTransactionReceipt":
      return answer === null ? null : checkedReceipt(first, answer);
    case "eth_getTransactionByHash": {
      if (answer === null) return null;
      const found = convertible("transaction", shape(transactionSchema, answer, "transaction"));
      ensure(same(found.hash, String(first)), "another transaction than asked");
      return found;
    }
    case "eth_sendRawTransaction":
      shape(hash, answer, "transaction hash");
      ensure(same(String(answer), keccak256(first as `0x${string}`)), "the hash of another transaction");
      return answer;
    default:
      return answer;
  }
}

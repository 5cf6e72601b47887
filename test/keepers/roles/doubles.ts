import { type Logger, pino } from "pino";
import type { Address, Hex } from "viem";
import type { ChainClient } from "../../../keepers/src/chain/client.ts";
import type { Contracts } from "../../../keepers/src/chain/contracts.ts";
import { TransactionFailedError } from "../../../keepers/src/chain/transactions/errors.ts";
import type { Intent, TransactionQueue } from "../../../keepers/src/chain/transactions/queue.ts";
import type { Proof } from "../../../keepers/src/core/groth16/types.ts";
import type { DutyContext } from "../../../keepers/src/roles/storage-node/context.ts";
import { deployment } from "./dataset.ts";

export type Reads = Record<string, Record<string, (args: never) => unknown>>;

/** Contracts of which only the named functions can be read. */
export function contractsOf(reads: Reads): Contracts {
  const handles = Object.entries(reads).map(([name, functions]) => [
    name,
    {
      read: Object.fromEntries(
        Object.entries(functions).map(([key, read]) => [key, async (args: never) => read(args)]),
      ),
    },
  ]);
  return Object.fromEntries(handles) as Contracts;
}

/** A queue that hands intents to the test; what the test throws is the chain's refusal. */
export class QueueDouble {
  readonly sent: Intent[] = [];
  readonly waiting: string[] = [];
  readonly waited: string[] = [];
  onSend: (intent: Intent) => void = () => {};

  get queue(): TransactionQueue {
    return {
      send: async (intent: Intent) => {
        this.sent.push(intent);
        this.onSend(intent);
        return { blockNumber: 1n };
      },
      submit: async (intent: Intent) => {
        this.sent.push(intent);
        this.onSend(intent);
      },
      pending: () => this.waiting.map((key) => ({ key })),
      wait: async (key: string) => {
        this.waited.push(key);
        return { blockNumber: 1n };
      },
    } as unknown as TransactionQueue;
  }
}

export function refusal(key: string): TransactionFailedError {
  return new TransactionFailedError("the chain refuses it", { key });
}

export type ContextDouble = { context: DutyContext; queue: QueueDouble; log: LogDouble };

/** Log lines that a test looks at. */
export class LogDouble {
  readonly lines: { level: number; msg: string }[] = [];
  readonly logger: Logger = pino(
    { level: "debug" },
    { write: (line: string) => this.lines.push(JSON.parse(line) as { level: number; msg: string }) },
  );
}

export function contextOf(operator: Address, reads: Reads, now: () => bigint = () => 1_000n): ContextDouble {
  const queue = new QueueDouble();
  const log = new LogDouble();
  const client = { public: { getBlock: async () => ({ timestamp: now() }) } } as unknown as ChainClient;
  const contracts = contractsOf(reads);
  return {
    queue,
    log,
    context: {
      ...{ operator, client, deployment, contracts, queue: queue.queue, log: log.logger },
      agreed: { client, contracts },
    },
  };
}

export const word = (n: number): Hex => `0x${n.toString(16).padStart(64, "0")}`;
export const account = (n: number): Address => `0x${n.toString(16).padStart(40, "0")}`;

/** The form of a proof; different numbers give different ones. */
export function proofNumber(n: number): Proof {
  const point = { x: BigInt(n), y: 2n };
  const wide = { x: { c0: 1n, c1: 2n }, y: { c0: 3n, c1: 4n } };
  return { a: point, b: wide, c: point };
}

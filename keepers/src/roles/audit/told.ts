import type { ChainClient } from "../../chain/client.ts";
import { type Clock, systemClock } from "../../chain/clock.ts";
import type { Told } from "./compare.ts";
import { IndexAnswerError } from "./errors.ts";
import type { ChainHistory } from "./history.ts";
import type { IndexPosition, IndexReader } from "./index-reader.ts";
import type { KindName } from "./rows.ts";

/** What was asked of an index: rows of a kind that meet a filter. */
export type Question = { readonly kind: KindName; readonly where: Readonly<Record<string, unknown>> };

/** What an index answered, and how it behaved. */
export type IndexFindings = {
  readonly url: string;
  /** Where it stands; undefined when it does not say. */
  readonly position: IndexPosition | undefined;
  /** Newest block that both know, as of which it was asked. */
  readonly asOf: bigint;
  /** Whether the block that it names as its newest is the chain's; undefined when it gave no hash. */
  readonly isOnChain: boolean | undefined;
  readonly told: { readonly [K in KindName]?: Told };
  /** What it failed at, each once. */
  readonly failures: readonly string[];
};

export type AskParameters = {
  readonly url: string;
  readonly reader: IndexReader;
  readonly client: ChainClient;
  readonly history: ChainHistory;
  readonly questions: readonly Question[];
  /** Milliseconds that an index may need to reach the chain's newest block; 10 seconds by default. */
  readonly patience?: number;
  readonly clock?: Clock;
  readonly signal?: AbortSignal;
};

/** Milliseconds between two looks at an index that is behind. */
const pollInterval = 250;

/**
 * Puts questions to an index as of the newest block that it and the history have. Whatever it does wrong is written down,
 * never thrown.
 */
export async function askIndex(parameters: AskParameters): Promise<IndexFindings> {
  const { url, reader, history, questions } = parameters;
  const failures = new Set<string>();
  const tried = async <T>(work: () => Promise<T>): Promise<T | { readonly failure: string }> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof IndexAnswerError)) throw error;
      failures.add(error.message);
      return { failure: error.message };
    }
  };
  const position = await tried(() => caughtUp(parameters));
  if ("failure" in position) {
    const told = Object.fromEntries(questions.map(({ kind }) => [kind, position]));
    return {
      url,
      position: undefined,
      asOf: history.block.number,
      isOnChain: undefined,
      told,
      failures: [...failures],
    };
  }
  const asOf = position.number < history.block.number ? position.number : history.block.number;
  const told: { [K in KindName]?: Told } = {};
  for (const { kind, where } of questions) told[kind] = await tried(() => reader.rows(kind, where, asOf));
  const isOnChain = await isKnownBlock(parameters, position);
  return { url, position, asOf, isOnChain, told, failures: [...failures] };
}

/** Where the index stands once it has reached the history's end, or its time is up. */
async function caughtUp({
  reader,
  history,
  patience = 10_000,
  clock = systemClock,
  signal,
}: AskParameters): Promise<IndexPosition> {
  for (let waited = 0; ; waited += pollInterval) {
    const position = await reader.position();
    if (position.number >= history.block.number || waited >= patience) return position;
    await clock.sleep(pollInterval, signal);
  }
}

async function isKnownBlock(
  { client, history }: AskParameters,
  { number, hash }: IndexPosition,
): Promise<boolean | undefined> {
  if (hash === undefined) return undefined;
  if (number === history.block.number) return hash === history.block.hash;
  const newest = await client.public.getBlockNumber();
  if (number > newest) return false;
  return (await client.public.getBlock({ blockNumber: number })).hash === hash;
}

import type { ChainClient } from "../../chain/client.ts";
import { type Clock, systemClock } from "../../chain/clock.ts";
import type { Told } from "./compare.ts";
import { IndexAnswerError } from "./errors.ts";
import type { ChainHistory } from "./history.ts";
import type { IndexPosition, IndexReader } from "./index-reader.ts";
import type { KindName, Row } from "./rows.ts";
import { shownUrl } from "./shown-url.ts";

/** What was asked of an index: rows of a kind that meet a filter. */
export type Question = {
  readonly kind: KindName;
  /** A filter, or several: the rows that meet any of them. */
  readonly where: Filter | readonly Filter[];
  /** How many there are by the chain's events: an index that gives far more is not listened to. */
  readonly rows: number;
};

export type Filter = Readonly<Record<string, unknown>>;

/** Values that a filter's list has at most: what Graph Node takes. */
const mostInList = 1_000;
/** Rows that an index may invent before it is given up: they are named as invented until then. */
const mostInvented = 1_000;

/** A filter for each part of a list that is short enough to be asked for; one with an empty list when there is nothing. */
export function inParts<T>(
  list: readonly T[],
  filter: (part: readonly T[], index: number) => Filter,
): Filter[] {
  const parts: Filter[] = [];
  for (let start = 0; start === 0 || start < list.length; start += mostInList)
    parts.push(filter(list.slice(start, start + mostInList), parts.length));
  return parts;
}

/** What an index answered, and how it behaved. */
export type IndexFindings = {
  /** Its address as far as it can be shown. */
  readonly url: string;
  /** Where it stands; undefined when it does not say. */
  readonly position: IndexPosition | undefined;
  /** Newest block that both know, as of which it was asked. */
  readonly asOf: bigint;
  /** Whether the chain has newer blocks than that. */
  readonly isBehind: boolean;
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
  const { reader, history, questions } = parameters;
  const url = shownUrl(parameters.url);
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
      isBehind: false,
      isOnChain: undefined,
      told,
      failures: [...failures],
    };
  }
  const asOf = position.number < history.block.number ? position.number : history.block.number;
  const told: { [K in KindName]?: Told } = {};
  for (const question of questions) told[question.kind] = await tried(() => answerOf(reader, question, asOf));
  const isOnChain = await isKnownBlock(parameters, position);
  const isBehind = asOf < history.block.number;
  return { url, position, asOf, isBehind, isOnChain, told, failures: [...failures] };
}

/** What meets any of the filters; rows are told apart by all that they say, not by an id that an index may give to several. */
async function answerOf(reader: IndexReader, { kind, where, rows }: Question, asOf: bigint): Promise<Row[]> {
  const found = new Map<string, Row>();
  for (const filter of [where].flat() as Filter[])
    for (const row of await reader.rows(kind, filter, { block: asOf, most: rows + mostInvented }))
      found.set(JSON.stringify(row), row);
  return [...found.values()];
}

/** Where the index stands once it has reached the history's end, or its time is up. */
async function caughtUp({
  reader,
  history,
  patience = 10_000,
  clock = systemClock,
  signal,
}: AskParameters): Promise<IndexPosition> {
  // What the index takes for its answers counts as well.
  const end = clock.now() + patience;
  for (;;) {
    const position = await reader.position();
    if (position.number >= history.block.number || clock.now() >= end) return position;
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

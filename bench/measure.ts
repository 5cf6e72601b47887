/** One measurement next to its peer, taken in the same run. */
export type Row = {
  name: string;
  value: number;
  unit: string;
  peer: string;
  peerValue: number;
  ratio: number;
  note?: string;
};

export type Report = (row: Row) => void;
export type BenchOptions = {
  quick: boolean;
  /** Prices of the command line, in the place of those that costs are stated at. */
  dollarsPerEther?: number;
  blobGweiPerByte?: number;
  gweiPerGas?: number;
};

/** Measures something once and returns seconds, or whatever number the caller compares. */
export type Contender = () => number | Promise<number>;

/** Seconds per call of `work`, called for at least `atLeast` seconds. */
export function secondsPerCall(work: () => void, atLeast: number): number {
  let calls = 0;
  const start = performance.now();
  let elapsed = 0;
  for (let next = 1; elapsed < atLeast * 1000; next = Math.max(1, calls)) {
    for (let i = 0; i < next; i++) work();
    calls += next;
    elapsed = performance.now() - start;
  }
  return elapsed / 1000 / calls;
}

/**
 * Lets all contenders run in turn, several rounds, and keeps the lowest number of each: the machine's other work
 * only ever adds time, and a slow spell hits neighbours alike.
 */
export async function interleave<Name extends string>(
  contenders: Record<Name, Contender>,
  rounds: number,
): Promise<Record<Name, number>> {
  const names = Object.keys(contenders) as Name[];
  const best = Object.fromEntries(names.map((name) => [name, Number.POSITIVE_INFINITY])) as Record<
    Name,
    number
  >;
  for (let round = 0; round < rounds; round++) {
    for (const name of names) best[name] = Math.min(best[name], await contenders[name]());
  }
  return best;
}

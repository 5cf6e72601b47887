import type { Clock } from "../clock.ts";
import { isFinalAnswer, RpcUnavailableError } from "./errors.ts";

type Result = PromiseSettledResult<unknown>;

/** Whether what has been answered so far is enough for whoever has not answered yet to be left out soon. */
export type Enough = (results: readonly Result[]) => boolean;

/** Milliseconds that are waited at least for the rest once enough have answered, and how many times as long as those took. */
const patience = { least: 1_000, times: 4 };

/** So many that have answered, with whatever: a refusal by the chain is an answer, too. */
export function given(least: number): Enough {
  return (results) =>
    results.filter((each) => each.status === "fulfilled" || isFinalAnswer(each.reason)).length >= least;
}

/**
 * So many that name quantities no further apart than `spread`. Where those that answered fast contradict each other the rest is
 * waited for: else a liar would decide whenever an honest endpoint is slow.
 */
export function alike(least: number, spread: bigint): Enough {
  return (results) => {
    const values = results
      .flatMap((each) => (each.status === "fulfilled" ? [BigInt(String(each.value))] : []))
      .sort((a, b) => (a < b ? -1 : 1));
    return values.some((value, i) => {
      const last = values[i + least - 1];
      return last !== undefined && last - value <= spread;
    });
  };
}

/** What a quantity is asked for by: a part of an answer. */
export type Reading = (answer: unknown) => bigint;

/**
 * So many that name quantities within a quarter of each other, as honest endpoints do that are a block or two apart in what gas costs;
 * or so many refusals by the chain.
 */
export function near(least: number, read: Reading): Enough {
  return (results) => {
    const values = quantitiesOf(results, read);
    const refusals = results.filter((each) => each.status === "rejected" && isFinalAnswer(each.reason));
    return (
      refusals.length >= least ||
      values.some((value, i) => {
        const last = values[i + least - 1];
        return last !== undefined && 4n * last <= 5n * value;
      })
    );
  };
}

/** The quantities that were answered, lowest first; what holds none is left out. */
export function quantitiesOf(results: readonly Result[], read: Reading): bigint[] {
  const values = results.flatMap((each) => {
    try {
      return each.status === "fulfilled" ? [read(each.value)] : [];
    } catch {
      return [];
    }
  });
  return values.sort((a, b) => (a < b ? -1 : 1));
}

/** When those that have not answered are left out although the others are not enough. */
export type Limit = {
  /** Answers without which everybody is waited for. */
  readonly isLeast: Enough;
  /** What the rest has then, or four times as long as those took. */
  readonly milliseconds: number;
};

/**
 * Asks all at once. When enough have answered, the others have a time in proportion to what those took, and are left out after
 * it: one that answers just before its timeout would hold up whoever waits for all of them.
 *
 * @param asks take a signal that they are left out
 * @returns a result for each; that of one that is left out is a failure
 */
export async function gather(
  asks: readonly ((leftOut: AbortSignal) => Promise<unknown>)[],
  isEnough: Enough,
  clock: Clock,
  limit?: Limit,
): Promise<Result[]> {
  const results = new Map<number, Result>();
  const leaving = new AbortController();
  const done = new AbortController();
  const started = clock.now();
  await new Promise<void>((resolve) => {
    let isHurried = false;
    let isLimited = false;
    const hurry = async (least: number): Promise<void> => {
      const pause = Math.max(least, patience.times * (clock.now() - started));
      await clock.sleep(pause, done.signal);
      if (done.signal.aborted) return;
      done.abort();
      leaving.abort();
      // Those that are left out are put to rest in this turn, before anybody is asked again.
      setImmediate(resolve);
    };
    const look = (): void => {
      const answered = [...results.values()];
      if (results.size === asks.length) {
        done.abort();
        resolve();
      } else if (!isHurried && isEnough(answered)) {
        isHurried = true;
        void hurry(patience.least);
      } else if (limit !== undefined && !isLimited && limit.isLeast(answered)) {
        isLimited = true;
        void hurry(limit.milliseconds);
      }
    };
    const settle = (i: number, result: Result): void => {
      results.set(i, result);
      look();
    };
    look();
    asks.forEach((ask, i) => {
      ask(leaving.signal).then(
        (value) => settle(i, { status: "fulfilled", value }),
        (reason: unknown) => settle(i, { status: "rejected", reason }),
      );
    });
  });
  return asks.map((_, i) => results.get(i) ?? { status: "rejected", reason: new LeftOutError() });
}

/**
 * Asks all at once, for what one of them is enough for: the first answer, or why there was none. Those that have not answered when
 * `isEnough` holds for the others have the time that {@link gather} gives; once there is an answer nobody is left out.
 */
export async function firstOf(
  asks: readonly ((leftOut: AbortSignal) => Promise<unknown>)[],
  isEnough: Enough,
  clock: Clock,
): Promise<{ answer: unknown } | unknown[]> {
  const { promise, resolve } = Promise.withResolvers<{ answer: unknown }>();
  const telling = asks.map((ask) => async (leftOut: AbortSignal) => {
    const answer = await ask(leftOut);
    resolve({ answer });
    return answer;
  });
  const reasons = gather(telling, isEnough, clock).then((results) =>
    results.flatMap((each) => (each.status === "rejected" ? [each.reason as unknown] : [])),
  );
  return Promise.race([promise, reasons]);
}

/**
 * Asks one after another, but so many at once as are missing, and another one as soon as those have taken as long as {@link gather}
 * would give them: who answers last of all does not hold up everybody. Whoever stops before the end leaves out those that were
 * waited for in vain.
 *
 * @param missing how many more answers are needed at least
 */
export async function* inTurn<T>(
  asks: readonly ((leftOut: AbortSignal) => Promise<T>)[],
  missing: () => number,
  clock: Clock,
): AsyncGenerator<T> {
  type Turn = { began: number; leaving: AbortController; answer: Promise<{ turn: Turn; value: T }> };
  const turns = new Set<Turn>();
  let next = 0;
  let late = 0;
  const begin = (ask: (leftOut: AbortSignal) => Promise<T>): void => {
    const leaving = new AbortController();
    const turn = { began: clock.now(), leaving } as Turn;
    turn.answer = ask(leaving.signal).then((value) => ({ turn, value }));
    turns.add(turn);
  };
  const started = clock.now();
  let took = 0;
  try {
    for (;;) {
      while (next < asks.length && turns.size < missing() + late) begin(asks[next++]!);
      if (turns.size === 0) return;
      const waking = new AbortController();
      const answers: Promise<{ turn: Turn; value: T } | undefined>[] = [...turns].map(({ answer }) => answer);
      if (next < asks.length) {
        const pause = Math.max(patience.least, patience.times * took);
        answers.push(clock.sleep(pause, waking.signal).then(() => undefined));
      }
      const first = await Promise.race(answers).finally(() => waking.abort());
      if (first === undefined) {
        late++;
        continue;
      }
      took = Math.max(took, clock.now() - started);
      turns.delete(first.turn);
      late = Math.min(late, turns.size);
      yield first.value;
    }
  } finally {
    for (const { began, leaving } of turns) if (clock.now() - began >= patience.least) leaving.abort();
  }
}

/** An endpoint took much longer than the others. */
export class LeftOutError extends RpcUnavailableError {
  override readonly name = "LeftOutError";

  constructor() {
    super("it had not answered long after the other endpoints");
  }
}

/** Rejects when the signal is given. */
export function untilLeftOut(leftOut: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    leftOut?.addEventListener("abort", () => reject(new LeftOutError()), { once: true });
  });
}

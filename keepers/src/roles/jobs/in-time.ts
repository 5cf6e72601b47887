import { setTimeout as delay } from "node:timers/promises";
import { AssayError, exitCode } from "../../core/errors.ts";
import { reasonOf } from "../../storage/client/reason.ts";

/** What others should have given has not come in its time. */
export class TooLateError extends AssayError {
  override readonly name: string = "TooLateError";

  constructor(seconds: number) {
    super(`it did not arrive in ${seconds} s`, {
      next: "It is tried again; --fetch-time says how long it may take.",
      exitCode: exitCode.unavailable,
    });
  }
}

export type LimitOptions = {
  /** Seconds that it may take. */
  readonly seconds: number;
  /** Ends the work and the wait for it. */
  readonly signal: AbortSignal;
};

export type InTimeOptions = LimitOptions & {
  /** Is told why there is nothing. */
  readonly onNothing: (reason: string) => void;
};

/**
 * Does work that depends on others, for so long at most. Its signal ends nothing once the work is done: what was opened
 * with it can be used for longer.
 *
 * @param work ends soon after its signal does
 * @throws the reason of the signal, when it was aborted; TooLateError; what the work throws
 */
export async function limited<T>(
  work: (signal: AbortSignal) => Promise<T>,
  { seconds, signal }: LimitOptions,
): Promise<T> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(new TooLateError(seconds)), seconds * 1000);
  try {
    return await work(AbortSignal.any([signal, late.signal]));
  } catch (error) {
    signal.throwIfAborted();
    // Whatever was made of it on the way.
    late.signal.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/**
 * What others give, or undefined when they have not given it in its time: for whatever reason, because who withholds
 * something chooses how. Whoever asks decides by what was had, never by how the rest failed.
 *
 * @param work ends soon after its signal does
 * @throws the reason of the signal, when it was aborted, and nothing else
 */
export async function inTime<T extends object>(
  work: (signal: AbortSignal) => Promise<T>,
  { onNothing, ...limit }: InTimeOptions,
): Promise<T | undefined> {
  try {
    return await limited(work, limit);
  } catch (error) {
    limit.signal.throwIfAborted();
    onNothing(reasonOf(error));
    return undefined;
  }
}

export type UnlessOverOptions = {
  /** Says whether it has become too late. One that fails, as an endpoint does that does not answer, says nothing. */
  readonly isOver: () => Promise<boolean>;
  /** Milliseconds from one look to the next. */
  readonly lookEvery: number;
  /** Ends the work. */
  readonly signal: AbortSignal;
};

/**
 * Does work for as long as it is of use to anybody, or gives undefined where that ended first: however much work strangers
 * may have given, they must not keep a machine busy with it beyond that.
 *
 * @param work ends soon after its signal does
 * @throws the reason of the signal, when it was aborted; what the work throws in its time
 */
export async function unlessOver<T extends NonNullable<unknown>>(
  work: (signal: AbortSignal) => Promise<T>,
  { isOver, lookEvery, signal }: UnlessOverOptions,
): Promise<T | undefined> {
  const over = new AbortController();
  const done = new AbortController();
  const watch = async () => {
    for (;;) {
      await delay(lookEvery, undefined, { signal: done.signal, ref: false }).catch(() => undefined);
      if (done.signal.aborted) return;
      if (await isOver().catch(() => false)) return over.abort(new Error("it is over"));
    }
  };
  const watching = watch();
  try {
    return await work(AbortSignal.any([signal, over.signal]));
  } catch (error) {
    if (!over.signal.aborted || signal.aborted) throw error;
    return undefined;
  } finally {
    done.abort();
    await watching;
  }
}

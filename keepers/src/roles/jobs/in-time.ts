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

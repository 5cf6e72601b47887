import { AssayError, exitCode } from "../../core/errors.ts";

/** Least pace of an operator that takes a bundle, bytes per second. */
const leastPace = 16_000;
/** Milliseconds that a timer takes at most. */
const longestTimer = 2 ** 31 - 1;

export type UploadLimits = {
  /** Seconds that an operator may take for a bundle beside those of its bytes at 16,000 a second; 120 by default. */
  readonly patience?: number;
  /** Seconds that all of it may take beside those of all its bytes at that pace; 1,800 by default. */
  readonly seconds?: number;
};

/** An operator took an offer, or said nothing to it, and gave no receipt in its time. */
export class StalledError extends AssayError {
  override readonly name: string = "StalledError";

  /** @param seconds for which it was waited for */
  constructor(seconds: number) {
    super(`it stalled: no receipt came in ${seconds.toFixed(1)} s`, {
      next: "Another operator is asked instead.",
      exitCode: exitCode.unavailable,
    });
  }
}

/** The time that bringing bundles to operators may take: who stalls holds up one bundle for so long, and never all of them. */
export class UploadTime {
  /** When it is over, in milliseconds of this process. */
  readonly until: number;
  readonly #begun = performance.now();
  readonly #patience: number;

  /** @param bytes of all bundles that are to be brought */
  constructor(bytes: number, { patience = 120, seconds = 1800 }: UploadLimits = {}) {
    this.#patience = patience;
    this.until = this.#begun + 1000 * (seconds + bytes / leastPace);
  }

  get isOver(): boolean {
    return performance.now() >= this.until;
  }

  /** Seconds since it began. */
  get passed(): number {
    return (performance.now() - this.#begun) / 1000;
  }

  /** Milliseconds that so many bytes may take, which are never more than all of it may. */
  of(bytes: number): number {
    return Math.min(1000 * (this.#patience + bytes / leastPace), this.until - this.#begun);
  }
}

/**
 * Has an operator do something for so long at most.
 *
 * @param milliseconds for which it may take
 * @param work ends soon after its signal does
 * @throws the reason of the signal, when it was aborted; StalledError; what the work throws
 */
export async function unlessStalled<T>(
  work: (signal: AbortSignal) => Promise<T>,
  milliseconds: number,
  signal: AbortSignal | undefined,
): Promise<T> {
  const begun = performance.now();
  const late = new AbortController();
  const stalled = () => late.abort(new StalledError((performance.now() - begun) / 1000));
  const timer = setTimeout(stalled, Math.min(longestTimer, Math.max(0, milliseconds)));
  try {
    return await work(signal === undefined ? late.signal : AbortSignal.any([signal, late.signal]));
  } catch (error) {
    signal?.throwIfAborted();
    // Whatever was made of it on the way.
    late.signal.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

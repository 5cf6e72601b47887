import { AssayError, exitCode } from "../core/errors.ts";
import { BundleCommitment } from "../core/merkle/bundle-commitment.ts";
import { Slicer } from "../core/merkle/bundle-committer.ts";
import type { SliceCommitment } from "../core/merkle/slice.ts";

/** A hashing thread ended in the middle of a bundle; another one takes its place for the next. */
export class CommitWorkerError extends AssayError {
  override readonly name = "CommitWorkerError";

  constructor(cause: unknown) {
    super("a hashing thread ended unexpectedly", {
      kept: "everything but the commitment of the bundle it was working on",
      next: "commit to that bundle again; if it fails again, see whether memory ran out",
      exitCode: exitCode.unavailable,
      cause,
    });
  }
}

/** The pool was closed before or while it was asked. */
export class CommitPoolClosedError extends AssayError {
  override readonly name = "CommitPoolClosedError";

  constructor() {
    super("the hashing threads were stopped", { next: "open a new pool", exitCode: exitCode.unavailable });
  }
}

/** What a hashing thread is asked: one slice of a bundle, whose buffer it takes over. It answers with a SliceCommitment. */
export type CommitRequest = { bytes: Uint8Array<ArrayBuffer>; only: boolean };

/** A thread that answers one request at a time. */
export interface CommitThread {
  /** Asks it; it takes the request's buffer over. */
  ask(request: CommitRequest): void;
  /** Whether it is waited for: an idle one does not keep the process alive. */
  hold(isBusy: boolean): void;
  stop(): Promise<void>;
}

/** What a thread tells its pool. */
export type ThreadEvents = {
  readonly answered: (commitment: SliceCommitment) => void;
  readonly ended: (cause: unknown) => void;
};

/** Starts a thread. */
export type OpenThread = (events: ThreadEvents) => CommitThread;

type Job = {
  readonly request: CommitRequest;
  readonly resolve: (commitment: SliceCommitment) => void;
  readonly reject: (error: Error) => void;
};

/**
 * Commits to bundles on several threads, whatever they are.
 *
 * Bundles are cut into slices of 1024 cells that any thread can take, so that a single bundle is spread as well as
 * many. At most two slices (1 MB) per thread wait or are worked on, however fast a stream delivers. Threads start when
 * they are first needed and do not keep the process alive while they are idle.
 */
export class SlicePool implements AsyncDisposable {
  readonly #size: number;
  readonly #open: OpenThread;
  readonly #idle: CommitThread[] = [];
  readonly #busy = new Map<CommitThread, Job>();
  readonly #queue: Job[] = [];
  readonly #waiting: (() => void)[] = [];
  #closed = false;

  /** @throws RangeError for a number of threads that is no positive integer */
  constructor(threads: number, open: OpenThread) {
    if (!Number.isInteger(threads) || threads < 1)
      throw new RangeError(`a pool cannot have ${threads} threads`);
    this.#size = threads;
    this.#open = open;
  }

  /**
   * Commits to a bundle, given whole or in chunks of any size.
   * @throws BadInputError when it is empty or longer than 16384 cells; CommitWorkerError when a thread ends;
   * CommitPoolClosedError; whatever the stream throws
   */
  async commit(
    bundle: Uint8Array | AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  ): Promise<BundleCommitment> {
    const chunks = bundle instanceof Uint8Array ? [bundle] : bundle;
    const slicer = new Slicer();
    const slices: Promise<SliceCommitment>[] = [];
    const add = async (bytes: Uint8Array<ArrayBuffer>, only: boolean): Promise<void> => {
      const slice = this.#run({ bytes, only });
      // It is awaited below; until then a failure must not count as unhandled.
      slice.catch(() => {});
      slices.push(slice);
      await this.#room();
    };
    for await (const chunk of chunks) for (const bytes of slicer.push(chunk)) await add(bytes, false);
    const { bytes, only } = slicer.finish();
    await add(bytes, only);
    return BundleCommitment.fromSlices(await Promise.all(slices));
  }

  /** Stops all threads; what they were asked fails with CommitPoolClosedError. */
  async close(): Promise<void> {
    this.#closed = true;
    const workers = [...this.#idle, ...this.#busy.keys()];
    const jobs = [...this.#busy.values(), ...this.#queue];
    this.#idle.length = 0;
    this.#busy.clear();
    this.#queue.length = 0;
    for (const job of jobs) job.reject(new CommitPoolClosedError());
    this.#wake();
    await Promise.all(workers.map((worker) => worker.stop()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #run(request: CommitRequest): Promise<SliceCommitment> {
    if (this.#closed) return Promise.reject(new CommitPoolClosedError());
    return new Promise((resolve, reject) => {
      this.#queue.push({ request, resolve, reject });
      this.#dispatch();
    });
  }

  /** Resolves when another slice may be read. */
  async #room(): Promise<void> {
    while (!this.#closed && this.#busy.size + this.#queue.length >= 2 * this.#size) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #dispatch(): void {
    while (this.#queue.length > 0 && this.#busy.size < this.#size) {
      const job = this.#queue.shift()!;
      const worker = this.#idle.pop() ?? this.#start();
      this.#busy.set(worker, job);
      worker.hold(true);
      worker.ask(job.request);
    }
  }

  #start(): CommitThread {
    const worker = this.#open({
      answered: (commitment) => {
        const job = this.#busy.get(worker);
        if (job === undefined) return;
        this.#busy.delete(worker);
        this.#idle.push(worker);
        worker.hold(false);
        job.resolve(commitment);
        this.#dispatch();
        this.#wake();
      },
      ended: (cause) => {
        const at = this.#idle.indexOf(worker);
        if (at >= 0) this.#idle.splice(at, 1);
        const job = this.#busy.get(worker);
        if (job === undefined) return;
        this.#busy.delete(worker);
        job.reject(new CommitWorkerError(cause));
        this.#dispatch();
        this.#wake();
      },
    });
    return worker;
  }
}

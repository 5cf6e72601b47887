import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { EntitySchema } from "../schema/entity-schema.ts";

/** One operation of a document, as a client sent it. */
export type QueryRequest = {
  readonly text: string;
  readonly operation: string | null | undefined;
  readonly variables: Readonly<Record<string, unknown>> | null | undefined;
};

/** What the threads of a pool read. */
export type QuerySource = {
  /** File of the database. */
  readonly path: string;
  readonly schema: EntitySchema;
  /** Name of what is indexed. */
  readonly deployment: string;
};

export type QueryPoolOptions = {
  readonly source: QuerySource;
  /** Milliseconds that one query may take. */
  readonly time: number;
  /** Queries that may wait. */
  readonly waiting: number;
};

/** What goes to a thread, and what comes back: the answer as JSON. */
export type QueryCall = { readonly id: number; readonly request: QueryRequest };
export type QueryReply = { readonly id: number; readonly answer: string };

type Task = {
  readonly id: number;
  readonly request: QueryRequest;
  resolve(answer: string): void;
};

/** Queries that a thread has been given: the one it answers, and the one it takes up next without waiting for this thread. */
const depth = 2;
/** Heap of one thread, in MB: an answer that does not fit ends its own query alone. */
const heap = 512;

const failure = (message: string): string => JSON.stringify({ errors: [{ message }] });

/** A thread with its queries; it ends with the first one that is too much for it. */
class Reader {
  readonly tasks: Task[] = [];
  readonly #worker: Worker;
  readonly #options: QueryPoolOptions;
  readonly #ended: (reader: Reader, left: readonly Task[]) => void;
  readonly #answered: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    options: QueryPoolOptions,
    answered: () => void,
    ended: (reader: Reader, left: readonly Task[]) => void,
  ) {
    this.#options = options;
    this.#answered = answered;
    this.#ended = ended;
    this.#worker = new Worker(new URL("./reader.ts", import.meta.url), {
      workerData: options.source,
      resourceLimits: { maxOldGenerationSizeMb: heap },
    });
    this.#worker.unref();
    this.#worker.on("message", ({ answer }: QueryReply) => this.#answer(answer));
    this.#worker.on("error", (error: NodeJS.ErrnoException) =>
      this.#end(
        error.code === "ERR_WORKER_OUT_OF_MEMORY" ? "the answer takes too much memory" : "internal error",
      ),
    );
    this.#worker.on("exit", () => this.#end("internal error"));
  }

  give(task: Task): void {
    this.tasks.push(task);
    if (this.tasks.length === 1) this.#watch();
    this.#worker.postMessage({ id: task.id, request: task.request } satisfies QueryCall);
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#worker.terminate();
  }

  #watch(): void {
    clearTimeout(this.#timer);
    if (this.tasks.length === 0) return;
    const { time } = this.#options;
    this.#timer = setTimeout(() => this.#end(`the query took longer than ${time / 1000} s`), time).unref();
  }

  /** Answers come in the order of the queries. */
  #answer(answer: string): void {
    const task = this.tasks.shift();
    this.#watch();
    task?.resolve(answer);
    this.#answered();
  }

  /** The query that is being answered is the one to blame; those after it go to another thread. */
  #end(reason: string): void {
    clearTimeout(this.#timer);
    const [blamed, ...left] = this.tasks.splice(0);
    this.#worker.removeAllListeners();
    // A thread that still reads is stopped when it comes back from the database.
    void this.#worker.terminate();
    blamed?.resolve(failure(reason));
    this.#ended(this, left);
  }
}

/**
 * Threads that answer queries, each with a connection of its own to the database: neither does a long query hold up whoever
 * indexes, nor the other way round, and one that takes too long or too much is ended without harm to others.
 */
export class QueryPool {
  readonly #options: QueryPoolOptions;
  readonly #readers = new Set<Reader>();
  readonly #size = Math.max(1, Math.min(4, availableParallelism() - 1));
  #waiting: Task[] = [];
  #next = 0;
  #isClosed = false;

  constructor(options: QueryPoolOptions) {
    this.#options = options;
  }

  /** The answer as JSON, `{ data, errors }`; what goes wrong is said in it. */
  run(request: QueryRequest): Promise<string> {
    if (this.#isClosed) return Promise.resolve(failure("the node is being stopped"));
    if (this.#waiting.length >= this.#options.waiting)
      return Promise.resolve(failure("too many queries wait; ask again later"));
    return new Promise((resolve) => {
      this.#waiting.push({ id: this.#next++, request, resolve });
      this.#dispatch();
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const readers = [...this.#readers];
    this.#readers.clear();
    const tasks = [...readers.flatMap(({ tasks }) => tasks.splice(0)), ...this.#waiting.splice(0)];
    for (const { resolve } of tasks) resolve(failure("the node is being stopped"));
    await Promise.all(readers.map((reader) => reader.close()));
  }

  #dispatch(): void {
    while (this.#waiting.length > 0) {
      const reader = this.#freest();
      if (reader === undefined) return;
      reader.give(this.#waiting.shift()!);
    }
  }

  /** The thread with the fewest queries, a new one before one is given a second. */
  #freest(): Reader | undefined {
    const [least] = [...this.#readers].sort((a, b) => a.tasks.length - b.tasks.length);
    if (least !== undefined && (least.tasks.length === 0 || this.#readers.size === this.#size))
      return least.tasks.length < depth ? least : undefined;
    const reader = new Reader(
      this.#options,
      () => this.#dispatch(),
      (ended, left) => {
        this.#readers.delete(ended);
        if (this.#isClosed) return;
        this.#waiting.unshift(...left);
        this.#dispatch();
      },
    );
    this.#readers.add(reader);
    return reader;
  }
}

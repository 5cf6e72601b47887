import { type ChildProcess, fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import type { EntitySchema } from "../schema/entity-schema.ts";

/** One operation of a document, as a client sent it. */
export type QueryRequest = {
  readonly text: string;
  readonly operation: string | null | undefined;
  readonly variables: Readonly<Record<string, unknown>> | null | undefined;
};

/** What the processes of a pool read. */
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
  /** Heap of one process, in MB: an answer that does not fit ends its own query alone. */
  readonly heap: number;
  /** Characters that one answer may have. */
  readonly answer: number;
  /** Queries that may wait. */
  readonly waiting: number;
};

/** First message to a process. */
export type ReaderSetup = Pick<QueryPoolOptions, "source" | "answer" | "heap">;

/** Later messages to a process, and what it says to each: an answer has the number of its query. */
export type NumberedQuery = { readonly number: number; readonly request: QueryRequest };
export type NumberedAnswer = { readonly number: number; readonly answer: Uint8Array };

type Task = { readonly request: QueryRequest; resolve(answer: Uint8Array): void };

/** Queries that a process has been given: the one it answers, and the one it takes up next without waiting for this process. */
const depth = 2;

/** What a client is told in the place of an answer. */
export const failedAnswer = (message: string): Uint8Array =>
  Buffer.from(JSON.stringify({ errors: [{ message }] }));

/** A process with its queries; it ends with the first one that is too much for it. */
class Reader {
  /** Oldest first. */
  readonly tasks: (Task & { readonly number: number })[] = [];
  readonly #options: QueryPoolOptions;
  readonly #answered: () => void;
  readonly #process: ChildProcess;
  readonly #ended: Promise<void>;
  /** Why this process ends it. */
  #blame: string | undefined;
  /** What a query takes does not count before its process can answer. */
  #isReady = false;
  #timer: NodeJS.Timeout | undefined;
  #given = 0;

  constructor(
    options: QueryPoolOptions,
    answered: () => void,
    ended: (reader: Reader, left: readonly Task[]) => void,
  ) {
    this.#options = options;
    this.#answered = answered;
    this.#process = fork(fileURLToPath(new URL("./reader.ts", import.meta.url)), {
      execArgv: [...process.execArgv.filter(isInherited), `--max-old-space-size=${options.heap}`],
      serialization: "advanced",
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    this.#process.unref();
    this.#process.channel?.unref();
    this.#process.on("message", (said) => {
      if (this.#isReady) return this.#answer(said as NumberedAnswer);
      this.#isReady = true;
      this.#watch();
    });
    this.#ended = exitOf(this.#process).then((signal) => {
      clearTimeout(this.#timer);
      // The query that was being answered is the one to blame; those after it go to another process.
      const [blamed, ...left] = this.tasks.splice(0);
      const reason = signal === "SIGABRT" ? "the answer takes too much memory" : "internal error";
      blamed?.resolve(failedAnswer(this.#blame ?? reason));
      ended(this, left);
    });
    const { source, answer, heap } = options;
    this.#process.send({ source, answer, heap } satisfies ReaderSetup);
  }

  give(task: Task): void {
    const number = ++this.#given;
    try {
      this.#process.send({ number, request: task.request } satisfies NumberedQuery);
    } catch {
      // What cannot be made a message of concerns nobody but its client.
      task.resolve(failedAnswer("the query cannot be handed on"));
      return;
    }
    this.tasks.push({ ...task, number });
    if (this.tasks.length === 1) this.#watch();
  }

  /** Nothing but this ends a statement of SQLite that has begun. */
  async kill(blame: string): Promise<void> {
    this.#blame = blame;
    // A thread with nothing else left to do would end before the process has.
    this.#process.ref();
    this.#process.kill("SIGKILL");
    await this.#ended;
  }

  #watch(): void {
    clearTimeout(this.#timer);
    if (!this.#isReady || this.tasks.length === 0) return;
    const { time } = this.#options;
    const blame = `the query took longer than ${time / 1000} s`;
    this.#timer = setTimeout(() => void this.kill(blame), time).unref();
  }

  /** Answers come in the order of the queries; a process that gives another one is of no more use. */
  #answer({ number, answer }: NumberedAnswer): void {
    if (this.tasks[0]?.number !== number) return void this.kill("internal error");
    const task = this.tasks.shift()!;
    this.#watch();
    task.resolve(answer);
    this.#answered();
  }
}

/** The signal that a process ended with; null when it ended by itself, or never began. */
const exitOf = (child: ChildProcess): Promise<NodeJS.Signals | null> =>
  new Promise((ended) => {
    child.once("exit", (_, signal) => ended(signal));
    // Other errors are messages that were not delivered, to a process that is about to end.
    child.on("error", () => child.pid === undefined && ended(null));
  });

/** Options of this process that its readers have too: how it treats TypeScript and warnings, not what it runs. */
const isInherited = (option: string): boolean =>
  /^--(?:disable-warning|no-warnings|experimental-strip-types|import=)/.test(option);

/**
 * Processes that answer queries, each with a connection of its own to the database: neither does a long query hold up whoever
 * indexes, nor the other way round, and one that takes too long or too much is ended without harm to others.
 */
export class QueryPool {
  readonly #options: QueryPoolOptions;
  readonly #readers = new Set<Reader>();
  readonly #size = Math.max(1, Math.min(4, availableParallelism() - 1));
  #waiting: Task[] = [];
  #isClosed = false;

  constructor(options: QueryPoolOptions) {
    this.#options = options;
  }

  /**
   * The answer as JSON in UTF-8, `{ data, errors }`; what goes wrong is said in it. Once `gone` is aborted nobody waits for
   * the answer: the query gives its place in the queue to others.
   */
  run(request: QueryRequest, gone?: AbortSignal): Promise<Uint8Array> {
    if (gone?.aborted === true) return Promise.resolve(failedAnswer("the client has gone"));
    if (this.#isClosed) return Promise.resolve(failedAnswer("the node is being stopped"));
    if (this.#waiting.length >= this.#options.waiting)
      return Promise.resolve(failedAnswer("too many queries wait; ask again later"));
    return new Promise((resolve) => {
      const task = { request, resolve };
      gone?.addEventListener("abort", () => this.#leave(task));
      this.#waiting.push(task);
      this.#dispatch();
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { resolve } of this.#waiting.splice(0)) resolve(failedAnswer("the node is being stopped"));
    await Promise.all([...this.#readers].map((reader) => reader.kill("the node is being stopped")));
  }

  /** What a process has been given already it answers. */
  #leave(task: Task): void {
    const at = this.#waiting.indexOf(task);
    if (at < 0) return;
    this.#waiting.splice(at, 1);
    task.resolve(failedAnswer("the client has gone"));
  }

  #dispatch(): void {
    while (this.#waiting.length > 0) {
      const reader = this.#freest();
      if (reader === undefined) return;
      reader.give(this.#waiting.shift()!);
    }
  }

  /** The process with the fewest queries, a new one before one is given a second. */
  #freest(): Reader | undefined {
    const [least] = [...this.#readers].sort((a, b) => a.tasks.length - b.tasks.length);
    if (least !== undefined && (least.tasks.length === 0 || this.#readers.size === this.#size))
      return least.tasks.length < depth ? least : undefined;
    const reader = new Reader(
      this.#options,
      () => this.#dispatch(),
      (ended, left) => {
        this.#readers.delete(ended);
        if (this.#isClosed) {
          for (const { resolve } of left) resolve(failedAnswer("the node is being stopped"));
          return;
        }
        this.#waiting.unshift(...left);
        this.#dispatch();
      },
    );
    this.#readers.add(reader);
    return reader;
  }
}

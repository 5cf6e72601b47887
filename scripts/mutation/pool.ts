import { type ChildProcess, fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { root } from "../setup.ts";
import type { Kind, Reply, Request } from "./suites.ts";

/** A worker that holds more after a run gives way to a new one: what EDR keeps is given back late. */
const MOST_MEMORY = 2_500_000_000;

/** Without an answer for so long, a worker is ended: the mutant does not end, or has ended the worker. */
export class NoAnswer extends Error {}

/** One process that runs suites; a new one takes its place when it ends or grows. */
class Worker {
  readonly #kind: Kind;
  #child: ChildProcess | undefined;

  constructor(kind: Kind) {
    this.#kind = kind;
  }

  end(): void {
    this.#child?.kill("SIGKILL");
    this.#child = undefined;
  }

  #answer(child: ChildProcess, milliseconds: number): Promise<Reply> {
    return new Promise((done, failed) => {
      const onMessage = (reply: Reply) => settle(() => done(reply));
      const onExit = () => settle(() => failed(new NoAnswer()));
      const timer = setTimeout(onExit, milliseconds);
      const settle = (how: () => void) => {
        clearTimeout(timer);
        child.off("message", onMessage).off("exit", onExit);
        how();
      };
      child.on("message", onMessage).on("exit", onExit);
    });
  }

  async #started(): Promise<ChildProcess> {
    if (this.#child !== undefined) return this.#child;
    const child = fork(join(import.meta.dirname, "worker.ts"), [this.#kind], {
      cwd: root,
      stdio: ["ignore", "ignore", "ignore", "ipc"],
      env: { ...process.env, HARDHAT_CONFIG: join(root, "scripts", "hardhat", "mutation.config.ts") },
    });
    this.#child = child;
    await this.#answer(child, START_MILLISECONDS);
    return child;
  }

  async ask(request: Request, milliseconds: number): Promise<Reply> {
    const child = await this.#started();
    child.send(request);
    try {
      const reply = await this.#answer(child, milliseconds);
      if (reply.memory > MOST_MEMORY) this.end();
      return reply;
    } catch (error) {
      this.end();
      throw error;
    }
  }
}

/** How long a worker may take to load what was compiled. */
const START_MILLISECONDS = 300_000;

export type Ask = (request: Request, milliseconds: number) => Promise<Reply>;

/** Deals tasks out among workers of one kind, as many as the machine has cores, and ends them. */
export async function deal<Task>(
  kind: Kind,
  tasks: readonly Task[],
  work: (task: Task, ask: Ask) => Promise<void>,
): Promise<void> {
  const waiting = [...tasks];
  const one = async (): Promise<void> => {
    const worker = new Worker(kind);
    try {
      for (let task = waiting.shift(); task !== undefined; task = waiting.shift())
        await work(task, (request, milliseconds) => worker.ask(request, milliseconds));
    } finally {
      worker.end();
    }
  };
  await Promise.all(Array.from({ length: Math.min(availableParallelism(), tasks.length) }, one));
}

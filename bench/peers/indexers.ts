import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/** What an indexer has stored in the end, in decimal: equal wherever the same work was done. */
export type Totals = {
  readonly events: string;
  readonly operators: string;
  readonly staked: string;
  readonly slashed: string;
};

/** Stored events a second, and what came of them. */
export type Indexed = { readonly rate: number; readonly totals: Totals };

/** The number of the chain's newest block, its events, and how long an indexer may take for them. */
export type ChainToIndex = { readonly head: number; readonly events: number; readonly minutes: number };

export async function writeFiles(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  }
}

type Setting = {
  readonly cwd: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly uid?: number;
  readonly gid?: number;
};

/** Keeps the last that a process says, to tell why it failed. */
function tailOf(child: ChildProcess): () => string {
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (chunk: Buffer) => {
      said = (said + chunk.toString("utf8")).slice(-2_000);
    });
  return () => said;
}

/** Runs a command to its end; rejects when it fails. */
export async function command(name: string, args: readonly string[], setting: Setting): Promise<void> {
  const child = spawn(name, args, { ...setting, stdio: ["ignore", "ignore", "pipe"] });
  const said = tailOf(child);
  const [code] = (await once(child, "exit")) as [number | null];
  if (code !== 0) throw new Error(`${name} ${args[0]} failed: ${said()}`);
}

/** A program of Node.js that goes on until it is stopped. */
export class Running {
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #said: () => string;
  readonly #deadline: number;

  constructor(name: string, args: readonly string[], { minutes, ...setting }: Setting & { minutes: number }) {
    this.#name = name;
    this.#child = spawn(process.execPath, args, { ...setting, stdio: ["ignore", "pipe", "pipe"] });
    this.#said = tailOf(this.#child);
    this.#deadline = performance.now() + minutes * 60_000;
  }

  /** The time at which `isDone` first held; rejects when the program ends or its time is up before that. */
  async until(isDone: () => Promise<boolean>): Promise<number> {
    while (!(await isDone())) {
      if (this.#child.exitCode !== null) throw new Error(`${this.#name} stopped: ${this.#said()}`);
      if (performance.now() > this.#deadline) throw new Error(`${this.#name} took too long: ${this.#said()}`);
      await delay(20);
    }
    return performance.now();
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.kill();
    await once(this.#child, "exit");
  }
}

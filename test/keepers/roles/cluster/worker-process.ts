import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Hex } from "viem";

const main = fileURLToPath(new URL("../../../../keepers/src/cli/main.ts", import.meta.url));

export type WorkerProcessOptions = {
  readonly rpcUrl: string;
  /** File with the addresses. */
  readonly deployment: string;
  /** Folder of the worker's state. */
  readonly home: string;
  readonly privateKey: Hex;
  /** Multiaddr of the provider. */
  readonly provider: string;
  /** File with options of `assay worker run`. */
  readonly config: string;
};

/** `assay worker run` in a process of its own. */
export class WorkerProcess {
  /** What it says when it is ready. */
  readonly ready: Readonly<Record<string, unknown>>;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, ready: Readonly<Record<string, unknown>>) {
    this.#child = child;
    this.ready = ready;
  }

  /** Starts a worker and waits until it says that it is ready. */
  static async start(options: WorkerProcessOptions): Promise<WorkerProcess> {
    const { rpcUrl, deployment, home, privateKey, provider, config } = options;
    const global = ["--rpc", rpcUrl, "--deployment", deployment, "--home", home, "--json"];
    const args = [...global, "worker", "run", provider, "--config", config];
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", main, ...args], {
      env: { ...process.env, ASSAY_PRIVATE_KEY: privateKey },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let said = "";
    const hear = (text: string) => {
      said = (said + text).slice(-4000);
    };
    child.stderr!.on("data", (text: Buffer) => hear(text.toString()));
    const lines = createInterface({ input: child.stdout! });
    const ready = await new Promise<Record<string, unknown>>((resolve, reject) => {
      lines.on("line", (line) => {
        hear(`${line}\n`);
        if (line.includes('"ready"')) resolve(JSON.parse(line) as Record<string, unknown>);
      });
      child.once("exit", (code) => reject(new Error(`the worker ended with ${code}: ${said}`)));
    });
    return new WorkerProcess(child, ready);
  }

  /** As a power cut would: nothing is told, nothing is finished. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Asks it to stop, as Ctrl-C does; gives its exit code. */
  async stop(): Promise<number | null> {
    await this.#end("SIGTERM");
    return this.#child.exitCode;
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill(signal);
    await ended;
  }
}

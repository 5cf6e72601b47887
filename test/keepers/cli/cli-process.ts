import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Hex } from "viem";

const main = fileURLToPath(new URL("../../../keepers/src/cli/main.ts", import.meta.url));

export type CliProcessOptions = {
  readonly rpcUrl: string;
  /** File with the addresses. */
  readonly deployment: string;
  /** Folder of its state. */
  readonly home: string;
  readonly privateKey: Hex;
  /** A command that runs until it is told to stop, with its options. */
  readonly command: readonly string[];
};

/** `assay` in a process of its own. */
export class CliProcess {
  /** What it says when it is ready. */
  readonly ready: Readonly<Record<string, unknown>>;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, ready: Readonly<Record<string, unknown>>) {
    this.#child = child;
    this.ready = ready;
  }

  /** Starts the command and waits until it says that it is ready. */
  static async start(options: CliProcessOptions): Promise<CliProcess> {
    const { rpcUrl, deployment, home, privateKey, command } = options;
    const args = ["--rpc", rpcUrl, "--deployment", deployment, "--home", home, "--json", ...command];
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
      child.once("exit", (code) => reject(new Error(`${command[0]} ended with ${code}: ${said}`)));
    });
    return new CliProcess(child, ready);
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

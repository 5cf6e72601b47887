import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Hex } from "viem";

const main = fileURLToPath(new URL("../../../keepers/src/cli/main.ts", import.meta.url));

export type KeeperProcessOptions = {
  rpcUrl: string;
  deployment: string;
  /** Folder of the keeper's state. */
  home: string;
  privateKey: Hex;
  port: number;
  stake: number;
};

/** `assay keeper` in a process of its own. */
export class KeeperProcess {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Starts a keeper and waits until it says that it is ready. */
  static async start(options: KeeperProcessOptions): Promise<KeeperProcess> {
    const { rpcUrl, deployment, home, privateKey, port, stake } = options;
    const args = ["--rpc", rpcUrl, "--deployment", deployment, "--home", home, "--json"];
    const listen = `/ip4/127.0.0.1/tcp/${port}`;
    const command = ["keeper", "--listen", listen, "--stake", String(stake), "--capacity", "1"];
    const child = spawn(
      process.execPath,
      ["--disable-warning=ExperimentalWarning", main, ...args, ...command],
      {
        env: { ...process.env, ASSAY_PRIVATE_KEY: privateKey },
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    let said = "";
    const listening = (text: Buffer) => {
      said = (said + text.toString()).slice(-4000);
    };
    child.stderr!.on("data", listening);
    const lines = createInterface({ input: child.stdout! });
    await new Promise<void>((resolve, reject) => {
      lines.on("line", (line) => {
        listening(Buffer.from(`${line}\n`));
        if (line.includes('"ready"')) resolve();
      });
      child.once("exit", (code) => reject(new Error(`the keeper ended with ${code}: ${said}`)));
    });
    return new KeeperProcess(child);
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

/** A TCP port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port was given");
  return address.port;
}

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A real Kubo daemon in a directory of its own, on loopback and free ports, that looks for no other peers. */
export type KuboDaemon = {
  /** Address of the RPC. */
  url: string;
  /** Multiaddr to dial it at. */
  swarm: string;
  repository: string;
  /** Runs an `ipfs` command against the daemon. */
  ipfs(...parameters: string[]): Promise<string>;
  stop(): Promise<void>;
};

/** Starts the daemon of the `ipfs` program at this path. */
export async function startKubo(program: string): Promise<KuboDaemon> {
  const repository = await mkdtemp(join(tmpdir(), "assay-kubo-"));
  const env = { ...process.env, IPFS_PATH: repository, IPFS_TELEMETRY: "off" };
  const ipfs = async (...parameters: string[]): Promise<string> =>
    (await run(program, parameters, { env, maxBuffer: 1 << 24 })).stdout.trim();
  await ipfs("init", "--profile=test");
  await ipfs("config", "--json", "Addresses.Swarm", '["/ip4/127.0.0.1/tcp/0"]');
  await ipfs("config", "Routing.Type", "none");
  await ipfs("config", "--json", "AutoConf.Enabled", "false").catch(() => undefined);
  const daemon = spawn(program, ["daemon", "--enable-gc=false"], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  await new Promise<void>((resolve, reject) => {
    daemon.stdout!.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes("Daemon is ready")) resolve();
    });
    daemon.once("exit", () => reject(new Error(`ipfs daemon ended: ${output}`)));
  });
  const port = /RPC API server listening on \/ip4\/127\.0\.0\.1\/tcp\/(\d+)/.exec(output)?.[1];
  if (port === undefined) throw new Error(`ipfs daemon did not name its port: ${output}`);
  return {
    url: `http://127.0.0.1:${port}/api/v0`,
    swarm: (await ipfs("swarm", "addrs", "local", "--id"))
      .split("\n")
      .find((line) => line.includes("/ip4/127.0.0.1/tcp/"))!,
    repository,
    ipfs,
    async stop() {
      const exited = once(daemon, "exit");
      daemon.kill("SIGTERM");
      await exited;
      await rm(repository, { recursive: true, force: true });
    },
  };
}

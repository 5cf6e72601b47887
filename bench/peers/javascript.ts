import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** An erasure code from the package registry that encodes `length` bytes per shard over and over. */
export type JavaScriptPeer = {
  name: string;
  /** Seconds per encoded set of shards. */
  measure(seconds: number): Promise<number>;
};

type Subspace = {
  ReedSolomonErasure: {
    fromCurrentDirectory(): Promise<{ encode(shards: Uint8Array, data: number, parity: number): number }>;
  };
};

type Ronomon = {
  create(k: number, m: number): unknown;
  encode(
    context: unknown,
    sources: number,
    targets: number,
    buffer: Buffer,
    bufferOffset: number,
    bufferSize: number,
    parity: Buffer,
    parityOffset: number,
    paritySize: number,
    end: (error?: Error) => void,
  ): void;
};

/** Calls `once` until `seconds` have passed; returns seconds per call. */
async function repeat(once: () => void | Promise<void>, seconds: number): Promise<number> {
  const start = performance.now();
  let calls = 0;
  do {
    for (let i = 0; i < 64; i++) {
      const pending = once();
      if (pending !== undefined) await pending;
    }
    calls += 64;
  } while (performance.now() - start < seconds * 1000);
  return (performance.now() - start) / 1000 / calls;
}

const versions = { "@subspace/reed-solomon-erasure.wasm": "0.2.5", "@ronomon/reed-solomon": "6.0.0" };

/**
 * Installs the peers in a temporary folder, since the product must not depend on them.
 *
 * @returns those that could be installed and loaded, and why the others could not
 */
export async function javascriptPeers(
  k: number,
  n: number,
  length: number,
): Promise<{ peers: JavaScriptPeer[]; missing: string[]; dispose: () => void }> {
  const directory = mkdtempSync(join(tmpdir(), "assay-peers-"));
  const require = createRequire(join(directory, "load.cjs"));
  const peers: JavaScriptPeer[] = [];
  const missing: string[] = [];
  const attempt = async (name: keyof typeof versions, make: () => Promise<JavaScriptPeer>): Promise<void> => {
    try {
      const options = ["--no-save", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", directory];
      execFileSync("npm", ["install", ...options, `${name}@${versions[name]}`], {
        stdio: "ignore",
        timeout: 120_000,
        shell: process.platform === "win32",
      });
      peers.push(await make());
    } catch (error) {
      missing.push(`${name}: ${error instanceof Error ? error.message.split("\n")[0] : String(error)}`);
    }
  };
  await attempt("@subspace/reed-solomon-erasure.wasm", async () => {
    const code = await (
      require("@subspace/reed-solomon-erasure.wasm") as Subspace
    ).ReedSolomonErasure.fromCurrentDirectory();
    const shards = new Uint8Array(n * length).map((_, i) => i * 7);
    const once = (): void => {
      if (code.encode(shards, k, n - k) !== 0) throw new Error("encoding failed");
    };
    return { name: "@subspace/reed-solomon-erasure.wasm 0.2.5", measure: (seconds) => repeat(once, seconds) };
  });
  await attempt("@ronomon/reed-solomon", async () => {
    const code = require("@ronomon/reed-solomon") as Ronomon;
    const context = code.create(k, n - k);
    const data = Buffer.alloc(k * length, 7);
    const parity = Buffer.alloc((n - k) * length);
    const [sources, targets] = [2 ** k - 1, (2 ** (n - k) - 1) * 2 ** k];
    const once = (): Promise<void> =>
      new Promise((resolve, reject) => {
        const end = (error?: Error): void => (error ? reject(error) : resolve());
        code.encode(context, sources, targets, data, 0, data.length, parity, 0, parity.length, end);
      });
    return { name: "@ronomon/reed-solomon 6.0.0 (native)", measure: (seconds) => repeat(once, seconds) };
  });
  return { peers, missing, dispose: () => rmSync(directory, { recursive: true, force: true }) };
}

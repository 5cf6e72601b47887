import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { run } from "../../../keepers/src/cli/run.ts";

export type Ran = { code: number; out: string; err: string; all: string };

export type RunOptions = {
  env?: Record<string, string | undefined>;
  cwd: string;
  signal?: AbortSignal;
  terminal?: boolean;
};

/** Runs the command in this process and collects what it writes. */
export async function assay(argv: readonly string[], options: RunOptions): Promise<Ran> {
  let out = "";
  let err = "";
  const code = await run(argv, {
    env: options.env ?? {},
    cwd: options.cwd,
    streams: {
      out: { write: (text) => (out += text) },
      err: { write: (text) => (err += text) },
      terminal: options.terminal ?? false,
    },
    signal: options.signal ?? new AbortController().signal,
  });
  return { code, out, err, all: out + err };
}

/** A port of the loopback interface that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((ready) => server.once("listening", ready));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}

import { exitCode } from "../core/errors.ts";
import { Interrupted } from "./interrupted.ts";
import { run } from "./run.ts";

const interrupt = new AbortController();
process.on("SIGINT", () => {
  // The second Ctrl-C does not wait for anything.
  if (interrupt.signal.aborted) process.exit(exitCode.interrupted);
  interrupt.abort(new Interrupted("SIGINT"));
});
process.on("SIGTERM", () => interrupt.abort(new Interrupted("SIGTERM")));

const code = await run(process.argv.slice(2), {
  env: process.env,
  cwd: process.env.ASSAY_CALLER_CWD ?? process.cwd(),
  streams: { out: process.stdout, err: process.stderr, terminal: process.stderr.isTTY === true },
  signal: interrupt.signal,
});
// A pipe may still hold output; sockets of peers that do not answer must not keep the process alive.
process.stdout.write("", () => process.exit(code));

import { nodejsRunner } from "./nodejs.ts";
import { solidityRunner } from "./solidity.ts";
import { type Kind, processorTime, type Reply, type Request } from "./suites.ts";

/** Runs suites for the process that has started this one, one request after the other. */
const kind = process.argv[2] as Kind;
const runner = kind === "solidity" ? await solidityRunner() : await nodejsRunner();

/** What one run may hold, in bytes. */
const MOST_MEMORY = 4_000_000_000;

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
const say = (reply: Omit<Reply, "memory">) =>
  process.send?.({ ...reply, memory: process.memoryUsage().rss } satisfies Reply);

/** Processor time at which the present attempt is given up, as this process counts it. */
let end = Infinity;

process.on("message", async (request: Request) => {
  try {
    if ("explore" in request) say({ explored: await runner.explore(request.explore) });
    else {
      end = processorTime() + request.milliseconds;
      say({ killed: await runner.kills(request.attempt) });
    }
  } catch (error) {
    say({ error: messageOf(error) });
  } finally {
    end = Infinity;
  }
});
// A mutant that does not end must not take for ever, and one that calls without end, of which EDR keeps every call, must not
// take the machine with it.
setInterval(() => {
  if (process.memoryUsage.rss() > MOST_MEMORY || processorTime() > end) process.exit(1);
}, 200);
// What a mutant breaks may break behind a test's back.
process.on("unhandledRejection", () => {});
process.on("disconnect", () => process.exit(0));
say({});

import type { Command } from "commander";
import { defaultFetchTime } from "../../roles/jobs/fetch-time.ts";
import { withConfigFile } from "../config-file.ts";
import { natural, oneOf } from "./options.ts";

/** Options of every keeper of jobs. */
export function running(command: Command): Command {
  return withConfigFile(
    command
      .option("--data <folder>", "the keeper's data; by default a folder in --home")
      .option(
        "--metrics-port <number>",
        "serve /metrics (Prometheus) and /healthz; 0 picks a free port",
        natural(0, 65_535),
      )
      .option("--metrics-host <address>", "where they are served; the loopback interface by default")
      .option(
        "--metrics-origin <origin>",
        "a page that browsers may read them from, as in https://example.org",
      ),
  );
}

/** Options of keepers that compute what others store. */
export function computing(command: Command): Command {
  return running(command)
    .option(
      "--fetch-time <seconds>",
      "a result that takes longer to arrive counts as withheld; an order whose program and data do is refused",
      natural(1, 1_000_000),
      defaultFetchTime,
    )
    .option("--engine <name>", "native, wasm or reference", oneOf("native", "wasm", "reference"), "native")
    .option("--threads <n>", "threads of the engine; all cores but one by default", natural(1, 1024));
}

import { join } from "node:path";
import type { JobKeeper, KeeperOptions } from "../roles/jobs/job-keeper.ts";
import type { MachineLimits } from "../roles/jobs/published-program.ts";
import { createTelemetry, type HealthCheck } from "../roles/telemetry.ts";
import type { CommandContext } from "./context.ts";
import { keeperOptions, machineLimits } from "./jobs.ts";
import type { EngineName } from "./training/engines.ts";
import { untilInterrupted } from "./until.ts";

/** Options of every keeper of jobs. */
export type RunOptions = {
  data?: string;
  metricsPort?: number;
  metricsHost?: string;
  metricsOrigin?: string;
};

/** Options of keepers that compute. */
export type ComputingOptions = RunOptions & { engine: EngineName; threads?: number };

/** Options of keepers that compute what others store. */
export type FetchingOptions = ComputingOptions & { fetchTime: number };

/** A keeper about to be opened by a command. */
export type StartedKeeper = {
  readonly options: KeeperOptions;
  /** Serves metrics and health if the command asks for it, and gives the URL. */
  serve(checks: Readonly<Record<string, HealthCheck>>): Promise<string | undefined>;
  /** Runs the keeper until the user interrupts; then what is under way is finished, and everything closed. */
  until(keeper: JobKeeper, facts?: Readonly<Record<string, unknown>>): Promise<void>;
};

/** Sets a keeper's folder, logs and metrics up. */
export async function startKeeper(
  context: CommandContext,
  role: string,
  { data, metricsPort, metricsHost, metricsOrigin }: RunOptions,
): Promise<StartedKeeper> {
  const { output, signal } = context;
  const folder = data === undefined ? join(context.home, role) : context.path(data);
  const plain = await keeperOptions(context, folder);
  const { address: account } = plain.account;
  const telemetry = createTelemetry({ level: output.verbose ? "debug" : "info", base: { role, account } });
  for (const secret of output.hidden) telemetry.protect(secret);
  const { log, metrics } = telemetry;
  const serve: StartedKeeper["serve"] = async (checks) => {
    if (metricsPort === undefined) return undefined;
    for (const [name, check] of Object.entries(checks)) telemetry.addHealthCheck(name, check);
    const server = await telemetry.serve({ port: metricsPort, host: metricsHost, origin: metricsOrigin });
    context.onClose(() => server.close());
    output.note(`metrics are served at ${server.url}/metrics, health at ${server.url}/healthz`);
    return server.url;
  };
  return {
    options: { ...plain, log, metrics },
    serve,
    async until(keeper, facts = {}) {
      try {
        const url = await serve(keeper.healthChecks);
        keeper.run();
        output.event(
          { event: "ready", role, account, ...facts, ...(url !== undefined && { telemetry: url }) },
          `${account} works as a ${role}`,
        );
        await untilInterrupted(signal);
      } finally {
        await keeper.stop();
      }
      output.event({ event: "stopped" }, `The ${role} has stopped.`);
    },
  };
}

/** What a keeper's computations may take of this machine. */
export function limitsOf({ threads }: ComputingOptions): MachineLimits {
  const limits = machineLimits();
  return { ...limits, threads: threads ?? limits.threads };
}

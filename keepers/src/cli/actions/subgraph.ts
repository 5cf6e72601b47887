import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ClientError, GraphQLClient } from "graphql-request";
import { z } from "zod";
import { repository } from "../../../../circuits/setup/circuits.ts";
import { readyMadeQueries } from "../../../../subgraph/ready-made.ts";
import { RpcUnavailableError } from "../../chain/rpc/errors.ts";
import { BadInputError } from "../../core/errors.ts";
import { SubgraphRole } from "../../roles/subgraph/subgraph-role.ts";
import { createTelemetry } from "../../roles/telemetry.ts";
import type { CommandContext } from "../context.ts";
import { ConfigurationError } from "../errors.ts";
import type { RunOptions } from "../run-keeper.ts";
import { untilInterrupted } from "../until.ts";

export type SubgraphRunOptions = RunOptions & {
  manifest?: string;
  host?: string;
  port: number;
  history: number;
  range: number;
  poll: number;
  maximumLag: number;
};

export type EndpointOptions = { url: string };
export type QueryOptions = EndpointOptions & { file?: string; variables?: string };

/** `assay subgraph run` */
export async function runSubgraph(context: CommandContext, options: SubgraphRunOptions): Promise<void> {
  const { output, signal } = context;
  const manifest =
    options.manifest === undefined
      ? join(repository, "subgraph", "build", "subgraph.yaml")
      : context.path(options.manifest);
  if (!existsSync(manifest))
    throw new ConfigurationError(`there is no built subgraph at ${manifest}`, {
      next: "Build it as docs/subgraph.md says, or name another one with --manifest.",
    });
  const { chain, deployment } = await context.network();
  const folder = options.data === undefined ? join(context.home, "subgraph") : context.path(options.data);
  const telemetry = createTelemetry({
    level: output.verbose ? "debug" : "info",
    base: { role: "subgraph", chainId: deployment.chainId },
  });
  for (const secret of output.hidden) telemetry.protect(secret);
  const role = await SubgraphRole.start({
    log: telemetry.log,
    metrics: telemetry.metrics,
    manifest,
    client: chain,
    deployment,
    path: join(folder, `${deployment.chainId}.sqlite`),
    host: options.host,
    port: options.port,
    history: BigInt(options.history),
    maximumRange: BigInt(options.range),
    pollInterval: options.poll,
    maximumLag: options.maximumLag,
  });
  try {
    let metrics: string | undefined;
    if (options.metricsPort !== undefined) {
      for (const [name, check] of Object.entries(role.healthChecks)) telemetry.addHealthCheck(name, check);
      const server = await telemetry.serve({ port: options.metricsPort, host: options.metricsHost });
      context.onClose(() => server.close());
      metrics = server.url;
      output.note(`metrics are served at ${metrics}/metrics, health at ${metrics}/healthz`);
    }
    output.event(
      {
        event: "ready",
        role: "subgraph",
        url: role.url,
        deployment: role.deployment,
        ...(metrics !== undefined && { telemetry: metrics }),
      },
      `GraphQL is served at ${role.url}`,
    );
    await untilInterrupted(signal);
  } finally {
    await role.stop();
  }
  output.event({ event: "stopped" }, "The subgraph's node has stopped.");
}

const metaSchema = z.object({
  _meta: z.object({
    deployment: z.string(),
    hasIndexingErrors: z.boolean(),
    block: z.object({ number: z.number(), hash: z.string().nullish(), timestamp: z.number().nullish() }),
  }),
});

/** `assay subgraph status` */
export async function subgraphStatus(context: CommandContext, { url }: EndpointOptions): Promise<void> {
  const answer = metaSchema.safeParse(
    await ask(
      url,
      "{ _meta { deployment hasIndexingErrors block { number hash timestamp } } }",
      {},
      context.signal,
    ),
  );
  if (!answer.success) throw new BadInputError(`${url} does not answer as a subgraph does`);
  const { deployment, hasIndexingErrors, block } = answer.data._meta;
  const head = await headOf(context);
  const behind = head === undefined ? undefined : head - block.number;
  context.output.result(
    { url, deployment, hasIndexingErrors, block, ...(head !== undefined && { head, behind }) },
    [
      `${url} has indexed up to block ${block.number}${behind === undefined ? "" : `, ${behind} behind the chain`}`,
      ...(hasIndexingErrors ? ["A mapping stopped: nothing after this block is indexed."] : []),
    ],
  );
}

/** The chain's newest block, where a chain is configured. */
async function headOf(context: CommandContext): Promise<number | undefined> {
  try {
    const { chain } = await context.network();
    return Number(await chain.public.getBlockNumber());
  } catch (error) {
    if (error instanceof ConfigurationError) return undefined;
    throw error;
  }
}

/** `assay subgraph query` */
export async function querySubgraph(
  context: CommandContext,
  query: string | undefined,
  { url, file, variables }: QueryOptions,
): Promise<void> {
  const given = variables === undefined ? {} : variablesOf(variables);
  const data = await ask(url, textOf(context, query, file), given, context.signal);
  context.output.result(data, JSON.stringify(data, null, 2));
}

/** GraphQL as it was written, in a file, or by the name of a ready-made query. */
function textOf(context: CommandContext, query: string | undefined, file: string | undefined): string {
  if (file !== undefined) return readFileSync(context.path(file), "utf8");
  const known = readyMadeQueries();
  const names = known.map(({ name }) => name).join(", ");
  if (query === undefined)
    throw new BadInputError("no query was given", {
      next: `Write one, name a file with --file, or use one of ${names}.`,
    });
  if (query.includes("{")) return query;
  const found = known.find(({ name }) => name === query);
  if (found === undefined)
    throw new BadInputError(`there is no ready-made query ${query}`, { next: `There are ${names}.` });
  return found.text;
}

function variablesOf(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw new BadInputError("the variables are not a JSON object", {
    next: `Write --variables '{"job":"1"}'.`,
  });
}

async function ask(
  url: string,
  document: string,
  variables: Record<string, unknown>,
  signal: AbortSignal,
): Promise<unknown> {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw new ConfigurationError("the endpoint of the subgraph is not an http or https URL");
  const limit = AbortSignal.any([signal, AbortSignal.timeout(30_000)]);
  try {
    return await new GraphQLClient(url).request({ document, variables, signal: limit });
  } catch (cause) {
    signal.throwIfAborted();
    const messages = cause instanceof ClientError ? (cause.response.errors ?? []) : [];
    if (messages.length > 0)
      throw new BadInputError(`the subgraph refuses: ${messages.map(({ message }) => message).join("; ")}`, {
        cause,
      });
    throw new RpcUnavailableError(`the subgraph at ${new URL(url).host} cannot be reached`, {
      cause,
      next: "Start it with `assay subgraph run`, or name another one with --url.",
    });
  }
}

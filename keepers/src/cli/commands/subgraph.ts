import type { Command } from "commander";
import type { EndpointOptions, QueryOptions, SubgraphRunOptions } from "../actions/subgraph.ts";
import type { Register } from "../register.ts";
import { natural } from "./options.ts";
import { running } from "./run-options.ts";

const actions = () => import("../actions/subgraph.ts");
/** Where Graph Node serves queries by default. */
const port = 8_000;

/** `assay subgraph`: the audit trail. */
export function subgraphCommands(program: Command, register: Register): void {
  const subgraph = program
    .command("subgraph")
    .description("index every event of the contracts and ask what happened");

  running(subgraph.command("run"))
    .option("--manifest <file>", "what `graph build` wrote; the project's own by default")
    .option("--host <address>", "where GraphQL is served; the loopback interface by default")
    .option("--port <number>", "port of GraphQL; 0 picks a free one", natural(0, 65_535), port)
    .option("--history <blocks>", "blocks below the head that may still change", natural(1, 100_000), 256)
    .option("--range <blocks>", "most blocks in one request for logs", natural(1, 1_000_000), 2_000)
    .option("--poll <milliseconds>", "between two looks at the chain's head", natural(50, 600_000), 500)
    .option("--maximum-lag <blocks>", "behind the head before health is bad", natural(0, 1_000_000), 100)
    .description("run the subgraph's embedded node for the configured deployment; Ctrl-C ends it")
    .addHelpText(
      "after",
      `
The node may be killed at any time and started again. With a chain that keeps no promises, name several endpoints.

Example:
  $ assay subgraph run --port 8000 --metrics-port 9400`,
    )
    .action(
      register.action(async (context, options: SubgraphRunOptions) =>
        (await actions()).runSubgraph(context, options),
      ),
    );

  endpoint(subgraph.command("status"))
    .description("show how far a subgraph is, and how far behind the chain when one is configured")
    .addHelpText(
      "after",
      "\nExample:\n  $ assay subgraph status --url http://127.0.0.1:8000/subgraphs/name/assay",
    )
    .action(
      register.action(async (context, options: EndpointOptions) =>
        (await actions()).subgraphStatus(context, options),
      ),
    );

  endpoint(subgraph.command("query"))
    .argument("[query]", "GraphQL, or the name of a ready-made query")
    .option("--file <file>", "a file that holds the query")
    .option("--variables <json>", "values of the query's variables")
    .description("ask a subgraph, of any node that serves one")
    .addHelpText(
      "after",
      `
The ready-made queries are in docs/audit-queries.md.

Examples:
  $ assay subgraph query network-totals
  $ assay subgraph query who-was-paid --variables '{"job":"1","paymentsOf":"1"}'
  $ assay subgraph query '{ jobs(first: 5) { id status } }'`,
    )
    .action(
      register.action(async (context, query: string | undefined, options: QueryOptions) =>
        (await actions()).querySubgraph(context, query, options),
      ),
    );
}

function endpoint(command: Command): Command {
  return command.option(
    "--url <url>",
    "GraphQL endpoint of the subgraph",
    `http://127.0.0.1:${port}/subgraphs/name/assay`,
  );
}

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { GraphQLError, validate } from "graphql";
import { createYoga, type Plugin } from "graphql-yoga";
import { QueryError } from "../errors.ts";
import { defaultLimits, type QueryLimits, withinLimits } from "./limits.ts";
import { executableSchema, type QueryParts } from "./resolvers.ts";

export type GraphqlServerOptions = QueryParts & {
  /** Name in the path, `/subgraphs/name/<name>`, as on graph-node. */
  readonly name: string;
  readonly host?: string;
  /** 0 takes a free port. */
  readonly port?: number;
  readonly limits?: QueryLimits;
};

export type GraphqlServer = {
  readonly url: string;
  close(): Promise<void>;
};

/** Longest request that is read, in bytes. */
const maximumBody = 256 * 1024;

/**
 * Checks what a query would cost: its shape before GraphQL's own rules, whose time grows faster than the query does, and
 * what it could name whenever it runs. The outcome of the first is kept with the document; the second depends on variables.
 */
function limiter(limits: QueryLimits): Plugin {
  const shape = withinLimits({ ...limits, entities: Number.POSITIVE_INFINITY }, undefined);
  return {
    onValidate({ params: { schema, documentAST }, setResult }) {
      const errors = validate(schema, documentAST, [shape]);
      if (errors.length > 0) setResult([...errors]);
    },
    onExecute({ args, setResultAndStopExecution }) {
      const rule = withinLimits(limits, args.variableValues);
      const errors = validate(args.schema, args.document, [rule]);
      if (errors.length > 0) setResultAndStopExecution({ errors });
    },
  };
}

/** Serves queries over HTTP, and GraphiQL to browsers. */
export async function serveGraphql(options: GraphqlServerOptions): Promise<GraphqlServer> {
  const path = `/subgraphs/name/${options.name}`;
  const yoga = createYoga({
    schema: executableSchema(options),
    graphqlEndpoint: path,
    landingPage: false,
    logging: false,
    batching: false,
    graphiql: { title: `Assay · ${options.name}` },
    plugins: [limiter(options.limits ?? defaultLimits)],
    maskedErrors: {
      errorMessage: "internal error",
      // What a client can do something about is said; nothing else leaves the node.
      maskError: (error, message) => {
        if (!(error instanceof GraphQLError)) return new GraphQLError(message);
        const { originalError } = error;
        return originalError === undefined ||
          originalError instanceof QueryError ||
          originalError instanceof GraphQLError
          ? new GraphQLError(error.message, { nodes: error.nodes, path: error.path })
          : new GraphQLError(message);
      },
    },
  });
  const server: Server = createServer((request, response) => {
    if (Number(request.headers["content-length"] ?? 0) > maximumBody) {
      response.writeHead(413).end();
      request.destroy();
      return;
    }
    let received = 0;
    request.on("data", (chunk: Buffer) => {
      received += chunk.length;
      if (received > maximumBody) request.destroy();
    });
    yoga(request, response);
  });
  server.requestTimeout = 30_000;
  const host = options.host ?? "127.0.0.1";
  await new Promise<void>((listening, failed) => {
    server.once("error", failed);
    server.listen(options.port ?? 0, host, listening);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${host}:${port}${path}`,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}

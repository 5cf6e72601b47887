import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { GraphQLError } from "graphql";
import { createYoga } from "graphql-yoga";
import { apiSchema } from "../schema/api-schema.ts";
import { delegate, documents } from "./documents.ts";
import { defaultLimits, type QueryLimits } from "./limits.ts";
import { QueryPool, type QuerySource } from "./pool.ts";
import { shownError } from "./resolvers.ts";

export type GraphqlServerOptions = QuerySource & {
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
/** Connections at a time: each may have a request of the greatest length under way. */
const mostConnections = 512;

/** Serves queries over HTTP, and GraphiQL to browsers, from the thread that calls it. */
export async function listen(options: GraphqlServerOptions): Promise<GraphqlServer> {
  const path = `/subgraphs/name/${options.name}`;
  const { path: file, schema, deployment, limits = defaultLimits } = options;
  const pool = new QueryPool({ source: { path: file, schema, deployment }, ...limits });
  const yoga = createYoga({
    schema: apiSchema(schema),
    graphqlEndpoint: path,
    landingPage: false,
    logging: false,
    batching: false,
    multipart: false,
    // Counted below, as it comes.
    maxRequestBodySize: false,
    graphiql: { title: `Assay · ${options.name}` },
    // It keeps a number of documents, whatever their length, refused ones among them; `documents` keeps what passed.
    parserAndValidationCache: false,
    plugins: [documents(limits), delegate(pool, limits)],
    maskedErrors: {
      errorMessage: "internal error",
      maskError: (error, message) =>
        error instanceof GraphQLError ? shownError(error) : new GraphQLError(message),
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
  server.maxConnections = mostConnections;
  server.requestTimeout = 30_000;
  // Whoever does not read what was asked for is not waited for.
  server.timeout = 60_000;
  const host = options.host ?? "127.0.0.1";
  await new Promise<void>((listening, failed) => {
    server.once("error", failed);
    server.listen(options.port ?? 0, host, listening);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${host}:${port}${path}`,
    close: async () => {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await Promise.all([closed, pool.close()]);
    },
  };
}

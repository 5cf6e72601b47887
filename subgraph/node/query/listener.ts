import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { GraphQLError, parse } from "graphql";
import { createYoga, type Plugin, type YogaInitialContext } from "graphql-yoga";
import { apiSchema } from "../schema/api-schema.ts";
import { costError, defaultLimits, type QueryLimits } from "./limits.ts";
import { failedAnswer, QueryPool, type QuerySource } from "./pool.ts";
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

/** Stops reading a document at its limit of tokens: nothing walks a tree that nobody has bounded. */
function tokenLimiter(tokens: number): Plugin {
  return {
    onParse({ setParseFn }) {
      setParseFn((source: string) => parse(source, { maxTokens: tokens }));
    },
  };
}

/**
 * Checks what a query would cost: its shape before GraphQL's own rules, whose time grows faster than the query does, and
 * what it could name whenever it runs. The outcome of the first is kept with the document; the second depends on variables.
 */
function limiter(limits: QueryLimits): Plugin {
  const shape = { ...limits, entities: Number.POSITIVE_INFINITY };
  return {
    onValidate({ params: { schema, documentAST }, setResult }) {
      const error = costError(schema, documentAST, shape);
      if (error !== undefined) setResult([error]);
    },
    onExecute({ args, setResultAndStopExecution }) {
      const error = costError(args.schema, args.document, limits, args.variableValues);
      if (error !== undefined) setResultAndStopExecution({ errors: [error] });
    },
  };
}

/** A result that is JSON already. It becomes the body of a response, which may be bytes: nobody makes text of it first. */
const ready = (json: Uint8Array) => ({ stringify: () => json as unknown as string });

/** Hands what was validated to the pool; its answer goes out as it comes, unless clients leave too many lying. */
function delegate(pool: QueryPool, limits: QueryLimits): Plugin {
  let unsent = 0;
  return {
    onExecute({ args, setExecuteFn }) {
      const { params, res } = args.contextValue as YogaInitialContext & { res: ServerResponse };
      setExecuteFn(async () => {
        const answer = await pool.run({
          text: params.query!,
          operation: args.operationName,
          variables: args.variableValues,
        });
        const { length } = answer;
        if (unsent + length > limits.unsent)
          return ready(failedAnswer("too many answers wait to be fetched; ask again later"));
        unsent += length;
        res.once("close", () => {
          unsent -= length;
        });
        return ready(answer);
      });
    },
  };
}

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
    plugins: [tokenLimiter(limits.tokens), limiter(limits), delegate(pool, limits)],
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

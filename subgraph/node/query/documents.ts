import type { ServerResponse } from "node:http";
import { type DocumentNode, parse } from "graphql";
import type { Plugin, YogaInitialContext } from "graphql-yoga";
import { Kept } from "../kept.ts";
import { costError, type QueryLimits } from "./limits.ts";
import { failedAnswer, type QueryPool, type QueryRequest } from "./pool.ts";

/** Bytes of heap that a document takes for each character of its text, at most: measured for names of one letter. */
const bytesPerCharacter = 256;
/** What documents are kept of, in bytes of heap: the ready-made queries take 3 MiB. */
const bytesKept = 8 * 2 ** 20;

/**
 * Reads documents up to their limit of tokens: nothing walks a tree that nobody has bounded. Checks what a query would cost:
 * its shape before GraphQL's own rules, whose time grows faster than the query does, and what it could name whenever it runs.
 * Keeps documents that passed the rules, and nothing of others; what a query could name depends on its variables.
 */
export function documents(limits: QueryLimits): Plugin {
  const shape = { ...limits, entities: Number.POSITIVE_INFINITY };
  const kept = new Kept<DocumentNode>(bytesKept);
  const valid = new WeakSet<DocumentNode>();
  return {
    onParse({ params, setParseFn, setParsedDocument }) {
      const known = kept.get(params.source.toString());
      if (known !== undefined) setParsedDocument(known);
      else setParseFn((source: string) => parse(source, { maxTokens: limits.tokens }));
    },
    onValidate({ params: { schema, documentAST }, setResult }) {
      const document = documentAST as DocumentNode;
      if (valid.has(document)) return setResult([]);
      const error = costError(schema, document, shape);
      if (error !== undefined) return setResult([error]);
      return ({ valid: isValid }) => {
        if (!isValid) return;
        valid.add(document);
        const text = document.loc!.source.body;
        kept.set(text, document, text.length * bytesPerCharacter);
      };
    },
    onExecute({ args, setResultAndStopExecution }) {
      const error = costError(args.schema, args.document, limits, args.variableValues);
      if (error !== undefined) setResultAndStopExecution({ errors: [error] });
    },
  };
}

/** A result that is JSON already. It becomes the body of a response, which may be bytes: nobody makes text of it first. */
const ready = (json: Uint8Array) => ({ stringify: () => json as unknown as string });

/** Aborted once a response has been sent, or its client has gone. */
function endOf(response: ServerResponse): AbortSignal {
  // `close` comes once: whoever listens after it waits for ever.
  if (response.closed || response.destroyed) return AbortSignal.abort();
  const ended = new AbortController();
  response.once("close", () => ended.abort());
  return ended.signal;
}

/** Of the variables those that a document declares: what else a client sends is no part of its query. */
function declared(
  { definitions }: DocumentNode,
  variables: QueryRequest["variables"],
): Record<string, unknown> {
  const names = definitions.flatMap((each) =>
    each.kind === "OperationDefinition"
      ? (each.variableDefinitions ?? []).map(({ variable }) => variable.name.value)
      : [],
  );
  const given = variables ?? {};
  return Object.fromEntries(
    names.filter((name) => Object.hasOwn(given, name)).map((name) => [name, given[name]]),
  );
}

/** Hands what was validated to the pool; its answer goes out as it comes, unless clients leave too many lying. */
export function delegate(pool: QueryPool, limits: QueryLimits): Plugin {
  let unsent = 0;
  return {
    onExecute({ args, setExecuteFn }) {
      const { params, res } = args.contextValue as YogaInitialContext & { res: ServerResponse };
      setExecuteFn(async () => {
        const ended = endOf(res);
        const answer = await pool.run(
          {
            text: params.query!,
            operation: args.operationName,
            variables: declared(args.document, args.variableValues),
          },
          ended,
        );
        // Nothing would ever take off what is counted now.
        if (ended.aborted) return ready(failedAnswer("the client has gone"));
        const { length } = answer;
        if (unsent + length > limits.unsent)
          return ready(failedAnswer("too many answers wait to be fetched; ask again later"));
        unsent += length;
        ended.addEventListener("abort", () => {
          unsent -= length;
        });
        return ready(answer);
      });
    },
  };
}

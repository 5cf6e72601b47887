import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import type { DocumentNode } from "graphql";
import { print } from "graphql/language/printer.js";

/** Milliseconds that an endpoint may take. */
const patience = 15_000;

/**
 * Asks a GraphQL endpoint.
 *
 * @throws Error with what the endpoint says is wrong, or that it does not answer
 */
export function ask<Result, Variables>(
  url: string,
  document: TypedDocumentNode<Result, Variables>,
  variables: Variables,
  signal?: AbortSignal,
): Promise<Result> {
  return askText(url, print(document), variables, signal);
}

/** As {@link ask}, a query that is a text already. */
export async function askText<Result>(
  url: string,
  query: string,
  variables: unknown,
  signal?: AbortSignal,
): Promise<Result> {
  const timeout = AbortSignal.timeout(patience);
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query, variables }),
    signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
  });
  const { data, errors } = (await response.json()) as { data?: Result; errors?: { message: string }[] };
  if (errors !== undefined && errors.length > 0) {
    throw new Error(`The subgraph refuses: ${errors.map(({ message }) => message).join("; ")}`);
  }
  if (data === undefined || data === null)
    throw new Error(`The subgraph gives no data (HTTP ${response.status}).`);
  return data;
}

/** The address at which a query can be seen, changed and run by hand (GraphiQL). */
export function playgroundOf(url: string, document: DocumentNode, variables: object): string {
  const parameters = new URLSearchParams({
    query: print(document),
    variables: JSON.stringify(variables, null, 2),
  });
  return `${url}?${parameters}`;
}

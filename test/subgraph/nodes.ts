import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Hex } from "viem";
import { defaultLimits, type QueryLimits } from "../../subgraph/node/query/limits.ts";
import { type GraphqlServer, serveGraphql } from "../../subgraph/node/query/server.ts";
import { readEntitySchema } from "../../subgraph/node/schema/entity-schema.ts";
import { Database } from "../../subgraph/node/store/database.ts";
import { EntityStore } from "../../subgraph/node/store/entity-store.ts";

const zeros: Hex = `0x${"0".repeat(64)}`;

const schema = readEntitySchema(
  'type Node @entity(immutable: false) { id: ID! next: Node before: [Node!]! @derivedFrom(field: "next") }',
);

/** A database of nodes in a file, and servers of it. */
export class Nodes {
  readonly folder: string;
  readonly store: EntityStore;
  readonly #servers: GraphqlServer[] = [];

  private constructor(folder: string) {
    this.folder = folder;
    this.store = new EntityStore(Database.open(join(folder, "nodes.sqlite"), schema, "test"), schema);
  }

  static async open(): Promise<Nodes> {
    return new Nodes(await mkdtemp(join(tmpdir(), "assay-graphql-")));
  }

  /** Stores nodes that all come before the one named. */
  add(block: bigint, ids: readonly string[], next: string): void {
    const { store } = this;
    for (const id of ids) store.set(store.type("Node"), id, new Map([["next", next]]));
    store.database.transaction(() =>
      store.commit({ number: block, hash: zeros, parentHash: zeros, timestamp: 7n }),
    );
  }

  /** Closed with the nodes. */
  async serve(limits?: Partial<QueryLimits>): Promise<GraphqlServer> {
    const server = await serveGraphql({
      path: join(this.folder, "nodes.sqlite"),
      schema,
      deployment: "test",
      name: "test",
      limits: { ...defaultLimits, ...limits },
    });
    this.#servers.push(server);
    return server;
  }

  async close(): Promise<void> {
    for (const server of this.#servers) await server.close();
    this.store.database.close();
    await rm(this.folder, { recursive: true });
  }
}

/** Posts bodies to a server. */
export const poster =
  (server: () => GraphqlServer) =>
  (body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(server().url, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });

/** What the first error of an answer says; undefined without one. */
export const messageOf = async (answer: Response): Promise<string | undefined> =>
  ((await answer.json()) as { errors?: { message: string }[] }).errors?.[0]?.message;

/** Ends the thread of a server that has 64 MB: bodies that come at the same time are more than its heap. False if it stands. */
export async function endThread(post: (body: unknown) => Promise<Response>): Promise<boolean> {
  const list = JSON.stringify(Array.from({ length: 120_000 }, () => 0));
  const body = `{"query":"{ nodes { id } }","variables":{"x":${list}}}`;
  // On a busy machine they may come one after the other, and fit.
  for (let round = 0; round < 10; round++) {
    const outcomes = await Promise.allSettled(Array.from({ length: 100 }, () => post(body)));
    if (outcomes.some(({ status }) => status === "rejected")) return true;
  }
  return false;
}

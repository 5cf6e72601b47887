import { QueryError } from "../errors.ts";
import type { EntitySchema, EntityType } from "../schema/entity-schema.ts";
import { type EntityStore, type IndexedBlock, idValue } from "../store/entity-store.ts";
import type { Visibility } from "../store/filters.ts";
import type { Value } from "../values/value.ts";

type BlockArgument = {
  readonly hash?: Uint8Array | null;
  readonly number?: number | null;
  readonly number_gte?: number | null;
};

export type QueryParts = {
  readonly schema: EntitySchema;
  readonly store: EntityStore;
  /** Name of what is indexed. */
  readonly deployment: string;
  /** Whether a mapping stopped; data up to the block before is served only when the client says so. */
  readonly failed: () => boolean;
};

/** Ids of bytes that are not hexadecimal name no entity; graph-node fails such a query, and so does this. */
export function queriedId(type: EntityType, id: string): Value {
  try {
    return idValue(type, id);
  } catch {
    throw new QueryError(`"${id.slice(0, 80)}" is not an id of ${type.name}`);
  }
}

/** As of when a field of the query type is asked. */
export function visibilityOf(
  parts: QueryParts,
  given: { block?: BlockArgument | null; subgraphError?: "allow" | "deny" },
): Visibility {
  if (parts.failed() && given.subgraphError !== "allow") throw new QueryError("indexing_error");
  const block = blockOf(parts, given.block);
  return { at: block === undefined || block.isLatest ? "latest" : block.number };
}

/** The block that a query names: the newest one without a constraint. */
function blockOf(
  { store }: QueryParts,
  given: BlockArgument | null | undefined,
): { number: bigint; isLatest: boolean; known?: IndexedBlock } | undefined {
  const head = store.head();
  const { hash, number, number_gte: least } = given ?? {};
  if ([hash, number, least].filter((constraint) => constraint != null).length > 1)
    throw new QueryError("block: only one of hash, number and number_gte can be given");
  if (hash != null) {
    const text = `0x${Buffer.from(hash).toString("hex")}`;
    const known = store.blockByHash(text);
    if (known === undefined) throw new QueryError(`no block with the hash ${text} was indexed`);
    return { number: known.number, isLatest: known.number === head!.number, known };
  }
  const wanted = number ?? least;
  if (wanted != null && (head === undefined || BigInt(wanted) > head.number))
    throw new QueryError(
      `the subgraph has only indexed up to block number ${head?.number ?? "none"} and data for block number ${wanted} is therefore not yet available`,
    );
  if (head === undefined) return undefined;
  if (number == null || BigInt(number) === head.number)
    return { number: head.number, isLatest: true, known: head };
  if (number < 0) throw new QueryError("block: the number is negative");
  return { number: BigInt(number), isLatest: false };
}

/** What `_meta` says. */
export function metaOf(parts: QueryParts, given: BlockArgument | null | undefined) {
  const block = blockOf(parts, given);
  // As on graph-node, the hash of a block that was named by its number is not given.
  const isNamed = given?.number != null;
  const known = isNamed ? undefined : block?.known;
  return {
    deployment: parts.deployment,
    hasIndexingErrors: parts.failed(),
    block: {
      number: Number(block?.number ?? 0n),
      hash: known === undefined ? null : Buffer.from(known.hash.slice(2), "hex"),
      parentHash: known === undefined ? null : Buffer.from(known.parentHash.slice(2), "hex"),
      timestamp: known === undefined ? null : Number(known.timestamp),
    },
  };
}

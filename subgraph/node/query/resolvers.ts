import { GraphQLError, type GraphQLFieldResolver, type GraphQLObjectType, type GraphQLSchema } from "graphql";
import { QueryError } from "../errors.ts";
import { apiSchema, plural, singular } from "../schema/api-schema.ts";
import type { EntitySchema, EntityType, FieldType } from "../schema/entity-schema.ts";
import { type EntityStore, type EntityView, type IndexedBlock, idValue } from "../store/entity-store.ts";
import type { Visibility } from "../store/filters.ts";
import { EntityReader, type Reading } from "../store/select.ts";
import type { Value } from "../values/value.ts";
import { type ListArguments, selectionOf } from "./arguments.ts";
import { storedFields } from "./requested.ts";

/** An entity as of a block: what is asked about it further down is as of the same one. */
type Node = { readonly entity: EntityView; readonly visibility: Visibility };

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

/**
 * The schema that clients query, with resolvers over the store. They are synchronous, so that one query sees one state
 * of the database, whatever the indexer does.
 */
export function executableSchema(parts: QueryParts): GraphQLSchema {
  const schema = apiSchema(parts.schema);
  const reader = new EntityReader(parts.store.database, parts.schema);
  for (const type of parts.schema.entities.values()) {
    const fields = (schema.getType(type.name) as GraphQLObjectType).getFields();
    for (const field of type.fields.values())
      fields[field.name]!.resolve = entityField(parts, reader, field) as GraphQLFieldResolver<
        unknown,
        unknown
      >;
  }
  const queries = schema.getQueryType()!.getFields();
  for (const type of parts.schema.entities.values()) {
    queries[singular(type.name)]!.resolve = (_, given, _context, info) => {
      const reading = { visibility: visibilityOf(parts, given), fields: storedFields(type, info) };
      return node(reader.one(type, queriedId(type, given.id), reading), reading);
    };
    queries[plural(type.name)]!.resolve = (_, given, _context, info) => {
      const reading = { visibility: visibilityOf(parts, given), fields: storedFields(type, info) };
      return nodes(reader.many(type, selectionOf(parts.schema, type, given), reading), reading);
    };
  }
  queries._meta!.resolve = (_, given) => metaOf(parts, given.block);
  return schema;
}

const node = (entity: EntityView | undefined, { visibility }: Reading): Node | null =>
  entity === undefined ? null : { entity, visibility };

const nodes = (entities: readonly EntityView[], { visibility }: Reading): Node[] =>
  entities.map((entity) => ({ entity, visibility }));

function entityField(
  { schema }: QueryParts,
  reader: EntityReader,
  field: FieldType,
): GraphQLFieldResolver<Node, unknown, ListArguments> {
  if (field.entity === undefined) {
    return ({ entity }) => entity.get(field.name) ?? null;
  }
  const child = schema.entities.get(field.entity)!;
  if (field.derivedFrom !== undefined) {
    return ({ entity, visibility }, given, _context, info) => {
      const selection = field.isList ? selectionOf(schema, child, given) : { first: 2, skip: 0 };
      const reading = { visibility, fields: storedFields(child, info) };
      const found = nodes(reader.derived(field, entity, selection, reading), reading);
      if (field.isList) return found;
      if (found.length > 1) throw new QueryError(`${field.name} is derived from more than one ${child.name}`);
      return found[0] ?? null;
    };
  }
  if (!field.isList) {
    return ({ entity, visibility }, _given, _context, info) => {
      const id = entity.get(field.name);
      const reading = { visibility, fields: storedFields(child, info) };
      return id == null ? null : node(reader.one(child, id, reading), reading);
    };
  }
  return ({ entity, visibility }, given, _context, info) => {
    const ids = entity.get(field.name) as readonly Value[] | undefined;
    if (ids === undefined) return field.isRequired ? [] : null;
    const selection = selectionOf(schema, child, given);
    const listed = {
      kind: "compare",
      field: child.fields.get("id")!,
      operator: "in",
      value: ids,
    } as const;
    const filter =
      selection.filter === undefined ? listed : { kind: "and" as const, filters: [listed, selection.filter] };
    const reading = { visibility, fields: storedFields(child, info) };
    return nodes(reader.many(child, { ...selection, filter }, reading), reading);
  };
}

/** What a client is told of an error: what it can do something about; nothing else leaves the node. */
export function shownError(error: GraphQLError): GraphQLError {
  const { originalError, message, nodes, path } = error;
  const isClients =
    originalError === undefined ||
    originalError instanceof QueryError ||
    originalError instanceof GraphQLError;
  return isClients ? new GraphQLError(message, { nodes, path }) : new GraphQLError("internal error");
}

/** Ids of bytes that are not hexadecimal name no entity; graph-node fails such a query, and so does this. */
function queriedId(type: EntityType, id: string): Value {
  try {
    return idValue(type, id);
  } catch {
    throw new QueryError(`"${id.slice(0, 80)}" is not an id of ${type.name}`);
  }
}

function visibilityOf(
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

function metaOf(parts: QueryParts, given: BlockArgument | null | undefined) {
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

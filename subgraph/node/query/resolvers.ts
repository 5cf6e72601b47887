import { GraphQLError, type GraphQLFieldResolver, type GraphQLObjectType, type GraphQLSchema } from "graphql";
import { QueryError } from "../errors.ts";
import { apiSchema, plural, singular } from "../schema/api-schema.ts";
import type { FieldType } from "../schema/entity-schema.ts";
import type { EntityView } from "../store/entity-store.ts";
import type { Visibility } from "../store/filters.ts";
import { EntityReader, type Reading } from "../store/select.ts";
import type { Value } from "../values/value.ts";
import { type ListArguments, selectionOf } from "./arguments.ts";
import { storedFields } from "./requested.ts";
import { metaOf, type QueryParts, queriedId, visibilityOf } from "./seen.ts";

/** An entity as of a block: what is asked about it further down is as of the same one. */
type Node = { readonly entity: EntityView; readonly visibility: Visibility };

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

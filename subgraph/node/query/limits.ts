import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  GraphQLError,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  isObjectType,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
} from "graphql";

export type QueryLimits = {
  /** Fields inside one another. */
  readonly depth: number;
  /** Fields in all, each fragment counted wherever it is used. */
  readonly fields: number;
  /** Entities that a query could name: the product of `first` inside one another, summed. */
  readonly entities: number;
  /** Milliseconds that one query may take. */
  readonly time: number;
  /** Queries that may wait for their turn. */
  readonly waiting: number;
};

export const defaultLimits: QueryLimits = {
  depth: 12,
  fields: 2_000,
  entities: 1_000_000,
  time: 10_000,
  waiting: 1_000,
};

type Variables = Record<string, unknown> | null | undefined;

/** How many entities a list could have; 1 for what is not one. */
function mostOf(field: FieldNode, parent: GraphQLObjectType | undefined, variables: Variables): number {
  const definition = parent?.getFields()[field.name.value];
  if (definition?.args.every(({ name }) => name !== "first") !== false) return 1;
  const first = field.arguments?.find(({ name }) => name.value === "first")?.value;
  if (first?.kind === "IntValue") return Math.max(1, Number(first.value));
  // A number that is not one is refused when the query runs.
  if (first?.kind === "Variable") return Math.max(1, Number(variables?.[first.name.value] ?? 100) || 1);
  return 100;
}

/**
 * Why a document would cost more than the limits, as far as that can be told before anything is read; undefined when it does
 * not. Without variables, lists whose `first` is one count as by default.
 */
export function costError(
  schema: GraphQLSchema,
  document: DocumentNode,
  limits: QueryLimits,
  variables?: Variables,
): GraphQLError | undefined {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions)
    if (definition.kind === "FragmentDefinition") fragments.set(definition.name.value, definition);
  for (const definition of document.definitions) {
    if (definition.kind !== "OperationDefinition") continue;
    const reason = new Cost(fragments, limits, variables).exceeded(definition, schema.getQueryType());
    if (reason !== undefined) return new GraphQLError(reason, { nodes: definition });
  }
  return undefined;
}

/** What one operation comes to. */
class Cost {
  readonly #fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  readonly #limits: QueryLimits;
  readonly #variables: Variables;
  #fields = 0;
  #entities = 0;

  constructor(
    fragments: ReadonlyMap<string, FragmentDefinitionNode>,
    limits: QueryLimits,
    variables: Variables,
  ) {
    this.#fragments = fragments;
    this.#limits = limits;
    this.#variables = variables;
  }

  exceeded(
    { selectionSet }: OperationDefinitionNode,
    query: GraphQLObjectType | null | undefined,
  ): string | undefined {
    return this.#selections(selectionSet, query ?? undefined, 1, 1, []);
  }

  /** Goes through the selections until a limit is passed. */
  #selections(
    { selections }: SelectionSetNode,
    parent: GraphQLObjectType | undefined,
    depth: number,
    multiplier: number,
    path: readonly string[],
  ): string | undefined {
    if (depth > this.#limits.depth) return `the query is deeper than ${this.#limits.depth} fields`;
    for (const selection of selections) {
      const reason = this.#selection(selection, parent, depth, multiplier, path);
      if (reason !== undefined) return reason;
    }
    return undefined;
  }

  #selection(
    selection: SelectionNode,
    parent: GraphQLObjectType | undefined,
    depth: number,
    multiplier: number,
    path: readonly string[],
  ): string | undefined {
    if (selection.kind === "Field") return this.#field(selection, parent, depth, multiplier, path);
    // There are no interfaces: a fragment is on the type it stands in, or is refused by other rules.
    if (selection.kind === "InlineFragment")
      return this.#selections(selection.selectionSet, parent, depth, multiplier, path);
    const name = selection.name.value;
    const fragment = this.#fragments.get(name);
    if (fragment === undefined || path.includes(name)) return undefined;
    return this.#selections(fragment.selectionSet, parent, depth, multiplier, [...path, name]);
  }

  #field(
    field: FieldNode,
    parent: GraphQLObjectType | undefined,
    depth: number,
    multiplier: number,
    path: readonly string[],
  ): string | undefined {
    const { fields, entities } = this.#limits;
    if (++this.#fields > fields) return `the query has more than ${fields} fields`;
    // Introspection reads the schema alone.
    if (field.name.value.startsWith("__") || field.selectionSet === undefined) return undefined;
    const inside = multiplier * mostOf(field, parent, this.#variables);
    this.#entities += inside;
    if (this.#entities > entities)
      return `the query could name more than ${entities} entities; ask for fewer by \`first\``;
    const definition = parent?.getFields()[field.name.value];
    const type = definition === undefined ? undefined : getNamedType(definition.type);
    return this.#selections(
      field.selectionSet,
      isObjectType(type) ? type : undefined,
      depth + 1,
      inside,
      path,
    );
  }
}

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
  /** Heap of each process that answers queries, in MB. */
  readonly heap: number;
  /** Characters that one answer may have, and bytes of all that clients have not fetched yet. */
  readonly answer: number;
  readonly unsent: number;
  /** Queries that may wait for their turn. */
  readonly waiting: number;
};

export const defaultLimits: QueryLimits = {
  depth: 12,
  fields: 2_000,
  entities: 1_000_000,
  time: 10_000,
  heap: 512,
  answer: 16 * 2 ** 20,
  unsent: 256 * 2 ** 20,
  waiting: 1_000,
};

type Variables = Readonly<Record<string, unknown>> | null | undefined;

/** The numbers that variables stand for: what came with the query, or the defaults that its text gives. */
function numbersOf(operation: OperationDefinitionNode, variables: Variables): ReadonlyMap<string, number> {
  const numbers = new Map<string, number>();
  for (const { variable, defaultValue } of operation.variableDefinitions ?? []) {
    const name = variable.name.value;
    const given = variables?.[name];
    if (given !== undefined) numbers.set(name, Number(given));
    else if (defaultValue?.kind === "IntValue") numbers.set(name, Number(defaultValue.value));
  }
  return numbers;
}

/** How many entities a list could have; 1 for what is not one. */
function mostOf(
  field: FieldNode,
  parent: GraphQLObjectType | undefined,
  numbers: ReadonlyMap<string, number>,
): number {
  const definition = parent?.getFields()[field.name.value];
  if (definition?.args.every(({ name }) => name !== "first") !== false) return 1;
  const first = field.arguments?.find(({ name }) => name.value === "first")?.value;
  if (first?.kind === "IntValue") return Math.max(1, Number(first.value));
  // A number that is not one is refused when the query runs.
  if (first?.kind === "Variable") return Math.max(1, numbers.get(first.name.value) ?? 100) || 1;
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
    const cost = new Cost(fragments, limits, numbersOf(definition, variables));
    const reason = cost.exceeded(definition, schema.getQueryType());
    if (reason !== undefined) return new GraphQLError(reason, { nodes: definition });
  }
  return undefined;
}

/** What one operation comes to. */
class Cost {
  readonly #fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  readonly #limits: QueryLimits;
  readonly #numbers: ReadonlyMap<string, number>;
  #fields = 0;
  #entities = 0;

  constructor(
    fragments: ReadonlyMap<string, FragmentDefinitionNode>,
    limits: QueryLimits,
    numbers: ReadonlyMap<string, number>,
  ) {
    this.#fragments = fragments;
    this.#limits = limits;
    this.#numbers = numbers;
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
    const inside = multiplier * mostOf(field, parent, this.#numbers);
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

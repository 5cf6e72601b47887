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
  visit,
} from "graphql";

export type QueryLimits = {
  /** Fields inside one another. */
  readonly depth: number;
  /** Tokens of a document. */
  readonly tokens: number;
  /** Fields and spreads in all, each fragment counted wherever it is used. */
  readonly fields: number;
  /** Values inside one another, in the text of a query or in its variables: each message and each filter is walked by calls. */
  readonly nesting: number;
  /** Entities that a query could name: the product of `first` inside one another, summed. */
  readonly entities: number;
  /** Milliseconds that one query may take. */
  readonly time: number;
  /** Heap of each process that answers queries, in MB. */
  readonly heap: number;
  /** Heap of the thread that reads requests, in MB. */
  readonly listening: number;
  /** Characters that one answer may have, and bytes of all that clients have not fetched yet. */
  readonly answer: number;
  readonly unsent: number;
  /** Queries that may wait for their turn. */
  readonly waiting: number;
};

export const defaultLimits: QueryLimits = {
  depth: 12,
  tokens: 20_000,
  fields: 2_000,
  nesting: 100,
  entities: 1_000_000,
  time: 10_000,
  heap: 512,
  listening: 256,
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
    // Null is no number: the list is as long as one that is given none.
    if (given === null) continue;
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
  if (isDeeper(variables, limits.nesting) || valuesNested(document) > limits.nesting)
    return new GraphQLError(`the query has values inside one another deeper than ${limits.nesting}`);
  const fragments = fragmentsOf(document);
  // What the rules of GraphQL walk is the whole document, not the one operation that will run.
  let fields = 0;
  const used = new Set<FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind !== "OperationDefinition") continue;
    try {
      const meter = new Meter(fragments, numbersOf(definition, variables));
      const cost = meter.measure(definition.selectionSet, schema.getQueryType() ?? undefined);
      fields += cost.fields;
      for (const fragment of meter.measured()) used.add(fragment);
      const reason = reasonAgainst({ ...cost, fields }, limits);
      if (reason !== undefined) return new GraphQLError(reason, { nodes: definition });
    } catch (error) {
      if (error instanceof CycleError) return error;
      throw error;
    }
  }
  // GraphQL refuses it too, but only after comparing its fields with one another.
  const unused = [...fragments.values()].find((fragment) => !used.has(fragment));
  if (unused === undefined) return undefined;
  return new GraphQLError(`Fragment "${unused.name.value}" is never used.`, { nodes: unused });
}

/** Whether lists and objects lie deeper inside one another. Goes down without calls: what is asked may be any depth. */
function isDeeper(value: unknown, most: number): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > most) return true;
    level = level.flatMap((each) => (typeof each === "object" && each !== null ? Object.values(each) : []));
  }
  return false;
}

/** How many lists and objects of a document's own values, or types, lie inside one another. */
function valuesNested(document: DocumentNode): number {
  let depth = 0;
  let most = 0;
  const counted = {
    enter() {
      most = Math.max(most, ++depth);
    },
    leave() {
      depth--;
    },
  };
  visit(document, { ListValue: counted, ObjectValue: counted, ListType: counted });
  return most;
}

function fragmentsOf({ definitions }: DocumentNode): ReadonlyMap<string, FragmentDefinitionNode> {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of definitions)
    if (definition.kind === "FragmentDefinition") fragments.set(definition.name.value, definition);
  return fragments;
}

/** Fields and spreads of all operations of a document that was validated, each fragment counted wherever it is used. */
export function fieldsOf(document: DocumentNode): number {
  const fragments = fragmentsOf(document);
  let fields = 0;
  for (const definition of document.definitions)
    if (definition.kind === "OperationDefinition")
      fields += new Meter(fragments, new Map()).measure(definition.selectionSet, undefined).fields;
  return fields;
}

function reasonAgainst({ fields, entities, depth }: Measure, limits: QueryLimits): string | undefined {
  if (fields > limits.fields) return `the query has more than ${limits.fields} fields`;
  if (depth > limits.depth) return `the query is deeper than ${limits.depth} fields`;
  if (entities > limits.entities)
    return `the query could name more than ${limits.entities} entities; ask for fewer by \`first\``;
  return undefined;
}

/** What a selection set comes to, whatever it stands in. */
type Measure = {
  /** Fields and spreads, each fragment counted wherever it is used. */
  readonly fields: number;
  /** Entities that could be named for each one that the set is asked of. */
  readonly entities: number;
  /** Fields inside one another. */
  readonly depth: number;
};

const nothing: Measure = { fields: 0, entities: 0, depth: 0 };

/** A fragment that spreads itself, by way of others or not. */
class CycleError extends GraphQLError {}

/**
 * Measures the selection sets of one operation. Each fragment is walked once, however often it is spread: the time is that of
 * reading the document, although what it stands for may grow with a power of its length.
 */
class Meter {
  readonly #fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  readonly #numbers: ReadonlyMap<string, number>;
  /** By fragment; undefined while it is being measured. */
  readonly #known = new Map<FragmentDefinitionNode, Measure | undefined>();

  constructor(fragments: ReadonlyMap<string, FragmentDefinitionNode>, numbers: ReadonlyMap<string, number>) {
    this.#fragments = fragments;
    this.#numbers = numbers;
  }

  measured(): Iterable<FragmentDefinitionNode> {
    return this.#known.keys();
  }

  /** @throws CycleError */
  measure({ selections }: SelectionSetNode, parent: GraphQLObjectType | undefined): Measure {
    let { fields, entities, depth } = nothing;
    for (const selection of selections) {
      const inside = this.#selection(selection, parent);
      fields += 1 + inside.fields;
      entities += inside.entities;
      depth = Math.max(depth, inside.depth);
    }
    return { fields, entities, depth };
  }

  #selection(selection: SelectionNode, parent: GraphQLObjectType | undefined): Measure {
    if (selection.kind === "Field") return this.#field(selection, parent);
    // There are no interfaces: a fragment is on the type it stands in, or is refused by other rules.
    if (selection.kind === "InlineFragment") return this.measure(selection.selectionSet, parent);
    const fragment = this.#fragments.get(selection.name.value);
    return fragment === undefined ? nothing : this.#fragment(fragment, parent);
  }

  #fragment(fragment: FragmentDefinitionNode, parent: GraphQLObjectType | undefined): Measure {
    if (this.#known.has(fragment)) {
      const known = this.#known.get(fragment);
      if (known !== undefined) return known;
      throw new CycleError(`the fragment ${fragment.name.value} spreads itself`, { nodes: fragment });
    }
    this.#known.set(fragment, undefined);
    const measured = this.measure(fragment.selectionSet, parent);
    this.#known.set(fragment, measured);
    return measured;
  }

  #field(field: FieldNode, parent: GraphQLObjectType | undefined): Measure {
    if (field.selectionSet === undefined) return { ...nothing, depth: 1 };
    const definition = parent?.getFields()[field.name.value];
    const type = definition === undefined ? undefined : getNamedType(definition.type);
    const inside = this.measure(field.selectionSet, isObjectType(type) ? type : undefined);
    // Introspection reads the schema alone, and a rule of GraphQL bounds its depth.
    if (field.name.value.startsWith("__")) return { fields: inside.fields, entities: 0, depth: 1 };
    const most = mostOf(field, parent, this.#numbers);
    return { fields: inside.fields, entities: most * (1 + inside.entities), depth: inside.depth + 1 };
  }
}

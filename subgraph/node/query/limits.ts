import {
  type ASTVisitor,
  type FieldNode,
  GraphQLError,
  type GraphQLObjectType,
  getNamedType,
  isObjectType,
  type SelectionSetNode,
  type ValidationContext,
  type ValidationRule,
} from "graphql";

export type QueryLimits = {
  /** Fields inside one another. */
  readonly depth: number;
  /** Fields in all, each fragment counted wherever it is used. */
  readonly fields: number;
  /** Entities that a query could name: the product of `first` inside one another, summed. */
  readonly entities: number;
};

export const defaultLimits: QueryLimits = { depth: 12, fields: 2_000, entities: 1_000_000 };

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

/** Refuses queries that would cost more than the limits, before anything is read. */
export const withinLimits =
  (limits: QueryLimits, variables: Variables): ValidationRule =>
  (context: ValidationContext): ASTVisitor => ({
    OperationDefinition(operation) {
      const used = { fields: 0, entities: 0 };
      const schema = context.getSchema();
      const refuse = (message: string) => {
        context.reportError(new GraphQLError(message, { nodes: operation }));
        return false;
      };
      const visitField = (
        field: FieldNode,
        parent: GraphQLObjectType | undefined,
        depth: number,
        multiplier: number,
        path: readonly string[],
      ): boolean => {
        if (++used.fields > limits.fields) return refuse(`the query has more than ${limits.fields} fields`);
        // Introspection reads the schema alone.
        if (field.name.value.startsWith("__") || field.selectionSet === undefined) return true;
        const inside = multiplier * mostOf(field, parent, variables);
        used.entities += inside;
        if (used.entities > limits.entities)
          return refuse(
            `the query could name more than ${limits.entities} entities; ask for fewer by \`first\``,
          );
        const definition = parent?.getFields()[field.name.value];
        const type = definition === undefined ? undefined : getNamedType(definition.type);
        return visit(field.selectionSet, isObjectType(type) ? type : undefined, depth + 1, inside, path);
      };
      /** Goes through the selections; false once a limit was passed. */
      const visit = (
        set: SelectionSetNode,
        parent: GraphQLObjectType | undefined,
        depth: number,
        multiplier: number,
        path: readonly string[],
      ): boolean => {
        if (depth > limits.depth) return refuse(`the query is deeper than ${limits.depth} fields`);
        return set.selections.every((selection) => {
          if (selection.kind === "Field") return visitField(selection, parent, depth, multiplier, path);
          // There are no interfaces: a fragment is on the type it stands in, or is refused by other rules.
          if (selection.kind === "InlineFragment")
            return visit(selection.selectionSet, parent, depth, multiplier, path);
          const name = selection.name.value;
          const fragment = context.getFragment(name);
          if (fragment == null || path.includes(name)) return true;
          return visit(fragment.selectionSet, parent, depth, multiplier, [...path, name]);
        });
      };
      visit(operation.selectionSet, schema.getQueryType() ?? undefined, 1, 1, []);
    },
  });

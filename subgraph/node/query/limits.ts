import {
  type ASTVisitor,
  GraphQLError,
  type SelectionSetNode,
  type ValidationContext,
  type ValidationRule,
} from "graphql";

export type QueryLimits = {
  /** Fields inside one another. */
  readonly depth: number;
  /** Fields in all, each fragment counted wherever it is used. */
  readonly fields: number;
  /** Entities that the lists of a query could name: the product of `first` inside one another, summed. */
  readonly entities: number;
};

export const defaultLimits: QueryLimits = { depth: 12, fields: 2_000, entities: 1_000_000 };

/** Refuses queries that would cost more than the limits, before anything is read. */
export const withinLimits =
  (limits: QueryLimits, variables: Record<string, unknown> | null | undefined): ValidationRule =>
  (context: ValidationContext): ASTVisitor => ({
    OperationDefinition(operation) {
      const used = { fields: 0, entities: 0 };
      const refuse = (message: string) => {
        context.reportError(new GraphQLError(message, { nodes: operation }));
        return false;
      };
      /** Goes through the selections; false once a limit was passed. */
      const visit = (
        set: SelectionSetNode,
        depth: number,
        multiplier: number,
        path: readonly string[],
      ): boolean => {
        if (depth > limits.depth) return refuse(`the query is deeper than ${limits.depth} fields`);
        for (const selection of set.selections) {
          if (selection.kind === "FragmentSpread") {
            const name = selection.name.value;
            const fragment = context.getFragment(name);
            if (fragment == null || path.includes(name)) continue;
            if (!visit(fragment.selectionSet, depth, multiplier, [...path, name])) return false;
          } else if (selection.kind === "InlineFragment") {
            if (!visit(selection.selectionSet, depth, multiplier, path)) return false;
          } else {
            if (++used.fields > limits.fields)
              return refuse(`the query has more than ${limits.fields} fields`);
            // Introspection reads the schema alone.
            if (selection.name.value.startsWith("__") || selection.selectionSet === undefined) continue;
            const first = selection.arguments?.find(({ name }) => name.value === "first")?.value;
            const given =
              first?.kind === "IntValue"
                ? Number(first.value)
                : first?.kind === "Variable"
                  ? Number(variables?.[first.name.value] ?? 100)
                  : 100;
            const inside = multiplier * Math.max(1, given);
            used.entities += inside;
            if (used.entities > limits.entities)
              return refuse(
                `the query could name more than ${limits.entities} entities; ask for fewer by \`first\``,
              );
            if (!visit(selection.selectionSet, depth + 1, inside, path)) return false;
          }
        }
        return true;
      };
      visit(operation.selectionSet, 1, 1, []);
    },
  });

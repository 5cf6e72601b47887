import type { FragmentDefinitionNode, GraphQLResolveInfo, SelectionSetNode } from "graphql";
import type { EntityType } from "../schema/entity-schema.ts";

type Requested = Pick<GraphQLResolveInfo, "fieldNodes" | "fragments">;

/** By the nodes that ask, which stay the same for all parents of one query. */
const known = new WeakMap<GraphQLResolveInfo["fieldNodes"], ReadonlySet<string>>();

/** The stored fields of an entity that a query asks for below a field. */
export function storedFields(type: EntityType, { fieldNodes, fragments }: Requested): ReadonlySet<string> {
  let fields = known.get(fieldNodes);
  if (fields === undefined) {
    const names = new Set<string>();
    for (const { selectionSet } of fieldNodes) if (selectionSet) collect(selectionSet, fragments, names);
    fields = new Set(type.stored.map(({ name }) => name).filter((name) => names.has(name)));
    known.set(fieldNodes, fields);
  }
  return fields;
}

/** Fields that `@skip` and `@include` may leave out are among them. A fragment that is used twice is looked at twice; queries are bounded before. */
function collect(
  { selections }: SelectionSetNode,
  fragments: Readonly<Record<string, FragmentDefinitionNode>>,
  names: Set<string>,
): void {
  for (const selection of selections) {
    if (selection.kind === "Field") names.add(selection.name.value);
    else if (selection.kind === "InlineFragment") collect(selection.selectionSet, fragments, names);
    else collect(fragments[selection.name.value]!.selectionSet, fragments, names);
  }
}

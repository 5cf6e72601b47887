import {
  type FieldNode,
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputField,
  type GraphQLInputType,
  getNullableType,
  isInputObjectType,
  isNonNullType,
  Kind,
  type ValueNode,
  valueFromAST,
} from "graphql";

type Variables = Readonly<Record<string, unknown>>;

/** A value out of the variables of one asking; undefined where there is none. */
type Giver = (variables: Variables) => unknown;

const hasVariables = (node: ValueNode): boolean => {
  if (node.kind === Kind.VARIABLE) return true;
  if (node.kind === Kind.LIST) return node.values.some(hasVariables);
  return node.kind === Kind.OBJECT && node.fields.some(({ value }) => hasVariables(value));
};

/** What `node` stands for, where an argument or a field of an input object wants it. */
function giverOf(wanted: GraphQLArgument | GraphQLInputField, node: ValueNode | undefined): Giver {
  const { type, defaultValue } = wanted;
  if (node === undefined) return () => defaultValue;
  const give = readerOf(type, node);
  const canBeMissing = node.kind === Kind.VARIABLE;
  return (variables) => {
    const value = give(variables);
    if (value === undefined && canBeMissing) return defaultValue;
    // A value that does not fit; what is wrong with it is for `graphql` to say.
    if (value === undefined) throw new TypeError(wanted.name);
    return value;
  };
}

function readerOf(type: GraphQLInputType, node: ValueNode): Giver {
  if (!hasVariables(node)) {
    const value = valueFromAST(node, type);
    return () => value;
  }
  if (node.kind === Kind.VARIABLE) return (variables) => variables[node.name.value];
  const object = getNullableType(type);
  if (node.kind !== Kind.OBJECT || !isInputObjectType(object))
    return (variables) => valueFromAST(node, type, variables);
  return objectOf(
    Object.values(object.getFields()),
    node.fields.map(({ name, value }) => ({ name: name.value, value })),
  );
}

type Given = { readonly name: string; readonly value: ValueNode };

/** Of what could be given, most is not: it is looked at once. */
function objectOf(
  wanted: readonly (GraphQLArgument | GraphQLInputField)[],
  given: readonly Given[],
): (variables: Variables) => Record<string, unknown> {
  const givers = wanted.flatMap((each) => {
    const node = given.find(({ name }) => name === each.name)?.value;
    const isIdle = node === undefined && each.defaultValue === undefined && !isNonNullType(each.type);
    return isIdle
      ? []
      : [{ name: each.name, isRequired: isNonNullType(each.type), give: giverOf(each, node) }];
  });
  return (variables) => {
    const values: Record<string, unknown> = {};
    for (const { name, isRequired, give } of givers) {
      const value = give(variables);
      if (isRequired && value == null) throw new TypeError(name);
      if (value !== undefined) values[name] = value;
    }
    return values;
  };
}

/**
 * As `getArgumentValues` of `graphql`, worked out once for a place of a document: that goes through every field that a filter
 * could have, some hundred, each time it is asked. Throws where `graphql` finds an error.
 */
export const argumentsOf = (
  definition: GraphQLField<unknown, unknown>,
  { arguments: given = [] }: FieldNode,
) =>
  objectOf(
    definition.args,
    given.map(({ name, value }) => ({ name: name.value, value })),
  );

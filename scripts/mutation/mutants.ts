import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { root } from "../setup.ts";

/** A node of the compiler's syntax tree, as far as it is read. */
export type Node = {
  nodeType: string;
  src: string;
  name?: string;
  typeDescriptions?: { typeString?: string };
  [key: string]: unknown;
};

/** One change of one place of a source; positions count bytes. */
export type Mutant = {
  file: string;
  /** The contract and the function, modifier or variable that it is in: `Escrow.fund`. */
  where: string;
  operator: string;
  /** The node that is replaced, and how. */
  start: number;
  end: number;
  original: string;
  replacement: string;
  /** What is replaced; what the value of a constant is made of cannot depend on the block. */
  form: "expression" | "statement" | "constant";
};

/** Sources are read and written byte by byte: the compiler's positions count bytes. */
export const readSource = (path: string) => readFileSync(join(root, path), "latin1");

/** First byte of a node, and the one behind its last. */
export function rangeOf(node: Node): [number, number] {
  const [start, length] = node.src.split(":").map(Number) as [number, number];
  return [start, start + length];
}

const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && "nodeType" in value && "src" in value;

/** The nodes below one, each with those that it stands in, outermost first. */
export function* walk(node: Node, parents: readonly Node[] = []): Generator<[Node, readonly Node[]]> {
  yield [node, parents];
  const below = [...parents, node];
  for (const value of Object.values(node))
    for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) yield* walk(child, below);
}

const isWhole = (type: string) => /^u?int\d+$|^int_const /.test(type);

/** Whether a value that Gambit assigns fits what it is assigned to; Gambit itself does not look at types. */
function fits(value: string, type: string): boolean {
  if (value === "true" || value === "false") return type === "bool";
  if (value === "(-1)") return /^int\d+$/.test(type);
  return isWhole(type) || (value === "0" && /^bytes\d+$/.test(type));
}

/** The type of what the right side of an assignment goes to. */
function targetType(parent: Node | undefined): string | undefined {
  const left = parent?.leftHandSide as Node | undefined;
  const declared = parent?.declarations as (Node | null)[] | undefined;
  const only = declared?.length === 1 ? declared[0] : undefined;
  return (left ?? only ?? (parent?.nodeType === "VariableDeclaration" ? parent : undefined))?.typeDescriptions
    ?.typeString;
}

type Row = [
  id: string,
  operator: string,
  file: string,
  position: string,
  original: string,
  replacement: string,
];

/** Where a row of Gambit's list begins: line and column from one. */
function offsetOf(code: string, position: string): number {
  const [line, column] = position.split(":").map(Number) as [number, number];
  let offset = 0;
  for (let i = 1; i < line; i++) offset = code.indexOf("\n", offset) + 1;
  return offset + column - 1;
}

/** The place in the tree that a row changes, or nothing if the result could not be valid code. */
function mutantOf(
  row: Row,
  file: string,
  code: string,
  nodes: readonly [Node, readonly Node[]][],
): Mutant | undefined {
  const [, operator, , position, original, replacement] = row;
  const start = offsetOf(code, position);
  const end = start + original.length;
  if (code.slice(start, end) !== original)
    throw new Error(`${file}:${position}: Gambit's list does not fit the source`);
  const innermost = nodes.findLast(([node]) => {
    const [from, to] = rangeOf(node);
    return from <= start && end <= to;
  });
  if (innermost === undefined) throw new Error(`${file}:${position}: no node of the syntax tree is there`);
  let [node, parents] = innermost;
  // A statement and its expression can share a range: the expression is what is mutated.
  if (node.nodeType === "ExpressionStatement" && isNode(node.expression)) {
    parents = [...parents, node];
    node = node.expression;
  }
  const type = node.typeDescriptions?.typeString ?? "";
  const parent = parents.at(-1);
  // The operators that Gambit puts in are all arithmetic.
  if (/^(Binary|Unary)Op/.test(operator) && type === "bool") return undefined;
  // A pointer into storage has no value until it is assigned.
  const target = (node.leftHandSide as Node | undefined)?.typeDescriptions?.typeString ?? "";
  if (operator === "DeleteExpressionMutation" && /storage pointer/.test(target)) return undefined;
  let value = replacement;
  if (operator === "AssignmentMutation") {
    const assigned = targetType(parent) ?? type;
    if (!fits(replacement, assigned)) return undefined;
    // Beside another value, in a choice between the two, the number needs a type of its own.
    if (/^(u?int|bytes)\d+$/.test(assigned)) value = `${assigned}(${replacement})`;
  }
  const statement = parents.at(-1);
  const isStep = statement !== undefined && parents.at(-2)?.loopExpression === statement;
  const isStatement = (operator === "DeleteExpressionMutation" || type === "tuple()") && !isStep;
  // Where a loop steps, an expression must stand: what it would have changed, without the change.
  const changed = (node.leftHandSide ?? node.subExpression) as Node | undefined;
  if (isStep && operator === "DeleteExpressionMutation" && changed !== undefined)
    value = code.slice(...rangeOf(changed));
  const [from, to] = rangeOf(node);
  const named = [...parents, node].filter(
    (each) =>
      ["ContractDefinition", "FunctionDefinition", "ModifierDefinition"].includes(each.nodeType) ||
      (each.nodeType === "VariableDeclaration" && each.stateVariable === true),
  );
  const constant = parents.some((each) => each.nodeType === "VariableDeclaration" && each.constant === true);
  return {
    file,
    where: named.map((each) => each.name || (each.kind as string)).join("."),
    operator: operator.replace(/Mutation$/, ""),
    start: from,
    end: to,
    original: code.slice(from, to),
    replacement: code.slice(from, start) + value + code.slice(end, to),
    form: constant ? "constant" : isStatement ? "statement" : "expression",
  };
}

/**
 * The mutants that Gambit makes of files, without those whose types cannot fit.
 * @param program path of Gambit
 * @param files from the repository's root
 * @param trees the syntax tree of each
 */
export function mutantsOf(program: string, files: readonly string[], trees: Map<string, Node>): Mutant[] {
  const folder = join(root, ".assay", "mutation", "gambit");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  // Gambit asks a compiler for the tree of each file; all of them are there already.
  const compiler = join(folder, "compiler.sh");
  writeFileSync(
    compiler,
    '#!/bin/sh\n# --ast-compact-json FILE --output-dir FOLDER\nmkdir -p "$4" && cp "$(dirname "$0")/$(basename "$2").json" "$4/$(basename "$2")_json.ast"\n',
  );
  chmodSync(compiler, 0o755);
  const found: Mutant[] = [];
  for (const file of files) {
    const tree = trees.get(file);
    if (tree === undefined) throw new Error(`${file}: no such contract`);
    const name = file.split("/").at(-1) as string;
    writeFileSync(join(folder, `${name}.json`), JSON.stringify(tree));
    const out = join(folder, "out", name);
    const args = [
      "mutate",
      "--filename",
      file,
      "--solc",
      compiler,
      "--skip_validate",
      "--no_export",
      "-o",
      out,
    ];
    const { status, stderr, error } = spawnSync(program, args, { cwd: root, encoding: "utf8" });
    if (error !== undefined) throw error;
    if (status !== 0) throw new Error(`gambit ended with ${status} on ${file}:\n${stderr}`);
    const rows = parse(readFileSync(join(out, "mutants.log"), "latin1"), {
      relax_column_count: true,
    }) as unknown as Row[];
    const code = readSource(file);
    const nodes = [...walk(tree)];
    for (const row of rows) {
      const mutant = mutantOf(row, file, code, nodes);
      if (mutant !== undefined) found.push(mutant);
    }
  }
  return found;
}

import { accumulatorLimit, fixedExponents, log2Exact } from "../format.ts";
import { limits } from "../limits.ts";
import { elementsOf } from "../packing.ts";
import { narrows, openedRuns, openingOf } from "./bounds.ts";
import { type TapeRule, VoidProgramError } from "./errors.ts";
import { factsOf, type NodeFacts, termsOfSum } from "./facts.ts";
import { dtypeRange } from "./ranges.ts";
import { writtenSpace } from "./rules/data.ts";
import { NodeCheck } from "./rules/node-check.ts";
import { checkByOpcode } from "./rules/table.ts";
import {
  attributeNames,
  dtypes,
  type Layout,
  opcodes,
  type Program,
  type Slot,
  spaces,
  type TapeNode,
} from "./types.ts";

const again = "compile the model again, or correct the program";
const poolApart = "use a convolution without pool, and MAX_POOL after it";

function requireProgram(holds: boolean, rule: TapeRule, message: string, remedy = again): void {
  if (!holds) throw new VoidProgramError({}, rule, message, remedy);
}

/** What is wrong with a layout, whoever has it. */
function layoutProblem({ dtype, shape, rowAxes }: Layout): { rule: TapeRule; message: string } | undefined {
  if (!Object.hasOwn(dtypes, dtype)) return { rule: "dtype", message: `there is no type ${dtype}` };
  if (shape.length < 1 || shape.length > limits.rank) {
    return { rule: "shape", message: `[${shape}] does not have rank 1 to ${limits.rank}` };
  }
  if (!shape.every((size) => Number.isInteger(size) && size >= 1)) {
    return { rule: "shape", message: `[${shape}] has a dimension below 1` };
  }
  if (elementsOf(shape) > limits.elements) {
    return { rule: "limit", message: `[${shape}] has more than ${limits.elements} elements` };
  }
  const rows = shape.length === limits.rank ? [2, 3] : [1];
  if (!rows.includes(rowAxes)) {
    return { rule: "row-axes", message: `rows of ${rowAxes} axes do not exist in [${shape}]` };
  }
  return undefined;
}

function checkSlot({ name, role, layout, exponent, initializer }: Slot, index: number): void {
  const where = `state slot ${index} (${name})`;
  const problem = layoutProblem(layout);
  requireProgram(
    problem === undefined,
    problem?.rule ?? "program",
    `${where}: ${problem?.message}`,
    problem?.rule === "limit" ? "use narrower layers" : again,
  );
  requireProgram(layout.dtype === "I32", "dtype", `${where} is ${layout.dtype} and must be I32`);
  const expected = role === "weight" ? fixedExponents.weight : fixedExponents.gradient;
  requireProgram(
    exponent === expected,
    "exponent",
    `${where} is at ${exponent}; a ${role} is at ${expected}`,
  );
  if (initializer.kind === "uniform") {
    const { fanIn } = initializer;
    requireProgram(Number.isSafeInteger(fanIn) && fanIn >= 1, "program", `${where} has a fan-in of ${fanIn}`);
  }
  if (initializer.kind === "given") {
    const { mantissas } = initializer;
    requireProgram(
      mantissas.length === elementsOf(layout.shape),
      "shape",
      `${where} is given ${mantissas.length} values for [${layout.shape}]`,
    );
    const { min } = dtypeRange("I32");
    requireProgram(
      mantissas.every((mantissa) => mantissa >= min),
      "range",
      `${where} is given a value below ${min}`,
    );
  }
}

function checkHead(program: Program): void {
  const { bits, microBatch, state, gradients, tapes } = program;
  requireProgram(bits === 8 || bits === 16, "program", `there is no profile of ${bits} bits`);
  requireProgram(
    Number.isInteger(microBatch) &&
      microBatch >= 1 &&
      microBatch <= limits.microBatch &&
      log2Exact(microBatch) !== undefined,
    "limit",
    `a micro-batch of ${microBatch} samples`,
    `choose a power of two up to ${limits.microBatch}`,
  );
  requireProgram(
    state.length <= limits.slots && gradients.length <= limits.slots,
    "limit",
    `more than ${limits.slots} slots`,
  );
  for (const [index, slot] of state.entries()) checkSlot(slot, index);
  for (const [index, layout] of gradients.entries()) {
    const problem = layoutProblem(layout);
    requireProgram(
      problem === undefined,
      problem?.rule ?? "program",
      `gradient slot ${index}: ${problem?.message}`,
    );
    requireProgram(layout.dtype === "I32", "dtype", `gradient slot ${index} is ${layout.dtype}, not I32`);
  }
  requireProgram(tapes.length === 3, "program", `a program has three tapes, not ${tapes.length}`);
}

/** What must hold before the rule of an opcode can be asked. */
function checkForm(check: NodeCheck): void {
  const { node, index } = check;
  const { attributes, output, inputs } = node;
  for (const name of attributeNames[node.opcode]) {
    const value = (attributes as Readonly<Record<string, number>>)[name];
    check.require(
      value !== undefined && Number.isInteger(value) && Math.abs(value) < 2 ** 31,
      "attribute",
      `${name} is ${value}, no integer within ±(2^31 − 1)`,
    );
  }
  const problem = layoutProblem(output);
  check.require(problem === undefined, problem?.rule ?? "shape", problem?.message ?? "");
  for (const [i, input] of inputs.entries()) {
    check.require(
      Number.isInteger(input) && input >= 0 && input < index,
      "inputs",
      `input ${i} is node ${input}, which does not stand before it`,
    );
  }
}

/** Opcodes that hand on mantissas of their input as they are. */
const copying: ReadonlySet<string> = new Set(["STORE", "ROW_MAX", "GATE", "MAX_POOL"]);

function checkFacts(check: NodeCheck, facts: NodeFacts, inputs: readonly NodeFacts[]): void {
  const { node, program } = check;
  if (copying.has(node.opcode)) {
    const [copied, held] = [inputs[0]!.range, facts.range];
    check.require(
      copied.min >= held.min && copied.max <= held.max,
      "range",
      `its input reaches from ${copied.min} to ${copied.max}, its output holds ${held.min} to ${held.max}`,
      "put a REQUANTIZE before it",
    );
  }
  if (narrows(node) && node.opcode !== "ACCUMULATE") {
    const terms = termsOfSum(program, node, check.inputs);
    check.require(
      terms <= limits.terms,
      "limit",
      `its sums have ${terms} terms, more than ${limits.terms}`,
      "use a smaller micro-batch or narrower layers",
    );
  }
  check.require(
    facts.bound < accumulatorLimit,
    "bound",
    `its sums can reach ${facts.bound} and must stay below 2^52`,
    "use fewer terms, a smaller micro-batch or narrower operands",
  );
  for (const [low, high] of [facts.accumulatorExponents, facts.exponents]) {
    check.require(
      low >= -limits.exponent && high <= limits.exponent,
      "exponent",
      `its exponent can be anything from ${low} to ${high} and must stay in int32`,
      "use fewer products one after another",
    );
  }
  const bytes = openingOf(node, check.inputs);
  check.require(
    narrows(node) || bytes <= limits.openingBytes,
    "opening",
    `one element needs leaves of ${bytes} bytes, more than ${limits.openingBytes}`,
    node.opcode.startsWith("CONV") ? poolApart : "use smaller windows or shorter rows",
  );
  const runs = openedRuns(node, check.inputs);
  check.require(
    runs <= limits.openedRuns,
    "opening",
    `one element is the maximum of sums of ${runs} runs of products, more than ${limits.openedRuns}`,
    poolApart,
  );
}

function checkTape(program: Program, tape: number): void {
  const nodes = program.tapes[tape]!;
  if (nodes.length > limits.nodesPerTape) {
    const message = `${nodes.length} nodes are more than ${limits.nodesPerTape}`;
    throw new VoidProgramError({ tape }, "limit", message, "use a smaller model");
  }
  const facts: NodeFacts[] = [];
  for (const [index, node] of nodes.entries()) {
    if (!Object.hasOwn(opcodes, node.opcode)) {
      const place = { tape, node: index };
      throw new VoidProgramError(place, "opcode", `there is no opcode ${String(node.opcode)}`, again);
    }
    const check = new NodeCheck(program, tape, index, facts);
    checkForm(check);
    checkByOpcode(check);
    const inputs = node.inputs.map((input) => facts[input]!);
    const found = factsOf(program, node, inputs, check.inputs);
    checkFacts(check, found, inputs);
    facts.push(found);
  }
  checkSlots(program, tape, nodes);
}

/** Every slot of the space that a tape writes is stored exactly once, and never loaded after that. */
function checkSlots(program: Program, tape: number, nodes: readonly TapeNode[]): void {
  const space = writtenSpace(tape);
  const slots = space === spaces.state ? program.state.length : program.gradients.length;
  const stored = new Set<number>();
  for (const [index, node] of nodes.entries()) {
    if (node.opcode !== "STORE" && node.opcode !== "LOAD") continue;
    if (node.attributes.space !== space) continue;
    const { slot } = node.attributes;
    if (stored.has(slot)) {
      const what = node.opcode === "STORE" ? "stored twice" : "loaded after it was stored";
      const place = { tape, node: index, opcode: node.opcode };
      throw new VoidProgramError(place, "slot", `slot ${slot} of space ${space} is ${what}`, again);
    }
    if (node.opcode === "STORE") stored.add(slot);
  }
  for (let slot = 0; slot < slots; slot++) {
    if (stored.has(slot)) continue;
    throw new VoidProgramError({ tape }, "slot", `slot ${slot} of space ${space} is never stored`, again);
  }
}

function checkMarks({ witness, target, loss, tapes }: Program): void {
  const nodes = tapes[0];
  for (const [name, index] of Object.entries({ witness, target })) {
    requireProgram(
      Number.isInteger(index) && index >= 0 && index < nodes.length,
      "program",
      `its ${name} is node ${index} of tape 0, which has ${nodes.length}`,
    );
  }
  // A target of another type may have been requantised since it was read.
  const classes = loss === "softmax-cross-entropy";
  const labelled = sourceOf(nodes, target);
  requireProgram(
    labelled.opcode === "INPUT" && labelled.attributes.classes > 0 === classes,
    "label",
    `its target is no INPUT of ${classes ? "labels" : "values"}, as ${loss} needs`,
  );
}

/** The node that a tensor comes from, copies and roundings passed over. */
function sourceOf(nodes: readonly TapeNode[], index: number): TapeNode {
  let node = nodes[index]!;
  while (node.opcode === "RELAYOUT" || node.opcode === "REQUANTIZE") node = nodes[node.inputs[0]!]!;
  return node;
}

/**
 * Proves that a program can be run exactly and checked element by element: `docs/exact-ops.md`, sections 4 and 6. What
 * it cannot know is how long the objects are; INPUT refuses one that is too short.
 *
 * @param program from anywhere: compiled here, or read from a stranger's file
 * @throws VoidProgramError naming tape, node, rule and remedy
 */
export function validateProgram(program: Program): void {
  checkHead(program);
  for (const tape of [0, 1, 2]) checkTape(program, tape);
  checkMarks(program);
}

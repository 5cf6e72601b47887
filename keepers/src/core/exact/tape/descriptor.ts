import { BadInputError } from "../../errors.ts";
import { BinaryTree } from "../../merkle/binary-tree.ts";
import { hashBytes, leafHash } from "../../merkle/keccak.ts";
import { log2Exact } from "../format.ts";
import { limits } from "../limits.ts";
import {
  attributeNames,
  type Dtype,
  dtypes,
  type Layout,
  type MantissaBits,
  type Opcode,
  opcodes,
  type Program,
  type TapeNode,
} from "./types.ts";

/** A node with all that a verdict needs: what `programRoot` commits to. */
export type Descriptor = {
  readonly tape: number;
  readonly index: number;
  readonly bits: MantissaBits;
  readonly log2MicroBatch: number;
  readonly opcode: Opcode;
  readonly output: Layout;
  readonly inputs: readonly { readonly node: number; readonly layout: Layout }[];
  /** int32 each, in the order of `attributeNames`. */
  readonly attributes: readonly number[];
};

const opcodeNames = new Map(Object.entries(opcodes).map(([name, code]) => [code, name as Opcode]));
const dtypeNames = new Map(Object.entries(dtypes).map(([name, code]) => [code, name as Dtype]));

/** Attributes of a node in the order of its descriptor. */
export function attributeList(node: TapeNode): number[] {
  const values: Readonly<Record<string, number>> = node.attributes;
  return attributeNames[node.opcode].map((name) => values[name]!);
}

/** Descriptor of node `index` of tape `tape` of a valid program. */
export function descriptorOf(program: Program, tape: number, index: number): Descriptor {
  const nodes = program.tapes[tape];
  const node = nodes?.[index];
  if (nodes === undefined || node === undefined) {
    throw new BadInputError(`The program has no node ${index} on tape ${tape}.`);
  }
  return {
    tape,
    index,
    bits: program.bits,
    log2MicroBatch: log2Exact(program.microBatch)!,
    opcode: node.opcode,
    output: node.output,
    inputs: node.inputs.map((input) => ({ node: input, layout: nodes[input]!.output })),
    attributes: attributeList(node),
  };
}

/** Bytes of the descriptor of a node: big-endian, packed. */
export function encodeDescriptor(program: Program, tape: number, index: number): Uint8Array {
  const { bits, log2MicroBatch, opcode, output, inputs, attributes } = descriptorOf(program, tape, index);
  const bytes: number[] = [
    tape,
    ...word(index),
    opcodes[opcode],
    bits,
    log2MicroBatch,
    ...encodeLayout(output),
  ];
  bytes.push(inputs.length);
  for (const { node, layout } of inputs) bytes.push(...word(node), ...encodeLayout(layout));
  bytes.push(attributes.length, ...attributes.flatMap(word));
  return Uint8Array.from(bytes);
}

/** Four big-endian bytes of an unsigned or signed 32-bit integer. */
function word(value: number): number[] {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
}

function encodeLayout({ dtype, shape, rowAxes }: Layout): number[] {
  return [dtypes[dtype], shape.length, rowAxes, ...shape.flatMap(word)];
}

/**
 * Reads a descriptor that somebody else posted. Whether the node makes sense is for `validateProgram` to say.
 * @throws BadInputError for anything that `encodeDescriptor` would not write.
 */
export function decodeDescriptor(bytes: Uint8Array): Descriptor {
  const reader = new Reader(bytes);
  const tape = reader.byte();
  require(tape <= 2, `there is no tape ${tape}`);
  const index = reader.word();
  require(index < limits.nodesPerTape, `a tape has no node ${index}`);
  const code = reader.byte();
  const opcode = opcodeNames.get(code as (typeof opcodes)[Opcode]);
  require(opcode !== undefined, `opcode ${code} is unknown`);
  const bits = reader.byte();
  require(bits === 8 || bits === 16, `there is no profile of ${bits} bits`);
  const log2MicroBatch = reader.byte();
  require(2 ** log2MicroBatch <= limits.microBatch, `a micro-batch cannot have 2^${log2MicroBatch} samples`);
  const output = readLayout(reader);
  const inputCount = reader.byte();
  require(inputCount <= limits.addInputs, `${inputCount} inputs are more than ${limits.addInputs}`);
  const inputs = Array.from({ length: inputCount }, () => {
    const node = reader.word();
    require(node < index, `input ${node} does not stand before node ${index}`);
    return { node, layout: readLayout(reader) };
  });
  const attributeCount = reader.byte();
  const expected = attributeNames[opcode].length;
  require(attributeCount === expected, `${opcode} has ${expected} attributes, not ${attributeCount}`);
  const attributes = Array.from({ length: attributeCount }, () => reader.word() | 0);
  require(reader.left === 0, `${reader.left} bytes are left over`);
  return { tape, index, bits, log2MicroBatch, opcode, output, inputs, attributes };
}

function readLayout(reader: Reader): Layout {
  const code = reader.byte();
  const dtype = dtypeNames.get(code as (typeof dtypes)[Dtype]);
  require(dtype !== undefined, `type ${code} is unknown`);
  const rank = reader.byte();
  require(rank >= 1 && rank <= limits.rank, `a tensor cannot have ${rank} axes`);
  const rowAxes = reader.byte();
  require(rowAxes >= 1 && rowAxes <= rank, `${rowAxes} of ${rank} axes cannot form a row`);
  const shape = Array.from({ length: rank }, () => reader.word());
  const elements = shape.reduce((product, dimension) => product * dimension, 1);
  require(elements >= 1 && elements <= limits.elements, `a tensor cannot have ${elements} elements`);
  return { dtype, shape, rowAxes };
}

function require(condition: boolean, problem: string): asserts condition {
  if (!condition) throw new BadInputError(`This is no descriptor of a node: ${problem}.`);
}

class Reader {
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get left(): number {
    return this.#view.byteLength - this.#at;
  }

  byte(): number {
    this.#need(1);
    this.#at += 1;
    return this.#view.getUint8(this.#at - 1);
  }

  word(): number {
    this.#need(4);
    this.#at += 4;
    return this.#view.getUint32(this.#at - 4);
  }

  #need(count: number): void {
    require(this.left >= count, "it ends too early");
  }
}

/** Leaf of a node in the program's tree: the nodes of tape 0, 1 and 2 in turn. */
export function programLeafIndex(program: Program, tape: number, index: number): number {
  return program.tapes.slice(0, tape).reduce((sum, nodes) => sum + nodes.length, index);
}

/** Tree over keccak(0x00 ‖ descriptor) of every node. @throws BadInputError for a program without nodes. */
export function programTree(program: Program): BinaryTree {
  const count = program.tapes.reduce((sum, nodes) => sum + nodes.length, 0);
  const leaves = new Uint8Array(count * hashBytes);
  let at = 0;
  program.tapes.forEach((nodes, tape) => {
    nodes.forEach((_, index) => {
      leafHash(encodeDescriptor(program, tape, index), leaves.subarray(at, at + hashBytes));
      at += hashBytes;
    });
  });
  return new BinaryTree(leaves);
}

/** What an order names its program by: 32 bytes. */
export function programRoot(program: Program): Uint8Array {
  return programTree(program).root;
}

import { bytesToHex, hexToBytes } from "viem";
import * as z from "zod";
import { firstProblem } from "../../dataset/schema-error.ts";
import { BadInputError } from "../../errors.ts";
import { log2Exact } from "../format.ts";
import { limits } from "../limits.ts";
import { dtypeBytes, elementsOf } from "../packing.ts";
import {
  attributeNames,
  type Dtype,
  dtypes,
  type Initializer,
  type Layout,
  type Opcode,
  opcodes,
  type Program,
  type TapeNode,
} from "./types.ts";

/** Name of the form, and its version. */
export const programFormat = "assay/program/v1";

const nameLength = 256;
const int32Max = 2 ** 31 - 1;

const keysOf = <K extends string>(record: Record<K, unknown>) => Object.keys(record) as [K, ...K[]];
const int32 = z
  .int()
  .min(-int32Max - 1)
  .max(int32Max);
const index = z
  .int()
  .min(0)
  .max(limits.nodesPerTape - 1);

const layout = z
  .strictObject({
    dtype: z.enum(keysOf<Dtype>(dtypes)),
    shape: z.array(z.int().min(1).max(limits.elements)).min(1).max(limits.rank),
    rowAxes: z.int().min(1).max(limits.rank),
  })
  .refine(({ shape, rowAxes }) => rowAxes <= shape.length, "a row has more axes than the tensor")
  .refine(({ shape }) => elementsOf(shape) <= limits.elements, "it has too many elements");

const node = z
  .strictObject({
    opcode: z.enum(keysOf<Opcode>(opcodes)),
    inputs: z.array(index).max(limits.addInputs),
    output: layout,
    attributes: z.record(z.string().max(nameLength), int32),
  })
  .superRefine(({ opcode, attributes }, context) => {
    const names: readonly string[] = attributeNames[opcode];
    const given = Object.keys(attributes);
    const missing = names.find((name) => !Object.hasOwn(attributes, name));
    const unknown = given.find((name) => !names.includes(name));
    if (missing !== undefined) {
      context.addIssue({ code: "custom", message: `${opcode} needs the attribute ${missing}` });
    } else if (unknown !== undefined) {
      context.addIssue({ code: "custom", message: `${opcode} has no attribute ${unknown}` });
    }
  });

/** Mantissas as the hexadecimal bytes of big-endian int32: a pattern with a group would recurse once per mantissa. */
const mantissas = z
  .string()
  .regex(/^0x[0-9a-f]*$/)
  .refine((text) => text.length % (2 * dtypeBytes.I32) === 2, "it must hold whole int32");
const initializer = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("zero") }),
  z.strictObject({ kind: z.literal("uniform"), fanIn: z.int().min(1).max(limits.elements) }),
  z.strictObject({ kind: z.literal("given"), mantissas }),
]);

const slot = z.strictObject({
  name: z.string().max(nameLength),
  role: z.enum(["weight", "momentum"]),
  layout,
  exponent: int32,
  initializer,
});

const tape = z.array(node).max(limits.nodesPerTape);

const schema = z.strictObject({
  format: z.literal(programFormat),
  bits: z.union([z.literal(8), z.literal(16)]),
  microBatch: z
    .int()
    .min(1)
    .max(limits.microBatch)
    .refine((samples) => log2Exact(samples) !== undefined, "it must be a power of two"),
  state: z.array(slot).max(limits.slots),
  gradients: z.array(layout).max(limits.slots),
  tapes: z.tuple([tape, tape, tape]),
  witness: index,
  target: index,
  loss: z.enum(["softmax-cross-entropy", "mean-squared-error"]),
});

/** A program as plain JSON: nothing is lost. */
export type ProgramJson = z.input<typeof schema>;

export function programToJson(program: Program): ProgramJson {
  return {
    format: programFormat,
    bits: program.bits,
    microBatch: program.microBatch,
    state: program.state.map((entry) => ({
      name: entry.name,
      role: entry.role,
      layout: layoutToJson(entry.layout),
      exponent: entry.exponent,
      initializer: initializerToJson(entry.initializer),
    })),
    gradients: program.gradients.map(layoutToJson),
    tapes: [tapeToJson(program.tapes[0]), tapeToJson(program.tapes[1]), tapeToJson(program.tapes[2])],
    witness: program.witness,
    target: program.target,
    loss: program.loss,
  };
}

/**
 * Reads a program that somebody else wrote. It checks the form alone; `validateProgram` says whether the tape is valid.
 *
 * @param value parsed JSON
 * @throws BadInputError that names the first field that is wrong.
 */
export function programFromJson(value: unknown): Program {
  const result = schema.safeParse(value);
  if (!result.success) {
    const { field, reason } = firstProblem(result.error, "the program");
    throw new BadInputError(`This is no program: ${field}: ${reason}.`);
  }
  const { format: _, state, tapes, ...rest } = result.data;
  return {
    ...rest,
    state: state.map((entry, i) => ({
      ...entry,
      initializer: initializerFromJson(entry.initializer, entry.layout, i),
    })),
    // The schema has checked that every node has the attributes of its opcode.
    tapes: tapes as unknown as Program["tapes"],
  };
}

function layoutToJson({ dtype, shape, rowAxes }: Layout): z.input<typeof layout> {
  return { dtype, shape: [...shape], rowAxes };
}

function tapeToJson(nodes: readonly TapeNode[]): z.input<typeof tape> {
  return nodes.map(({ opcode, inputs, output, attributes }) => ({
    opcode,
    inputs: [...inputs],
    output: layoutToJson(output),
    attributes: { ...attributes },
  }));
}

function initializerToJson(given: Initializer): z.input<typeof initializer> {
  if (given.kind !== "given") return given;
  const { mantissas } = given;
  const bytes = new Uint8Array(4 * mantissas.length);
  const view = new DataView(bytes.buffer);
  mantissas.forEach((mantissa, i) => {
    view.setInt32(4 * i, mantissa);
  });
  return { kind: "given", mantissas: bytesToHex(bytes) };
}

function initializerFromJson(
  json: z.output<typeof initializer>,
  { shape }: Layout,
  position: number,
): Initializer {
  if (json.kind !== "given") return json;
  const bytes = hexToBytes(json.mantissas as `0x${string}`);
  const elements = elementsOf(shape);
  if (bytes.length !== 4 * elements) {
    throw new BadInputError(
      `This is no program: state[${position}] has ${elements} elements, but ${bytes.length / 4} given mantissas.`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const mantissas = Int32Array.from({ length: elements }, (_, i) => view.getInt32(4 * i));
  const least = mantissas.indexOf(-int32Max - 1);
  if (least >= 0) {
    throw new BadInputError(`This is no program: state[${position}] gives element ${least} as -2^31.`);
  }
  return { kind: "given", mantissas };
}

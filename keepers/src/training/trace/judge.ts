import { bytesToHex, type Hex, hexToBytes } from "viem";
import { AssayError } from "../../core/errors.ts";
import { tensorCommitment } from "../../core/exact/commitment.ts";
import { leastExponent, requantizeShift, rnd, saturatingShift } from "../../core/exact/format.ts";
import { elementOf, finishOf } from "../../core/exact/ops/evaluate.ts";
import type { Accumulator, OperationContext, TensorReader } from "../../core/exact/ops/types.ts";
import { leafGeometry, unpackLeaf } from "../../core/exact/packing.ts";
import { type Descriptor, decodeDescriptor } from "../../core/exact/tape/descriptor.ts";
import {
  attributeNames,
  type Layout,
  type MantissaBits,
  type TapeNode,
} from "../../core/exact/tape/types.ts";
import { verifyBinaryProof } from "../../core/merkle/binary-tree.ts";
import { leafHash } from "../../core/merkle/keccak.ts";
import type { ElementOpening, TensorOpening } from "./opening.ts";

/** What the reference finds from an opening alone. */
export type Judgement = {
  /** Whether the claimed output element is what the definition gives from the opened inputs. */
  readonly right: boolean;
  /** Mantissa and exponent as claimed. */
  readonly claimed: { readonly mantissa: number; readonly exponent: number };
  /** The definition's mantissa, at the claimed exponent where that can be right, else at the one that this element needs. */
  readonly expected: { readonly mantissa: bigint; readonly exponent: number };
};

/** An opening that proves nothing: a proof, a leaf or the descriptor is not what was committed to. */
export class BadOpeningError extends AssayError {
  override readonly name: string = "BadOpeningError";
}

/**
 * Judges an opening by the definition, from its leaves alone.
 *
 * @param programRoot and number of the program's nodes, from the order
 * @throws BadOpeningError
 */
export function judgeOpening(
  opening: ElementOpening,
  { programRoot, nodes }: { programRoot: Hex; nodes: number },
): Judgement {
  const { bytes, index, proof } = opening.descriptor;
  requireProof("descriptor", { root: programRoot, leaf: bytes, index, leaves: nodes, proof });
  const descriptor = decodeDescriptor(hexToBytes(bytes));
  const node = nodeOf(descriptor);
  const inputs = opening.inputs.map((input, i) =>
    openedReader(input, descriptor.inputs[i]!.layout, `input ${i}`),
  );
  const output = openedReader(opening.output, descriptor.output, "output");
  const context: OperationContext = {
    bits: descriptor.bits,
    microBatch: 2 ** descriptor.log2MicroBatch,
    object: (row) => {
      if (opening.object?.row !== row) throw new BadOpeningError(`The object of row ${row} is not opened.`);
      return hexToBytes(opening.object.bytes);
    },
    slot: () => openedReader(required(opening.slot, "slot"), descriptor.output, "slot"),
    gradients: () =>
      required(opening.gradients, "gradients").map((gradient) =>
        openedReader(gradient, descriptor.output, "gradient"),
      ),
    learningRate: opening.learningRate,
  };
  const found = elementOf(context, node, inputs, opening.element);
  const claimed = { mantissa: output.at(opening.element), exponent: output.exponent };
  return { claimed, ...judgeElement(node, found, claimed, descriptor.bits) };
}

/** Holds a claimed element against its accumulator: `docs/exact-ops.md`, section 6. */
export function judgeElement(
  node: TapeNode,
  { accumulator, exponent }: Accumulator,
  claimed: Judgement["claimed"],
  bits: MantissaBits,
): Pick<Judgement, "right" | "expected"> {
  const finish = finishOf(node);
  const verdict = (mantissa: bigint, at: number) => ({
    right: claimed.exponent === at && BigInt(claimed.mantissa) === mantissa,
    expected: { mantissa, exponent: at },
  });
  if (finish.kind === "exact") return verdict(accumulator, exponent);
  if (finish.kind === "fixed")
    return verdict(saturatingShift(accumulator, finish.exponent - exponent), finish.exponent);
  const magnitude = accumulator < 0n ? -accumulator : accumulator;
  const least = requantizeShift(magnitude, exponent, bits);
  const s = Math.max(claimed.exponent - exponent, least, leastExponent - exponent);
  return verdict(rnd(accumulator, s), exponent + s);
}

function nodeOf({ opcode, inputs, output, attributes }: Descriptor): TapeNode {
  const names = attributeNames[opcode];
  return {
    opcode,
    inputs: inputs.map(({ node }) => node),
    output,
    attributes: Object.fromEntries(names.map((name, i) => [name, attributes[i]!])),
  } as unknown as TapeNode;
}

/** A reader of what was opened; every leaf is checked against the commitment first. */
function openedReader(opening: TensorOpening, layout: Layout, what: string): TensorReader {
  const { exponent, dataRoot, commitment, leaves } = opening;
  if (bytesToHex(tensorCommitment(hexToBytes(dataRoot), exponent)) !== commitment) {
    throw new BadOpeningError(`The ${what}'s data root and exponent do not give its commitment.`);
  }
  const geometry = leafGeometry(layout);
  // An unquantised SOFTMAX_GRAD may hold -2^15; whether this tensor is one, its own descriptor says.
  const range = layout.dtype === "I16" ? { min: -(2 ** 15), max: 2 ** 15 - 1 } : undefined;
  const opened = new Map(
    leaves.map(({ leaf, bytes, proof }) => {
      requireProof(`${what}, leaf ${leaf}`, {
        root: dataRoot,
        leaf: bytes,
        index: leaf,
        leaves: geometry.leaves,
        proof,
      });
      return [leaf, unpackLeaf(layout, leaf, hexToBytes(bytes), range)] as const;
    }),
  );
  return {
    layout,
    exponent,
    at: (index) => {
      const leaf = opened.get(geometry.locate(index).leaf);
      if (leaf === undefined) throw new BadOpeningError(`Element ${index} of the ${what} is not opened.`);
      return leaf.mantissas[index - leaf.first]!;
    },
  };
}

type ProofParameters = { root: Hex; leaf: Hex; index: number; leaves: number; proof: readonly Hex[] };

function requireProof(what: string, { root, leaf, index, leaves, proof }: ProofParameters): void {
  const right = verifyBinaryProof({
    root: hexToBytes(root),
    leaf: leafHash(hexToBytes(leaf)),
    index,
    leaves,
    siblings: proof.map((hash) => hexToBytes(hash)),
  });
  if (!right) throw new BadOpeningError(`The proof of the ${what} is wrong.`);
}

function required<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new BadOpeningError(`The ${what} is not opened.`);
  return value;
}

import { setImmediate } from "node:timers/promises";
import { bytesToHex, concatHex, type Hex, size } from "viem";
import { leastExponent } from "../../core/exact/format.ts";
import { optionalInputs } from "../../core/exact/ops/arithmetic.ts";
import { candidatesOf, elementOf, finishOf, partialSum, termsOf } from "../../core/exact/ops/evaluate.ts";
import { readerOf } from "../../core/exact/ops/tensor.ts";
import type { Accumulator, TensorReader } from "../../core/exact/ops/types.ts";
import { encodeOrder } from "../../core/exact/order.ts";
import { spaces, type Tensor } from "../../core/exact/tape/types.ts";
import { storeNode } from "../trace/trace-step.ts";
import type { ComputedStep } from "./computed-step.ts";
import type { ProductRange } from "./moves.ts";
import { openTensor } from "./openings.ts";
import { openNode } from "./program-nodes.ts";

/** What opens an element (`Evidence`). */
export type Evidence = {
  readonly descriptor: Hex;
  readonly out: bigint;
  readonly leaf: Hex;
  readonly operands: Hex;
  readonly proofs: readonly (readonly Hex[])[];
  readonly store: Hex;
  readonly storeProof: readonly Hex[];
  readonly order: Hex;
};

/** Siblings of a tensor's commitment in the list that the provider posted. */
export type ListProof = (number: number) => Hex[];

/** Bytes of operands that are opened together: what they cost stays below 300,000 gas (`test/snapshots/disputeLenet.json`). */
const openedAtOnce = 9_000;
/** With more products than this the operands are not looked at: their mantissas alone are longer. */
const productsAtOnce = 8_192;

/** Milliseconds for which elements are computed without giving way. */
const longestTurn = 20;
/** Elements that need their tensor's exponent, by step and number of the tensor: they follow from the step alone. */
const found = new WeakMap<ComputedStep, Map<number, Promise<number | undefined>>>();

/** Reads a tensor and notes which elements were asked for. */
class NotingReader implements TensorReader {
  readonly layout: Tensor["layout"];
  readonly exponent: number;
  readonly elements = new Set<number>();
  readonly #tensor: Tensor;

  constructor(tensor: Tensor) {
    this.layout = tensor.layout;
    this.exponent = tensor.exponent;
    this.#tensor = tensor;
  }

  readonly at = (index: number): number => {
    this.elements.add(index);
    return this.#tensor.mantissas[index]!;
  };
}

/** One node of a step: its elements, and what opens them. */
export class OpenNode {
  readonly step: ComputedStep;
  /** Number of its tensor in the list of the step. */
  readonly number: number;
  readonly #proof: ListProof;

  constructor(step: ComputedStep, number: number, proof: ListProof) {
    this.step = step;
    this.number = number;
    this.#proof = proof;
  }

  get node() {
    return this.step.node(this.number);
  }

  get tensor(): Tensor {
    return this.step.tensors[this.number]!;
  }

  get descriptor(): Hex {
    return openNode(this.step.program, this.step.places[this.number]!).descriptor;
  }

  /** Products of the sum behind an element; 0 where there is none. */
  get products(): number {
    return termsOf(this.step.context, this.node, this.#inputs().map(readerOf));
  }

  /** Whether the sum behind an element may be narrowed. */
  get isNarrowed(): boolean {
    return this.products > 0 && candidatesOf(this.node) === 1;
  }

  /** Sum of some products behind an element. */
  sum(out: number, { from, to }: ProductRange): bigint {
    return partialSum(this.step.context, this.node, this.#inputs().map(readerOf), out, 0, from, to);
  }

  element(out: number): Accumulator {
    return elementOf(this.step.context, this.node, this.#inputs().map(readerOf), out);
  }

  /** All that opens an element; `undefined` where its sum must be narrowed first. */
  whole(out: number): Evidence | undefined {
    if (this.isNarrowed && this.products > productsAtOnce) return undefined;
    if (this.node.opcode === "ACCUMULATE") return this.range(out, { from: 0, to: this.products });
    const inputs = this.#inputs().map((tensor) => new NotingReader(tensor));
    // The bytes of an INPUT are not committed to by tensors.
    if (this.node.opcode !== "INPUT") elementOf(this.step.context, this.node, inputs, out);
    return this.#atOnce(this.#open(out, inputs));
  }

  /** What opens a range of the products behind an element; `undefined` where the range must be narrowed. */
  range(out: number, range: ProductRange): Evidence | undefined {
    if (range.to - range.from > productsAtOnce) return undefined;
    if (this.node.opcode === "ACCUMULATE") return this.#atOnce(this.#openGradients(out, range));
    const inputs = this.#inputs().map((tensor) => new NotingReader(tensor));
    partialSum(this.step.context, this.node, inputs, out, 0, range.from, range.to);
    return this.#atOnce(this.#open(out, inputs));
  }

  /** What an element is made of besides its sum: bias and gate. */
  rest(out: number): Evidence {
    const inputs = this.#inputs().map((tensor) => new NotingReader(tensor));
    const { node } = this;
    if (node.opcode === "ACCUMULATE") return this.#openGradients(out, { from: 0, to: 0 });
    if ("flags" in node.attributes) {
      const required = node.opcode === "AVERAGE_POOL_GRAD" ? 1 : 2;
      const { bias, gate } = optionalInputs(node.attributes.flags, inputs, required);
      bias?.at(out % node.output.shape.at(-1)!);
      gate?.at(out);
    }
    return this.#open(out, inputs);
  }

  /**
   * An element that needs the exponent of its tensor: with a smaller one it would not fit. Every element where none may be
   * smaller; `undefined` where the exponent is larger than any element needs. Whoever asks chooses the node: it is looked for
   * once, and gives way to other work meanwhile (`secondsOfWitness` says how long it takes at most).
   */
  neediest(): Promise<number | undefined> {
    const known = found.get(this.step) ?? new Map<number, Promise<number | undefined>>();
    found.set(this.step, known);
    const looked = known.get(this.number) ?? this.#findNeediest();
    known.set(this.number, looked);
    return looked;
  }

  async #findNeediest(): Promise<number | undefined> {
    const { mantissas, exponent } = this.tensor;
    const { bits } = this.step.program;
    let most = 0;
    for (const mantissa of mantissas) most = Math.max(most, Math.abs(mantissa));
    const isTie = most === 2 ** (bits - 2);
    let since = performance.now();
    // Rounding is monotone but for its ties, so that the largest accumulator is one of these.
    for (let out = 0; out < mantissas.length; out++) {
      if (Math.abs(mantissas[out]!) !== most) continue;
      const { accumulator, exponent: from } = this.element(out);
      const s = exponent - from;
      if (s === Math.max(0, leastExponent - from)) return out;
      const magnitude = accumulator < 0n ? -accumulator : accumulator;
      if (s > 0 && 2n * magnitude >= ((1n << BigInt(bits)) - 1n) << BigInt(s - 1)) return out;
      // Beside the one mantissa that both kinds round to, all of the largest are of one kind.
      if (!isTie) return undefined;
      if (performance.now() - since < longestTurn) continue;
      await setImmediate();
      since = performance.now();
    }
    return undefined;
  }

  get isRequantized(): boolean {
    return finishOf(this.node).kind === "requantize";
  }

  #inputs(): Tensor[] {
    return this.step.operands(this.number).map((input) => this.step.tensors[input]!);
  }

  /** A maximum of sums, and what is no sum, opens at once: the checker of tapes sees to that. */
  #atOnce(evidence: Evidence): Evidence | undefined {
    return this.isNarrowed && size(evidence.operands) > openedAtOnce ? undefined : evidence;
  }

  #open(out: number, inputs: readonly NotingReader[]): Evidence {
    const { step, node } = this;
    const operands = step.operands(this.number);
    const opened = inputs.map(({ elements, exponent }, i) =>
      openTensor(step.tree(operands[i]!), exponent, elements),
    );
    const needsOrder = node.opcode === "SGD_WEIGHT" || node.opcode === "INPUT";
    return {
      descriptor: this.descriptor,
      out: BigInt(out),
      leaf: "0x",
      operands: concatHex(opened),
      proofs: operands.map((operand) => this.#proof(operand)),
      store: "0x",
      storeProof: [],
      order: needsOrder ? encodeOrder(step.order) : "0x",
    };
  }

  /** An ACCUMULATE opens the gradient of each micro-batch that is added. */
  #openGradients(out: number, { from, to }: ProductRange): Evidence {
    const { step, node } = this;
    if (node.opcode !== "ACCUMULATE") throw new TypeError(`${node.opcode} adds no gradients`);
    const operands = step.operands(this.number).slice(from, to);
    const store = storeNode(step.program.tapes[0], spaces.microBatchGradient, node.attributes.slot);
    const opened = openNode(step.program, { tape: 0, node: store });
    return {
      descriptor: this.descriptor,
      out: BigInt(out),
      leaf: "0x",
      operands: concatHex(
        operands.map((each) => openTensor(step.tree(each), step.tensors[each]!.exponent, [out])),
      ),
      proofs: operands.map((operand) => this.#proof(operand)),
      store: opened.descriptor,
      storeProof: opened.siblings,
      order: "0x",
    };
  }
}

/** The bytes of a posted leaf, for evidence on one of its mantissas. */
export function withLeaf(evidence: Evidence, leaf: Hex | Uint8Array): Evidence {
  return { ...evidence, leaf: typeof leaf === "string" ? leaf : bytesToHex(leaf) };
}

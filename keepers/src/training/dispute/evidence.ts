import { bytesToHex, concatHex, type Hex } from "viem";
import { leastExponent } from "../../core/exact/format.ts";
import { optionalInputs } from "../../core/exact/ops/arithmetic.ts";
import { candidatesOf, elementOf, finishOf, partialSum, termsOf } from "../../core/exact/ops/evaluate.ts";
import { readerOf } from "../../core/exact/ops/tensor.ts";
import type { Accumulator } from "../../core/exact/ops/types.ts";
import { encodeOrder } from "../../core/exact/order.ts";
import { leafGeometry } from "../../core/exact/packing.ts";
import { spaces, type Tensor } from "../../core/exact/tape/types.ts";
import { depthOf } from "../../core/merkle/binary-tree.ts";
import { hashBytes } from "../../core/merkle/keccak.ts";
import { storeNode } from "../trace/trace-step.ts";
import type { ComputedStep } from "./computed-step.ts";
import type { ProductRange } from "./moves.ts";
import { openingSize, openTensor, type Span, spansOf } from "./openings.ts";
import { openNode } from "./program-nodes.ts";
import { ReadOperand } from "./read-leaves.ts";

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

/**
 * Bytes of operands and of their proofs in the list that are opened together where a sum can be narrowed instead: at 40 gas
 * each (EIP-7623) a ruling on them costs less than is refunded for it (`contracts/disputes/Refunds.sol`). A span takes 38
 * bytes at least, so that what is no longer than this has no more spans and leaves than an opening can name; and one product
 * takes less whatever the program is (`test/keepers/training/dispute/opened-at-once.test.ts`), so that narrowing always ends.
 */
export const openedAtOnce = 9_000;
/** With more products than this the operands are not looked at, to save the time: narrower ranges are. */
const productsAtOnce = 8_192;

/** Milliseconds for which elements are computed without giving way. */
const longestTurn = 20;
/** Elements that need their tensor's exponent, by step and number of the tensor: they follow from the step alone. */
const found = new WeakMap<ComputedStep, Map<number, Promise<number | undefined>>>();

/** An operand by its number in the list of the step, and those of its leaves that are opened. */
type OpenedOperand = { readonly number: number; readonly spans: readonly Span[] };

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
    const all = { from: 0, to: this.products };
    if (this.node.opcode === "ACCUMULATE") return this.range(out, all);
    if (this.isNarrowed && !isLookedAt(all)) return undefined;
    return this.#atOnce(
      out,
      this.#read((inputs) => {
        // The bytes of an INPUT are not committed to by tensors.
        if (this.node.opcode !== "INPUT") elementOf(this.step.context, this.node, inputs, out);
      }),
    );
  }

  /** What opens a range of the products behind an element; `undefined` where the range must be narrowed. */
  range(out: number, range: ProductRange): Evidence | undefined {
    if (!isLookedAt(range)) return undefined;
    const { from, to } = range;
    if (this.node.opcode === "ACCUMULATE") return this.#atOnce(out, this.#gradients(out, range));
    return this.#atOnce(
      out,
      this.#read((inputs) => {
        partialSum(this.step.context, this.node, inputs, out, 0, from, to);
      }),
    );
  }

  /** What an element is made of besides its sum: bias and gate. */
  rest(out: number): Evidence {
    const { node } = this;
    if (node.opcode === "ACCUMULATE") return this.#open(out, []);
    return this.#open(
      out,
      this.#read((inputs) => {
        if (!("flags" in node.attributes)) return;
        const required = node.opcode === "AVERAGE_POOL_GRAD" ? 1 : 2;
        const { bias, gate } = optionalInputs(node.attributes.flags, inputs, required);
        bias?.at(out % node.output.shape.at(-1)!);
        gate?.at(out);
      }),
    );
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
      // The page computes evidence, too: what gives way must be there in a browser.
      await new Promise((done) => setTimeout(done));
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

  /** The node's inputs, and of each the leaves that the contracts read where this reads with them. */
  #read(reading: (inputs: readonly ReadOperand[]) => void): OpenedOperand[] {
    const operands = this.step.operands(this.number);
    const inputs = operands.map((input, i) => new ReadOperand(this.node, i, this.step.tensors[input]!));
    reading(inputs);
    return operands.map((number, i) => ({ number, spans: spansOf(inputs[i]!.leaves) }));
  }

  /** An ACCUMULATE reads one element of the gradient of each micro-batch that is added. */
  #gradients(out: number, { from, to }: ProductRange): OpenedOperand[] {
    const { leaf } = leafGeometry(this.node.output).locate(out);
    const spans = spansOf([leaf]);
    const gradients = this.step.operands(this.number).slice(from, to);
    return gradients.map((number) => ({ number, spans }));
  }

  /**
   * Evidence that is neither longer than what is opened together, nor more than the form of an opening can hold: otherwise
   * there is none, and narrower ranges are asked for. A maximum of sums, and what is no sum, opens at once: the checker of
   * tapes sees to that.
   */
  #atOnce(out: number, opened: readonly OpenedOperand[]): Evidence | undefined {
    if (this.isNarrowed && this.#size(opened) > openedAtOnce) return undefined;
    return this.#open(out, opened);
  }

  /** Bytes of openings and proofs: what both are follows from shapes and places alone. */
  #size(opened: readonly OpenedOperand[]): number {
    const { step } = this;
    const proof = hashBytes * depthOf(step.places.length);
    return opened.reduce(
      (total, { number, spans }) =>
        total + proof + openingSize(leafGeometry(step.node(number).output), spans),
      0,
    );
  }

  #open(out: number, opened: readonly OpenedOperand[]): Evidence {
    const { step, node } = this;
    const needsOrder = node.opcode === "SGD_WEIGHT" || node.opcode === "INPUT";
    const stored =
      node.opcode === "ACCUMULATE"
        ? openNode(step.program, {
            tape: 0,
            node: storeNode(step.program.tapes[0], spaces.microBatchGradient, node.attributes.slot),
          })
        : undefined;
    return {
      descriptor: this.descriptor,
      out: BigInt(out),
      leaf: "0x",
      operands: concatHex(
        opened.map(({ number, spans }) =>
          openTensor(step.tree(number), step.tensors[number]!.exponent, spans),
        ),
      ),
      proofs: opened.map(({ number }) => this.#proof(number)),
      store: stored?.descriptor ?? "0x",
      storeProof: stored?.siblings ?? [],
      order: needsOrder ? encodeOrder(step.order) : "0x",
    };
  }
}

/** Whether operands of so many products are worth looking at. */
function isLookedAt({ from, to }: ProductRange): boolean {
  return to - from <= productsAtOnce;
}

/** The bytes of a posted leaf, for evidence on one of its mantissas. */
export function withLeaf(evidence: Evidence, leaf: Hex | Uint8Array): Evidence {
  return { ...evidence, leaf: typeof leaf === "string" ? leaf : bytesToHex(leaf) };
}

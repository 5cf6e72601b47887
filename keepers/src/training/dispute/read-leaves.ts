import type { TensorReader } from "../../core/exact/ops/types.ts";
import { shape4 } from "../../core/exact/ops/window.ts";
import { leafGeometry } from "../../core/exact/packing.ts";
import type { TapeNode, Tensor } from "../../core/exact/tape/types.ts";

/**
 * Elements of one line of an operand that a contract reads as one run, from the first to the last, whatever it skips between
 * them; 1 where it reads every element by itself or in runs without gaps.
 *
 * A weight gradient multiplies pixels of x that stand `strideW` apart in a line of the image, and
 * `contracts/disputes/ExactDot.sol` (`dotLinesStrided`) looks up the whole line from the first pixel to the last.
 */
function lineOf(node: TapeNode, operand: number, { layout }: Tensor): number {
  const isStepped = node.opcode === "CONV_WEIGHT_GRAD" && operand === 0 && node.attributes.strideW > 1;
  return isStepped ? shape4(layout)[3] : 1;
}

/**
 * One operand of a node, and the leaves of it that the contracts read to compute what was computed with this reader: all that
 * must be opened, and the one description of it.
 */
export class ReadOperand implements TensorReader {
  readonly layout: Tensor["layout"];
  readonly exponent: number;
  readonly #tensor: Tensor;
  readonly #line: number;
  /** First and last element that was read of each line. */
  readonly #runs = new Map<number, { first: number; last: number }>();

  /** @param operand number of the tensor among the node's inputs */
  constructor(node: TapeNode, operand: number, tensor: Tensor) {
    this.layout = tensor.layout;
    this.exponent = tensor.exponent;
    this.#tensor = tensor;
    this.#line = lineOf(node, operand, tensor);
  }

  readonly at = (index: number): number => {
    const line = Math.floor(index / this.#line);
    const run = this.#runs.get(line);
    if (run === undefined) {
      this.#runs.set(line, { first: index, last: index });
    } else {
      run.first = Math.min(run.first, index);
      run.last = Math.max(run.last, index);
    }
    return this.#tensor.mantissas[index]!;
  };

  get leaves(): ReadonlySet<number> {
    const geometry = leafGeometry(this.layout);
    const leaves = new Set<number>();
    for (const { first, last } of this.#runs.values()) {
      const end = geometry.locate(last).leaf;
      for (let { leaf } = geometry.locate(first); leaf <= end; leaf++) leaves.add(leaf);
    }
    return leaves;
  }
}

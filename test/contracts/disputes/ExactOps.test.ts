import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { concatHex, keccak256, numberToHex, toHex } from "viem";
import {
  candidatesOf,
  elementOf,
  partialSum,
  termsOf,
} from "../../../keepers/src/core/exact/ops/evaluate.ts";
import { elementCount, readerOf } from "../../../keepers/src/core/exact/ops/tensor.ts";
import type { OperationContext, TensorReader } from "../../../keepers/src/core/exact/ops/types.ts";
import { type Opcode, opcodes, type Tensor } from "../../../keepers/src/core/exact/tape/types.ts";
import { contextOf, type EvaluatedCase, generateCases } from "../../keepers/core/exact/cases.ts";
import { committedCases } from "../../keepers/core/exact/cases-json.ts";
import { Random } from "../../keepers/core/exact/cases-random.ts";
import { deployHarness } from "./harness.ts";
import { CommittedTensor, descriptorBytes, flipByte } from "./openings.ts";

const verdicts = { right: 0, wrongExponent: 1, exponentTooSmall: 2, wrongMantissa: 3 } as const;
const wrongOf = (verdict: number): string => Object.keys(verdicts).find((_, i) => i === verdict) ?? "unknown";

/** The tensors that a node's operands are opened from, in the order of the openings. */
function operandsOf(each: EvaluatedCase): readonly Tensor[] {
  return each.gradients ?? (each.slot ? [each.slot] : each.inputs);
}

/** Runs the reference and opens those leaves alone that it read. */
class Recorder {
  readonly committed: readonly CommittedTensor[];
  readonly #each: EvaluatedCase;
  readonly #read: Set<number>[];

  constructor(each: EvaluatedCase, committed: readonly CommittedTensor[]) {
    this.#each = each;
    this.committed = committed;
    this.#read = committed.map(() => new Set());
  }

  get readers(): TensorReader[] {
    return operandsOf(this.#each).map((tensor, i) => {
      const reader = readerOf(tensor);
      const at = (index: number): number => {
        this.#read[i]!.add(index);
        return reader.at(index);
      };
      return { ...reader, at };
    });
  }

  get context(): OperationContext {
    const context = contextOf(this.#each);
    const { readers } = this;
    if (context.gradients) return { ...context, gradients: () => readers };
    return context.slot ? { ...context, slot: () => readers[0]! } : context;
  }

  /** @param operands those that are opened; all by default */
  open(operands: readonly number[] = this.committed.map((_, i) => i)): `0x${string}` {
    return concatHex(operands.map((i) => this.committed[i]!.open(this.#read[i]!)));
  }
}

function descriptorOf(each: EvaluatedCase): `0x${string}` {
  return descriptorBytes({ ...each, layouts: each.inputs.map(({ layout }) => layout) });
}

function nameOf({ node, bits, inputs }: EvaluatedCase): string {
  return `${node.opcode} E${bits} ${inputs.map(({ layout }) => layout.shape).join(" · ")} ${JSON.stringify(node.attributes)}`;
}

const generated = 10;
const elementsOfCase = 12;

describe("ExactOps", async () => {
  const { contract: harness } = await deployHarness("ExactHarness");
  const { contract: inputHarness } = await deployHarness("InputHarness");
  const committed = Map.groupBy(committedCases(), ({ node }) => node.opcode);
  const casesOf = (opcode: Opcode, seed: number): EvaluatedCase[] => [
    ...(committed.get(opcode) ?? []),
    ...generateCases(opcode, seed, generated),
  ];
  let judged = 0;

  /** A few output elements: the ends, and random ones. */
  const pickElements = (random: Random, count: number): number[] => {
    const wanted = new Set([0, count - 1]);
    while (wanted.size < Math.min(count, elementsOfCase)) wanted.add(random.int(0, count - 1));
    return [...wanted];
  };

  const contextFor = (each: EvaluatedCase) => ({
    learningRate: BigInt(each.learningRate ?? 0),
    logMicroBatches: BigInt(Math.log2(each.gradients?.length ?? 1)),
  });

  for (const opcode of Object.keys(opcodes) as Opcode[]) {
    it(`${opcode}: accumulators and mantissas are the reference's, and none but they are right`, async () => {
      const random = new Random(7, opcode);
      for (const each of casesOf(opcode, 11)) {
        const { expected, node, objects } = each;
        const recorder = new Recorder(
          each,
          operandsOf(each).map((tensor) => new CommittedTensor(tensor)),
        );
        const { readers, context } = recorder;
        const outs = pickElements(random, elementCount(node.output));
        const inputs = each.inputs.length > 0 ? readers : [];
        const reference = outs.map((out) => elementOf(context, node, inputs, out));
        // Each element twice: as it is, and off by one.
        const mantissas = outs.map((out) => BigInt(expected.mantissas[out]!));
        const batch = {
          outs: [...outs, ...outs].map(BigInt),
          mantissas: [...mantissas, ...mantissas.map((m) => m + (random.chance(50) ? 1n : -1n))],
          exponent: BigInt(expected.exponent),
        };
        const [accumulators, exponent, found] = objects
          ? await inputHarness.read.inputs([
              descriptorOf(each),
              objects.map((object) => toHex(object)),
              batch,
            ])
          : await harness.read.elements([
              descriptorOf(each),
              recorder.open(),
              BigInt(each.gradients?.length ?? 0),
              contextFor(each),
              batch,
            ]);
        for (const [i, { accumulator, exponent: from }] of reference.entries()) {
          assert.equal(accumulators[i], accumulator, `${nameOf(each)}, element ${outs[i]}`);
          assert.equal(exponent, BigInt(from), nameOf(each));
          assert.equal(wrongOf(found[i]!), "right", `${nameOf(each)}, element ${outs[i]}`);
          assert.equal(wrongOf(found[outs.length + i]!), "wrongMantissa", `${nameOf(each)}, ${outs[i]}`);
        }
        judged += 2 * outs.length;
      }
    });
  }

  it("has judged thousands of elements", () => assert.ok(judged > 6_000, `${judged}`));

  for (const opcode of Object.keys(opcodes) as Opcode[]) {
    const hasSums = generateCases(opcode, 1, 1).every(
      (each) => termsOf(contextOf(each), each.node, each.inputs.map(readerOf)) > 0,
    );
    if (!hasSums) continue;
    it(`${opcode}: partial sums of any ranges add up to the element`, async () => {
      const random = new Random(13, opcode);
      for (const each of casesOf(opcode, 17).slice(-generated)) {
        const { node } = each;
        const opened = operandsOf(each).map((tensor) => new CommittedTensor(tensor));
        const out = random.int(0, elementCount(node.output) - 1);
        const descriptor = descriptorOf(each);
        const context = contextFor(each);
        const terms = termsOf(contextOf(each), node, each.inputs.map(readerOf));
        assert.deepEqual(await harness.read.products([descriptor, context.logMicroBatches]), [
          BigInt(terms),
          BigInt(candidatesOf(node)),
        ]);
        const cuts = [0, ...Array.from({ length: 3 }, () => random.int(0, terms)), terms].sort(
          (a, b) => a - b,
        );
        const sums: bigint[] = [];
        for (let candidate = 0; candidate < candidatesOf(node); candidate++) {
          sums.push(0n);
          for (const [i, from] of cuts.slice(0, -1).entries()) {
            const to = cuts[i + 1]!;
            const recorder = new Recorder(each, opened);
            const inputs = each.inputs.length > 0 ? recorder.readers : [];
            const reference = partialSum(recorder.context, node, inputs, out, candidate, from, to);
            const operands = each.gradients
              ? recorder.open(Array.from({ length: to - from }, (_, j) => from + j))
              : recorder.open();
            const range = [BigInt(out), BigInt(candidate), BigInt(from), BigInt(to)] as const;
            const sum = await harness.read.partialSum([descriptor, operands, BigInt(to - from), ...range]);
            assert.equal(sum, reference, `${nameOf(each)}, element ${out}, [${from}, ${to})`);
            sums[candidate]! += sum;
          }
        }
        const recorder = new Recorder(each, opened);
        const inputs = each.inputs.length > 0 ? recorder.readers : [];
        const { accumulator, exponent } = elementOf(recorder.context, node, inputs, out);
        const operands = recorder.open();
        const gradients = BigInt(each.gradients?.length ?? 0);
        assert.deepEqual(
          await harness.read.complete([descriptor, operands, gradients, BigInt(out), sums, context]),
          [accumulator, BigInt(exponent)],
          nameOf(each),
        );
      }
    });
  }

  it("refuses sums, elements and operands that a node does not have", async () => {
    const [each] = generateCases("MATMUL", 3, 1);
    const opened = operandsOf(each!).map((tensor) => new CommittedTensor(tensor));
    const all = opened.map((operand) => operand.open(operand.tensor.mantissas.keys()));
    const descriptor = descriptorOf(each!);
    const terms = BigInt(each!.inputs[0]!.layout.shape[1]!);
    const elements = BigInt(elementCount(each!.node.output));
    const sum = (operands: `0x${string}`, out: bigint, candidate: bigint, from: bigint, to: bigint) =>
      harness.read.partialSum([descriptor, operands, 0n, out, candidate, from, to]);
    const whole = concatHex(all);
    await sum(whole, 0n, 0n, 0n, terms);
    await assert.rejects(sum(whole, 0n, 0n, 0n, terms + 1n), /NoSuchProducts/);
    await assert.rejects(sum(whole, 0n, 0n, 2n, 1n), /NoSuchProducts/);
    await assert.rejects(sum(whole, elements, 0n, 0n, terms), /NoSuchElement/);
    await assert.rejects(sum(whole, 0n, 1n, 0n, terms), /WrongSumCount/);
    await assert.rejects(sum(concatHex([whole, "0x00"]), 0n, 0n, 0n, terms), /WrongOperands/);
    await assert.rejects(
      harness.read.complete([descriptor, whole, 0n, 0n, [1n, 2n], contextFor(each!)]),
      /WrongSumCount/,
    );
  });

  it("a dispute refuses operands and descriptors that are not the committed ones", async () => {
    const [each] = generateCases("GATE", 5, 1);
    const { contract: dispute, publicClient } = await deployHarness("DisputeHarness");
    const opened = operandsOf(each!).map((tensor) => new CommittedTensor(tensor));
    const operands = concatHex(opened.map((operand) => operand.open([0])));
    const descriptor = descriptorBytes({
      ...each!,
      index: 0,
      layouts: each!.inputs.map(({ layout }) => layout),
    });
    const root = keccak256(concatHex(["0x00", descriptor]));
    const commitments = opened.map(({ commitment }) => commitment);
    const { exponent, mantissas } = each!.expected;
    const claimOf = (mantissa: number) =>
      BigInt(
        concatHex([
          numberToHex(exponent, { size: 4, signed: true }),
          numberToHex(mantissa, { size: 8, signed: true }),
        ]),
      );
    const rule = (bytes: `0x${string}`, opening: `0x${string}`, mantissa: number) =>
      dispute.write.rule([bytes, [], opening, 0n, claimOf(mantissa), 0n]);
    const counts = [1n, 0n, 0n] as const;
    await dispute.write.prepare([root, counts, commitments]);
    await rule(descriptor, operands, mantissas[0]!);
    assert.equal(await dispute.read.ruled(), verdicts.right);
    const hash = await rule(descriptor, operands, mantissas[0]! + 1);
    await publicClient.waitForTransactionReceipt({ hash });
    assert.equal(await dispute.read.ruled(), verdicts.wrongMantissa);
    await assert.rejects(rule(flipByte(descriptor, 7), operands, 0), /WrongDescriptor/);
    await assert.rejects(rule(descriptor, flipByte(operands, 12), 0), /WrongOperand/);
    await dispute.write.prepare([root, counts, commitments.toReversed()]);
    await assert.rejects(rule(descriptor, operands, 0), /WrongOperand/);
  });
});

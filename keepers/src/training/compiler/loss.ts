import { fixedExponents } from "../../core/exact/format.ts";
import { limits } from "../../core/exact/limits.ts";
import { flags } from "../../core/exact/tape/types.ts";
import { dataLayout, mantissaDtype } from "./layouts.ts";
import type { TapeBuilder } from "./tape-builder.ts";

/** A loss on the tape: the tensor that witnesses a step, and the gradient of the model's output. */
export type EmittedLoss = { witness: number; gradient: number };

/** Mean over the batch of −log softmax(z)[label]; `output` is [N, classes]. */
export function emitSoftmaxCrossEntropy(tape: TapeBuilder, output: number, labels: number): EmittedLoss {
  const { dtype, shape } = tape.layout(output);
  const [batch, classes] = shape;
  const logits =
    dtype === "I32"
      ? output
      : tape.add({
          opcode: "SHIFT",
          inputs: [output],
          output: dataLayout("I32", shape),
          attributes: { exponent: fixedExponents.logits },
        });
  const rows = [batch!];
  const max = tape.add({
    opcode: "ROW_MAX",
    inputs: [logits],
    output: dataLayout("I32", rows),
    attributes: {},
  });
  const powers = tape.add({
    opcode: "EXP",
    inputs: [logits, max],
    output: dataLayout("U32", shape),
    attributes: {},
  });
  const sum = tape.add({
    opcode: "ROW_SUM",
    inputs: [powers],
    output: dataLayout("I64", rows),
    attributes: { flags: 0, exponent: 0 },
  });
  const probabilityBits = Math.max(
    limits.probabilityBitsLeast,
    limits.probabilityBitsAboveClasses + Math.ceil(Math.log2(classes!)),
  );
  const attributes = { flags: tape.bits < probabilityBits + 1 ? flags.quantize : 0, probabilityBits };
  const gradient = tape.add({
    opcode: "SOFTMAX_GRAD",
    inputs: [powers, sum, labels],
    output: dataLayout(mantissaDtype(tape.bits), shape),
    attributes,
  });
  return { witness: logits, gradient };
}

/** Mean over batch and values of (z − y)²; `output` and `values` are [N, D]. */
export function emitMeanSquaredError(tape: TapeBuilder, output: number, values: number): EmittedLoss {
  const prediction = tape.mantissas(output);
  const gradient = tape.add({
    opcode: "MSE_GRAD",
    inputs: [prediction, tape.mantissas(values)],
    output: dataLayout(mantissaDtype(tape.bits), tape.layout(prediction).shape),
    attributes: {},
  });
  return { witness: prediction, gradient };
}

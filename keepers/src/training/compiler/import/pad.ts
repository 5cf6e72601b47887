import type { Four } from "../graph.ts";
import type { DataValue, ImportContext, NodeReader } from "./context.ts";

const remedy = "Pad images with zeros at their edges alone, right before a Conv or an AveragePool.";

/**
 * `Pad` with zeros around an image: the pads of the Conv or AveragePool that reads it. PyTorch before 2.1 writes one
 * before every AveragePool, without effect where nothing is padded.
 */
export function importPad(context: ImportContext, reader: NodeReader): DataValue | undefined {
  const value = context.data(reader, 0);
  const mode = reader.string("mode", "constant");
  if (mode !== "constant") throw reader.unsupported(`its mode is ${JSON.stringify(mode)}`, remedy);
  const filler = reader.input(2);
  const fillers = filler === undefined ? [0] : (context.findParameter(filler)?.values ?? [Number.NaN]);
  if (fillers.some((each) => each !== 0)) throw reader.unsupported("it does not pad with zeros", remedy);
  const sizes = context.findConstant(reader.input(1));
  if (sizes?.dtype !== "int64" || reader.input(3) !== undefined)
    throw reader.unsupported("its pads are computed, or of chosen axes", "Give its pads as one constant.");
  const pads = Array.from(sizes.data, Number);
  const rank = value.shape.length;
  if (pads.length !== 2 * rank)
    throw reader.unsupported(`it has ${pads.length} pads for ${rank} axes`, remedy);
  if (pads.every((pad) => pad === 0)) return value;
  const outside = pads.some((pad, i) => pad < 0 || (pad > 0 && (rank !== 4 || i % rank < 2)));
  if (outside) throw reader.unsupported(`its pads are [${pads}]`, remedy);
  const around: Four = [pads[2]!, pads[3]!, pads[6]!, pads[7]!];
  context.bindPadded(reader.node.outputs[0]!, { value, pads: around });
  return undefined;
}

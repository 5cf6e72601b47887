import type { OnnxModel, OnnxTensor } from "../onnx/types.ts";

/** The model with the tensors of its Constant nodes as initialisers, where parameters stand otherwise. */
export function hoistConstants(model: OnnxModel): OnnxModel {
  const { graph } = model;
  const constants = new Map<string, OnnxTensor>();
  for (const { opType, domain, attributes, outputs } of graph.nodes) {
    const value = attributes.get("value");
    if (opType === "Constant" && domain === "" && value?.type === "tensor")
      constants.set(outputs[0]!, value.value);
  }
  return {
    ...model,
    graph: {
      ...graph,
      nodes: graph.nodes.filter(({ outputs }) => !constants.has(outputs[0]!)),
      initializers: new Map([...graph.initializers, ...constants]),
    },
  };
}

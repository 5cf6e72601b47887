import { OnnxError } from "./errors.ts";
import { elementCount, type OnnxGraph, type OnnxNode, type OnnxTensor } from "./types.ts";

/** Where a node stands, in words for an error. */
export function nodeLabel(node: OnnxNode, index: number): string {
  return `node ${node.name === "" ? `#${index}` : JSON.stringify(node.name)} (${node.opType})`;
}

/**
 * Checks a graph's structure: every value is assigned once, before it is read, and every output exists. Bodies see the
 * values of the graphs around them and may not assign those names again.
 * @throws OnnxError naming the node and the value.
 */
export function checkGraph(graph: OnnxGraph): void {
  checkScope(graph, new Set());
}

/** `known` holds the names of the graphs around; one set for all, so that many bodies cost no copies. */
function checkScope(graph: OnnxGraph, known: Set<string>): void {
  const own: string[] = [];
  const define = (name: string, what: string) => {
    if (name === "") throw new OnnxError(`${what} has no name`);
    if (known.has(name)) throw new OnnxError(`${what} ${JSON.stringify(name)} is defined twice`);
    known.add(name);
    own.push(name);
  };
  for (const { name } of graph.inputs) define(name, "the graph's input");
  for (const [name, tensor] of graph.initializers) {
    define(name, "the initialiser");
    checkTensor(tensor, `initialiser ${JSON.stringify(name)}`);
  }
  const laterOutputs = new Set(graph.nodes.flatMap(({ outputs }) => outputs));
  for (const [index, node] of graph.nodes.entries()) {
    const label = nodeLabel(node, index);
    if (node.opType === "") throw new OnnxError(`node #${index} has no operator`);
    for (const input of node.inputs) {
      if (input === "" || known.has(input)) continue;
      throw new OnnxError(
        laterOutputs.has(input)
          ? `${label} reads ${JSON.stringify(input)} before it is computed: the nodes form a cycle or are not sorted`
          : `${label} reads ${JSON.stringify(input)}, which nothing defines`,
      );
    }
    for (const [name, attribute] of node.attributes) {
      if (attribute.type === "graph") checkScope(attribute.value, known);
      if (attribute.type === "tensor") checkTensor(attribute.value, `attribute ${name} of ${label}`);
    }
    if (node.outputs.every((output) => output === "")) throw new OnnxError(`${label} has no output`);
    for (const output of node.outputs) if (output !== "") define(output, `${label}: its output`);
  }
  if (graph.outputs.length === 0)
    throw new OnnxError(`the graph ${JSON.stringify(graph.name)} has no output`);
  const outputs = new Set<string>();
  for (const { name } of graph.outputs) {
    if (!known.has(name)) throw new OnnxError(`nothing computes the graph's output ${JSON.stringify(name)}`);
    if (outputs.has(name)) throw new OnnxError(`the graph's output ${JSON.stringify(name)} is listed twice`);
    outputs.add(name);
  }
  for (const name of own) known.delete(name);
}

/** @throws OnnxError when the data does not have as many elements as the shape says. */
export function checkTensor({ shape, data }: OnnxTensor, what: string): void {
  if (shape.some((size) => !Number.isSafeInteger(size) || size < 0))
    throw new OnnxError(`${what} has the shape [${shape}]`);
  if (elementCount(shape) !== data.length) {
    throw new OnnxError(`${what} has ${data.length} elements, its shape [${shape}] asks for another number`);
  }
}

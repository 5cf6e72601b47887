const mebibyte = 2 ** 20;

/** What a model from outside may ask for; every limit is checked before memory is spent on what it limits. */
export type OnnxLimits = {
  /** Bytes of the file. */
  bytes: number;
  /** Nodes of all graphs together. */
  nodes: number;
  /** Bytes of all tensors together. */
  tensorBytes: number;
  /** Bytes of a name or another string, in UTF-8. */
  stringBytes: number;
  /** Graphs inside graphs: 0 allows no Loop, Scan or If. */
  depth: number;
  /** Dimensions of a tensor. */
  rank: number;
  /** Protobuf messages and strings together: each costs far more memory than bytes. */
  objects: number;
  /** Numbers in lists (dimensions, attributes, tensors that are not raw bytes) together. */
  listed: number;
};

export const defaultLimits: Readonly<OnnxLimits> = {
  bytes: 512 * mebibyte,
  nodes: 65_536,
  tensorBytes: 512 * mebibyte,
  stringBytes: 1024,
  depth: 4,
  rank: 8,
  objects: 1_048_576,
  listed: 4_194_304,
};

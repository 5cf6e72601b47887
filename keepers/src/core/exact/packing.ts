import { BadInputError } from "../errors.ts";
import { dtypeRange, type MantissaRange } from "./tape/ranges.ts";
import type { Dtype, Layout, Tensor } from "./tape/types.ts";

/** Packing of `docs/exact-ops.md`, section 2: rows of big-endian mantissas, zero-padded, cut into leaves. */

export type Mantissas = Tensor["mantissas"];

/** Bytes of one mantissa. */
export const dtypeBytes: Record<Dtype, number> = { I8: 1, I16: 2, I32: 4, I64: 8, U8: 1, U32: 4 };

/** Rows are padded to multiples of this. */
const padBytes = 32;
/** Rows of at most this many bytes share a leaf. */
const sharedLeafBytes = 256;
/** Longest leaf; a longer row is cut. */
export const maxLeafBytes = 1024;

/** Where the elements of a layout stand: leaf after leaf, each a run of consecutive elements and their padding. */
export type LeafGeometry = {
  readonly elements: number;
  readonly rows: number;
  /** L: elements of a row. */
  readonly rowElements: number;
  /** p: padded bytes of a row. */
  readonly rowBytes: number;
  readonly leaves: number;
  /** 1 where a row is cut into chunks. */
  readonly rowsPerLeaf: number;
  /** 1 where a leaf holds whole rows. */
  readonly chunksPerRow: number;
  /** All leaves, one after another. */
  readonly packedBytes: number;
  leafBytes(leaf: number): number;
  /** Where the leaf begins in the packed tensor. */
  leafStart(leaf: number): number;
  /** Elements of a leaf: the first in row-major order, and how many. */
  leafElements(leaf: number): { readonly first: number; readonly count: number };
  /** Leaf of an element and the offset of its first byte in that leaf. */
  locate(element: number): { readonly leaf: number; readonly offset: number };
};

/** Elements of a shape. */
export function elementsOf(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}

export function leafGeometry({ dtype, shape, rowAxes }: Layout): LeafGeometry {
  const width = dtypeBytes[dtype];
  const elements = elementsOf(shape);
  const rowElements = elementsOf(shape.slice(shape.length - rowAxes));
  const rows = elements / rowElements;
  const rowBytes = Math.ceil((width * rowElements) / padBytes) * padBytes;
  const rowsPerLeaf =
    rowBytes <= sharedLeafBytes ? 2 ** Math.floor(Math.log2(sharedLeafBytes / rowBytes)) : 1;
  const chunksPerRow = Math.ceil(rowBytes / maxLeafBytes);
  const leaves = chunksPerRow > 1 ? rows * chunksPerRow : Math.ceil(rows / rowsPerLeaf);
  const requireLeaf = (leaf: number): void => requireIndex(leaf, leaves, "leaf");
  const chunkElements = maxLeafBytes / width;

  return {
    elements,
    rows,
    rowElements,
    rowBytes,
    leaves,
    rowsPerLeaf,
    chunksPerRow,
    packedBytes: rows * rowBytes,
    leafBytes(leaf) {
      requireLeaf(leaf);
      if (chunksPerRow === 1) return Math.min(rowsPerLeaf, rows - leaf * rowsPerLeaf) * rowBytes;
      return Math.min(maxLeafBytes, rowBytes - (leaf % chunksPerRow) * maxLeafBytes);
    },
    leafStart(leaf) {
      requireLeaf(leaf);
      if (chunksPerRow === 1) return leaf * rowsPerLeaf * rowBytes;
      return Math.floor(leaf / chunksPerRow) * rowBytes + (leaf % chunksPerRow) * maxLeafBytes;
    },
    leafElements(leaf) {
      requireLeaf(leaf);
      if (chunksPerRow === 1) {
        const first = leaf * rowsPerLeaf * rowElements;
        return { first, count: Math.min(rowsPerLeaf * rowElements, elements - first) };
      }
      const column = (leaf % chunksPerRow) * chunkElements;
      const first = Math.floor(leaf / chunksPerRow) * rowElements + column;
      return { first, count: Math.min(chunkElements, rowElements - column) };
    },
    locate(element) {
      requireIndex(element, elements, "element");
      const row = Math.floor(element / rowElements);
      const byte = (element % rowElements) * width;
      if (chunksPerRow === 1) {
        return { leaf: Math.floor(row / rowsPerLeaf), offset: (row % rowsPerLeaf) * rowBytes + byte };
      }
      return { leaf: row * chunksPerRow + Math.floor(byte / maxLeafBytes), offset: byte % maxLeafBytes };
    },
  };
}

/**
 * The packed tensor: its leaves one after another (`leafGeometry` says where each begins).
 *
 * @param mantissas in row-major order
 * @param range of the mantissas; that of the type by default
 * @param target a buffer of `packedBytes` that only this function has written to, for this layout; new by default
 * @throws BadInputError when there is not one mantissa for each element, or one lies outside its range.
 */
export function packTensor(
  layout: Layout,
  mantissas: Mantissas,
  range: MantissaRange = dtypeRange(layout.dtype),
  target?: Uint8Array,
): Uint8Array {
  const { elements, rows, rowElements, rowBytes, packedBytes } = leafGeometry(layout);
  if (mantissas.length !== elements) {
    throw new BadInputError(`A tensor of ${elements} elements has ${mantissas.length} mantissas.`);
  }
  const packed = target ?? new Uint8Array(packedBytes);
  const view = new DataView(packed.buffer, packed.byteOffset, packed.length);
  const { write } = codecs[layout.dtype];
  const { min, max } = range;
  for (let row = 0, i = 0; row < rows; row++) {
    const end = i + rowElements;
    for (let at = row * rowBytes; i < end; i++) {
      const mantissa = mantissas[i]!;
      if (!(mantissa >= min && mantissa <= max)) throw outsideRange(mantissa, i, range);
      at = write(view, at, mantissa);
    }
  }
  return packed;
}

/** Elements that a leaf holds. */
export type UnpackedLeaf = {
  /** Place of the first in row-major order. */
  readonly first: number;
  readonly mantissas: Float64Array;
};

/**
 * The elements of a leaf that somebody else posted.
 *
 * @param range of the mantissas: `mantissaRange` of the node; that of the type by default
 * @throws BadInputError when the leaf is not canonical: a wrong length, padding that is not zero, or a mantissa
 *   outside its range.
 */
export function unpackLeaf(
  layout: Layout,
  leaf: number,
  bytes: Uint8Array,
  range: MantissaRange = dtypeRange(layout.dtype),
): UnpackedLeaf {
  const geometry = leafGeometry(layout);
  if (bytes.length !== geometry.leafBytes(leaf)) {
    throw new BadInputError(`Leaf ${leaf} has ${geometry.leafBytes(leaf)} bytes, not ${bytes.length}.`);
  }
  const { first, count } = geometry.leafElements(leaf);
  const mantissas = new Float64Array(count);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const width = dtypeBytes[layout.dtype];
  const { read } = codecs[layout.dtype];
  const rowElements = Math.min(geometry.rowElements, count);
  const rowBytes = geometry.chunksPerRow === 1 ? geometry.rowBytes : bytes.length;
  for (let row = 0, i = 0; i < count; row++) {
    let at = row * rowBytes;
    for (const end = i + rowElements; i < end; i++, at += width) {
      const mantissa = read(view, at);
      if (mantissa < range.min || mantissa > range.max) throw outsideRange(mantissa, first + i, range);
      mantissas[i] = mantissa;
    }
    for (const end = (row + 1) * rowBytes; at < end; at++) {
      if (bytes[at] !== 0) throw new BadInputError(`Byte ${at} of leaf ${leaf} is padding, but not zero.`);
    }
  }
  return { first, mantissas };
}

/** All elements of a packed tensor. @throws BadInputError when one of its leaves is not canonical. */
export function unpackTensor(layout: Layout, packed: Uint8Array, range?: MantissaRange): Mantissas {
  const geometry = leafGeometry(layout);
  if (packed.length !== geometry.packedBytes) {
    throw new BadInputError(`A packed tensor has ${geometry.packedBytes} bytes here, not ${packed.length}.`);
  }
  const mantissas = allocateMantissas(layout.dtype, geometry.elements);
  for (let leaf = 0; leaf < geometry.leaves; leaf++) {
    const start = geometry.leafStart(leaf);
    const bytes = packed.subarray(start, start + geometry.leafBytes(leaf));
    const unpacked = unpackLeaf(layout, leaf, bytes, range);
    mantissas.set(unpacked.mantissas, unpacked.first);
  }
  return mantissas;
}

/** The narrowest array for a type; I64 mantissas are below 2^53 and held as float64. */
export function allocateMantissas(dtype: Dtype, elements: number): Mantissas {
  return new arrays[dtype](elements);
}

const arrays = {
  I8: Int8Array,
  I16: Int16Array,
  I32: Int32Array,
  I64: Float64Array,
  U8: Uint8Array,
  U32: Uint32Array,
} as const;

type Codec = {
  read: (view: DataView, at: number) => number;
  /** Writes one mantissa and returns where the next one goes. */
  write: (view: DataView, at: number, mantissa: number) => number;
};

const codecs: Record<Dtype, Codec> = {
  I8: {
    read: (view, at) => view.getInt8(at),
    write: (view, at, mantissa) => {
      view.setInt8(at, mantissa);
      return at + 1;
    },
  },
  I16: {
    read: (view, at) => view.getInt16(at),
    write: (view, at, mantissa) => {
      view.setInt16(at, mantissa);
      return at + 2;
    },
  },
  I32: {
    read: (view, at) => view.getInt32(at),
    write: (view, at, mantissa) => {
      view.setInt32(at, mantissa);
      return at + 4;
    },
  },
  I64: {
    // Inexact above 2^53, but then on the same side of every range, so the range refuses it.
    read: (view, at) => view.getInt32(at) * 2 ** 32 + view.getUint32(at + 4),
    write: (view, at, mantissa) => {
      const high = Math.floor(mantissa / 2 ** 32);
      view.setInt32(at, high);
      view.setUint32(at + 4, mantissa - high * 2 ** 32);
      return at + 8;
    },
  },
  U8: {
    read: (view, at) => view.getUint8(at),
    write: (view, at, mantissa) => {
      view.setUint8(at, mantissa);
      return at + 1;
    },
  },
  U32: {
    read: (view, at) => view.getUint32(at),
    write: (view, at, mantissa) => {
      view.setUint32(at, mantissa);
      return at + 4;
    },
  },
};

function outsideRange(mantissa: number, element: number, { min, max }: MantissaRange): BadInputError {
  return new BadInputError(`Element ${element} is ${mantissa}, outside ${min} to ${max}.`);
}

function requireIndex(index: number, count: number, what: string): void {
  if (!Number.isInteger(index) || index < 0 || index >= count) {
    throw new BadInputError(`There is no ${what} ${index} of ${count}.`);
  }
}

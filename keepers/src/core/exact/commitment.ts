import { hexToBytes, keccak256, numberToBytes, stringToBytes } from "viem";
import { BadInputError } from "../errors.ts";
import { BinaryTree, joinRoots } from "../merkle/binary-tree.ts";
import { hashBytes, leafHash, plainHash } from "../merkle/keccak.ts";
import { type LeafGeometry, leafGeometry, type Mantissas, packTensor } from "./packing.ts";
import type { MantissaRange } from "./tape/ranges.ts";
import type { Layout, Program, Tensor } from "./tape/types.ts";

/** Commitments of `docs/exact-ops.md`, section 2. Every hash and root has 32 bytes. */

const tensorTag = hexToBytes(keccak256(stringToBytes("assay/tensor/v1")));
const traceTag = hexToBytes(keccak256(stringToBytes("assay/trace/v1")));
const zeroHash = new Uint8Array(hashBytes);

/** `range` is needed only where a node has another than that of its type: `mantissaRange`. */
export type TensorData = {
  readonly layout: Layout;
  readonly mantissas: Mantissas;
  readonly range?: MantissaRange;
};

/** A tensor's data and every hash above it: what a dispute opens leaves from. */
export type TensorTree = {
  readonly geometry: LeafGeometry;
  readonly root: Uint8Array;
  /** Bytes of a leaf. */
  leaf(index: number): Uint8Array;
  /** Siblings of a leaf from the bottom up. */
  proof(index: number): Uint8Array[];
};

/** Writes the hashes of all leaves of a packed tensor, one after another. */
function hashLeaves(geometry: LeafGeometry, packed: Uint8Array, hashes: Uint8Array): void {
  for (let leaf = 0; leaf < geometry.leaves; leaf++) {
    const start = geometry.leafStart(leaf);
    const at = leaf * hashBytes;
    leafHash(packed.subarray(start, start + geometry.leafBytes(leaf)), hashes.subarray(at, at + hashBytes));
  }
}

/** @throws BadInputError when the mantissas do not fit the layout or their range. */
export function tensorTree({ layout, mantissas, range }: TensorData): TensorTree {
  const geometry = leafGeometry(layout);
  const packed = packTensor(layout, mantissas, range);
  const hashes = new Uint8Array(geometry.leaves * hashBytes);
  hashLeaves(geometry, packed, hashes);
  const tree = new BinaryTree(hashes);
  return {
    geometry,
    root: tree.root,
    leaf(index) {
      const start = geometry.leafStart(index);
      return packed.slice(start, start + geometry.leafBytes(index));
    },
    proof: (index) => tree.proof(index),
  };
}

/**
 * Computes data roots of one layout again and again without new buffers: for a state that is hashed every few steps.
 */
export class DataRootHasher {
  readonly #layout: Layout;
  readonly #geometry: LeafGeometry;
  readonly #packed: Uint8Array;
  readonly #hashes: Uint8Array;

  constructor(layout: Layout) {
    this.#layout = layout;
    this.#geometry = leafGeometry(layout);
    this.#packed = new Uint8Array(this.#geometry.packedBytes);
    this.#hashes = new Uint8Array(this.#geometry.leaves * hashBytes);
  }

  /** @throws BadInputError when the mantissas do not fit the layout or their range. */
  root(mantissas: Mantissas, range?: MantissaRange): Uint8Array {
    packTensor(this.#layout, mantissas, range, this.#packed);
    hashLeaves(this.#geometry, this.#packed, this.#hashes);
    return joinRoots(this.#hashes);
  }
}

/** Root over the packed leaves of a tensor. @throws BadInputError when the mantissas do not fit the layout. */
export function dataRoot(layout: Layout, mantissas: Mantissas, range?: MantissaRange): Uint8Array {
  return new DataRootHasher(layout).root(mantissas, range);
}

/** keccak256(tag ‖ data root ‖ int256 exponent). */
export function tensorCommitment(root: Uint8Array, exponent: number): Uint8Array {
  requireHash(root, "data root");
  return plainHash(joined(tensorTag, root, numberToBytes(exponent, { size: 32, signed: true })));
}

/** Commitment of a whole tensor. */
export function commitTensor(tensor: Tensor, range?: MantissaRange): Uint8Array {
  return tensorCommitment(dataRoot(tensor.layout, tensor.mantissas, range), tensor.exponent);
}

/** Hashes states of one program: keep one for as long as states of that program are hashed. */
export class StateHasher {
  readonly #program: Program;
  readonly #slots: readonly DataRootHasher[];

  constructor(program: Program) {
    this.#program = program;
    this.#slots = program.state.map(({ layout }) => new DataRootHasher(layout));
  }

  /**
   * Commitments of all slots in order.
   * @param state one array of mantissas for each slot
   * @throws BadInputError when the state is not one of this program.
   */
  commitments(state: readonly Int32Array[]): Uint8Array[] {
    if (state.length !== this.#slots.length) {
      throw new BadInputError(`A state has ${this.#slots.length} slots here, not ${state.length}.`);
    }
    return this.#slots.map((slot, i) =>
      tensorCommitment(slot.root(state[i]!), this.#program.state[i]!.exponent),
    );
  }

  /** Tree whose leaf i is keccak(0x00 ‖ commitment of slot i). */
  tree(state: readonly Int32Array[]): BinaryTree {
    return treeOver(this.commitments(state));
  }

  root(state: readonly Int32Array[]): Uint8Array {
    return this.tree(state).root;
  }
}

/** State root; for more than one state of a program, keep a `StateHasher`. */
export function stateRoot(program: Program, state: readonly Int32Array[]): Uint8Array {
  return new StateHasher(program).root(state);
}

/** Salt of interval i: keccak256(secret ‖ uint256 i). `secret` has 32 bytes. */
export function intervalSalt(secret: Uint8Array, interval: number): Uint8Array {
  requireHash(secret, "secret");
  return plainHash(joined(secret, numberToBytes(interval, { size: 32 })));
}

/** h_i = keccak256(salt_i ‖ witness commitments of the interval's steps, in order). */
export function witnessHash(salt: Uint8Array, witnesses: readonly Uint8Array[]): Uint8Array {
  requireHash(salt, "salt");
  for (const witness of witnesses) requireHash(witness, "witness commitment");
  return plainHash(joined(salt, ...witnesses));
}

/** A leaf of the trace: keccak256(tag ‖ state root ‖ h). Leaf 0, the initial state, has no h. */
export function traceLeaf(root: Uint8Array, witness: Uint8Array = zeroHash): Uint8Array {
  requireHash(root, "state root");
  requireHash(witness, "witness hash");
  return plainHash(joined(traceTag, root, witness));
}

/** Leaves of a trace: ⌈steps / interval⌉ + 1. */
export function traceLength(steps: number, interval: number): number {
  if (!Number.isSafeInteger(steps) || steps < 1 || !Number.isSafeInteger(interval) || interval < 1) {
    throw new BadInputError(`There is no trace of ${steps} steps by intervals of ${interval}.`);
  }
  return Math.ceil(steps / interval) + 1;
}

/**
 * Tree of a trace: leaf i is keccak(0x00 ‖ trace leaf i).
 * @throws BadInputError when there are more or fewer leaves than the order's steps and interval ask for.
 */
export function traceTree(leaves: readonly Uint8Array[], steps: number, interval: number): BinaryTree {
  const expected = traceLength(steps, interval);
  if (leaves.length !== expected) {
    throw new BadInputError(`The trace has ${leaves.length} leaves, not ${expected}.`);
  }
  return treeOver(leaves);
}

/** Root of `traceTree`. */
export function traceRoot(leaves: readonly Uint8Array[], steps: number, interval: number): Uint8Array {
  return traceTree(leaves, steps, interval).root;
}

/** Tree over commitments of 32 bytes: its leaves are keccak(0x00 ‖ commitment). */
function treeOver(commitments: readonly Uint8Array[]): BinaryTree {
  const hashes = new Uint8Array(commitments.length * hashBytes);
  commitments.forEach((commitment, i) => {
    requireHash(commitment, "commitment");
    leafHash(commitment, hashes.subarray(i * hashBytes, (i + 1) * hashBytes));
  });
  return new BinaryTree(hashes);
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function requireHash(hash: Uint8Array, what: string): void {
  if (hash.length !== hashBytes) throw new BadInputError(`A ${what} has 32 bytes, not ${hash.length}.`);
}

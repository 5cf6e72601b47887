import { bytesToHex, type ContractFunctionArgs, type Hex } from "viem";
import type { abis } from "../../chain/abi/index.ts";
import { dataRoot, StateHasher, tensorTree } from "../../core/exact/commitment.ts";
import { directoryEntry, encodeState, tensorPlaces } from "../../core/exact/result-files.ts";
import { encodeDescriptor, programLeafIndex, programTree } from "../../core/exact/tape/descriptor.ts";
import { type Program, spaces } from "../../core/exact/tape/types.ts";
import type { CellPlace, StoredCell, StoredStream } from "../../storage/client/stored-stream.ts";
import { storeNode } from "../../training/trace/trace-step.ts";
import { tryCall } from "../storage-node/context.ts";
import type { JobContext } from "./duty.ts";

type FraudArgs<F extends "proveEntry" | "proveOffset" | "proveTensor"> = ContractFunctionArgs<
  (typeof abis)["ResultFraud"],
  "nonpayable",
  F
>;

/** A call of `ResultFraud` that convicts. */
export type StoredFraud =
  | { readonly name: "proveEntry"; readonly args: FraudArgs<"proveEntry"> }
  | { readonly name: "proveOffset"; readonly args: FraudArgs<"proveOffset"> }
  | { readonly name: "proveTensor"; readonly args: FraudArgs<"proveTensor"> };

/** Tape that makes a step of the optimizer. */
const optimizer = 2;

/**
 * What shows that a stored result is not the state that was committed to: the first byte that differs, or is not there.
 *
 * @param state the state under the committed root
 * @returns undefined when the whole state is stored as it should be, as far as it was read; cells where what is needed lies in such as
 * nobody can open
 */
export function findStoredFraud(
  claimId: bigint,
  program: Program,
  state: readonly Int32Array[],
  stored: StoredStream,
): StoredFraud | readonly CellPlace[] | undefined {
  const right = encodeState(program, state);
  const known = stored.bytes.length < stored.length ? stored.bytes.length : right.length;
  const position = right.findIndex((byte, i) => i < known && stored.bytes[i] !== byte);
  if (position < 0) return undefined;
  const unopened = stored.unopened(neededFor(program, position));
  return unopened.length > 0 ? unopened : fraudAt(claimId, program, state, stored, position);
}

/** Bytes that have to be opened to show that one is another than it should be. */
function neededFor(program: Program, position: number): number[] {
  const { bytes: entryBytes, offsetAt } = directoryEntry;
  const slot = Math.floor(position / entryBytes);
  if (slot >= program.state.length) return [...offsetBytes(slotAt(program, position)), position];
  if (position % entryBytes < offsetAt) return [position];
  return [...offsetBytes(Math.max(0, slot - 1)), ...offsetBytes(slot)];
}

function fraudAt(
  claimId: bigint,
  program: Program,
  state: readonly Int32Array[],
  stored: StoredStream,
  position: number,
): StoredFraud {
  const cells = stored.cells(neededFor(program, position));
  const { bytes: entryBytes, offsetAt } = directoryEntry;
  const slot = Math.floor(position / entryBytes);
  if (slot >= program.state.length) return tensorFraud(claimId, program, state, cells, position);
  const byteIndex = position % entryBytes;
  if (byteIndex < offsetAt) {
    return { name: "proveEntry", args: [claimId, openSlot(program, state, slot), BigInt(byteIndex), cells] };
  }
  const before = Math.max(0, slot - 1);
  return { name: "proveOffset", args: [claimId, BigInt(slot), openStore(program, before), cells] };
}

/** Sends such a call; says whether it was carried out. */
export async function sendFraud(context: JobContext, key: string, fraud: StoredFraud): Promise<boolean> {
  switch (fraud.name) {
    case "proveEntry":
      return await tryCall(context, key, "ResultFraud", fraud.name, fraud.args);
    case "proveOffset":
      return await tryCall(context, key, "ResultFraud", fraud.name, fraud.args);
    case "proveTensor":
      return await tryCall(context, key, "ResultFraud", fraud.name, fraud.args);
  }
}

function tensorFraud(
  claimId: bigint,
  program: Program,
  state: readonly Int32Array[],
  cells: readonly StoredCell[],
  position: number,
): StoredFraud {
  const slot = slotAt(program, position);
  const byteIndex = position - tensorPlaces(program)[slot]!.start;
  const { geometry, leaf, proof } = tensorTree({
    layout: program.state[slot]!.layout,
    mantissas: state[slot]!,
  });
  let index = 0;
  while (geometry.leafStart(index) + geometry.leafBytes(index) <= byteIndex) index++;
  const opened = { index: BigInt(index), data: bytesToHex(leaf(index)), siblings: hexes(proof(index)) };
  const openedSlot = openSlot(program, state, slot);
  return {
    name: "proveTensor",
    args: [claimId, openedSlot, openStore(program, slot), opened, BigInt(byteIndex), cells],
  };
}

/** The slot whose tensor a byte of the stream belongs to. */
function slotAt(program: Program, position: number): number {
  return tensorPlaces(program).findIndex(({ start, end }) => position >= start && position < end);
}

/** Where a slot's offset stands in the stream. */
function offsetBytes(slot: number): number[] {
  const { bytes, offsetAt } = directoryEntry;
  return Array.from({ length: bytes - offsetAt }, (_, i) => bytes * slot + offsetAt + i);
}

function openSlot(program: Program, state: readonly Int32Array[], slot: number) {
  const { layout, exponent } = program.state[slot]!;
  return {
    slot: BigInt(slot),
    dataRoot: bytesToHex(dataRoot(layout, state[slot]!)),
    exponent: BigInt(exponent),
    siblings: hexes(new StateHasher(program).tree(state).proof(slot)),
  };
}

function openStore(program: Program, slot: number) {
  const index = storeNode(program.tapes[optimizer], spaces.state, slot);
  return {
    descriptor: bytesToHex(encodeDescriptor(program, optimizer, index)),
    siblings: hexes(programTree(program).proof(programLeafIndex(program, optimizer, index))),
  };
}

function hexes(hashes: readonly Uint8Array[]): Hex[] {
  return hashes.map((hash) => bytesToHex(hash));
}

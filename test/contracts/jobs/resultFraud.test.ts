import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bytesToHex, type Hex, zeroHash } from "viem";
import { dataRoot, StateHasher } from "../../../keepers/src/core/exact/commitment.ts";
import { leafGeometry, packTensor } from "../../../keepers/src/core/exact/packing.ts";
import { initialState } from "../../../keepers/src/core/exact/random/initialize.ts";
import { encodeState, tensorPlaces } from "../../../keepers/src/core/exact/result-files.ts";
import {
  encodeDescriptor,
  programLeafIndex,
  programTree,
} from "../../../keepers/src/core/exact/tape/descriptor.ts";
import type { Program } from "../../../keepers/src/core/exact/tape/types.ts";
import { BinaryTree } from "../../../keepers/src/core/merkle/binary-tree.ts";
import { leafHash } from "../../../keepers/src/core/merkle/keccak.ts";
import { sampleProgram } from "../../keepers/core/exact/sample-program.ts";
import { buildDataset, cellBytes, openCell } from "../storage/reference.ts";
import { createLockedJob, deposit, hashOf, sampleOrder, stake } from "./locked-job.ts";

/** The sample stores but one of its slots; here all are. */
const [first, second, third] = sampleProgram.tapes;
const stores = sampleProgram.state.map(({ layout }, slot) => ({
  opcode: "STORE" as const,
  inputs: [0],
  output: layout,
  attributes: { space: 0, slot },
}));
const kept = third.filter(({ opcode }) => opcode !== "STORE");
const program: Program = { ...sampleProgram, tapes: [first, second, [...kept, ...stores]] };
const state = initialState(program, hashOf("seed"));
const stateTree = new StateHasher(program).tree(state);
const honest = encodeState(program, state);
const places = tensorPlaces(program);
const [objectSize, k, n, segmentObjects] = [250, 2, 3, 2];
const failed = 9;
const hexes = (proof: readonly Uint8Array[]): Hex[] => proof.map((each) => bytesToHex(each));

/** A dataset whose objects are the bytes of a stream, the last filled up with zeros. */
function stored(stream: Uint8Array) {
  const objectCount = BigInt(Math.ceil(stream.length / objectSize));
  const shape = { objectCount, objectSize, segmentObjects, k, n, encrypted: false };
  return buildDataset(shape, 9n, {
    objects(objects) {
      for (const [i, object] of objects.entries()) {
        object.fill(0);
        object.set(stream.subarray(i * objectSize, (i + 1) * objectSize));
      }
    },
  });
}

/** The right stream with one byte changed. */
function changed(position: number, mask: number): Uint8Array {
  const bytes = honest.slice();
  bytes[position]! ^= mask;
  return bytes;
}

/** A committed job with this stream as its result. */
async function committed(stream: Uint8Array) {
  const result = stored(stream);
  const leaves = [
    { stateRoot: hashOf("first"), h: zeroHash },
    { stateRoot: bytesToHex(stateTree.root), h: hashOf("witness") },
  ];
  const [nodes0, nodes1, nodes2] = program.tapes.map(({ length }) => length) as [number, number, number];
  const job = await createLockedJob({
    order: {
      ...sampleOrder,
      programRoot: bytesToHex(programTree(program).root),
      initialRoot: leaves[0]!.stateRoot,
      steps: 8,
    },
    nodeCounts: [nodes0, nodes1, nodes2],
    witnessNode: 0,
    slots: program.state.length,
    result,
  });
  await job.commit(leaves);
  /** Cells that hold these bytes of the stream. */
  const cells = (...positions: readonly number[]) => {
    const length = Math.ceil(objectSize / k);
    const found = new Map<string, ReturnType<typeof openCell> & { cellIndex: number }>();
    for (const position of positions) {
      const [object, within] = [Math.floor(position / objectSize), position % objectSize];
      const bundle = Math.floor(object / segmentObjects) * n + Math.floor(within / length);
      const byteIndex = (object % segmentObjects) * length + (within % length);
      const cellIndex = Math.floor(byteIndex / cellBytes);
      found.set(`${bundle}:${cellIndex}`, { ...openCell(result, bundle, cellIndex), cellIndex });
    }
    return [...found.values()];
  };
  const status = async () => (await job.jobs.read.jobOf([1n])).status;
  return { ...job, cells, result, status };
}

/** Positions of a slot's offset in the directory. */
const offsetBytes = (slot: number) => Array.from({ length: 16 }, (_, i) => 64 * slot + 48 + i);

const slotOf = (slot: number) => ({
  slot: BigInt(slot),
  dataRoot: bytesToHex(dataRoot(program.state[slot]!.layout, state[slot]!)),
  exponent: BigInt(program.state[slot]!.exponent),
  siblings: hexes(stateTree.proof(slot)),
});

function storeOf(slot: number) {
  const index = program.tapes[2].findIndex(
    (node) => node.opcode === "STORE" && node.attributes.slot === slot,
  );
  return {
    descriptor: bytesToHex(encodeDescriptor(program, 2, index)),
    siblings: hexes(programTree(program).proof(programLeafIndex(program, 2, index))),
  };
}

/** The leaf of a slot's tensor that holds one of its bytes. */
function leafOf(slot: number, byteIndex: number) {
  const { layout } = program.state[slot]!;
  const { leaves, leafStart, leafBytes } = leafGeometry(layout);
  const packed = packTensor(layout, state[slot]!);
  const cut = (index: number) => packed.subarray(leafStart(index), leafStart(index) + leafBytes(index));
  const hashes = new Uint8Array(32 * leaves);
  const indices = Array.from({ length: leaves }, (_, i) => i);
  for (const i of indices) hashes.set(leafHash(cut(i)), 32 * i);
  const index = indices.findLast((i) => leafStart(i) <= byteIndex)!;
  return {
    index: BigInt(index),
    data: bytesToHex(cut(index)),
    siblings: hexes(new BinaryTree(hashes).proof(index)),
  };
}

describe("a stored result that is not the state that was committed to", async () => {
  const gas: Record<string, number> = {};

  it("attack C4: one wrong byte of a tensor convicts its provider, and pays who shows it", async () => {
    const position = places[0]!.start + 5;
    const job = await committed(changed(position, 1));
    const { jobs, resultFraud, escrow, staking, consumer, challenger, provider } = job;
    const { account } = challenger;
    const cells = job.cells(...offsetBytes(0), position);
    const args = [1n, slotOf(0), storeOf(0), leafOf(0, 5), 5n, cells] as const;
    const proven = await resultFraud.write.proveTensor(args, { account });
    await job.measured("tensor", proven);
    await job.viem.assertions.emit(Promise.resolve(proven), resultFraud, "ResultFraudProven");
    Object.assign(gas, { tensor: job.gas.tensor!, "tensor, bytes": job.gas["tensor, bytes"]! });
    assert.equal(await job.status(), failed);
    await jobs.write.settle([1n]);
    assert.equal(await escrow.read.creditOf([consumer.account.address]), deposit);
    assert.equal((await staking.read.operatorOf([provider.account.address])).stake, stake);
    assert.equal(await staking.read.creditOf([account.address]), (stake * 3n) / 10n);
    assert.equal(await jobs.read.multiplierOf([provider.account.address]), 200n);
    await assert.rejects(resultFraud.write.proveTensor(args), /NothingOwed/);
  });

  it("attack: a wrong byte of a data root or an exponent in the directory convicts", async () => {
    for (const byteIndex of [3, 47]) {
      const position = 64 + byteIndex;
      const job = await committed(changed(position, 4));
      const args = [1n, slotOf(1), BigInt(byteIndex), job.cells(position)] as const;
      await job.measured("entry", await job.resultFraud.write.proveEntry(args));
      assert.equal(await job.status(), failed);
      Object.assign(gas, { entry: job.gas.entry!, "entry, bytes": job.gas["entry, bytes"]! });
    }
  });

  it("attack: an offset that leads elsewhere convicts, that of the first slot and of any other", async () => {
    for (const slot of [0, 1]) {
      const before = Math.max(0, slot - 1);
      const job = await committed(changed(64 * slot + 63, 32));
      const cells = job.cells(...offsetBytes(before), ...offsetBytes(slot));
      const args = [1n, BigInt(slot), storeOf(before), cells] as const;
      await job.measured("offset", await job.resultFraud.write.proveOffset(args));
      assert.equal(await job.status(), failed);
      Object.assign(gas, { offset: job.gas.offset!, "offset, bytes": job.gas["offset, bytes"]! });
    }
  });

  it("attack: a dataset that ends before a tensor convicts", async () => {
    const last = places.length - 1;
    const { start, end } = places[last]!;
    const job = await committed(honest.subarray(0, start));
    const byteIndex = end - start - 1;
    assert.ok(job.result.objects.length * objectSize <= end - 1, "there is no room for the last byte");
    const cells = job.cells(...offsetBytes(last));
    const leaf = leafOf(last, byteIndex);
    await job.resultFraud.write.proveTensor([
      1n,
      slotOf(last),
      storeOf(last),
      leaf,
      BigInt(byteIndex),
      cells,
    ]);
    assert.equal(await job.status(), failed);
  });

  it("is none where everything is stored as it was committed to, nor where it was not opened", async () => {
    const { resultFraud, cells } = await committed(honest);
    const { proveTensor, proveEntry, proveOffset } = resultFraud.simulate;
    for (const [slot, { start, end }] of places.entries()) {
      for (const byteIndex of [0, end - start - 1]) {
        const opened = cells(...offsetBytes(slot), start + byteIndex);
        const leaf = leafOf(slot, byteIndex);
        await assert.rejects(
          proveTensor([1n, slotOf(slot), storeOf(slot), leaf, BigInt(byteIndex), opened]),
          /NoFraud/,
        );
      }
      const before = Math.max(0, slot - 1);
      const both = cells(...offsetBytes(before), ...offsetBytes(slot));
      await assert.rejects(proveOffset([1n, BigInt(slot), storeOf(before), both]), /NoFraud/);
      for (const byteIndex of [0, 47]) {
        const opened = cells(64 * slot + byteIndex);
        await assert.rejects(proveEntry([1n, slotOf(slot), BigInt(byteIndex), opened]), /NoFraud/);
      }
    }
    const opened = cells(...offsetBytes(0), places[0]!.start);
    const [leaf, slot, store] = [leafOf(0, 0), slotOf(0), storeOf(0)];
    const tensor = (change: {
      slot?: typeof slot;
      store?: typeof store;
      leaf?: typeof leaf;
      cells?: typeof opened;
    }) => {
      const parts = { slot, store, leaf, cells: opened, ...change };
      return proveTensor([1n, parts.slot, parts.store, parts.leaf, 0n, parts.cells]);
    };
    await assert.rejects(tensor({ slot: { ...slot, exponent: 3n } }), /WrongSlot/);
    await assert.rejects(tensor({ slot: { ...slot, slot: 1n } }), /WrongSlot/);
    await assert.rejects(tensor({ slot: { ...slot, slot: 3n } }), /OutOfRange/);
    await assert.rejects(tensor({ store: storeOf(1) }), /WrongStore/);
    await assert.rejects(tensor({ leaf: { ...leaf, data: `0x01${leaf.data.slice(4)}` } }), /WrongTensorLeaf/);
    await assert.rejects(tensor({ cells: [] }), /NotOpened/);
    const [cell] = opened;
    await assert.rejects(tensor({ cells: [{ ...cell!, cell: `0x01${cell!.cell.slice(4)}` }] }), /WrongCell/);
    await assert.rejects(tensor({ cells: [{ ...cell!, bundleIndex: 1_000 }] }), /OutOfRange/);
    await assert.rejects(tensor({ cells: [{ ...cell!, cellIndex: 1_000 }] }), /OutOfRange[\s\S]*, 1000, 1\)/);
    await assert.rejects(proveEntry([1n, slot, 48n, opened]), /OutOfRange/);
    await assert.rejects(proveEntry([2n, slot, 0n, opened]), /NothingOwed/);
  });

  it("costs less than 300,000 gas to show", () => {
    for (const kind of ["tensor", "entry", "offset"])
      assert.ok(gas[kind]! < 300_000, `${kind}: ${gas[kind]}`);
  });
});

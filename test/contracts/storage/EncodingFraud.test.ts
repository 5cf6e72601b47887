import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { encodeFunctionData, size, toHex } from "viem";
import { prove, r } from "../zk/trapdoor.ts";
import { createWorld, instances, type World } from "./deployment.ts";
import {
  buildDataset,
  bytesFrom,
  cellBytes,
  chunkBytes,
  combination,
  type Dataset,
  elementsOf,
  openCell,
  openChunk,
  type Shape,
  symbolAt,
  type Tampering,
} from "./reference.ts";

const shapes: Shape[] = [
  { objectCount: 5n, objectSize: 3_000, segmentObjects: 3, k: 8, n: 11, encrypted: false },
  { objectCount: 1n, objectSize: 1, segmentObjects: 1, k: 1, n: 2, encrypted: false },
  { objectCount: 7n, objectSize: 1_025, segmentObjects: 7, k: 3, n: 7, encrypted: false },
  { objectCount: 9n, objectSize: 784, segmentObjects: 2, k: 4, n: 5, encrypted: false },
];

/** The same numbers in every run. */
function numbers(seed: bigint): (below: number) => number {
  let at = 0n;
  return (below) => new DataView(bytesFrom(seed + 10n ** 9n + at++, 8).buffer).getUint32(0) % below;
}

/** k + 1 of the n positions. */
function choose(pick: (below: number) => number, n: number, count: number): number[] {
  const left = Array.from({ length: n }, (_, i) => i);
  return Array.from({ length: count }, () => left.splice(pick(left.length), 1)[0]!);
}

describe("EncodingFraud", async () => {
  let world: World;
  let anchored = 0;
  before(async () => {
    world = await createWorld();
  });

  const anchor = async (shape: Shape, tampering: Tampering = {}) => {
    const dataset = buildDataset(shape, BigInt(++anchored), tampering);
    const { id } = await world.anchor(dataset, 10, `dataset ${anchored}`);
    return { dataset, id };
  };
  const status = async (id: `0x${string}`) => (await world.datasets.read.termsOf([id]))[0];
  const bundlesOf = (dataset: Dataset, segment: number, positions: readonly number[]) =>
    positions.map((p) => segment * dataset.shape.n + p);

  it("the reference encoder agrees with the combination of section 1", () => {
    const pick = numbers(1n);
    for (let run = 0; run < 50; run++) {
      const k = 1 + pick(36);
      const n = k + 1 + pick(20);
      const data = Array.from({ length: k }, () => pick(256));
      const positions = choose(pick, n, k + 1);
      const symbols = positions.map((p) => symbolAt(data, p));
      assert.equal(combination(k, positions, symbols), 0);
      symbols[pick(k + 1)]! ^= 1 + pick(255);
      assert.notEqual(combination(k, positions, symbols), 0);
    }
  });

  it("no choice of cells convicts an honest dataset by a codeword", async () => {
    const pick = numbers(2n);
    for (const shape of shapes) {
      const { dataset, id } = await anchor(shape);
      for (let run = 0; run < 12; run++) {
        const segment = pick(dataset.bundles.length / shape.n);
        const bundles = bundlesOf(dataset, segment, choose(pick, shape.n, shape.k + 1));
        const cell = pick(dataset.cells[bundles[0]!]!.length);
        const opened = bundles.map((bundle) => openCell(dataset, bundle, cell));
        await assert.rejects(world.fraud.write.proveCodeword([id, cell, pick(cellBytes), opened]), /NoFraud/);
      }
      assert.equal(await status(id), 1);
    }
  });

  it("one wrong byte anywhere in a bundle convicts, and only at its offset", async () => {
    const pick = numbers(3n);
    for (const shape of shapes) {
      const segment = pick(Math.ceil(Number(shape.objectCount) / shape.segmentObjects));
      const wrong = segment * shape.n + pick(shape.n);
      let offset = 0;
      const { dataset, id } = await anchor(shape, {
        bundles: (bundles) => {
          offset = pick(bundles[wrong]!.length);
          bundles[wrong]![offset]! ^= 1 + pick(255);
        },
      });
      const others = choose(pick, shape.n, shape.n).filter((p) => p !== wrong % shape.n);
      const positions = [wrong % shape.n, ...others.slice(0, shape.k)];
      const [cell, at] = [Math.floor(offset / cellBytes), offset % cellBytes];
      const opened = bundlesOf(dataset, segment, positions).map((bundle) => openCell(dataset, bundle, cell));
      const elsewhere = (at + 1 + pick(cellBytes - 1)) % cellBytes;
      await assert.rejects(world.fraud.write.proveCodeword([id, cell, elsewhere, opened]), /NoFraud/);
      await world.fraud.write.proveCodeword([id, cell, at, opened]);
      assert.equal(await status(id), 2);
      await assert.rejects(world.fraud.write.proveCodeword([id, cell, at, opened]), /WrongStatus/);
    }
  });

  it("refuses codeword proofs that are not k + 1 distinct bundles of one segment", async () => {
    const { dataset, id } = await anchor(shapes[0]!, { bundles: (bundles) => (bundles[0]![0]! ^= 1) });
    const open = (list: number[]) => list.map((bundle) => openCell(dataset, bundle, 0));
    const nine = [0, 1, 2, 3, 4, 5, 6, 7, 8];
    const convict = (cells: ReturnType<typeof open>, cell = 0, offset = 0) =>
      world.fraud.write.proveCodeword([id, cell, offset, cells]);
    await assert.rejects(convict(open(nine.slice(1))), /WrongCellCount/);
    await assert.rejects(convict(open([...nine, 9])), /WrongCellCount/);
    await assert.rejects(convict(open([0, 1, 2, 3, 4, 5, 6, 7, 7])), /RepeatedPosition/);
    await assert.rejects(convict(open([0, 1, 2, 3, 4, 5, 6, 7, 11])), /SegmentsDiffer/);
    await assert.rejects(convict(open(nine), 0, cellBytes), /OutOfRange/);
    await assert.rejects(convict(open(nine), 1), /WrongCell/);
    await assert.rejects(convict(open(nine), 10_000), /OutOfRange/);
    const [first, ...rest] = open(nine);
    await assert.rejects(
      convict([{ ...first!, transportRoot: first!.poseidonRoot }, ...rest]),
      /NotAnchored/,
    );
    await assert.rejects(convict([{ ...first!, bundleIndex: 22 }, ...rest]), /SegmentsDiffer|OutOfRange/);
    await assert.rejects(convict([{ ...first!, cell: `${first!.cell}00` }, ...rest]), /WrongCell/);
    await assert.rejects(
      convict([{ ...first!, cellProof: first!.cellProof.slice(1) }, ...rest]),
      /WrongProofLength/,
    );
    await convict(open(nine));
  });

  const openAll = (dataset: Dataset, bundle: number, cells: readonly number[]) => ({
    bundleIndex: bundle,
    poseidonRoot: dataset.poseidonRoots[bundle]!,
    transportRoot: dataset.transport[bundle]!.root,
    bundleProof: dataset.bundlesTree.proof(bundle),
    cells: cells.map((cell) => toHex(dataset.cells[bundle]![cell]!)),
    cellProofs: cells.map((cell) => dataset.transport[bundle]!.proof(cell)),
  });
  const pack = (cells: readonly number[]) =>
    cells.reduce((word, cell, j) => word + (BigInt(cell) << BigInt(14 * j)), 0n);
  const evaluate = (dataset: Dataset, bundle: number, cells: readonly number[], rho: bigint) =>
    cells
      .flatMap((cell) => elementsOf(dataset.cells[bundle]![cell]!))
      .reduceRight((sum, element) => (sum * rho + element) % r, 0n);

  it("a possession proof that evaluates to the transport cells convicts nobody", async () => {
    const pick = numbers(4n);
    for (const shape of shapes) {
      const { dataset, id } = await anchor(shape);
      for (let run = 0; run < 5; run++) {
        const bundle = pick(dataset.bundles.length);
        const cells = Array.from({ length: 16 }, () => pick(dataset.cells[bundle]!.length));
        const rho = BigInt(toHex(bytesFrom(BigInt(run), 32))) % r;
        const evaluation = evaluate(dataset, bundle, cells, rho);
        const root = BigInt(dataset.poseidonRoots[bundle]!);
        const proof = prove(instances.possession, [evaluation, root, pack(cells), rho]);
        await assert.rejects(
          world.fraud.write.proveMismatch([
            id,
            pack(cells),
            rho,
            evaluation,
            proof,
            openAll(dataset, bundle, cells),
          ]),
          /NoFraud/,
        );
      }
      assert.equal(await status(id), 1);
    }
  });

  it("a possession proof of other cells under the same root convicts", async () => {
    const pick = numbers(5n);
    const { dataset, id } = await anchor(shapes[0]!);
    const cells = Array.from({ length: 16 }, () => pick(dataset.cells[3]!.length));
    const rho = 12_345n;
    const evaluation = (evaluate(dataset, 3, cells, rho) + 1n) % r;
    const root = BigInt(dataset.poseidonRoots[3]!);
    const proof = prove(instances.possession, [evaluation, root, pack(cells), rho]);
    const opened = openAll(dataset, 3, cells);
    const convict = (over: Partial<{ indices: bigint; evaluation: bigint; opened: typeof opened }> = {}) =>
      world.fraud.write.proveMismatch([
        id,
        over.indices ?? pack(cells),
        rho,
        over.evaluation ?? evaluation,
        proof,
        over.opened ?? opened,
      ]);
    // Nothing but the proof's own signals will do.
    await assert.rejects(convict({ evaluation: evaluation + 1n }), /WrongProof/);
    await assert.rejects(convict({ evaluation: evaluation + r }), /WrongProof/);
    await assert.rejects(convict({ indices: pack(cells) | (1n << 224n) }), /OutOfRange/);
    await assert.rejects(convict({ indices: pack(cells) ^ 1n }), /WrongCell|WrongProof/);
    await assert.rejects(convict({ indices: pack(cells) | 0x3fffn }), /OutOfRange/);
    await assert.rejects(convict({ opened: { ...opened, cells: opened.cells.slice(1) } }), /WrongCellCount/);
    await assert.rejects(convict({ opened: openAll(dataset, 4, cells) }), /WrongProof/);
    await assert.rejects(
      convict({ opened: { ...opened, poseidonRoot: dataset.poseidonRoots[4]! } }),
      /NotAnchored/,
    );
    await convict();
    assert.equal(await status(id), 2);
  });

  /** Every byte of a data bundle with the chunk that it must equal; undefined in the fill of the last shard. */
  const placeOf = (dataset: Dataset, bundle: number, byte: number) => {
    const { k, n, objectSize, segmentObjects } = dataset.shape;
    const [segment, shard] = [Math.floor(bundle / n), bundle % n];
    const objects = Math.min(segmentObjects, dataset.objects.length - segment * segmentObjects);
    const shardLength = Math.ceil(objectSize / k);
    if (byte < objects * shardLength) {
      const offset = shard * shardLength + (byte % shardLength);
      const object = segment * segmentObjects + Math.floor(byte / shardLength);
      return offset < objectSize ? { object, chunk: Math.floor(offset / chunkBytes) } : undefined;
    }
    const offset = shard * Math.ceil((32 * objects) / k) + byte - objects * shardLength;
    return offset < 32 * objects
      ? { object: segment * segmentObjects + Math.floor(offset / 32), chunk: 0 }
      : undefined;
  };

  it("no byte of an honest dataset convicts by an object", async () => {
    const pick = numbers(6n);
    for (const shape of shapes) {
      const { dataset, id } = await anchor(shape);
      for (let run = 0; run < 25; run++) {
        const bundle = pick(dataset.bundles.length / shape.n) * shape.n + pick(shape.k);
        const byte = pick(dataset.bundles[bundle]!.length);
        const place = placeOf(dataset, bundle, byte);
        const chunk = openChunk(dataset, place?.object ?? 0, place?.chunk ?? 0);
        await assert.rejects(
          world.fraud.write.proveObject([
            id,
            BigInt(byte),
            openCell(dataset, bundle, Math.floor(byte / cellBytes)),
            chunk,
          ]),
          place === undefined ? /OutOfRange/ : /NoFraud/,
        );
      }
      assert.equal(await status(id), 1);
    }
  });

  it("an object that is stored with one other byte convicts, however well it is encoded", async () => {
    const pick = numbers(7n);
    for (const shape of shapes) {
      const object = pick(Number(shape.objectCount));
      const at = pick(shape.objectSize);
      const { dataset, id } = await anchor(shape, {
        objects: (objects) => (objects[object]![at]! ^= 1 + pick(255)),
      });
      const shardLength = Math.ceil(shape.objectSize / shape.k);
      const segment = Math.floor(object / shape.segmentObjects);
      const bundle = segment * shape.n + Math.floor(at / shardLength);
      const byte = (object % shape.segmentObjects) * shardLength + (at % shardLength);
      const cell = openCell(dataset, bundle, Math.floor(byte / cellBytes));
      const chunk = openChunk(dataset, object, Math.floor(at / chunkBytes));
      const wrong = openChunk(dataset, (object + 1) % Number(shape.objectCount), 0);
      if (wrong.objectIndex !== chunk.objectIndex) {
        await assert.rejects(world.fraud.write.proveObject([id, BigInt(byte), cell, wrong]), /WrongPlace/);
        const posing = { ...wrong, objectIndex: chunk.objectIndex };
        await assert.rejects(world.fraud.write.proveObject([id, BigInt(byte), cell, posing]), /WrongChunk/);
      }
      await world.fraud.write.proveObject([id, BigInt(byte), cell, chunk]);
      const [proven] = await world.fraud.getEvents.EncodingFraudProven();
      assert.equal(proven!.args.datasetId, id);
      assert.equal(await status(id), 2);
    }
  });

  it("a hash list that names another hash convicts", async () => {
    const shape = shapes[3]!;
    const { dataset, id } = await anchor(shape, {
      hashList: (list, segment) => {
        if (segment === 1) list[40]! ^= 0x10;
      },
    });
    // Segment 1 holds objects 2 and 3; byte 40 of its list is byte 8 of object 3's hash, in shard 2 of 4.
    const byte = 2 * 196 + (40 - 32);
    const cell = openCell(dataset, shape.n + 2, Math.floor(byte / cellBytes));
    await assert.rejects(
      world.fraud.write.proveObject([id, BigInt(byte), cell, openChunk(dataset, 2, 0)]),
      /WrongPlace/,
    );
    await world.fraud.write.proveObject([id, BigInt(byte), cell, openChunk(dataset, 3, 0)]);
    assert.equal(await status(id), 2);
  });

  it("nothing behind the hash list of a segment convicts, neither what fills it up nor what fills up the cell", async () => {
    const shape = shapes[2]!;
    const { dataset, id } = await anchor(shape);
    // Seven shards of 342 bytes, then 75 bytes of the hash list: 3 times that is one more than its 224 bytes.
    const behind = 7 * 342;
    const refuse = (shard: number, byte: number, args: [string, number, number]) =>
      world.viem.assertions.revertWithCustomErrorWithArgs(
        world.fraud.write.proveObject([
          id,
          BigInt(byte),
          openCell(dataset, shard, Math.floor(byte / cellBytes)),
          openChunk(dataset, 6, 0),
        ]),
        world.fraud,
        "OutOfRange",
        [toHex(args[0], { size: 32 }), BigInt(args[1]), BigInt(args[2])],
      );
    await refuse(2, behind + 74, ["offset", 224, 224]);
    await refuse(0, behind + 75, ["byte", behind + 75, behind + 75]);
    await refuse(2, behind + 85, ["byte", behind + 85, behind + 75]);
    assert.equal(await status(id), 1);
  });

  it("refuses object proofs of parity bundles and of encrypted datasets", async () => {
    const { dataset, id } = await anchor(shapes[0]!);
    await assert.rejects(
      world.fraud.write.proveObject([id, 0n, openCell(dataset, 8, 0), openChunk(dataset, 0, 0)]),
      /OutOfRange/,
    );
    const encrypted = await anchor({ ...shapes[0]!, encrypted: true });
    await assert.rejects(
      world.fraud.write.proveObject([
        encrypted.id,
        0n,
        openCell(encrypted.dataset, 0, 0),
        openChunk(encrypted.dataset, 0, 0),
      ]),
      /Encrypted/,
    );
  });

  it("the largest codeword proof and the largest anchor fit into 60 kB of calldata", () => {
    const word = `0x${"11".repeat(32)}` as const;
    const cell = {
      bundleIndex: 899,
      poseidonRoot: word,
      transportRoot: word,
      bundleProof: Array.from({ length: 10 }, () => word),
      cell: `0x${"22".repeat(cellBytes)}` as const,
      cellProof: Array.from({ length: 14 }, () => word),
    };
    const proof = encodeFunctionData({
      abi: world.fraud.abi,
      functionName: "proveCodeword",
      args: [word, 16_383, 495, Array.from({ length: 37 }, () => cell)],
    });
    const roots = Array.from({ length: 900 }, () => word);
    const anchoring = encodeFunctionData({
      abi: world.datasets.abi,
      functionName: "anchorWithPermit",
      args: [
        {
          datasetId: word,
          manifestHash: word,
          manifestDigest: word,
          objectRoot: word,
          shape: shapes[0]!,
          previous: word,
          feePerAudit: 1n,
          epochs: 1,
        },
        roots,
        roots,
        1n,
        27,
        word,
        word,
      ],
    });
    assert.ok(size(proof) <= 60_000, `${size(proof)}`);
    assert.ok(size(anchoring) <= 60_000, `${size(anchoring)}`);
  });

  it("a conviction pays the claimant half of the bond and burns the other", async () => {
    const { dataset, id } = await anchor(shapes[0]!, { bundles: (bundles) => (bundles[0]![0]! ^= 1) });
    const [claimant] = world.operators;
    const { bond } = await world.datasets.read.datasetOf([id]);
    const opened = [0, 1, 2, 3, 4, 5, 6, 7, 8].map((bundle) => openCell(dataset, bundle, 0));
    await world.fraud.write.proveCodeword([id, 0, 0, opened], { account: claimant!.account });
    assert.equal(await world.datasets.read.creditOf([claimant!.account.address]), bond / 2n);
  });
});

import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, before, beforeEach, describe, it, mock } from "node:test";
import { CID } from "multiformats/cid";
import { bytesToHex } from "viem";
import { BundleCommitment } from "../../../keepers/src/core/merkle/bundle-commitment.ts";
import { commitBundle } from "../../../keepers/src/core/merkle/bundle-committer.ts";
import { Shelf, shelfSchema } from "../../../keepers/src/roles/storage-node/shelf.ts";
import { Vault, WrongRootsError } from "../../../keepers/src/roles/storage-node/vault.ts";
import { type BlobStore, collect } from "../../../keepers/src/storage/backends/backend.ts";
import { StorageFullError } from "../../../keepers/src/storage/backends/errors.ts";
import { FileSystemStore } from "../../../keepers/src/storage/backends/file-system.ts";
import { openState, type SqlValue, type State } from "../../../keepers/src/storage/state/state.ts";
import { datasetOf, type TinyDataset, tinyDataset, withManifest } from "./dataset.ts";

const hex = (bytes: Uint8Array): string => bytesToHex(bytes);

describe("the vault", () => {
  let folder: string;
  let state: State;
  let shelf: Shelf;
  let store: FileSystemStore;
  let vault: Vault;
  let data: TinyDataset;
  let commits: number;

  before(async () => {
    data = await tinyDataset(1);
  });

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "assay-vault-"));
    state = openState({ path: join(folder, "state.sqlite"), schemas: [shelfSchema] });
    shelf = new Shelf(state);
    shelf.addManifest(data.datasetId, data.manifestBytes);
    store = await FileSystemStore.open(join(folder, "blobs"));
    commits = 0;
    vault = await open();
  });

  afterEach(async () => {
    state.close();
    await rm(folder, { recursive: true, force: true });
  });

  const commit = async (bytes: Uint8Array): Promise<BundleCommitment> => {
    commits++;
    return commitBundle(bytes);
  };
  const open = (over: BlobStore = store) =>
    Vault.open({ shelf, store: over, treeFolder: join(folder, "trees"), commit });
  const admit = (index: number, bytes = data.bundles[index]!) =>
    vault.admit(data.datasetId, data.manifest, index, bytes);
  const blobs = async () => {
    const cids: string[] = [];
    for await (const cid of store.list()) cids.push(cid.toString());
    return cids;
  };

  it("keeps a bundle whose roots it has recomputed, and reads ranges and cells of it", async () => {
    const bundle = await admit(4);
    const bytes = data.bundles[4]!;
    assert.deepEqual(bundle, shelf.get(data.datasetId, 4));
    assert.equal(bundle.cells, Math.ceil(bytes.length / 496));
    assert.equal(shelf.bytes, bytes.length);
    assert.deepEqual(hex(await vault.bytes(bundle)), hex(bytes));
    assert.deepEqual(hex(await collect(vault.read(bundle, 10, 20))), hex(bytes.subarray(10, 30)));
    const last = bundle.cells - 1;
    const [first, padded] = await vault.cells(bundle, [0, last]);
    assert.deepEqual(first, bytes.slice(0, 496));
    const tail = bytes.subarray(last * 496);
    assert.deepEqual(padded!.subarray(0, tail.length), tail);
    assert.deepEqual(padded!.subarray(tail.length), new Uint8Array(496 - tail.length));
    await assert.rejects(vault.cells(bundle, [bundle.cells]), /has no cell/);
    await assert.rejects(vault.cells(bundle, [-1]), /has no cell/);
    assert.equal(await vault.isWhole(bundle), true);
  });

  it("refuses bytes with other roots and leaves no trace of them", async () => {
    const changed = data.bundles[0]!.slice();
    changed[changed.length - 1]! ^= 1;
    await assert.rejects(admit(0, changed), WrongRootsError);
    await assert.rejects(admit(0, data.bundles[1]), WrongRootsError);
    assert.deepEqual([shelf.all(), await blobs(), await readdir(join(folder, "trees"))], [[], [], []]);
    await admit(0);
    assert.equal(shelf.all().length, 1);
  });

  it("refuses bytes that only pretend to have one of the two roots", async () => {
    for (const kind of ["poseidonRoot", "transportRoot"] as const) {
      const bundles = data.manifest.bundles.with(0, {
        ...data.manifest.bundles[0]!,
        [kind]: data.manifest.bundles[1]![kind],
      });
      const lying = withManifest({ ...data.manifest, bundles }, data.bundles);
      await assert.rejects(
        vault.admit(lying.datasetId, lying.manifest, 0, data.bundles[0]!),
        new RegExp(`its ${kind} is 0x`),
      );
    }
    assert.deepEqual(await blobs(), []);
  });

  it("refuses a bundle whose manifest names another CID for it", async () => {
    const bundles = data.manifest.bundles.with(0, {
      ...data.manifest.bundles[0]!,
      cid: data.manifest.bundles[1]!.cid,
    });
    const lying = withManifest({ ...data.manifest, bundles }, data.bundles);
    await assert.rejects(
      vault.admit(lying.datasetId, lying.manifest, 0, data.bundles[0]!),
      (error) => error instanceof WrongRootsError && /its CID is not/.test(error.message),
    );
    assert.deepEqual([shelf.all(), await blobs()], [[], []]);
  });

  it("refuses a wrong length before it hashes anything, and bundles that do not exist", async () => {
    const bytes = data.bundles[0]!;
    await assert.rejects(admit(0, bytes.subarray(1)), WrongRootsError);
    await assert.rejects(admit(0, new Uint8Array(bytes.length + 1)), WrongRootsError);
    await assert.rejects(admit(data.bundles.length, bytes), /has no bundle 6/);
    assert.equal(commits, 0);
  });

  it("hashes a bundle once, however often it comes", async () => {
    const first = await admit(2);
    assert.deepEqual(await admit(2), first);
    assert.deepEqual(await admit(2, new Uint8Array(1)), first, "what is here is not replaced");
    assert.equal(commits, 1);
  });

  it("records nothing when it dies between storing a bundle and recording it, and goes on afterwards", async () => {
    const died = new Error("killed");
    const add = mock.method(shelf, "add", () => {
      throw died;
    });
    await assert.rejects(admit(1), died);
    add.mock.restore();
    assert.equal((await blobs()).length, 1, "the bytes had been stored");
    assert.deepEqual(new Shelf(state).all(), []);
    const bundle = await (await open()).admit(data.datasetId, data.manifest, 1, data.bundles[1]!);
    assert.equal(hex(await vault.bytes(bundle)), hex(data.bundles[1]!));
  });

  it("attack: deletes nothing of others in its store whose CID a manifest names for other bytes", async () => {
    const others = new TextEncoder().encode("what the operator keeps here besides");
    await store.put(others);
    const [cid] = await blobs();
    const bundles = data.manifest.bundles.with(0, { ...data.manifest.bundles[0]!, cid: cid! });
    const lying = withManifest({ ...data.manifest, bundles }, data.bundles);
    shelf.addManifest(lying.datasetId, lying.manifestBytes);
    const put = vault.admit(lying.datasetId, lying.manifest, 0, data.bundles[0]!);
    await assert.rejects(put, WrongRootsError);
    await open();
    await admit(1);
    assert.ok((await blobs()).includes(cid!));
    assert.deepEqual(shelf.moving(), []);
  });

  it("attack: starts without reading all bundles, however many there are, and keeps their trees", async () => {
    await admit(0);
    const { cid } = shelf.get(data.datasetId, 0)!;
    const roots = { poseidonRoot: data.datasetId, transportRoot: data.datasetId };
    for (let i = 1; i < 500; i++) {
      const bundle = { datasetId: data.datasetId, bundleIndex: i, cid, length: 2, cells: 1, ...roots };
      shelf.add(bundle);
    }
    let rows = 0;
    const all = (sql: string, ...values: SqlValue[]) => {
      const found = state.all(sql, ...values);
      rows += found.length;
      return found;
    };
    shelf = new Shelf({ ...state, all });
    await open();
    assert.equal(rows, 0);
    assert.deepEqual(await readdir(join(folder, "trees")), [`${data.datasetId}-0.tree`]);
  });

  it("frees what a killed process had stored or was dropping, and no tree is left that is no bundle's", async () => {
    const kept = await admit(0);
    const lost = await admit(1);
    // As if it was killed between the bytes and the record, and between the record and the bytes.
    await store.put(data.bundles[2]!);
    for (const index of [1, 2]) shelf.move(data.manifest.bundles[index]!.cid);
    shelf.remove(lost.bundleId);
    shelf.move(kept.cid);
    await writeFile(join(folder, "trees", "half.tree.part"), "half");
    const again = await open();
    await again.admit(data.datasetId, data.manifest, 3, data.bundles[3]!);
    assert.deepEqual((await blobs()).sort(), [0, 3].map((i) => data.manifest.bundles[i]!.cid).sort());
    assert.deepEqual(
      (await readdir(join(folder, "trees"))).sort(),
      [0, 3].map((i) => `${data.datasetId}-${i}.tree`),
    );
    assert.deepEqual(shelf.moving(), []);
    assert.ok(await again.isWhole(kept));
  });

  it("starts although what was left cannot be freed, and tries again at the next start", async () => {
    shelf.move(data.manifest.bundles[2]!.cid);
    await store.put(data.bundles[2]!);
    const silent = Object.assign(Object.create(store) as BlobStore, {
      has: (cid: CID) => store.has(cid),
      put: (...args: Parameters<BlobStore["put"]>) => store.put(...args),
      delete: () => Promise.reject(new Error("connection refused")),
    });
    await (await open(silent)).admit(data.datasetId, data.manifest, 1, data.bundles[1]!);
    assert.equal((await blobs()).length, 2);
    await (await open()).admit(data.datasetId, data.manifest, 0, data.bundles[0]!);
    assert.deepEqual((await blobs()).sort(), [0, 1].map((i) => data.manifest.bundles[i]!.cid).sort());
  });

  it("passes on that the disk is full, with nothing recorded, and takes the bundle once there is space", async () => {
    const full = Object.assign(Object.create(store) as BlobStore, {
      has: async () => false,
      put: async () => {
        throw new StorageFullError("the disk");
      },
    });
    const crowded = await open(full);
    await assert.rejects(crowded.admit(data.datasetId, data.manifest, 0, data.bundles[0]!), StorageFullError);
    assert.deepEqual(shelf.all(), []);
    await admit(0);
    assert.equal(shelf.all().length, 1);
  });

  describe("the trees beside a bundle", () => {
    const path = () => join(folder, "trees", `${data.datasetId}-0.tree`);
    const damages: Record<string, () => Promise<void>> = {
      "is gone": () => rm(path()),
      "was cut off": () => truncate(path(), 100),
      "is empty": () => truncate(path(), 0),
      "has a flipped bit in a leaf": async () => {
        const bytes = await readFile(path());
        bytes[bytes.length - 1]! ^= 1;
        await writeFile(path(), bytes);
      },
      "is another bundle's": async () => writeFile(path(), commitBundle(data.bundles[1]!).toBytes()),
    };
    for (const [what, damage] of Object.entries(damages)) {
      it(`are made again when their file ${what}`, async () => {
        const bundle = await admit(0);
        const before = await readFile(path());
        assert.equal(bytesToHex((await vault.commitment(bundle)).transportRoot), bundle.transportRoot);
        assert.equal(commits, 1, "the file was enough");
        await damage();
        vault = await open();
        const made = await vault.commitment(bundle);
        assert.equal(bytesToHex(made.poseidonRoot), bundle.poseidonRoot);
        assert.equal(bytesToHex(made.transportRoot), bundle.transportRoot);
        assert.equal(commits, 2);
        assert.deepEqual(await readFile(path()), before);
        await (await open()).commitment(bundle);
        assert.equal(commits, 2, "the new file is enough again");
      });
    }

    it("are read once, however often they are asked for, and go with their bundle", async () => {
      const bundle = await admit(0);
      assert.equal(vault.isOpen(bundle), true, "it came with its trees");
      vault = await open();
      const readings = mock.method(BundleCommitment, "fromBytes");
      try {
        assert.equal(vault.isOpen(bundle), false);
        const [one] = [await vault.commitment(bundle), await vault.commitment(bundle)];
        assert.equal(await vault.commitment(bundle), one);
        assert.equal(readings.mock.callCount(), 1);
        assert.equal(vault.isOpen(bundle), true);
        await vault.drop(bundle);
        assert.equal(vault.isOpen(bundle), false);
      } finally {
        readings.mock.restore();
      }
    });
  });

  it("says that a bundle is not whole when its bytes are gone or changed", async () => {
    const bundle = await admit(0);
    const file = join(folder, "blobs", "blobs", bundle.cid.slice(-2), bundle.cid);
    const bytes = await readFile(file);
    bytes[5]! ^= 1;
    await writeFile(file, bytes);
    assert.equal(await vault.isWhole(bundle), false);
    await rm(file);
    assert.equal(await vault.isWhole(bundle), false);
  });

  it("stores equal bundles once, and their bytes go with the last of them", async () => {
    // Both segments hold the same objects, so their bundles are the same.
    const object = new Uint8Array(3000).fill(7);
    const twins = await datasetOf([object, object, object, object], "twins");
    shelf.addManifest(twins.datasetId, twins.manifestBytes);
    const [one, other] = [
      await vault.admit(twins.datasetId, twins.manifest, 0, twins.bundles[0]!),
      await vault.admit(twins.datasetId, twins.manifest, 3, twins.bundles[3]!),
    ];
    assert.equal(one.cid, other.cid);
    assert.equal((await blobs()).length, 1);
    await vault.drop(one);
    assert.equal(await store.has(CID.parse(one.cid)), true);
    assert.equal(hex(await vault.bytes(other)), hex(twins.bundles[3]!));
    await vault.drop(other);
    assert.deepEqual([shelf.all(), await blobs(), await readdir(join(folder, "trees"))], [[], [], []]);
  });

  it("does not lose a bundle that arrives while its twin is dropped", async () => {
    const object = new Uint8Array(3000).fill(8);
    const twins = await datasetOf([object, object, object, object], "twins");
    shelf.addManifest(twins.datasetId, twins.manifestBytes);
    const first = await vault.admit(twins.datasetId, twins.manifest, 0, twins.bundles[0]!);
    const [second] = await Promise.all([
      vault.admit(twins.datasetId, twins.manifest, 3, twins.bundles[3]!),
      vault.drop(first),
    ]);
    assert.equal(await vault.isWhole(second), true);
  });
});

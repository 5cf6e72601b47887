import type { Hex } from "viem";
import { manifestCid, manifestDigest } from "../../core/dataset/manifest.ts";
import { bundleId } from "../../core/ids.ts";
import type { Row, State } from "../../storage/state/state.ts";
import { UnplacedBundles } from "./unplaced.ts";

/** Tables of the bundles this node keeps. */
export const shelfSchema = {
  name: "shelf",
  migrations: [
    `CREATE TABLE manifests (
       dataset_id TEXT PRIMARY KEY,
       bytes BLOB NOT NULL
     ) STRICT;
     CREATE TABLE bundles (
       bundle_id TEXT PRIMARY KEY,
       dataset_id TEXT NOT NULL REFERENCES manifests (dataset_id),
       bundle_index INTEGER NOT NULL,
       cid TEXT NOT NULL,
       length INTEGER NOT NULL,
       cells INTEGER NOT NULL,
       poseidon_root TEXT NOT NULL,
       transport_root TEXT NOT NULL,
       keep_until INTEGER NOT NULL DEFAULT 0,
       UNIQUE (dataset_id, bundle_index)
     ) STRICT;`,
    `ALTER TABLE manifests ADD COLUMN peer TEXT NOT NULL DEFAULT '';
     ALTER TABLE manifests ADD COLUMN offered_at INTEGER NOT NULL DEFAULT 0;`,
    // Bytes apart: SQLite goes through those of a row to reach the columns behind them.
    `CREATE TABLE manifest_bytes (
       dataset_id TEXT PRIMARY KEY,
       bytes BLOB NOT NULL
     ) STRICT;
     INSERT INTO manifest_bytes SELECT dataset_id, bytes FROM manifests;
     ALTER TABLE manifests DROP COLUMN bytes;
     ALTER TABLE manifests ADD COLUMN cid TEXT NOT NULL DEFAULT '';
     CREATE INDEX manifests_by_cid ON manifests (cid);
     ALTER TABLE bundles ADD COLUMN promised_since INTEGER NOT NULL DEFAULT 0;
     CREATE INDEX bundles_by_cid ON bundles (cid);`,
    // Bytes that are being stored or deleted: what a killed process has left of them is no bundle's.
    "CREATE TABLE moving (cid TEXT PRIMARY KEY) STRICT;",
    `ALTER TABLE bundles ADD COLUMN sender TEXT NOT NULL DEFAULT '';
     ALTER TABLE bundles ADD COLUMN of_stranger INTEGER NOT NULL DEFAULT 0;`,
    // Bytes that were in the store before, for somebody else: they are not this node's to delete.
    "ALTER TABLE bundles ADD COLUMN was_there INTEGER NOT NULL DEFAULT 0;",
    // Whether this operator holds a bundle on chain, as far as was noted: those that it does not are few, and looked for often.
    `ALTER TABLE bundles ADD COLUMN placed INTEGER NOT NULL DEFAULT 0;
     CREATE INDEX bundles_by_placed ON bundles (placed, keep_until, bundle_id);
     ALTER TABLE manifests ADD COLUMN length INTEGER NOT NULL DEFAULT 0;
     UPDATE manifests SET length =
       (SELECT LENGTH(b.bytes) FROM manifest_bytes b WHERE b.dataset_id = manifests.dataset_id);`,
    // Whether a bundle has a place of those that are for anchored datasets alone.
    "ALTER TABLE bundles ADD COLUMN of_anchored INTEGER NOT NULL DEFAULT 0;",
  ],
} as const;

/** Whether this operator holds a bundle on chain: it has not so far, it does, or it has. */
const placedAs = { never: 0, now: 1, before: 2 };

/** A bundle whose bytes are here and whose two roots were recomputed from them. */
export type ShelvedBundle = {
  bundleId: Hex;
  datasetId: Hex;
  bundleIndex: number;
  cid: string;
  /** Bytes. */
  length: number;
  cells: number;
  poseidonRoot: Hex;
  transportRoot: Hex;
  /** Until when it is kept though the chain names another holder or none: seconds, 0 while nobody has said. */
  keepUntil: bigint;
};

/** Who has sent a bundle. */
export type Sender = {
  /** As `senderOf` has it; empty where this node restored it. */
  readonly sender: string;
  /** Whether it was a peer of no operator with stake. */
  readonly isStranger: boolean;
  /** Whether it takes room of what is for anchored datasets; false by default. */
  readonly isAnchored?: boolean;
};

/** Where a bundle comes from. */
export type Origin = Sender & {
  /** Whether its bytes were in the store before, though no bundle here had them; false by default. */
  readonly wasThere?: boolean;
};

/** A manifest of which no bundle is here. */
export type Offer = {
  readonly datasetId: Hex;
  /** Peer that sent it; empty when this node fetched it. */
  readonly peer: string;
  /** Chain seconds. */
  readonly at: bigint;
};

/** What this node keeps: manifests of datasets it was offered, and the bundles it has checked and stored. */
export class Shelf {
  readonly #state: State;

  // These are read once and kept up from then on: strangers have bundles and manifests come without end.
  /** Bytes of all bundles here. */
  #bytes: number | undefined;
  #unplaced: UnplacedBundles | undefined;
  #idle: Map<Hex, Offer> | undefined;

  constructor(state: State) {
    this.#state = state;
    // Of a state that was written before manifests stood under their CIDs.
    for (const { dataset_id } of state.all("SELECT dataset_id FROM manifests WHERE cid = ''")) {
      const cid = manifestCid(manifestDigest(this.manifest(dataset_id as Hex)!));
      state.run("UPDATE manifests SET cid = ? WHERE dataset_id = ?", cid, dataset_id as Hex);
    }
  }

  /** Keeps a manifest; one that is offered again counts as new. */
  addManifest(
    datasetId: Hex,
    bytes: Uint8Array,
    { peer, at }: Omit<Offer, "datasetId"> = { peer: "", at: 0n },
  ): void {
    const idle = this.#idleManifests();
    this.#state.transaction(() => {
      this.#state.run(
        "INSERT OR IGNORE INTO manifest_bytes (dataset_id, bytes) VALUES (?, ?)",
        datasetId,
        bytes,
      );
      this.#state.run(
        `INSERT INTO manifests (dataset_id, peer, offered_at, cid, length) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (dataset_id) DO UPDATE SET offered_at = MAX(offered_at, excluded.offered_at)`,
        datasetId,
        peer,
        at,
        manifestCid(manifestDigest(bytes)),
        bytes.length,
      );
    });
    const known = idle.get(datasetId);
    if (known === undefined ? this.#hasBundle(datasetId) : at <= known.at) return;
    idle.delete(datasetId);
    idle.set(datasetId, { datasetId, peer: known?.peer ?? peer, at });
  }

  /** Manifests of which no bundle is here, the oldest first. */
  offers(): Offer[] {
    return [...this.#idleManifests().values()].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  }

  #idleManifests(): Map<Hex, Offer> {
    if (this.#idle !== undefined) return this.#idle;
    const rows = this.#state.all(
      `SELECT dataset_id, peer, offered_at FROM manifests m
       WHERE NOT EXISTS (SELECT 1 FROM bundles b WHERE b.dataset_id = m.dataset_id)
       ORDER BY offered_at, rowid`,
    );
    this.#idle = new Map(rows.map((row) => [row.dataset_id as Hex, toOffer(row)]));
    return this.#idle;
  }

  #hasBundle(datasetId: Hex): boolean {
    return this.#state.get("SELECT 1 FROM bundles WHERE dataset_id = ? LIMIT 1", datasetId) !== undefined;
  }

  /** Forgets a manifest of which no bundle is here. */
  removeManifest(datasetId: Hex): void {
    this.#state.transaction(() => {
      for (const table of ["manifests", "manifest_bytes"]) {
        this.#state.run(
          `DELETE FROM ${table} WHERE dataset_id = ?1
           AND NOT EXISTS (SELECT 1 FROM bundles WHERE dataset_id = ?1)`,
          datasetId,
        );
      }
    });
    this.#idle?.delete(datasetId);
  }

  /** Bytes of a dataset's manifest; 0 where that is not here. */
  manifestBytes(datasetId: Hex): number {
    return Number(
      this.#state.get("SELECT length FROM manifests WHERE dataset_id = ?", datasetId)?.length ?? 0,
    );
  }

  /** Gives what was deleted back to the disk. */
  freeSpace(): void {
    this.#state.all("PRAGMA incremental_vacuum");
  }

  /** The CID of a dataset's manifest; undefined where that is not here. */
  manifestCid(datasetId: Hex): string | undefined {
    return this.#state.get("SELECT cid FROM manifests WHERE dataset_id = ?", datasetId)?.cid as
      | string
      | undefined;
  }

  /** The manifest that has a CID. */
  manifestBy(cid: string): Uint8Array | undefined {
    const row = this.#state.get("SELECT dataset_id FROM manifests WHERE cid = ? LIMIT 1", cid);
    return row === undefined ? undefined : this.manifest(row.dataset_id as Hex);
  }

  /** Datasets whose manifests are here. */
  datasets(): Hex[] {
    return this.#state.all("SELECT dataset_id FROM manifests").map(({ dataset_id }) => dataset_id as Hex);
  }

  manifest(datasetId: Hex): Uint8Array | undefined {
    const row = this.#state.get("SELECT bytes FROM manifest_bytes WHERE dataset_id = ?", datasetId);
    return row === undefined ? undefined : (row.bytes as Uint8Array);
  }

  /** Records a bundle after its bytes are safe in the backend. Recording it again is harmless. */
  add(
    bundle: Omit<ShelvedBundle, "bundleId" | "keepUntil">,
    { sender, isStranger, isAnchored = false, wasThere = false }: Origin = { sender: "", isStranger: false },
  ): ShelvedBundle {
    const id = bundleId(bundle.datasetId, bundle.bundleIndex);
    const before = this.byId(id)?.length ?? 0;
    this.#state.run(
      `INSERT OR REPLACE INTO bundles
         (bundle_id, dataset_id, bundle_index, cid, length, cells, poseidon_root, transport_root,
          sender, of_stranger, of_anchored, was_there)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      id,
      bundle.datasetId,
      bundle.bundleIndex,
      bundle.cid,
      bundle.length,
      bundle.cells,
      bundle.poseidonRoot,
      bundle.transportRoot,
      sender,
      isStranger ? 1 : 0,
      isAnchored ? 1 : 0,
      wasThere ? 1 : 0,
    );
    if (this.#bytes !== undefined) this.#bytes += bundle.length - before;
    this.#idle?.delete(bundle.datasetId);
    const { datasetId, length } = bundle;
    const found = { datasetId, length, sender, isStranger, isAnchored, wasPlaced: false, isPromised: false };
    this.#unplaced?.set(id, found, this.manifestBytes(datasetId));
    return { ...bundle, bundleId: id, keepUntil: 0n };
  }

  /** Keeps a bundle until a time in seconds at least, whether it is placed here or not. */
  keepUntil(id: Hex, time: bigint): void {
    this.#state.run("UPDATE bundles SET keep_until = MAX(keep_until, ?) WHERE bundle_id = ?", time, id);
  }

  /** When a receipt was first asked for a bundle, in chain seconds: now, if none was since its bytes came. */
  promisedSince(id: Hex, now: bigint): bigint {
    this.#state.run(
      "UPDATE bundles SET promised_since = ? WHERE bundle_id = ? AND promised_since = 0",
      now,
      id,
    );
    this.#unplaced?.promise(id);
    const row = this.#state.get("SELECT promised_since FROM bundles WHERE bundle_id = ?", id);
    return BigInt((row?.promised_since as bigint | undefined) ?? now);
  }

  /**
   * Says which bundles this operator holds on chain, of those that are here and others. What is promised for one of them after
   * it is lost counts anew.
   */
  place(held: ReadonlySet<Hex>): void {
    const noted = this.#state.all("SELECT bundle_id FROM bundles WHERE placed = ?", placedAs.now);
    const known = new Set(noted.map(({ bundle_id }) => bundle_id as Hex));
    const lost = [...known].filter((id) => !held.has(id));
    const found = [...held].filter((id) => !known.has(id));
    if (lost.length + found.length === 0) return;
    this.#state.transaction(() => {
      const sql = "UPDATE bundles SET placed = ?, promised_since = 0 WHERE bundle_id = ?";
      for (const id of found) this.#state.run(sql, placedAs.now, id);
      for (const id of lost) this.#state.run(sql, placedAs.before, id);
    });
    for (const id of found) this.#unplaced?.delete(id);
    if (this.#unplaced === undefined) return;
    for (const id of lost)
      this.#addUnplaced(this.#unplaced, this.#state.get(`${unplaced} AND bundle_id = ?`, id));
  }

  /** The bundles here that this operator does not hold, as far as {@link place} has said. */
  get unplaced(): Omit<UnplacedBundles, "delete" | "promise" | "set"> {
    if (this.#unplaced !== undefined) return this.#unplaced;
    const found = new UnplacedBundles();
    for (const row of this.#state.all(unplaced)) this.#addUnplaced(found, row);
    this.#unplaced = found;
    return found;
  }

  #addUnplaced(found: UnplacedBundles, row: Row | undefined): void {
    if (row === undefined) return;
    const bundle = {
      datasetId: row.dataset_id as Hex,
      sender: row.sender as string,
      isStranger: Number(row.of_stranger) === 1,
      isAnchored: Number(row.of_anchored) === 1,
      length: Number(row.length),
      wasPlaced: Number(row.placed) === placedAs.before,
      isPromised: Number(row.promised_since) !== 0,
    };
    found.set(row.bundle_id as Hex, bundle, Number(row.manifest));
  }

  /** Keeps the bundles that this operator holds until a time at least, where that is not said up to another one yet. */
  keepPlaced(until: bigint, unless: bigint): void {
    this.#state.run(
      "UPDATE bundles SET keep_until = ? WHERE placed = ? AND keep_until < ?",
      until,
      placedAs.now,
      unless,
    );
  }

  /** Keeps the bundles of which nothing is said until a time. */
  keepNew(until: bigint): void {
    this.#state.run("UPDATE bundles SET keep_until = ? WHERE placed IN (0, 2) AND keep_until = 0", until);
  }

  /** Bundles that this operator does not hold and that are to be kept no longer: those whose ids come after one, in their order. */
  due(now: bigint, after: Hex, most: number): ShelvedBundle[] {
    const rows = this.#state.all(
      `SELECT * FROM bundles WHERE placed IN (0, 2) AND keep_until < ? AND bundle_id > ?
       ORDER BY bundle_id LIMIT ?`,
      now,
      after,
      most,
    );
    return rows.map(fromRow);
  }

  has(datasetId: Hex, bundleIndex: number): boolean {
    return (
      this.#state.get(
        "SELECT 1 FROM bundles WHERE dataset_id = ? AND bundle_index = ?",
        datasetId,
        bundleIndex,
      ) !== undefined
    );
  }

  get(datasetId: Hex, bundleIndex: number): ShelvedBundle | undefined {
    return this.byId(bundleId(datasetId, bundleIndex));
  }

  byId(id: Hex): ShelvedBundle | undefined {
    const row = this.#state.get("SELECT * FROM bundles WHERE bundle_id = ?", id);
    return row === undefined ? undefined : fromRow(row);
  }

  all(): ShelvedBundle[] {
    return this.#state.all("SELECT * FROM bundles ORDER BY dataset_id, bundle_index").map(fromRow);
  }

  /** Forgets a bundle; whether its bytes go too is the caller's decision. */
  remove(id: Hex): void {
    const bundle = this.byId(id);
    if (bundle === undefined) return;
    const { datasetId, length } = bundle;
    this.#state.run("DELETE FROM bundles WHERE bundle_id = ?", id);
    if (this.#bytes !== undefined) this.#bytes -= length;
    this.#unplaced?.delete(id);
    if (this.#idle === undefined || this.#hasBundle(datasetId)) return;
    const row = this.#state.get(
      "SELECT dataset_id, peer, offered_at FROM manifests WHERE dataset_id = ?",
      datasetId,
    );
    if (row !== undefined) this.#idle.set(datasetId, toOffer(row));
  }

  /** Bytes of all bundles here. */
  get bytes(): number {
    this.#bytes ??= Number(this.#state.get("SELECT COALESCE(SUM(length), 0) AS total FROM bundles")!.total);
    return this.#bytes;
  }

  /** Indices of the bundles of a dataset that a sender has brought and that are here still. */
  sentBy(datasetId: Hex, sender: string): number[] {
    const rows = this.#state.all(
      "SELECT bundle_index FROM bundles WHERE dataset_id = ? AND sender = ?",
      datasetId,
      sender,
    );
    return rows.map(({ bundle_index }) => Number(bundle_index));
  }

  /** Indices of the bundles of a dataset that are here. */
  indices(datasetId: Hex): number[] {
    const rows = this.#state.all("SELECT bundle_index FROM bundles WHERE dataset_id = ?", datasetId);
    return rows.map(({ bundle_index }) => Number(bundle_index));
  }

  /** Says that bytes are being stored or deleted, until {@link moved}. */
  move(cid: string): void {
    this.#state.run("INSERT OR IGNORE INTO moving (cid) VALUES (?)", cid);
  }

  moved(cid: string): void {
    this.#state.run("DELETE FROM moving WHERE cid = ?", cid);
  }

  /** What was being stored or deleted when the last process ended, or is now. */
  moving(): string[] {
    return this.#state.all("SELECT cid FROM moving").map(({ cid }) => cid as string);
  }

  /** Whether bytes are being stored or deleted, or were when the last process ended. */
  isMoving(cid: string): boolean {
    return this.#state.get("SELECT 1 FROM moving WHERE cid = ?", cid) !== undefined;
  }

  /** Whether bytes were in the store before the bundles here that have them; undefined where none has. */
  wereThere(cid: string): boolean | undefined {
    const row = this.#state.get("SELECT MAX(was_there) AS there FROM bundles WHERE cid = ?", cid);
    return row?.there == null ? undefined : Number(row.there) === 1;
  }

  /** Whether a bundle with these bytes is here. */
  hasBytes(cid: string): boolean {
    return this.#state.get("SELECT 1 FROM bundles WHERE cid = ? LIMIT 1", cid) !== undefined;
  }
}

/** What is counted of the bundles that this operator does not hold. */
const unplaced = `
  SELECT bundle_id, b.dataset_id, sender, of_stranger, of_anchored, b.length, placed, promised_since, m.length AS manifest
  FROM bundles b JOIN manifests m ON m.dataset_id = b.dataset_id WHERE placed IN (0, 2)`;

function toOffer(row: Row): Offer {
  return {
    datasetId: row.dataset_id as Hex,
    peer: row.peer as string,
    at: BigInt(row.offered_at as bigint),
  };
}

function fromRow(row: Row): ShelvedBundle {
  return {
    bundleId: row.bundle_id as Hex,
    datasetId: row.dataset_id as Hex,
    bundleIndex: Number(row.bundle_index),
    cid: row.cid as string,
    length: Number(row.length),
    cells: Number(row.cells),
    poseidonRoot: row.poseidon_root as Hex,
    transportRoot: row.transport_root as Hex,
    keepUntil: BigInt(row.keep_until as bigint),
  };
}

import type { Hex } from "viem";
import { manifestCid, manifestDigest } from "../../core/dataset/manifest.ts";
import { bundleId } from "../../core/ids.ts";
import type { Row, State } from "../../storage/state/state.ts";

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
  ],
} as const;

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

  /** Bytes of all bundles here; undefined where they have to be counted. */
  #bytes: number | undefined;
  /** Bytes of those that strangers have sent; undefined as above. */
  #bytesOfStrangers: number | undefined;

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
    this.#state.transaction(() => {
      this.#state.run(
        "INSERT OR IGNORE INTO manifest_bytes (dataset_id, bytes) VALUES (?, ?)",
        datasetId,
        bytes,
      );
      this.#state.run(
        `INSERT INTO manifests (dataset_id, peer, offered_at, cid) VALUES (?, ?, ?, ?)
         ON CONFLICT (dataset_id) DO UPDATE SET offered_at = MAX(offered_at, excluded.offered_at)`,
        datasetId,
        peer,
        at,
        manifestCid(manifestDigest(bytes)),
      );
    });
  }

  /** Manifests of which no bundle is here, the oldest first. */
  offers(): Offer[] {
    return this.#state
      .all(
        `SELECT dataset_id, peer, offered_at FROM manifests m
         WHERE NOT EXISTS (SELECT 1 FROM bundles b WHERE b.dataset_id = m.dataset_id)
         ORDER BY offered_at, rowid`,
      )
      .map((row) => ({
        datasetId: row.dataset_id as Hex,
        peer: row.peer as string,
        at: BigInt(row.offered_at as bigint),
      }));
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
    { sender, isStranger, wasThere = false }: Origin = { sender: "", isStranger: false },
  ): ShelvedBundle {
    const id = bundleId(bundle.datasetId, bundle.bundleIndex);
    this.#countAgain();
    this.#state.run(
      `INSERT OR REPLACE INTO bundles
         (bundle_id, dataset_id, bundle_index, cid, length, cells, poseidon_root, transport_root,
          sender, of_stranger, was_there)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
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
      wasThere ? 1 : 0,
    );
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
    const row = this.#state.get("SELECT promised_since FROM bundles WHERE bundle_id = ?", id);
    return BigInt((row?.promised_since as bigint | undefined) ?? now);
  }

  /** The bundle was placed here: what is promised after it is lost counts anew. */
  keepPromise(id: Hex): void {
    this.#state.run("UPDATE bundles SET promised_since = 0 WHERE bundle_id = ? AND promised_since <> 0", id);
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
    this.#countAgain();
    this.#state.run("DELETE FROM bundles WHERE bundle_id = ?", id);
  }

  /** Bytes of all bundles here. */
  get bytes(): number {
    this.#bytes ??= Number(this.#state.get("SELECT COALESCE(SUM(length), 0) AS total FROM bundles")!.total);
    return this.#bytes;
  }

  /** Bytes of the bundles here that strangers have sent. */
  get bytesOfStrangers(): number {
    this.#bytesOfStrangers ??= Number(
      this.#state.get("SELECT COALESCE(SUM(length), 0) AS total FROM bundles WHERE of_stranger = 1")!.total,
    );
    return this.#bytesOfStrangers;
  }

  #countAgain(): void {
    this.#bytes = undefined;
    this.#bytesOfStrangers = undefined;
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

  /** Length of each bundle here, in bytes. */
  lengths(): Map<Hex, number> {
    const rows = this.#state.all("SELECT bundle_id, length FROM bundles");
    return new Map(rows.map(({ bundle_id, length }) => [bundle_id as Hex, Number(length)]));
  }

  /** Ids of the bundles here that strangers have sent. */
  ofStrangers(): Set<Hex> {
    const rows = this.#state.all("SELECT bundle_id FROM bundles WHERE of_stranger = 1");
    return new Set(rows.map(({ bundle_id }) => bundle_id as Hex));
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

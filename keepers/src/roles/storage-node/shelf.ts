import type { Hex } from "viem";
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

  constructor(state: State) {
    this.#state = state;
  }

  /** Keeps a manifest; one that is offered again counts as new. */
  addManifest(
    datasetId: Hex,
    bytes: Uint8Array,
    { peer, at }: Omit<Offer, "datasetId"> = { peer: "", at: 0n },
  ): void {
    this.#state.run(
      `INSERT INTO manifests (dataset_id, bytes, peer, offered_at) VALUES (?, ?, ?, ?)
       ON CONFLICT (dataset_id) DO UPDATE SET offered_at = MAX(offered_at, excluded.offered_at)`,
      datasetId,
      bytes,
      peer,
      at,
    );
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
    this.#state.run(
      `DELETE FROM manifests WHERE dataset_id = ?1
       AND NOT EXISTS (SELECT 1 FROM bundles WHERE dataset_id = ?1)`,
      datasetId,
    );
  }

  /** Gives what was deleted back to the disk. */
  freeSpace(): void {
    this.#state.all("PRAGMA incremental_vacuum");
  }

  /** Datasets whose manifests are here. */
  datasets(): Hex[] {
    return this.#state.all("SELECT dataset_id FROM manifests").map(({ dataset_id }) => dataset_id as Hex);
  }

  manifest(datasetId: Hex): Uint8Array | undefined {
    const row = this.#state.get("SELECT bytes FROM manifests WHERE dataset_id = ?", datasetId);
    return row === undefined ? undefined : (row.bytes as Uint8Array);
  }

  /** Records a bundle after its bytes are safe in the backend. Recording it again is harmless. */
  add(bundle: Omit<ShelvedBundle, "bundleId" | "keepUntil">): ShelvedBundle {
    const id = bundleId(bundle.datasetId, bundle.bundleIndex);
    this.#state.run(
      `INSERT OR REPLACE INTO bundles
         (bundle_id, dataset_id, bundle_index, cid, length, cells, poseidon_root, transport_root)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      id,
      bundle.datasetId,
      bundle.bundleIndex,
      bundle.cid,
      bundle.length,
      bundle.cells,
      bundle.poseidonRoot,
      bundle.transportRoot,
    );
    return { ...bundle, bundleId: id, keepUntil: 0n };
  }

  /** Keeps a bundle until a time in seconds at least, whether it is placed here or not. */
  keepUntil(id: Hex, time: bigint): void {
    this.#state.run("UPDATE bundles SET keep_until = MAX(keep_until, ?) WHERE bundle_id = ?", time, id);
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
    this.#state.run("DELETE FROM bundles WHERE bundle_id = ?", id);
  }

  /** Bytes of all bundles here. */
  get bytes(): number {
    return Number(this.#state.get("SELECT COALESCE(SUM(length), 0) AS total FROM bundles")?.total ?? 0);
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

import type { Address, Hex } from "viem";
import type { AssayEvent } from "../../chain/contracts.ts";
import type { EventHandler } from "../../chain/follower/follower.ts";
import { bundleId } from "../../core/ids.ts";
import type { Row, State } from "../../storage/state/state.ts";

/** Tables that mirror who holds what, one row per event, so that a reorganisation takes rows back. */
export const ledgerSchema = {
  name: "ledger",
  migrations: [
    `CREATE TABLE ledger_datasets (
       dataset_id TEXT PRIMARY KEY,
       owner TEXT NOT NULL,
       manifest_digest TEXT NOT NULL,
       manifest_hash TEXT NOT NULL,
       k INTEGER NOT NULL,
       n INTEGER NOT NULL
     ) STRICT;
     CREATE TABLE ledger_bundle_events (
       block_hash TEXT NOT NULL,
       log_index INTEGER NOT NULL,
       block_number INTEGER NOT NULL,
       bundle_id TEXT NOT NULL,
       kind TEXT NOT NULL,
       dataset_id TEXT,
       bundle_index INTEGER,
       operator TEXT,
       since INTEGER,
       PRIMARY KEY (block_hash, log_index)
     ) STRICT;
     CREATE TABLE ledger_covers (
       cover_id TEXT PRIMARY KEY,
       bundle_ids TEXT NOT NULL
     ) STRICT;
     CREATE INDEX ledger_bundle_events_by_bundle
       ON ledger_bundle_events (bundle_id, block_number, log_index);`,
    `CREATE TABLE ledger_retrievals (
       challenge_id TEXT PRIMARY KEY,
       bundle_id TEXT NOT NULL,
       operator TEXT NOT NULL,
       cell_index INTEGER NOT NULL,
       is_over INTEGER NOT NULL DEFAULT 0
     ) STRICT;`,
    `CREATE TABLE ledger_commitments (
       session TEXT NOT NULL,
       round INTEGER NOT NULL,
       operator TEXT NOT NULL,
       PRIMARY KEY (session, round, operator)
     ) STRICT;`,
    // Those that were noted without it come first, and the chain is asked.
    "ALTER TABLE ledger_retrievals ADD COLUMN deadline INTEGER NOT NULL DEFAULT 0;",
    "CREATE INDEX ledger_retrievals_by_bundle ON ledger_retrievals (bundle_id, is_over);",
    // Duties ask again and again for what all events come to.
    `CREATE TABLE ledger_bundles_version (version INTEGER NOT NULL) STRICT;
     INSERT INTO ledger_bundles_version (version) VALUES (0);`,
    `CREATE INDEX ledger_bundle_events_by_dataset ON ledger_bundle_events (dataset_id);
     CREATE INDEX ledger_bundle_events_by_operator ON ledger_bundle_events (LOWER(operator));`,
    `DROP INDEX ledger_bundle_events_by_dataset;
     CREATE INDEX ledger_bundle_events_by_dataset ON ledger_bundle_events (dataset_id, bundle_index);`,
    "ALTER TABLE ledger_retrievals ADD COLUMN is_owners INTEGER NOT NULL DEFAULT 0;",
  ],
} as const;

export type LedgerDataset = {
  datasetId: Hex;
  owner: Address;
  manifestDigest: Hex;
  manifestHash: Hex;
  k: number;
  n: number;
};

/** A bundle and the operator that holds it. */
export type LedgerHolding = {
  bundleId: Hex;
  datasetId: Hex;
  bundleIndex: number;
  operator: Address;
  since: number;
};

/** A bundle that had a holder and lost it before its dataset ended. */
export type LedgerVacancy = { bundleId: Hex; datasetId: Hex; bundleIndex: number };

/** A cell of a bundle that an operator is challenged to publish. */
export type LedgerRetrieval = {
  challengeId: bigint;
  bundleId: Hex;
  /** The holder, or the owner of the dataset. */
  operator: Address;
  /** Whether the owner is asked, because no holder owes the bundle. */
  isOwners: boolean;
  cellIndex: number;
  /** Last second before its timeout can be called; 0 where it is not known. */
  deadline: bigint;
};

const countBundleEvent = "UPDATE ledger_bundles_version SET version = version + 1";

/** Takes the events of DatasetRegistry, BundleRegistry, RetrievalChallenges and CommitRevealBeacon over into the ledger's tables. */
export const ledgerHandler: EventHandler = {
  applied(event: AssayEvent, state: State): void {
    if (event.contract === "DatasetRegistry" && event.eventName === "DatasetAnchored") {
      const { datasetId, owner, manifestDigest, manifestHash, shape } = event.args;
      state.run(
        "INSERT OR REPLACE INTO ledger_datasets (dataset_id, owner, manifest_digest, manifest_hash, k, n) VALUES (?, ?, ?, ?, ?, ?)",
        datasetId,
        owner,
        manifestDigest,
        manifestHash,
        shape.k,
        shape.n,
      );
    }
    if (event.contract === "RetrievalChallenges") takeRetrieval(event, state);
    if (event.contract === "CommitRevealBeacon" && event.eventName === "Committed") {
      const { sessionId, round, operator } = event.args;
      state.run(
        "INSERT OR IGNORE INTO ledger_commitments VALUES (?, ?, ?)",
        String(sessionId),
        round,
        operator,
      );
    }
    if (event.contract !== "BundleRegistry") return;
    state.run(countBundleEvent);
    if (event.eventName === "BundlePlaced") {
      const { bundleId, datasetId, bundleIndex, operator, since } = event.args;
      addEvent(state, event, bundleId, "placed", { datasetId, bundleIndex, operator, since });
    } else if (event.eventName === "BundleVacated" || event.eventName === "BundleSurrendered") {
      addEvent(state, event, event.args.bundleId, "vacated");
    } else if (event.eventName === "BundleReleased") {
      addEvent(state, event, event.args.bundleId, "released");
    } else if (event.eventName === "CoverRegistered") {
      const { coverId, bundleIds } = event.args;
      // The id is a hash over what the row holds, so a row that was taken back and comes again is the same.
      state.run(
        "INSERT OR REPLACE INTO ledger_covers (cover_id, bundle_ids) VALUES (?, ?)",
        coverId,
        bundleIds.join(),
      );
    }
  },
  removed(event: AssayEvent, state: State): void {
    if (event.contract === "DatasetRegistry" && event.eventName === "DatasetAnchored") {
      state.run("DELETE FROM ledger_datasets WHERE dataset_id = ?", event.args.datasetId);
    } else if (event.contract === "BundleRegistry") {
      state.run(countBundleEvent);
      state.run(
        "DELETE FROM ledger_bundle_events WHERE block_hash = ? AND log_index = ?",
        event.blockHash,
        event.logIndex,
      );
    } else if (event.contract === "RetrievalChallenges") {
      returnRetrieval(event, state);
    } else if (event.contract === "CommitRevealBeacon" && event.eventName === "Committed") {
      const { sessionId, round, operator } = event.args;
      state.run(
        "DELETE FROM ledger_commitments WHERE session = ? AND round = ? AND operator = ?",
        String(sessionId),
        round,
        operator,
      );
    }
  },
};

function takeRetrieval(event: AssayEvent, state: State): void {
  if (event.contract !== "RetrievalChallenges") return;
  if (event.eventName === "RetrievalChallenged") {
    const { bundleId: id, operator } = event.args;
    addRetrieval(state, { ...event.args, bundleId: id, operator, isOwners: false });
  } else if (event.eventName === "OwnerChallenged") {
    const { datasetId, bundleIndex, owner } = event.args;
    const id = bundleId(datasetId, bundleIndex);
    addRetrieval(state, { ...event.args, bundleId: id, operator: owner, isOwners: true });
  } else if (endsRetrieval(event)) {
    setRetrievalOver(state, event.args.challengeId, 1);
  }
}

function addRetrieval(state: State, retrieval: LedgerRetrieval): void {
  const { challengeId, bundleId: id, operator, isOwners, cellIndex, deadline } = retrieval;
  state.run(
    `INSERT OR REPLACE INTO ledger_retrievals (challenge_id, bundle_id, operator, is_owners, cell_index, deadline)
     VALUES (?, ?, ?, ?, ?, ?)`,
    String(challengeId),
    id,
    operator.toLowerCase(),
    isOwners ? 1 : 0,
    cellIndex,
    deadline,
  );
}

function returnRetrieval(event: AssayEvent, state: State): void {
  if (event.contract !== "RetrievalChallenges") return;
  if (event.eventName === "RetrievalChallenged" || event.eventName === "OwnerChallenged") {
    state.run("DELETE FROM ledger_retrievals WHERE challenge_id = ?", String(event.args.challengeId));
  } else if (endsRetrieval(event)) {
    setRetrievalOver(state, event.args.challengeId, 0);
  }
}

const retrievalEnds = ["CellPublished", "RetrievalFailed", "RetrievalVoided"] as const;
type RetrievalEnd = Extract<
  AssayEvent,
  { contract: "RetrievalChallenges"; eventName: (typeof retrievalEnds)[number] }
>;

function endsRetrieval(event: AssayEvent): event is RetrievalEnd {
  return retrievalEnds.some((name) => name === event.eventName);
}

function setRetrievalOver(state: State, challengeId: bigint, isOver: 0 | 1): void {
  state.run("UPDATE ledger_retrievals SET is_over = ? WHERE challenge_id = ?", isOver, String(challengeId));
}

type Placed = { datasetId: Hex; bundleIndex: number; operator: Address; since: number };

function addEvent(state: State, event: AssayEvent, bundleId: Hex, kind: string, placed?: Placed): void {
  state.run(
    `INSERT OR REPLACE INTO ledger_bundle_events
       (block_hash, log_index, block_number, bundle_id, kind, dataset_id, bundle_index, operator, since)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    event.blockHash,
    event.logIndex,
    event.blockNumber,
    bundleId,
    kind,
    placed?.datasetId ?? null,
    placed?.bundleIndex ?? null,
    placed?.operator ?? null,
    placed?.since ?? null,
  );
}

/** The latest event of each bundle, with the latest placement beside it; of two forks' events, the one applied last. */
const latest = `
  SELECT e.bundle_id, e.kind, p.dataset_id, p.bundle_index, p.operator, p.since
  FROM ledger_bundle_events e
  JOIN ledger_bundle_events p ON p.bundle_id = e.bundle_id AND p.kind = 'placed'
  WHERE NOT EXISTS (
      SELECT 1 FROM ledger_bundle_events x WHERE x.bundle_id = e.bundle_id
      AND (x.block_number, x.log_index, x.rowid) > (e.block_number, e.log_index, e.rowid))
    AND NOT EXISTS (
      SELECT 1 FROM ledger_bundle_events x WHERE x.bundle_id = p.bundle_id AND x.kind = 'placed'
      AND (x.block_number, x.log_index, x.rowid) > (p.block_number, p.log_index, p.rowid))`;

/** Placements that nothing has followed. */
const placed = `
  SELECT bundle_id, dataset_id, bundle_index, operator, since
  FROM ledger_bundle_events e
  WHERE kind = 'placed' AND NOT EXISTS (
    SELECT 1 FROM ledger_bundle_events x WHERE x.bundle_id = e.bundle_id
    AND (x.block_number, x.log_index, x.rowid) > (e.block_number, e.log_index, e.rowid))`;

/** What the chain said last about datasets and bundles, as far as the follower has come. */
export class Ledger {
  readonly #state: State;
  /** What bundles' events came to at some version. */
  #seen: {
    readonly version: bigint;
    holders?: readonly Address[];
    vacancies?: readonly LedgerVacancy[];
    unplaced?: readonly LedgerVacancy[];
  } = { version: -1n };

  constructor(state: State) {
    this.#state = state;
  }

  dataset(datasetId: Hex): LedgerDataset | undefined {
    const row = this.#state.get("SELECT * FROM ledger_datasets WHERE dataset_id = ?", datasetId);
    if (row === undefined) return undefined;
    return {
      datasetId,
      owner: row.owner as Address,
      manifestDigest: row.manifest_digest as Hex,
      manifestHash: row.manifest_hash as Hex,
      k: Number(row.k),
      n: Number(row.n),
    };
  }

  holdings(): LedgerHolding[] {
    return this.#state.all(`${latest} AND e.kind = 'placed'`).map(toHolding);
  }

  /** Takes time by what the operator ever held, not by what all do. */
  holdingsOf(operator: Address): LedgerHolding[] {
    return this.#state.all(`${placed} AND LOWER(operator) = ?`, operator.toLowerCase()).map(toHolding);
  }

  /** Takes time by what happened to the dataset's bundles, not to all. */
  holdersOf(datasetId: Hex): LedgerHolding[] {
    return this.#state.all(`${placed} AND dataset_id = ?`, datasetId).map(toHolding);
  }

  /**
   * Who holds which of a dataset's bundles `first` to `first + count - 1`. Takes time by what happened to those.
   * @param first index in the dataset
   */
  holdersIn(datasetId: Hex, first: number, count: number): LedgerHolding[] {
    return this.#state
      .all(
        `${placed} AND dataset_id = ? AND bundle_index >= ? AND bundle_index < ?`,
        datasetId,
        first,
        first + count,
      )
      .map(toHolding);
  }

  /** Who holds a bundle; undefined when nobody does. */
  holderOf(id: Hex): Address | undefined {
    return this.#state.get(`${placed} AND bundle_id = ?`, id)?.operator as Address | undefined;
  }

  /** Another number whenever something has happened to a bundle since. */
  get version(): bigint {
    return this.#state.get("SELECT version FROM ledger_bundles_version")!.version as bigint;
  }

  /** Operators that hold a bundle, each once. */
  holders(): readonly Address[] {
    const seen = this.#present();
    seen.holders ??= this.#state
      .all(`SELECT DISTINCT operator FROM (${latest} AND e.kind = 'placed')`)
      .map(({ operator }) => operator as Address);
    return seen.holders;
  }

  /** Operators that committed to a secret in a round of the beacon. */
  committers(session: bigint, round: number): Address[] {
    const rows = this.#state.all(
      "SELECT operator FROM ledger_commitments WHERE session = ? AND round = ? ORDER BY operator",
      session.toString(),
      round,
    );
    return rows.map(({ operator }) => operator as Address);
  }

  /** Sessions of the beacon to which an operator ever committed, oldest first. */
  sessionsOf(operator: Address): bigint[] {
    const rows = this.#state.all(
      "SELECT DISTINCT session FROM ledger_commitments WHERE operator = ? ORDER BY CAST(session AS INTEGER)",
      operator,
    );
    return rows.map(({ session }) => BigInt(session as string));
  }

  /** The bundles of a cover, in the order of its registration. */
  coverBundles(coverId: Hex): Hex[] | undefined {
    const row = this.#state.get("SELECT bundle_ids FROM ledger_covers WHERE cover_id = ?", coverId);
    return row === undefined ? undefined : ((row.bundle_ids as string).split(",") as Hex[]);
  }

  /**
   * Retrieval challenges that are open against an operator, soonest deadline first.
   * @param asOwner those that ask it as the owner of a dataset; those that ask it as a holder by default
   */
  openRetrievals(operator: Address, asOwner = false): LedgerRetrieval[] {
    const rows = this.#state.all(
      `SELECT * FROM ledger_retrievals WHERE is_over = 0 AND operator = ? AND is_owners = ?
       ORDER BY deadline, CAST(challenge_id AS INTEGER)`,
      operator.toLowerCase(),
      asOwner ? 1 : 0,
    );
    return rows.map(toRetrieval);
  }

  /**
   * Open retrieval challenges whose deadline has passed at a chain time, against those that hold the bundle still, soonest
   * deadline first.
   */
  lateRetrievals(now: bigint): LedgerRetrieval[] {
    const rows = this.#state.all(
      `SELECT * FROM ledger_retrievals r WHERE is_over = 0 AND is_owners = 0 AND deadline < ? AND operator = (
         SELECT CASE kind WHEN 'placed' THEN LOWER(e.operator) END FROM ledger_bundle_events e
         WHERE e.bundle_id = r.bundle_id
         ORDER BY e.block_number DESC, e.log_index DESC, e.rowid DESC LIMIT 1)
       ORDER BY deadline, CAST(challenge_id AS INTEGER)`,
      now,
    );
    return rows.map(toRetrieval);
  }

  /** Open retrieval challenges of a bundle, against whoever held it, soonest deadline first. */
  retrievalsOf(bundleId: Hex): LedgerRetrieval[] {
    const rows = this.#state.all(
      `SELECT * FROM ledger_retrievals WHERE bundle_id = ? AND is_over = 0 AND is_owners = 0
       ORDER BY deadline, CAST(challenge_id AS INTEGER)`,
      bundleId,
    );
    return rows.map(toRetrieval);
  }

  /** The same list as before, unless something has happened to a bundle. */
  vacancies(): readonly LedgerVacancy[] {
    const seen = this.#present();
    seen.vacancies ??= this.#state.all(`${latest} AND e.kind = 'vacated'`).map(toHolding);
    return seen.vacancies;
  }

  /** Bundles that nobody ever held, of segments that can be read; the same list as before, unless something has happened to a bundle. */
  unplaced(): readonly LedgerVacancy[] {
    const seen = this.#present();
    seen.unplaced ??= this.#readUnplaced();
    return seen.unplaced;
  }

  #readUnplaced(): LedgerVacancy[] {
    const segments = this.#state.all(
      `SELECT h.dataset_id, h.bundle_index / d.n AS segment, d.n
       FROM (${latest} AND e.kind = 'placed') h JOIN ledger_datasets d ON d.dataset_id = h.dataset_id
       GROUP BY h.dataset_id, segment HAVING COUNT(*) BETWEEN d.k AND d.n - 1`,
    );
    return segments.flatMap((row) => {
      const [datasetId, n] = [row.dataset_id as Hex, Number(row.n)];
      const all = Array.from({ length: n }, (_, shard) => Number(row.segment) * n + shard);
      return all
        .map((bundleIndex) => ({ bundleId: bundleId(datasetId, bundleIndex), datasetId, bundleIndex }))
        .filter(({ bundleId: id }) => !this.#hasEvents(id));
    });
  }

  #hasEvents(id: Hex): boolean {
    return (
      this.#state.get("SELECT 1 FROM ledger_bundle_events WHERE bundle_id = ? LIMIT 1", id) !== undefined
    );
  }

  #present() {
    const { version } = this;
    if (this.#seen.version !== version) this.#seen = { version };
    return this.#seen;
  }
}

function toRetrieval(row: Row): LedgerRetrieval {
  return {
    challengeId: BigInt(row.challenge_id as string),
    bundleId: row.bundle_id as Hex,
    operator: row.operator as Address,
    isOwners: Number(row.is_owners) === 1,
    cellIndex: Number(row.cell_index),
    deadline: BigInt(row.deadline as bigint),
  };
}

function toHolding(row: Row): LedgerHolding {
  return {
    bundleId: row.bundle_id as Hex,
    datasetId: row.dataset_id as Hex,
    bundleIndex: Number(row.bundle_index),
    operator: row.operator as Address,
    since: Number(row.since),
  };
}

import type { Address, Hex } from "viem";
import type { AssayEvent } from "../../chain/contracts.ts";
import type { EventHandler } from "../../chain/follower/follower.ts";
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
export type LedgerRetrieval = { challengeId: bigint; bundleId: Hex; cellIndex: number };

/** Takes the events of DatasetRegistry, BundleRegistry and RetrievalChallenges over into the ledger's tables. */
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
    if (event.contract !== "BundleRegistry") return;
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
      state.run(
        "DELETE FROM ledger_bundle_events WHERE block_hash = ? AND log_index = ?",
        event.blockHash,
        event.logIndex,
      );
    } else if (event.contract === "RetrievalChallenges") {
      returnRetrieval(event, state);
    }
  },
};

function takeRetrieval(event: AssayEvent, state: State): void {
  if (event.contract !== "RetrievalChallenges") return;
  if (event.eventName === "RetrievalChallenged") {
    const { challengeId, bundleId, operator, cellIndex } = event.args;
    state.run(
      `INSERT OR REPLACE INTO ledger_retrievals (challenge_id, bundle_id, operator, cell_index)
       VALUES (?, ?, ?, ?)`,
      String(challengeId),
      bundleId,
      operator.toLowerCase(),
      cellIndex,
    );
  } else if (endsRetrieval(event)) {
    setRetrievalOver(state, event.args.challengeId, 1);
  }
}

function returnRetrieval(event: AssayEvent, state: State): void {
  if (event.contract !== "RetrievalChallenges") return;
  if (event.eventName === "RetrievalChallenged") {
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

/** What the chain said last about datasets and bundles, as far as the follower has come. */
export class Ledger {
  readonly #state: State;

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

  holdingsOf(operator: Address): LedgerHolding[] {
    return this.holdings().filter((holding) => holding.operator.toLowerCase() === operator.toLowerCase());
  }

  holdersOf(datasetId: Hex): LedgerHolding[] {
    return this.holdings().filter((holding) => holding.datasetId === datasetId);
  }

  /** The bundles of a cover, in the order of its registration. */
  coverBundles(coverId: Hex): Hex[] | undefined {
    const row = this.#state.get("SELECT bundle_ids FROM ledger_covers WHERE cover_id = ?", coverId);
    return row === undefined ? undefined : ((row.bundle_ids as string).split(",") as Hex[]);
  }

  /** Retrieval challenges that are open against an operator. */
  openRetrievals(operator: Address): LedgerRetrieval[] {
    const rows = this.#state.all(
      "SELECT * FROM ledger_retrievals WHERE is_over = 0 AND operator = ? ORDER BY CAST(challenge_id AS INTEGER)",
      operator.toLowerCase(),
    );
    return rows.map((row) => ({
      challengeId: BigInt(row.challenge_id as string),
      bundleId: row.bundle_id as Hex,
      cellIndex: Number(row.cell_index),
    }));
  }

  vacancies(): LedgerVacancy[] {
    return this.#state.all(`${latest} AND e.kind = 'vacated'`).map(toHolding);
  }
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

import { type Address, getAddress, type Hex } from "viem";
import type { Row, State } from "../../storage/state/state.ts";

/** Totals that providers have countersigned to this worker. */
export const bookSchema = {
  name: "worker",
  migrations: [
    `CREATE TABLE worker_totals (
       rewards TEXT NOT NULL,
       job_id TEXT NOT NULL,
       provider TEXT NOT NULL,
       address TEXT NOT NULL,
       total TEXT NOT NULL,
       signature TEXT NOT NULL,
       settled INTEGER NOT NULL DEFAULT 0 CHECK (settled IN (0, 1)),
       PRIMARY KEY (rewards, job_id, provider)
     ) STRICT;`,
  ],
} as const;

/** Of one job of one provider. */
export type PayName = { readonly rewards: Address; readonly jobId: bigint; readonly provider: Address };
export type SignedTotal = PayName & {
  readonly total: bigint;
  readonly signature: Hex;
  /** Multiaddr at which the provider was joined. */
  readonly address: string;
};

/** The last countersigned total of every job: what a worker can prove when it is left out. On disk before the next chunk. */
export class WorkerBook {
  readonly #state: State;

  constructor(state: State) {
    this.#state = state;
  }

  find({ rewards, jobId, provider }: PayName): SignedTotal | undefined {
    const row = this.#state.get(
      "SELECT * FROM worker_totals WHERE rewards = ? AND job_id = ? AND provider = ?",
      getAddress(rewards),
      String(jobId),
      getAddress(provider),
    );
    return row === undefined ? undefined : toTotal(row);
  }

  /** Keeps a total, unless it is below the one that is there. What it is more by is due, whatever became of what was due before. */
  write(signed: SignedTotal): void {
    const known = this.find(signed);
    if (known !== undefined && known.total >= signed.total) return;
    const { rewards, jobId, provider, address, total, signature } = signed;
    this.#state.run(
      `INSERT INTO worker_totals (rewards, job_id, provider, address, total, signature) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET address = excluded.address, total = excluded.total, signature = excluded.signature,
         settled = 0`,
      getAddress(rewards),
      String(jobId),
      getAddress(provider),
      address,
      String(total),
      signature,
    );
  }

  /** Jobs of which something may still be due. */
  unsettled(): SignedTotal[] {
    return this.#state.all("SELECT * FROM worker_totals WHERE settled = 0 ORDER BY rowid").map(toTotal);
  }

  settle({ rewards, jobId, provider }: PayName): void {
    this.#state.run(
      "UPDATE worker_totals SET settled = 1 WHERE rewards = ? AND job_id = ? AND provider = ?",
      getAddress(rewards),
      String(jobId),
      getAddress(provider),
    );
  }
}

function toTotal(row: Row): SignedTotal {
  return {
    rewards: row.rewards as Address,
    jobId: BigInt(row.job_id as string),
    provider: row.provider as Address,
    address: row.address as string,
    total: BigInt(row.total as string),
    signature: row.signature as Hex,
  };
}

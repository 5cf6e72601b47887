import type { Address, Hex } from "viem";
import type { AssayEvent, ContractEvent } from "../../chain/contracts.ts";
import type { EventHandler } from "../../chain/follower/follower.ts";
import type { BlsKey } from "../../core/attestation/bls.ts";
import type { Row, State } from "../../storage/state/state.ts";
import { readArguments, writeArguments } from "../jobs/event-json.ts";

/** Every event of committees and validators, one row each, so that a reorganisation takes rows back. */
export const committeeSchema = {
  name: "committees",
  migrations: [
    `CREATE TABLE committee_events (
       block_number INTEGER NOT NULL,
       log_index INTEGER NOT NULL,
       block_hash TEXT NOT NULL,
       name TEXT NOT NULL,
       job_id TEXT,
       attempt TEXT,
       validator TEXT,
       transaction_hash TEXT NOT NULL,
       arguments TEXT NOT NULL,
       PRIMARY KEY (block_hash, log_index)
     ) STRICT;
     CREATE INDEX committee_events_by_job ON committee_events (job_id, attempt, name);
     CREATE INDEX committee_events_by_validator ON committee_events (validator, name);
     CREATE INDEX committee_events_by_name ON committee_events (name);`,
  ],
} as const;

/** Contracts whose events the ledger takes over. */
export const committeeContracts = ["Committee", "ValidatorSet"] as const;

type CommitteeEvent = Extract<AssayEvent, { contract: (typeof committeeContracts)[number] }>;
type EventFields = { readonly jobId?: bigint; readonly attempt?: bigint; readonly id?: bigint };
type Arguments<E extends CommitteeEvent["eventName"]> = Extract<
  ContractEvent<"Committee"> | ContractEvent<"ValidatorSet">,
  { eventName: E }
>["args"];

/** Takes the events of committees and validators over. */
export const committeeHandler: EventHandler = {
  applied(event: AssayEvent, state: State): void {
    if (!isFollowed(event)) return;
    const { jobId, attempt, id } = event.args as EventFields;
    state.run(
      `INSERT OR REPLACE INTO committee_events
         (block_number, log_index, block_hash, name, job_id, attempt, validator, transaction_hash, arguments)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      event.blockNumber,
      event.logIndex,
      event.blockHash,
      event.eventName,
      textOf(jobId),
      textOf(attempt),
      textOf(id),
      event.transactionHash,
      writeArguments(event.args),
    );
  },
  removed(event: AssayEvent, state: State): void {
    if (!isFollowed(event)) return;
    state.run(
      "DELETE FROM committee_events WHERE block_hash = ? AND log_index = ?",
      event.blockHash,
      event.logIndex,
    );
  },
};

/** Who was drawn for a job, in which order, by which seed. */
export type DrawEvent = Arguments<"CommitteeDrawn">;

const inOrder = "ORDER BY block_number, log_index";

/** What the chain said about committees and validators, as far as the follower has come. */
export class CommitteeLedger {
  readonly #state: State;
  /** Enrolments as of the newest one: every look at a draw asks for them. */
  #enrolled: { readonly newest: string; readonly events: readonly Arguments<"Enrolled">[] } | undefined;

  constructor(state: State) {
    this.#state = state;
  }

  /** The validators that ever enrolled, by id. */
  enrolled(): readonly Arguments<"Enrolled">[] {
    // Rows come and go at the end alone, in the order of blocks: the last one says which all of them are.
    const last = this.#state.get(
      "SELECT rowid, block_hash FROM committee_events WHERE name = 'Enrolled' ORDER BY rowid DESC LIMIT 1",
    );
    const newest = `${last?.rowid}:${last?.block_hash}`;
    if (this.#enrolled?.newest !== newest)
      this.#enrolled = { newest, events: this.#read<"Enrolled">("name = 'Enrolled'") };
    return this.#enrolled.events;
  }

  /**
   * The validators of the next draw: of whom some weight counts. Who resigned, or was slashed to nothing, is none of them.
   */
  present(): readonly Arguments<"Enrolled">[] {
    const weights = new Map(this.#lastOf("WeightSet").map(({ id, weight }) => [id, weight]));
    return this.enrolled().filter(({ id }) => (weights.get(id) ?? 0n) > 0n);
  }

  /** Ids of the validators without weight that were not released since: they have a place, and nothing else. */
  outgoing(): bigint[] {
    return this.#lastOf("WeightSet", "Released").flatMap(({ id, weight }) => (weight === 0n ? [id] : []));
  }

  /** Whether a validator leaves by its own will. */
  hasResigned(id: bigint): boolean {
    return this.#read<"Resigned">("name = 'Resigned' AND validator = ?", String(id)).length !== 0;
  }

  /** Ids under which an operator ever enrolled. */
  idsOf(operator: Address): bigint[] {
    return this.enrolled().flatMap((each) => (each.operator === operator ? [each.id] : []));
  }

  /** Both halves of a validator's key. */
  keyOf(id: bigint): BlsKey | undefined {
    return this.#read<"Enrolled">("name = 'Enrolled' AND validator = ?", String(id))[0]?.key;
  }

  drawOf(jobId: bigint, attempt: bigint): DrawEvent | undefined {
    return this.#ofDraw<"CommitteeDrawn">("CommitteeDrawn", jobId, attempt)[0];
  }

  /** All draws of a job, oldest first. */
  drawsOf(jobId: bigint): DrawEvent[] {
    return this.#read<"CommitteeDrawn">("name = 'CommitteeDrawn' AND job_id = ?", String(jobId));
  }

  /** All draws in which a validator was a member, oldest first. */
  drawsWith(id: bigint): DrawEvent[] {
    return this.#read<"CommitteeDrawn">("name = 'CommitteeDrawn'").filter(({ members }) =>
      members.includes(id),
    );
  }

  /** Whether the members of a draw are on duty no longer. */
  isDismissed(jobId: bigint, attempt: bigint): boolean {
    return this.#ofDraw<"CommitteeDismissed">("CommitteeDismissed", jobId, attempt).length !== 0;
  }

  /** Whether a draw of a job is not on any more: it has attested or failed, or the job waits for no committee. */
  isOver(jobId: bigint, attempt: bigint): boolean {
    const row = this.#state.get(
      `SELECT 1 FROM committee_events WHERE job_id = ? AND (name IN ('CommitteeSilent', 'CommitteeClosed')
         OR (attempt = ? AND name IN ('CommitteeAttested', 'AttemptFailed')))`,
      String(jobId),
      String(attempt),
    );
    return row !== undefined;
  }

  /** Draws whose members are still on duty, oldest first. */
  undismissed(): DrawEvent[] {
    return this.#read<"CommitteeDrawn">(
      `name = 'CommitteeDrawn' AND NOT EXISTS (
         SELECT 1 FROM committee_events o WHERE o.name = 'CommitteeDismissed'
           AND o.job_id = committee_events.job_id AND o.attempt = committee_events.attempt)`,
    );
  }

  /** The transaction in which the members' signatures were posted. */
  attestedIn(jobId: bigint, attempt: bigint): Hex | undefined {
    const row = this.#state.get(
      `SELECT transaction_hash FROM committee_events
       WHERE name = 'RootSigned' AND job_id = ? AND attempt = ? ${inOrder}`,
      String(jobId),
      String(attempt),
    );
    return row?.transaction_hash as Hex | undefined;
  }

  /** What the members have signed, and who of them; undefined before they have. */
  signed(jobId: bigint, attempt: bigint): Arguments<"RootSigned"> | undefined {
    return this.#ofDraw<"RootSigned">("RootSigned", jobId, attempt)[0];
  }

  /** Mask of the members that have signed; none before they have. */
  signersOf(jobId: bigint, attempt: bigint): bigint {
    return this.signed(jobId, attempt)?.signers ?? 0n;
  }

  /** The root that the members have signed; undefined before they have. */
  signedRoot(jobId: bigint, attempt: bigint): Hex | undefined {
    return this.signed(jobId, attempt)?.root;
  }

  /** Hashes of the witnesses that were opened, in the order of the leaves under the signed root. */
  openedHashes(jobId: bigint, attempt: bigint): Hex[] {
    const events = this.#ofDraw<"WitnessesOpened">("WitnessesOpened", jobId, attempt);
    return events.flatMap(({ witnessHashes }) => witnessHashes);
  }

  /** Digests that were revealed to differ from what was opened; undefined before the reveal. */
  differences(jobId: bigint, attempt: bigint): Arguments<"DigestsRevealed">["differences"] | undefined {
    return this.#ofDraw<"DigestsRevealed">("DigestsRevealed", jobId, attempt)[0]?.differences;
  }

  /** The last of these events of each validator; one that sets no weight has none. */
  #lastOf(...names: ("WeightSet" | "Released")[]): { id: bigint; weight?: bigint }[] {
    const rows = this.#state.all(
      `SELECT arguments FROM (
         SELECT arguments,
           ROW_NUMBER() OVER (PARTITION BY validator ORDER BY block_number DESC, log_index DESC) AS place
         FROM committee_events WHERE name IN (${names.map(() => "?").join(", ")}))
       WHERE place = 1`,
      ...names,
    );
    return rows.map((row) => readArguments<{ id: bigint; weight?: bigint }>(row.arguments as string));
  }

  #ofDraw<E extends CommitteeEvent["eventName"]>(name: E, jobId: bigint, attempt: bigint): Arguments<E>[] {
    return this.#read<E>("name = ? AND job_id = ? AND attempt = ?", name, String(jobId), String(attempt));
  }

  #read<E extends CommitteeEvent["eventName"]>(where: string, ...values: string[]): Arguments<E>[] {
    return this.#state
      .all(`SELECT arguments FROM committee_events WHERE ${where} ${inOrder}`, ...values)
      .map((row: Row) => readArguments<Arguments<E>>(row.arguments as string));
  }
}

function isFollowed(event: AssayEvent): event is CommitteeEvent {
  return (committeeContracts as readonly string[]).includes(event.contract);
}

function textOf(value: bigint | undefined): string | null {
  return value === undefined ? null : String(value);
}

import type { Address, Hex } from "viem";
import type { AssayEvent } from "../../chain/contracts.ts";
import type { Row, State } from "../../storage/state/state.ts";

type OrderPosted = Extract<AssayEvent, { contract: "Market"; eventName: "OrderPosted" }>;

/**
 * What is asked of posted orders at every look, a short row each: anybody may post any number of them, and what it takes to
 * compile one is 24 KiB.
 */
export const postedOrdersMigration = `
  CREATE TABLE posted_orders (
    block_number INTEGER NOT NULL,
    log_index INTEGER NOT NULL,
    block_hash TEXT NOT NULL,
    order_hash TEXT NOT NULL,
    consumer TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    is_signed INTEGER NOT NULL,
    PRIMARY KEY (block_hash, log_index)
  ) STRICT;
  CREATE INDEX posted_orders_by_hash ON posted_orders (order_hash, is_signed);
  CREATE INDEX posted_orders_by_consumer ON posted_orders (consumer, expires_at);
  INSERT INTO posted_orders
    SELECT block_number, log_index, block_hash, order_hash, account,
           CAST(rtrim(json_extract(arguments, '$.order.expiry'), 'n') AS INTEGER),
           json_extract(arguments, '$.signature') <> '0x'
    FROM job_events WHERE name = 'Market.OrderPosted';`;

/** Greatest whole number of the database: what expires later never does. */
const never = 2n ** 63n - 1n;

/** Orders of which nothing has come yet, each once. */
const waiting = `expires_at >= ?
  AND NOT EXISTS (SELECT 1 FROM posted_orders f WHERE f.order_hash = o.order_hash AND f.rowid < o.rowid)
  AND NOT EXISTS (SELECT 1 FROM job_events e WHERE e.order_hash = o.order_hash AND e.name = 'JobRegistry.JobOpened')`;

export function addPosted({ args, blockNumber, blockHash, logIndex }: OrderPosted, state: State): void {
  const { expiry } = args.order;
  state.run(
    `INSERT OR REPLACE INTO posted_orders
       (block_number, log_index, block_hash, order_hash, consumer, expires_at, is_signed)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
    ...[blockNumber, logIndex, blockHash, args.orderHash, args.consumer],
    ...[expiry < never ? expiry : never, args.signature === "0x" ? 0 : 1],
  );
}

export function removePosted({ blockHash, logIndex }: OrderPosted, state: State): void {
  state.run("DELETE FROM posted_orders WHERE block_hash = ? AND log_index = ?", blockHash, logIndex);
}

/** Arguments of the event with which an order was posted: of one that others can take it with, where there is any. */
export function postedArguments(state: State, orderHash: Hex): Row | undefined {
  return state.get(
    `SELECT arguments FROM posted_orders o JOIN job_events e USING (block_hash, log_index)
     WHERE o.order_hash = ? ORDER BY is_signed DESC, o.rowid LIMIT 1`,
    orderHash,
  );
}

/** Hashes of a consumer's orders that belong to no job yet and are good at `now`, oldest first. */
export function ordersOf(state: State, consumer: Address, now: bigint): Hex[] {
  const rows = state.all(
    `SELECT order_hash FROM posted_orders o WHERE consumer = ? AND ${waiting} ORDER BY rowid`,
    consumer,
    now,
  );
  return rows.map((row) => row.order_hash as Hex);
}

/** Orders that one look takes: half of them the newest, half in turn. */
export const ordersAtOnce = 64;

/**
 * Orders that belong to no job yet, some at each look. However many are posted, a look stays as short as it is; the newest are
 * seen at once, and every other one when its turn comes.
 */
export class OrderRounds {
  readonly #state: State;
  /** Row up to which the present round has come. */
  #last = 0n;

  constructor(state: State) {
    this.#state = state;
  }

  /** Hashes of orders that are good at `now`: all of them where they are no more than half of a look, none twice. */
  next(now: bigint): Hex[] {
    const select = `SELECT rowid, order_hash FROM posted_orders o WHERE`;
    const half = ordersAtOnce / 2;
    const newest = this.#state.all(`${select} ${waiting} ORDER BY rowid DESC LIMIT ?`, now, half);
    const turn = this.#state.all(
      `${select} rowid > ? AND ${waiting} ORDER BY rowid LIMIT ?`,
      ...[this.#last, now, half],
    );
    this.#last = turn.length < half ? 0n : (turn.at(-1)!.rowid as bigint);
    return [...new Set([...newest, ...turn].map((row) => row.order_hash as Hex))];
  }
}

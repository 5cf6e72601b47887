import type { Hex } from "viem";
import {
  freeNonce,
  type Inclusion,
  type IntentRecord,
  nextMove,
  type Sight,
} from "../../../keepers/src/chain/transactions/machine.ts";

/** A transaction of the account, whoever signed it. */
type ModelTransaction = { id: Hex; intent: number; nonce: number; cancels: boolean };
type ModelBlock = { id: Hex; transaction?: ModelTransaction; isReverted: boolean };
type ModelIntent = {
  nonce: number;
  status: "pending" | "mined" | "failed";
  hash: Hex | undefined;
  blockHash: Hex | undefined;
  isFinal: boolean;
  isUnwanted: boolean;
  attempts: (ModelTransaction & { isSent: boolean })[];
};

/** Whose transaction it is when no intent's: another program's of the same account. */
const stranger = -1;

export type ModelBounds = {
  intents: number;
  finality: number;
  confirmations: number;
  /** Transactions that may be signed for one intent. */
  attempts: number;
  blocks: number;
};

/** What one look at the chain is told by the endpoints, beside what is so. */
export type Weather = {
  /** No quorum has any receipt. */
  hidesReceipts: boolean;
  /** The count of transactions is that of the block before. */
  isBehind: boolean;
  /** Every transaction that waits is stuck. */
  isStuck: boolean;
  /** A quorum says that calls would fail. */
  wouldFail: boolean;
};

/**
 * The queue's machine beside a chain that takes whatever it likes of all that was ever signed, and takes back every block
 * that is not final. It has no endpoints: what these may do is in the `Weather`.
 */
export class QueueModel {
  bounds: ModelBounds;
  chain: ModelBlock[] = [];
  intents: ModelIntent[] = [];
  signed: ModelTransaction[] = [];
  /** Blocks that nothing takes back any more. */
  final = 0;
  #ids = 0;

  constructor(bounds: ModelBounds) {
    this.bounds = bounds;
  }

  copy(): QueueModel {
    const copy = new QueueModel(this.bounds);
    copy.chain = this.chain.map((block) => ({ ...block }));
    copy.intents = this.intents.map((intent) => ({
      ...intent,
      attempts: intent.attempts.map((attempt) => ({ ...attempt })),
    }));
    copy.signed = [...this.signed];
    copy.final = this.final;
    copy.#ids = this.#ids;
    return copy;
  }

  /** Names a state up to the ids of transactions and blocks. */
  get name(): string {
    const names = new Map<Hex, number>();
    const nameOf = (id: Hex | undefined) => {
      if (id === undefined) return "-";
      if (!names.has(id)) names.set(id, names.size);
      return names.get(id);
    };
    const chain = this.chain.map((block) => [
      nameOf(block.id),
      nameOf(block.transaction?.id),
      block.isReverted,
    ]);
    const intents = this.intents.map((each) => [
      each.nonce,
      each.status,
      nameOf(each.hash),
      nameOf(each.blockHash),
      each.isFinal,
      each.isUnwanted,
      each.attempts.map(({ id, nonce, cancels, isSent }) => [nameOf(id), nonce, cancels, isSent]),
    ]);
    const signed = this.signed.map(({ id, intent, nonce }) => [nameOf(id), intent, nonce]);
    return JSON.stringify([chain, intents, signed, this.final]);
  }

  get counted(): number {
    return this.chain.filter(({ transaction }) => transaction !== undefined).length;
  }

  /** Blocks of the present chain in which an intent has taken effect. */
  effects(intent: number): number {
    return this.chain.filter(
      ({ transaction, isReverted }) => transaction?.intent === intent && !transaction.cancels && !isReverted,
    ).length;
  }

  /** What the chain may include next. */
  get candidates(): ModelTransaction[] {
    return this.signed.filter(({ nonce }) => nonce === this.counted);
  }

  mine(transaction: ModelTransaction | undefined, isReverted = false): void {
    this.chain.push({ id: this.#id(), transaction, isReverted });
    this.final = Math.max(this.final, this.chain.length - this.bounds.finality + 1);
  }

  /** The most blocks that can be taken back. */
  get reach(): number {
    return this.chain.length - this.final;
  }

  reorganise(depth: number): void {
    this.chain.length -= depth;
  }

  signElsewhere(): void {
    this.signed.push({ id: this.#id(), intent: stranger, nonce: this.counted, cancels: false });
  }

  submit(): void {
    this.intents.push(this.#new());
  }

  /** A failed intent is asked for again, as soon as the queue takes it. */
  retry(intent: number): void {
    if (this.intents[intent]!.status === "failed" && this.intents[intent]!.isFinal)
      this.intents[intent] = this.#new();
  }

  refuse(intent: number): void {
    this.intents[intent]!.isUnwanted = true;
  }

  /** The process is killed and started again: it has sent nothing that it knows of. */
  restart(): void {
    for (const attempt of this.intents.flatMap(({ attempts }) => attempts)) attempt.isSent = false;
  }

  look(weather: Weather): void {
    this.intents.forEach((intent, index) => {
      if (!intent.isFinal) this.#advance(intent, index, weather);
    });
  }

  #advance(intent: ModelIntent, index: number, weather: Weather): void {
    let user: Sight["user"];
    for (;;) {
      const counted = Math.max(0, this.counted - (weather.isBehind ? 1 : 0));
      const sight = { counted, inclusion: this.#inclusion(intent, weather), user };
      const record: IntentRecord = {
        ...intent,
        isFiller: false,
        attempts: intent.attempts.map((each) => ({ ...each, hash: each.id, isStuck: weather.isStuck })),
      };
      const move = nextMove(record, sight, this.bounds);
      switch (move.kind) {
        case "locate":
          user = this.#userOf(intent, index);
          if (user === undefined) return;
          continue;
        case "reopen":
          Object.assign(intent, { status: "pending", hash: undefined, blockHash: undefined });
          for (const attempt of intent.attempts) attempt.isSent = false;
          continue;
        case "settle": {
          const { hash, blockHash } = sight.inclusion!;
          Object.assign(intent, { status: move.status, isFinal: move.isFinal, hash, blockHash });
          return;
        }
        case "renumber":
          intent.nonce = this.#freeNonce();
          this.#sign(intent, index, false);
          return;
        case "sign":
          this.#sign(
            intent,
            index,
            move.purpose === "cancel" || (move.purpose === "either" && weather.wouldFail),
          );
          return;
        case "broadcast":
          intent.attempts.find(({ id }) => id === move.hash)!.isSent = true;
          return;
        default:
          return;
      }
    }
  }

  #inclusion(intent: ModelIntent, weather: Weather): Inclusion | undefined {
    const { hidesReceipts } = weather;
    const place = this.chain.findIndex(({ id, transaction }) =>
      intent.status === "pending"
        ? transaction !== undefined && intent.attempts.some((each) => each.id === transaction.id)
        : id === intent.blockHash,
    );
    // What is on record needs no receipt, only its block's hash.
    if (intent.status === "pending" && hidesReceipts) return undefined;
    if (place < 0) {
      if (intent.status === "pending") return undefined;
      return this.#inclusion({ ...intent, status: "pending" }, weather);
    }
    const { id, transaction, isReverted } = this.chain[place]!;
    const depth = BigInt(this.chain.length - place);
    return { hash: transaction!.id, blockHash: id, outcome: isReverted ? "reverted" : "succeeded", depth };
  }

  #userOf(intent: ModelIntent, index: number): Sight["user"] {
    const settled = this.chain.slice(0, Math.max(0, this.chain.length - this.bounds.finality + 1));
    for (const nonce of new Set([intent.nonce, ...intent.attempts.map((each) => each.nonce)])) {
      const user = settled.find(({ transaction }) => transaction?.nonce === nonce)?.transaction;
      if (user === undefined) return undefined;
      if (user.intent === index && intent.attempts.some(({ id }) => id === user.id)) return "own";
    }
    return "other";
  }

  #new(): ModelIntent {
    return {
      nonce: this.#freeNonce(),
      status: "pending",
      hash: undefined,
      blockHash: undefined,
      isFinal: false,
      isUnwanted: false,
      attempts: [],
    };
  }

  #freeNonce(): number {
    const held = this.intents.filter(({ isFinal }) => !isFinal).map(({ nonce }) => nonce);
    return freeNonce(this.counted, this.counted, held);
  }

  #sign(intent: ModelIntent, index: number, cancels: boolean): void {
    if (intent.attempts.length >= this.bounds.attempts) return;
    const transaction = { id: this.#id(), intent: index, nonce: intent.nonce, cancels };
    this.signed.push(transaction);
    intent.attempts.unshift({ ...transaction, isSent: true });
  }

  #id(): Hex {
    return `0x${(++this.#ids).toString(16).padStart(64, "0")}`;
  }
}

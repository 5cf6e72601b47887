import { z } from "zod";
import { BadInputError } from "../../core/errors.ts";
import { type DutyContext, tryCall } from "./context.ts";
import { reorganisable, seedAge } from "./seed-age.ts";

/** A relay's answer for one round. Everything in it is checked by the contract; here only the form. */
const roundSchema = z.object({
  round: z.int().positive(),
  signature: z.string().regex(/^[0-9a-f]{128}$/),
});

const maximumBytes = 4096;

export type DrandRelayParts = DutyContext & {
  /** Base URLs of drand relays of the evmnet chain, up to and with the chain hash. */
  relays: readonly string[];
};

/** A request that is looked at again, from that chain second on. */
type Waiting = { round: bigint; lookAt: bigint };

/** Requests that are read side by side. */
const page = 32;

/**
 * Carries drand rounds that requests wait for from public relays to the contract, which verifies them. Anybody can have
 * requests made, and a redraw keeps a request's number: so every request is carried whose seed may be of use to somebody,
 * however many came later.
 */
export class DrandRelay {
  readonly #parts: DrandRelayParts;
  /** Requests that have no seed yet, or one that a reorganisation may take back. */
  readonly #waiting = new Map<bigint, Waiting>();
  /** The newest request that was seen. */
  #seen: bigint | undefined;

  constructor(parts: DrandRelayParts) {
    this.#parts = parts;
  }

  /** Submits the rounds of requests that have no seed yet and whose time has come, oldest round first. */
  async tick(now: bigint): Promise<void> {
    await this.#look(now);
    const due = [...this.#waiting].filter(([, { lookAt }]) => lookAt <= now);
    due.sort(([, a], [, b]) => Number(a.round - b.round));
    for (const [request] of due) await this.#serve(request, now);
  }

  /** Takes down requests that are new; the first time, all that are young enough. */
  async #look(now: bigint): Promise<void> {
    const { contracts } = this.#parts;
    const count = await contracts.DrandBeacon.read.requestCount();
    if (this.#seen === undefined) {
      const oldest = now - (await seedAge(contracts));
      let isYoung = true;
      for (let last = count; last > 0n && isYoung; last -= BigInt(page)) {
        const first = last > BigInt(page) ? last - BigInt(page) + 1n : 1n;
        // Requests before one that is old are older.
        isYoung = (await this.#read(first, last, now)).every((time) => time >= oldest);
      }
    } else {
      // A reorganisation may have taken some back.
      for (const request of this.#waiting.keys()) if (request > count) this.#waiting.delete(request);
      for (let first = this.#seen + 1n; first <= count; first += BigInt(page)) {
        const last = first + BigInt(page) - 1n;
        await this.#read(first, last < count ? last : count, now);
      }
    }
    this.#seen = count;
  }

  /** Takes some requests down; gives times before which they were made. */
  #read(first: bigint, last: bigint, now: bigint): Promise<bigint[]> {
    const requests = Array.from({ length: Number(last - first) + 1 }, (_, i) => first + BigInt(i));
    return Promise.all(requests.map((request) => this.#readOne(request, now)));
  }

  /** Takes a request down as it stands; gives a time before which it was made. */
  async #readOne(request: bigint, now: bigint): Promise<bigint> {
    const { DrandBeacon } = this.#parts.contracts;
    const { round, readyAt } = await DrandBeacon.read.requestOf([request]);
    const lookAt = readyAt === 0n ? await DrandBeacon.read.timeOf([round]) : readyAt + reorganisable;
    if (readyAt !== 0n && lookAt <= now) this.#waiting.delete(request);
    else this.#waiting.set(request, { round, lookAt });
    return readyAt === 0n ? lookAt : readyAt;
  }

  /** Carries a request's round, when it still waits for one that is due. */
  async #serve(request: bigint, now: bigint): Promise<void> {
    const { contracts, log } = this.#parts;
    await this.#readOne(request, now);
    const waiting = this.#waiting.get(request);
    if (waiting === undefined || waiting.lookAt > now) return;
    const { round } = waiting;
    if (waiting.lookAt < now - (await seedAge(contracts))) {
      this.#waiting.delete(request);
      return;
    }
    try {
      await this.#carry(request, round);
    } catch (error) {
      log.warn({ round, reason: (error as Error).message }, "no relay gave the drand round");
    }
  }

  /** Asks one relay after the other, until one gives a round that the contract takes. */
  async #carry(request: bigint, round: bigint): Promise<void> {
    const { relays, contracts } = this.#parts;
    let last: unknown;
    for (const relay of relays) {
      try {
        const signature = await fetchRound(relay, round);
        const key = `drand:${round}:${signature.slice(2, 18)}`;
        if (await tryCall(this.#parts, key, "DrandBeacon", "submitRound", [round, signature])) return;
        if ((await contracts.DrandBeacon.read.requestOf([request])).readyAt !== 0n) return;
        last = new BadInputError(`the contract did not take the round of ${relay}`);
      } catch (error) {
        last = error;
      }
    }
    throw (
      last ??
      new BadInputError("no drand relay is configured", {
        next: "set drandRelays in the keeper's configuration",
      })
    );
  }
}

async function fetchRound(relay: string, round: bigint): Promise<`0x${string}`> {
  const response = await fetch(`${relay}/public/${round}`, { signal: AbortSignal.timeout(10_000) });
  if (!response.ok) throw new BadInputError(`${relay} answered ${response.status}`);
  const answer = roundSchema.parse(JSON.parse(await readBounded(response)));
  if (BigInt(answer.round) !== round) throw new BadInputError(`${relay} gave another round`);
  return `0x${answer.signature}`;
}

async function readBounded(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    if (text.length > maximumBytes) throw new BadInputError("the relay's answer is too long");
  }
  return text;
}

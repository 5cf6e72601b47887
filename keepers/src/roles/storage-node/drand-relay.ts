import { z } from "zod";
import { BadInputError } from "../../core/errors.ts";
import { type DutyContext, tryCall } from "./context.ts";

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

/** Carries drand rounds that requests wait for from public relays to the contract, which verifies them. */
export class DrandRelay {
  readonly #parts: DrandRelayParts;

  constructor(parts: DrandRelayParts) {
    this.#parts = parts;
  }

  /** Submits the rounds of the latest requests that have no seed yet and whose time has come. */
  async tick(now: bigint): Promise<void> {
    const { contracts, log } = this.#parts;
    const beacon = contracts.DrandBeacon;
    const requests = await beacon.read.requestCount();
    for (let request = requests > 3n ? requests - 3n : 1n; request <= requests; request++) {
      const { round, readyAt } = await beacon.read.requestOf([request]);
      if (readyAt !== 0n || (await beacon.read.timeOf([round])) > now) continue;
      try {
        await this.#carry(request, round);
      } catch (error) {
        log.warn({ round, reason: (error as Error).message }, "no relay gave the drand round");
      }
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

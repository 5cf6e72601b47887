import type { Hex } from "viem";
import { chainTime, type DutyContext } from "./context.ts";
import type { Ledger } from "./ledger.ts";
import { RetrievalEnds } from "./retrieval-ends.ts";
import { turnOf } from "./turn.ts";

export type RetrievalWatcherParts = DutyContext & {
  readonly ledger: Pick<Ledger, "lateRetrievals" | "holders">;
  /** Chain seconds between the turns of two operators for work that one of them is enough for. */
  readonly stagger: bigint;
};

/**
 * Brings the retrieval challenges of others to an end when nothing is published: calls their timeouts and slashes who still says
 * nothing, for the share that a slash pays. What pays nobody is left to whom it concerns: who made a challenge has its bond
 * back by its end, a provider is paid for a result of which nothing is asked any more.
 */
export class RetrievalWatcher {
  readonly #parts: RetrievalWatcherParts;
  readonly #ends: RetrievalEnds;

  constructor(parts: RetrievalWatcherParts) {
    this.#parts = parts;
    this.#ends = new RetrievalEnds({ ...parts, closesVoid: false });
  }

  async tick(signal: AbortSignal): Promise<void> {
    const { client, ledger, operator, stagger } = this.#parts;
    const now = await chainTime(client);
    // Reporting oneself only costs.
    const late = ledger
      .lateRetrievals(now)
      .filter((retrieval) => retrieval.operator.toLowerCase() !== operator.toLowerCase());
    // One turn for all of a bundle: each looks at everybody who holds anything.
    const turns = new Map<Hex, bigint>();
    const after = (bundleId: Hex) => {
      const turn = turns.get(bundleId) ?? turnOf(this.#parts, `retrieval:${bundleId}`) * stagger;
      turns.set(bundleId, turn);
      return turn;
    };
    await this.#ends.tick(late, { now, after }, signal);
  }
}

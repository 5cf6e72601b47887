import { findCause, InconsistentAnswerError, RpcUnavailableError } from "../../chain/rpc/errors.ts";
import { chainTime, type DutyContext, type Reading } from "./context.ts";

type Chain = Pick<DutyContext, "agreed" | "client" | "contracts" | "log">;

/** What came of a look: what the endpoints agree on, that they contradict each other, or that too few of them answer. */
export type Agreement<T> =
  | { readonly kind: "agreed"; readonly value: T }
  | { readonly kind: "divided" | "silent" };

/**
 * What the endpoints agree on, with a warning where they do on nothing: then nothing that ends a duty may be concluded, and
 * whoever asks goes on and looks again later.
 *
 * @param what is looked at, for the log
 * @throws whatever else the look throws, a refusal that the endpoints agree on, say
 */
export async function agreementOn<T>(
  { agreed, log }: Pick<Chain, "agreed" | "log">,
  what: string,
  look: (chain: Reading) => Promise<T>,
): Promise<Agreement<T>> {
  try {
    return { kind: "agreed", value: await look(agreed) };
  } catch (error) {
    const isDivided = findCause(error, InconsistentAnswerError) !== undefined;
    if (!isDivided && findCause(error, RpcUnavailableError) === undefined) throw error;
    log.warn({ what, reason: (error as Error).message }, "the RPC endpoints do not agree: left as it is");
    return { kind: isDivided ? "divided" : "silent" };
  }
}

/** As {@link agreementOn}: what they agree on, or undefined. */
export async function agreedOn<T>(
  chain: Pick<Chain, "agreed" | "log">,
  what: string,
  look: (chain: Reading) => Promise<T>,
): Promise<T | undefined> {
  const agreement = await agreementOn(chain, what, look);
  return agreement.kind === "agreed" ? agreement.value : undefined;
}

/** The looks of one tick: once too few endpoints have answered one of them, none is made any more, and all share its outcome. */
export class SharedLooks {
  readonly #chain: Pick<Chain, "agreed" | "log">;
  #isSilent = false;

  constructor(chain: Pick<Chain, "agreed" | "log">) {
    this.#chain = chain;
  }

  /** As {@link agreementOn}. */
  async on<T>(what: string, look: (chain: Reading) => Promise<T>): Promise<Agreement<T>> {
    if (this.#isSilent) return { kind: "silent" };
    const agreement = await agreementOn(this.#chain, what, look);
    this.#isSilent = agreement.kind === "silent";
    return agreement;
  }
}

/** What the endpoints agree on, and where they do not what one of them says: for work that is looked at again and again. */
export async function agreedOrUsual<T>(
  chain: Chain,
  what: string,
  look: (chain: Reading) => Promise<NonNullable<T>>,
): Promise<{ readonly value: T; readonly isAgreed: boolean }> {
  // With one endpoint there is nobody else to ask.
  if (chain.agreed.contracts === chain.contracts) return { value: await look(chain), isAgreed: true };
  const value = await agreedOn(chain, what, look);
  return value === undefined ? { value: await look(chain), isAgreed: false } : { value, isAgreed: true };
}

/**
 * Whether something is so that ends a duty. One endpoint that says no is believed, because the duty goes on; one that says yes
 * only when the others agree.
 */
export async function isSurely(
  chain: Chain,
  what: string,
  verdict: (chain: Reading) => Promise<boolean>,
): Promise<boolean> {
  if (!(await verdict(chain))) return false;
  if (chain.agreed.contracts === chain.contracts) return true;
  return (await agreedOn(chain, what, verdict)) === true;
}

/**
 * Chain time for what ends a duty, seconds: the middle of what the endpoints say, and 0 where too few say any, so that nothing
 * is taken to be too late.
 */
export async function surelyNow(chain: Pick<Chain, "agreed" | "log">): Promise<bigint> {
  return (await agreedOn(chain, "the time", ({ client }) => chainTime(client))) ?? 0n;
}

import { findCause, InconsistentAnswerError, RpcUnavailableError } from "../../chain/rpc/errors.ts";
import { chainTime, type DutyContext, type Reading } from "./context.ts";

type Chain = Pick<DutyContext, "agreed" | "client" | "contracts" | "log">;

/**
 * What the endpoints agree on; undefined, with a warning, where they contradict each other, or too few answer: then nothing that
 * ends a duty may be concluded, and whoever asks goes on and looks again later.
 *
 * @param what is looked at, for the log
 * @throws whatever else the look throws, a refusal that the endpoints agree on, say
 */
export async function agreedOn<T>(
  { agreed, log }: Pick<Chain, "agreed" | "log">,
  what: string,
  look: (chain: Reading) => Promise<T>,
): Promise<T | undefined> {
  try {
    return await look(agreed);
  } catch (error) {
    const isUnsure = [InconsistentAnswerError, RpcUnavailableError].some((type) => findCause(error, type));
    if (!isUnsure) throw error;
    log.warn({ what, reason: (error as Error).message }, "the RPC endpoints do not agree: left as it is");
    return undefined;
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

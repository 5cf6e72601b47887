import { findCause, InconsistentAnswerError, RpcUnavailableError } from "../../chain/rpc/errors.ts";

/**
 * Reads the chain as its endpoints agree on it; where too few of them answer, one is believed.
 *
 * @param confirmed what reads as they agree; the same as `usual` where there is one endpoint
 * @throws InconsistentAnswerError when they contradict each other
 */
export async function orUsual<C, T>(confirmed: C, usual: C, read: (chain: C) => Promise<T>): Promise<T> {
  return await read(confirmed).catch((error: unknown) => {
    const isSilent = findCause(error, InconsistentAnswerError) === undefined;
    if (confirmed === usual || !isSilent || findCause(error, RpcUnavailableError) === undefined) throw error;
    return read(usual);
  });
}

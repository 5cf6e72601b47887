import { BackendUnavailableError } from "./errors.ts";

/**
 * The body of an HTTP answer, piece by piece. A reader that stops early does not wait for the server to notice.
 * @throws BackendUnavailableError when the connection breaks
 */
export async function* httpBody(response: Response, where: string): AsyncIterable<Uint8Array> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } catch (cause) {
    throw new BackendUnavailableError(`${where} broke off`, { cause });
  } finally {
    reader.cancel().catch(() => undefined);
  }
}

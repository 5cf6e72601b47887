/** What went wrong, in one line: the short form of a library's error where it has one. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { shortMessage } = error as { shortMessage?: unknown };
  return typeof shortMessage === "string" ? shortMessage : error.message;
}

/** One line that says why something failed, from our errors and others'; what strangers wrote is made printable. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? short(error) : String(error);
  return text.replace(/[^\x20-\x7e\u00a0-\uffff]/g, " ").slice(0, 300);
}

/** viem's errors have a short message beside the one with all call data. */
function short(error: Error): string {
  return "shortMessage" in error && typeof error.shortMessage === "string"
    ? error.shortMessage
    : error.message;
}

type Failed = { readonly parameters: string; readonly transaction: string };

/** The event by which a retrieval failed, among those of its bundle. */
export function failureOf<T extends Failed>(retrieval: string, events: readonly T[]): T | undefined {
  return events.find(
    ({ parameters }) => (JSON.parse(parameters) as { challengeId: string }).challengeId === retrieval,
  );
}

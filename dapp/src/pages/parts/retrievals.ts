type Told = { readonly parameters: string };

/** The event that is about a retrieval, among all of one name. */
export function eventOf<T extends Told>(retrieval: string, events: readonly T[]): T | undefined {
  return events.find(
    ({ parameters }) => (JSON.parse(parameters) as { challengeId: string }).challengeId === retrieval,
  );
}

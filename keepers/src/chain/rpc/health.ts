/** What is known about one endpoint, as shown by `assay health` and the metrics. */
export type EndpointHealth = {
  name: string;
  /** undefined until the endpoint has said which chain it serves. */
  chainId: number | undefined;
  /** Newest block that it has named. */
  head: bigint | undefined;
  /** Moving average of answer times, in milliseconds. */
  latency: number;
  /** Failures since the last success. */
  failures: number;
  /** Contradictions since the start. */
  contradictions: number;
  /** Milliseconds (of the client's clock) until which it is only asked when nothing else is left. */
  restingUntil: number;
  /** Whether its head is behind the others'. */
  lagging: boolean;
  lastError: string | undefined;
};

/** Milliseconds that an endpoint rests at most, unless it asks for more. */
export const longestRest = 120_000;

export const newHealth = (name: string): EndpointHealth => ({
  name,
  chainId: undefined,
  head: undefined,
  latency: 0,
  failures: 0,
  contradictions: 0,
  restingUntil: 0,
  lagging: false,
  lastError: undefined,
});

export function recordSuccess(health: EndpointHealth, milliseconds: number): void {
  health.latency = health.latency === 0 ? milliseconds : health.latency * 0.8 + milliseconds * 0.2;
  health.failures = 0;
  health.restingUntil = 0;
}

/** Puts the endpoint to rest, for longer with every failure in a row. */
export function recordFailure(health: EndpointHealth, error: Error, now: number, atLeast = 0): void {
  health.failures++;
  health.lastError = error.message;
  const rest = Math.min(longestRest, 500 * 2 ** Math.min(health.failures, 10));
  health.restingUntil = Math.max(health.restingUntil, now + Math.max(rest, atLeast));
}

/** Best endpoint first: awake, not lagging, few contradictions, fast; equal ones stay in the order of the configuration. */
export function rank<T extends { health: EndpointHealth }>(endpoints: readonly T[], now: number): T[] {
  const key = ({ health }: T): number[] => [
    health.restingUntil > now ? health.restingUntil : 0,
    health.lagging ? 1 : 0,
    health.contradictions,
    // Coarse, so that noise does not move traffic to and fro.
    Math.floor(Math.log2(1 + health.latency / 50)),
  ];
  return endpoints
    .map((endpoint, place) => ({ endpoint, place, key: key(endpoint) }))
    .sort((a, b) => {
      for (let i = 0; i < a.key.length; i++) {
        if (a.key[i] !== b.key[i]) return a.key[i]! - b.key[i]!;
      }
      return a.place - b.place;
    })
    .map(({ endpoint }) => endpoint);
}

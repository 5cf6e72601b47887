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
  /** Milliseconds (of the client's clock) at which it last contradicted others or itself. */
  contradictedAt: number;
  /** Milliseconds (of the client's clock) until which it is asked after others because it took long to answer. */
  slowUntil: number;
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
  contradictedAt: 0,
  slowUntil: 0,
  restingUntil: 0,
  lagging: false,
  lastError: undefined,
});

/** How much longer an endpoint rests than it kept somebody waiting in vain: waiting for one that is down stays a small part. */
export const restPerWait = 8;
/** Milliseconds that no honest endpoint takes as a rule. */
const long = 2_000;
/** Milliseconds in which half of what an endpoint once contradicted is forgotten: a reorganisation makes honest ones do so, too. */
const halfLife = 600_000;

export function recordSuccess(health: EndpointHealth, milliseconds: number, now: number): void {
  if (milliseconds >= long) health.slowUntil = now + Math.min(longestRest, restPerWait * milliseconds);
  health.latency = health.latency === 0 ? milliseconds : health.latency * 0.8 + milliseconds * 0.2;
  health.failures = 0;
  health.restingUntil = 0;
}

export function recordContradiction(health: EndpointHealth, now: number): void {
  health.contradictions++;
  health.contradictedAt = now;
}

/** Puts the endpoint to rest, for longer with every failure in a row. */
export function recordFailure(health: EndpointHealth, error: Error, now: number, atLeast = 0): void {
  health.failures++;
  health.lastError = error.message;
  const rest = Math.min(longestRest, 500 * 2 ** Math.min(health.failures, 10));
  health.restingUntil = Math.max(health.restingUntil, now + Math.max(rest, atLeast));
}

/**
 * Best endpoint first: awake, not lagging, none that takes seconds, few contradictions of late, fast; one that answers late and right
 * costs more than one that once was of another opinion. Equal ones stay in the order of the configuration.
 */
export function rank<T extends { health: EndpointHealth }>(endpoints: readonly T[], now: number): T[] {
  const key = ({ health }: T): number[] => [
    health.restingUntil > now ? health.restingUntil : 0,
    health.lagging ? 1 : 0,
    health.slowUntil > now ? 1 : 0,
    Math.floor(health.contradictions / 2 ** Math.floor((now - health.contradictedAt) / halfLife)),
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

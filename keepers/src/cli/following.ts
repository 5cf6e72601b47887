import type { Registry } from "prom-client";
import type { ChainClient } from "../chain/client.ts";
import type { HealthCheck } from "../roles/telemetry.ts";

/** Milliseconds for which a chain that grows may not have been followed before the keeper counts as ill. */
const longestGap = 60_000;
/** Blocks between two looks of a follower on a fast chain: so far behind the head it follows it. */
const usualGap = 16;

/** The middle of the heads that endpoints have named, the lower one of two: one that lies or lags decides nothing. */
function headOf(chain: Pick<ChainClient, "health">): number {
  const heads = chain.health().flatMap(({ head }) => (head === undefined ? [] : [Number(head)]));
  return heads.sort((a, b) => a - b)[Math.floor((heads.length - 1) / 2)] ?? 0;
}

/**
 * Health of a follower by what it tells the metrics: ill when the chain has grown and nothing more of it was followed for a
 * minute, as far as those who ask can see.
 */
export function checkFollowing(
  chain: Pick<ChainClient, "health">,
  metrics: Registry,
  now: () => number = () => performance.now(),
): HealthCheck {
  let known = { block: -1, head: 0, at: 0 };
  return async () => {
    const gauge = await metrics.getSingleMetric("assay_follower_block")?.get();
    const block = Number(gauge?.values[0]?.value ?? 0);
    const head = headOf(chain);
    // A chain that stands still has nothing to be followed, and a node that has just started may have followed it before.
    const isFollowing = block !== known.block || head <= known.head || head - block <= usualGap;
    if (isFollowing) known = { block, head, at: now() };
    const silentMs = now() - known.at;
    return { ok: silentMs < longestGap, block: block === 0 ? null : String(block), silentMs };
  };
}

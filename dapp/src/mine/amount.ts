import { parseUnits } from "viem";

/** Tokens that somebody typed, in base units; or what is wrong with them. */
export function readAmount(text: string, most?: bigint): { units: bigint } | { problem: string } {
  const trimmed = text.trim().replaceAll(",", "");
  if (!/^\d{1,30}(\.\d{1,18})?$/.test(trimmed)) return { problem: "An amount of tokens, as in 100 or 0.5" };
  const units = parseUnits(trimmed, 18);
  if (units === 0n) return { problem: "More than nothing" };
  if (most !== undefined && units > most) return { problem: "More than there is" };
  return { units };
}
